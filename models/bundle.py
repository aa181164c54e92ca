"""The model as a folder of text and arrays: written byte-equal, refused when altered."""

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from features.definitions import Feature, fingerprint, from_json, to_json
from features.errors import SchemaMismatch, few
from features.texts import english
from features.versions import other_versions, versions_of
from models.heads.heads import Heads, heads_files
from models.monitoring.reference import FILE as REFERENCE
from models.monitoring.reference import to_json as reference_text
from models.propensity import PropensityModel, Training
from models.reasons import reword
from models.scoring import FORMAT_VERSION, TEXTS_FILE, WORDING_FILE, Scorer
from models.tiering.fit_usage import view_files

log = logging.getLogger(__name__)

MANIFEST = "bundle.json"
CARD = "model_card.md"
_LIBRARIES = ("lightgbm", "numpy", "scikit-learn")


def save_bundle(
    model: PropensityModel,
    folder: Path | str,
    *,
    settings_text: str,
    info: Mapping[str, Any],
    heads: Heads | None = None,
    card: str | None = None,
    reference: Mapping[str, Any] | None = None,
) -> Path:
    """Write the bundle into `folder`, which must be new or empty.

    Parameters
    ----------
    settings_text
        The settings file as it was: becomes ``settings.yaml``.
    info
        JSON-ready facts the caller wants kept, such as the run id or the time of training.
    heads
        Optional heads; read them with `models.heads.heads.read_heads`.
    card
        What people should know of the model, in Markdown: becomes ``model_card.md``.
    reference
        What columns, scores and events looked like: `models.monitoring.reference.reference`.

    Raises
    ------
    SchemaMismatch
        When the folder already holds files: two models must not mix.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    present = sorted(path.name for path in root.iterdir())
    if present:
        raise SchemaMismatch(f"{str(root)!r} is not empty ({few(present)}); give a new folder.")
    scorer = model.scorer
    _write(root / "feature_schema.json", to_json(model.features))
    files = scorer.learner.files() | view_files(scorer.views) | heads_files(heads or Heads())
    for name, text in files.items():
        _write(root / name, text)
    _write(root / "calibration.json", _json(scorer.calibration))
    _write(root / "tiers.json", _json(scorer.tiers))
    _write(root / WORDING_FILE, _json(scorer.wording))
    _write(root / TEXTS_FILE, _json(scorer.language.texts))
    _write(root / "settings.yaml", settings_text)
    if reference is not None:
        _write(root / REFERENCE, reference_text(reference))
    if card is not None:
        _write(root / CARD, card)
    if scorer.space is not None:
        # numpy dates every member 1980-01-01, so equal arrays give equal bytes.
        np.savez_compressed(root / "similarity.npz", **scorer.space, allow_pickle=False)
    about: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "training": asdict(model.training),
        "feature_fingerprint": fingerprint(model.features),
        "statistics": versions_of(model.features),
        "columns": scorer.columns,
        "info": dict(info),
        "sha256": {path.name: _sha256(path) for path in sorted(root.iterdir())},
    }
    _write(root / MANIFEST, _json(about))
    log.info("Bundle: %d files in %s", len(about["sha256"]) + 1, root)
    return root


def load_bundle(folder: Path | str) -> PropensityModel:
    """Read a bundle; it scores bit for bit like the model that was saved.

    Raises
    ------
    SchemaMismatch
        When the manifest is missing, its format is another, a file differs from it, or this program
        computes a statistic by another formula than the one that the model was trained on.
    """
    root = Path(folder)
    about = read_about(root)
    recorded = about["sha256"]
    changed = [
        name
        for name, digest in recorded.items()
        if not (root / name).is_file() or _sha256(root / name) != digest
    ]
    if changed:
        raise SchemaMismatch(
            f"{len(changed)} of {len(recorded)} files in {str(root)!r} are missing or differ from "
            f"{MANIFEST}: {few(changed)}. {_REMEDY}"
        )
    features = from_json((root / "feature_schema.json").read_text(encoding="utf-8"))
    _refuse_other_formulas(root, about, features)
    training = about["training"]
    periods = {key: tuple(training[key]) for key in ("train_period", "calibrate_period")}
    scorer = Scorer.load(root)
    if not scorer.wording:
        # A bundle made before models kept their texts: today's are as good.
        reword(scorer, features, english())
    return PropensityModel(scorer, features, Training(**{**training, **periods}))


def _refuse_other_formulas(
    root: Path, about: Mapping[str, Any], features: Sequence[Feature]
) -> None:
    other = other_versions(about.get("statistics", {}), features)
    if other:
        raise SchemaMismatch(
            f"This program computes {len(other)} statistics of the model in {str(root)!r} by other "
            f"formulas: {few(other)}. Train again, or score with the version of this program that "
            "trained it."
        )


_REMEDY = "Use another version, restore its files from a backup, or train again."


def read_about(folder: Path | str) -> dict[str, Any]:
    """The manifest: format, libraries, training period, columns, info and checksums.

    Raises
    ------
    SchemaMismatch
        When it is missing or of another format.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise SchemaMismatch(f"No model in {str(folder)!r}: {MANIFEST} is missing.")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SchemaMismatch(f"{str(path)!r} is damaged. {_REMEDY}") from error
    if about.get("format_version") != FORMAT_VERSION:
        raise SchemaMismatch(
            f"The bundle in {str(folder)!r} has format {about.get('format_version')!r}, this "
            f"program reads {FORMAT_VERSION}. Train again, or use the version that wrote it."
        )
    return about


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
