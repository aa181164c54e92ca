"""Who they are against what they do: two calibrated scores, and a table of both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from features.definitions import Feature
from features.errors import NotEnoughHistory
from features.spec import Spec
from models.base_rate import Shift, down_sampling_offset, with_shift
from models.calibration import CalibrationSpec, fit_calibration
from models.judging.curves import effective_rows, wilson
from models.learners.booster import BoosterSpec, fit_booster
from models.scoring import VIEWS, Learner
from models.scoring.probability import high_low, move_odds

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.learners.inputs import Inputs

MEANINGS: Mapping[tuple[str, str], str] = {
    ("high", "high"): "right company, in earnest use: call",
    ("low", "high"): "in earnest use, unusual company: let it buy by itself, or ask",
    ("high", "low"): "right company, little use: help it to get going",
    ("low", "low"): "neither yet: wait",
}
"""What to make of each (fit, usage)."""


class FitUsageSpec(Spec):
    """The two views of a row."""

    enabled: bool = True
    """Fit both scores."""
    high_lift: float = Field(default=1.0, gt=0)
    """High from this multiple of the base rate's odds in the calibrate fold on."""


@dataclass(frozen=True)
class View:
    """One score of a row, from some of its columns.

    Parameters
    ----------
    mapping
        JSON-ready: ``calibration`` as calibration.json, ``cutoff`` of high, a probability.
    columns
        Names of what it reads.
    """

    learner: Learner
    mapping: dict[str, Any]
    columns: tuple[str, ...]

    def score(self, names: Sequence[str], matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probability, and ``high`` or ``low``, of encoded rows, shape (n,) each."""
        return high_low(self.mapping, self.learner.raw(names, matrix))


@dataclass(frozen=True)
class FitUsage:
    """The views that the features allow.

    Parameters
    ----------
    views
        By name, ``fit`` before ``usage``.
    missing
        Why a view is not there, by name.
    """

    views: dict[str, View]
    missing: dict[str, str] = field(default_factory=dict)

    def score(self, names: Sequence[str], matrix: np.ndarray) -> dict[str, np.ndarray]:
        """``fit_score, fit_tier, usage_score, usage_tier`` of encoded rows, shape (n,) each."""
        columns: dict[str, np.ndarray] = {}
        for name, view in self.views.items():
            columns[f"{name}_score"], columns[f"{name}_tier"] = view.score(names, matrix)
        return columns


def moved_view(mapping: Mapping[str, Any], shift: Shift) -> dict[str, Any]:
    """A view's mapping with its odds moved by `shift`, in place of any before.

    Fit and usage scores are probabilities of the event that the model predicts, so what moves its
    odds moves theirs, and the cut-off of *high* with them.
    """
    before = mapping["calibration"].get("base_rate", {}).get("shift", 0.0)
    return {
        **mapping,
        "calibration": with_shift(mapping["calibration"], shift),
        "cutoff": float(move_odds(np.array(mapping["cutoff"]), shift.shift - before)),
    }


def view_files(views: Mapping[str, tuple[Learner, dict]]) -> dict[str, str]:
    """Texts by file name in the bundle: a learner and a ``view.json`` per view."""
    texts: dict[str, str] = {}
    for name, (learner, mapping) in views.items():
        text = json.dumps(mapping, indent=1, sort_keys=True, allow_nan=False) + "\n"
        texts |= learner.files(f"{name}-") | {f"{name}-view.json": text}
    return texts


@dataclass(frozen=True)
class Cell:
    """Rows of one fit and one usage: how many convert, with a 95 % interval."""

    fit: str
    usage: str
    rows: int
    converting: int
    observed: float
    low: float
    high: float
    meaning: str


def fit_fit_usage(
    inputs: "Inputs",
    train: "Dataset",
    calibrate: "Dataset",
    spec: FitUsageSpec,
    booster: BoosterSpec,
    calibration: CalibrationSpec,
    *,
    horizon_days: int,
    seed: int,
    threads: int = 1,
) -> FitUsage:
    """Two sets of trees, one on the fit features and one on all others; similarity is in neither.

    A view whose features say nothing in training is left out, and `missing` says so.

    Parameters
    ----------
    inputs
        Of the training rows.
    """
    later = inputs.of(calibrate)
    views, missing = {}, {}
    for name, columns in zip(VIEWS, by_dimension(train.matrix.features, inputs.names), strict=True):
        if not columns:
            missing[name] = f"The model has no {name} features."
            continue
        at = [inputs.names.index(column) for column in columns]
        try:
            text = fit_booster(
                inputs.matrix[:, at],
                columns,
                inputs.categories & set(columns),
                train.label,
                train.as_of,
                _unconstrained(booster, columns),
                horizon_days=horizon_days,
                seed=seed,
                threads=threads,
            )
        except NotEnoughHistory as error:
            missing[name] = str(error)
            continue
        offset = down_sampling_offset(booster.negative_share)
        learner = Learner("booster", [text], 1.0, offset=offset)
        raw = learner.raw(inputs.names, later)
        mapping = {
            "calibration": fit_calibration(
                raw,
                calibrate.label,
                calibrate.cluster,
                calibration,
                seed,
                as_of=calibrate.as_of,
                horizon_days=horizon_days,
            ),
            "cutoff": _above(calibrate.label, spec.high_lift),
        }
        views[name] = View(learner, mapping, tuple(columns))
    return FitUsage(views, missing)


def by_dimension(features: Sequence[Feature], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Columns of fit features, and of all other features, of those in `names`."""
    fit = [feature.name for feature in features if feature.dimension == "fit"]
    usage = [feature.name for feature in features if feature.dimension != "fit"]
    return [name for name in fit if name in names], [name for name in usage if name in names]


def conversion_matrix(
    label: np.ndarray, fit_tier: np.ndarray, usage_tier: np.ndarray, cluster: np.ndarray
) -> list[Cell]:
    """The four cells with what was observed, from (high, high) to (low, low).

    Intervals are Wilson's (1927) on as many rows as tell something of their own, for rows of one
    cluster repeat each other. A cell without rows is left out.
    """
    cells = []
    for (fit, usage), meaning in MEANINGS.items():
        inside = (fit_tier == fit) & (usage_tier == usage)
        if not inside.any():
            continue
        observed = float(label[inside].mean())
        counted = effective_rows(label[inside], cluster[inside])
        low, high = wilson(observed * counted, counted)
        rows, converting = int(inside.sum()), int(label[inside].sum())
        cells.append(Cell(fit, usage, rows, converting, observed, low, high, meaning))
    return cells


def _above(label: np.ndarray, lift: float) -> float:
    rate = float(label.mean())
    return lift * rate / (1 - rate + lift * rate)


def _unconstrained(booster: BoosterSpec, columns: Sequence[str]) -> BoosterSpec:
    """Monotone constraints of the view's own columns only: others are unknown to its booster."""
    kept = {name: sign for name, sign in booster.monotone.items() if name in columns}
    return booster.model_copy(update={"monotone": kept})
