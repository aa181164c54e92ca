"""A statistic's numbers can't change while its version stays: models would be fed other numbers.

Where a formula was changed on purpose, raise the statistic's `version` and write the new numbers:

    python -m tests.features.test_versions
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from features.catalogue import build_catalogue
from features.custom import own_feature
from features.definitions import Feature, Statistic
from features.engine import build_features
from features.statistics import STATISTICS
from features.versions import other_versions, versions_of
from pipeline.importer.frame import import_frame
from tests.features.worlds import DATA, SPEC, adversarial_events, grid

GOLDEN = Path(__file__).with_name("statistics.json")
ROWS = 16
PER_STATISTIC = 3


def numbers(folder: Path) -> dict[str, dict]:
    """By statistic: its version, and some features' values on a fixed log."""
    log = import_frame(adversarial_events(1, n=600), folder, "account", data=DATA)
    features = build_catalogue(SPEC, log, "account")
    sql = {"dimension": "value", "days": 28, "sql": "count(distinct plan) + max(rows)"}
    features = (*features, own_feature("by sql", sql, log))
    asked: dict[str, list[Feature]] = {}
    for feature in features:
        asked.setdefault(feature.statistic, []).append(feature)
    # Spread over the windows and selections of each.
    asked = {
        name: [
            some[at] for at in np.unique(np.linspace(0, len(some) - 1, PER_STATISTIC, dtype=int))
        ]
        for name, some in sorted(asked.items())
    }
    rows = grid(log, "account")
    rows = rows.take(np.linspace(len(rows) // 20, len(rows) - 1, ROWS, dtype=int))
    matrix = build_features(log, rows, [one for some in asked.values() for one in some])
    return {
        name: {
            "version": STATISTICS[name].version,
            "values": {one.name: _plain(matrix.column(one.name)) for one in some},
        }
        for name, some in asked.items()
    }


def _plain(column: np.ndarray) -> list:
    if column.dtype == object:
        return list(column)
    return [None if np.isnan(value) else float(f"{value:.6g}") for value in column]


def _same(left: list, right: list) -> bool:
    pairs = list(zip(left, right, strict=True))
    numeric = [(a, b) for a, b in pairs if isinstance(a, float) and isinstance(b, float)]
    others = [(a, b) for a, b in pairs if not (isinstance(a, float) and isinstance(b, float))]
    return all(a == b for a, b in others) and _close(numeric)


def _close(pairs: list[tuple[float, float]]) -> bool:
    return not pairs or np.allclose(*np.array(pairs).T, rtol=1e-5, atol=1e-14)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, dict]:
    return numbers(tmp_path_factory.mktemp("log"))


def test_every_formula_gives_the_numbers_of_its_version(found):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden.keys() == found.keys()
    changed = [
        name
        for name, now in found.items()
        if now["values"].keys() != golden[name]["values"].keys()
        or not all(_same(v, golden[name]["values"][key]) for key, v in now["values"].items())
    ]
    kept = [name for name in changed if found[name]["version"] == golden[name]["version"]]
    assert kept == [], "the same events give other numbers: raise `version` of these statistics"
    assert changed == [], "write the new numbers: python -m tests.features.test_versions"


def test_the_numbers_cover_every_statistic_but_the_plain_value(found):
    assert set(get_args(Statistic)) - found.keys() == {"attribute"}
    for name, of in found.items():
        values = {str(one) for some in of["values"].values() for one in some}
        assert len(values) > 1, f"{name} is constant: this proves nothing"


def test_the_comparison_notices_a_number_that_is_a_little_off(found):
    for of in found.values():
        for values in of["values"].values():
            at = next((i for i, one in enumerate(values) if isinstance(one, float) and one), None)
            if at is not None:
                other = [*values[:at], values[at] * 1.001, *values[at + 1 :]]
                assert _same(values, values)
                assert not _same(values, other)


@pytest.fixture
def logins() -> Feature:
    return Feature("logins_7d", "engagement", "count", (), None, 7, "entity", "number", "", "")


def test_a_model_is_told_each_statistic_that_changed_since(logins):
    features = [logins, replace(logins, statistic="trend"), replace(logins, statistic="streak")]
    recorded = versions_of(features)
    assert other_versions(recorded, features) == []
    older = {**recorded, "count": recorded["count"] - 1, "trend": recorded["trend"] + 4}
    assert other_versions(older, features) == [
        f"count: model {older['count']}, this program {recorded['count']}",
        f"trend: model {older['trend']}, this program {recorded['trend']}",
    ]


def test_a_model_without_a_record_has_the_first_version_of_all(logins):
    assert other_versions({}, [logins]) == other_versions({"count": 1}, [logins])


def test_a_statistic_that_this_program_lacks_is_told(logins):
    strange = replace(logins, statistic="moonphase")
    told = other_versions({"moonphase": 2}, [strange])
    assert told == ["moonphase: model 2, this program has none"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        text = json.dumps(numbers(Path(scratch)), indent=None, sort_keys=True)
    GOLDEN.write_text(text.replace('}}, "', '}},\n"') + "\n", encoding="utf-8")
