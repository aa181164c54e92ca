"""The saved model: text and arrays, equal bytes, equal scores, usable without this project."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import models.scoring
from features.errors import SchemaMismatch
from features.statistics import STATISTICS
from features.versions import versions_of
from models.bundle import CARD, load_bundle, read_about, save_bundle
from models.scoring import ColumnError, Scorer

FILES = {
    "bundle.json",
    "feature_schema.json",
    "learner.json",
    "booster.txt",
    "booster-2.txt",
    "booster-3.txt",
    "fit-booster.txt",
    "fit-learner.json",
    "fit-view.json",
    "usage-booster.txt",
    "usage-learner.json",
    "usage-view.json",
    "similarity.npz",
    "calibration.json",
    "tiers.json",
    "reasons.json",
    "texts.json",
    "settings.yaml",
}


@pytest.fixture
def saved(fitted: object, tmp_path: Path) -> Path:
    info = {"run_id": "r1", "trained_at": "2024-06-01"}
    return save_bundle(fitted.model, tmp_path / "bundle", settings_text="seed: 3\n", info=info)


def _values(rows: object) -> dict:
    values = {name: rows.matrix.column(name) for name in rows.matrix.table.column_names}
    return values | {"as_of": rows.as_of, "account_id": rows.account, "domain": rows.domain}


def test_save_and_load_give_equal_scores_reasons_and_look_alikes(
    saved: Path, fitted: object
) -> None:
    loaded, rows = load_bundle(saved), fitted.test
    given = rows.matrix, rows.account, rows.domain
    assert loaded.predict(*given).equals(fitted.model.predict(*given))
    some = rows.take(np.arange(5))
    given = some.matrix, some.account, some.domain
    assert loaded.explain(*given) == fitted.model.explain(*given)
    assert loaded.look_alikes(*given) == fitted.model.look_alikes(*given)
    assert loaded.training == fitted.model.training
    assert loaded.features == fitted.model.features


def test_the_bundle_is_text_and_plain_arrays(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == FILES
    for path in saved.iterdir():
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype.kind in "fiU" for name in arrays.files)
        else:
            path.read_text(encoding="utf-8")
    about = read_about(saved)
    assert about["info"] == {"run_id": "r1", "trained_at": "2024-06-01"}
    assert set(about["sha256"]) == FILES - {"bundle.json"}


def test_two_fits_save_equal_bytes(
    saved: Path, fitted: object, fit: Callable, tmp_path: Path
) -> None:
    info = read_about(saved)["info"]
    again = save_bundle(
        fit(fitted.world).model, tmp_path / "again", settings_text="seed: 3\n", info=info
    )
    for name in FILES:
        assert (saved / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.parametrize("name", sorted(FILES - {"bundle.json"}))
def test_a_changed_or_missing_file_is_refused(saved: Path, name: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content + b" ")
    with pytest.raises(SchemaMismatch, match=name):
        load_bundle(saved)
    (saved / name).unlink()
    with pytest.raises(SchemaMismatch, match=name):
        load_bundle(saved)


def test_a_foreign_format_is_refused_by_both_readers(saved: Path) -> None:
    about = read_about(saved) | {"format_version": 99}
    (saved / "bundle.json").write_text(json.dumps(about))
    with pytest.raises(SchemaMismatch, match="format 99"):
        load_bundle(saved)
    with pytest.raises(ValueError, match="99"):
        Scorer.load(saved)


def test_a_model_of_another_formula_is_refused_with_each_difference(saved: Path) -> None:
    about = read_about(saved)
    assert about["statistics"] == {"attribute": 1, "count": STATISTICS["count"].version}
    about["statistics"] = {"attribute": 7, "count": 9}
    (saved / "bundle.json").write_text(json.dumps(about))
    told = (
        r"2 statistics of the model .* by other formulas: 'attribute: model 7, this program 1', "
        rf"'count: model 9, this program {STATISTICS['count'].version}'\. Train again"
    )
    with pytest.raises(SchemaMismatch, match=told):
        load_bundle(saved)


def test_a_bundle_without_versions_has_the_first_of_every_formula(saved: Path) -> None:
    about = read_about(saved)
    del about["statistics"]
    (saved / "bundle.json").write_text(json.dumps(about))
    assert versions_of(load_bundle(saved).features) == {"attribute": 1, "count": 1}


def test_a_card_is_a_file_like_the_others(fitted: object, tmp_path: Path) -> None:
    card = "# A card\n\nÄ\n"
    folder = save_bundle(fitted.model, tmp_path / "b", settings_text="", info={}, card=card)
    assert (folder / CARD).read_text(encoding="utf-8") == card
    assert CARD in read_about(folder)["sha256"]
    (folder / CARD).write_text("# Another\n")
    with pytest.raises(SchemaMismatch, match=CARD):
        load_bundle(folder)


def test_a_damaged_manifest_is_refused_in_a_sentence(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(saved, folder)
    manifest = folder / "bundle.json"
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(SchemaMismatch, match="is damaged"):
        load_bundle(folder)


def test_two_models_never_share_a_folder(saved: Path, fitted: object) -> None:
    with pytest.raises(SchemaMismatch, match="not empty"):
        save_bundle(fitted.model, saved, settings_text="", info={})


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"bundle.json is missing"):
        load_bundle(tmp_path)


SCORING = Path(models.scoring.__file__).parent


def test_the_scoring_folder_imports_nothing_of_this_project() -> None:
    imported = {
        name.split(".")[0]
        for path in SCORING.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported - sys.stdlib_module_names == {"numpy", "pandas", "lightgbm"}


ALONE = """
import sys
from pathlib import Path
here = Path(sys.argv[1])
sys.path = [p for p in sys.path if p != sys.argv[2]] + [str(here)]
import numpy as np
import scoring
for name in ("features", "models", "pipeline"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} is importable: this proves nothing")
with np.load(here / "rows.npz", allow_pickle=False) as rows:
    values = {name: rows[name] for name in rows.files}
scored = scoring.Scorer.load(here / "bundle").score(values)
scored = {n: c.astype(str) if c.dtype == object else c for n, c in scored.items()}
np.savez(here / "scored.npz", **scored)
"""


def test_the_scoring_folder_scores_alike_where_this_project_is_not_installed(
    saved: Path, fitted: object, tmp_path: Path
) -> None:
    shutil.copytree(SCORING, tmp_path / "scoring")
    (tmp_path / "alone.py").write_text(ALONE)
    values = {
        name: np.array(["" if v is None else v for v in column])
        if column.dtype == object
        else column
        for name, column in _values(fitted.test).items()
    }
    np.savez(tmp_path / "rows.npz", **values)
    root = str(SCORING.parents[1])
    command = [sys.executable, "-I", str(tmp_path / "alone.py"), str(tmp_path), root]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    expected = fitted.model.predict(fitted.test.matrix, fitted.test.account, fitted.test.domain)
    with np.load(tmp_path / "scored.npz", allow_pickle=False) as scored:
        for name in expected:
            column = expected[name].to_numpy()
            column = column.astype(str) if column.dtype == object else column
            np.testing.assert_array_equal(scored[name], column)


def test_columns_are_found_by_name_not_by_place(saved: Path, fitted: object) -> None:
    scorer, values = Scorer.load(saved), _values(fitted.test)
    turned = dict(reversed(values.items()))
    for name, column in scorer.score(values).items():
        np.testing.assert_array_equal(scorer.score(turned)[name], column)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda v: {k: c for k, c in v.items() if k != "plan"}, "- plan"),
        (lambda v: {k: c for k, c in v.items() if k != "as_of"}, "- as_of"),
        (lambda v: v | {"colour": v["plan"]}, r"\+ colour"),
        (lambda v: v | {"noise_count_28d": v["plan"]}, "! noise_count_28d: expected number"),
        (lambda v: v | {"plan": v["noise_count_28d"]}, "! plan: expected category"),
        (lambda v: v | {"as_of": v["plan"]}, "! as_of: expected time"),
        (lambda v: v | {"domain": v["domain"][:3]}, "! domain: 3 rows, as_of has"),
    ],
)
def test_wrong_columns_are_refused_with_a_diff(
    saved: Path, fitted: object, change: Callable, line: str
) -> None:
    with pytest.raises(ColumnError, match=line):
        Scorer.load(saved).score(change(_values(fitted.test)))


def test_datetimes_and_microseconds_are_the_same_time(saved: Path, fitted: object) -> None:
    scorer, values = Scorer.load(saved), _values(fitted.test)
    dated = values | {"as_of": values["as_of"].astype("datetime64[us]").astype("datetime64[ns]")}
    np.testing.assert_array_equal(
        scorer.score(dated)["raw_score"], scorer.score(values)["raw_score"]
    )
