"""Cut-offs of probability and the 0-100 PQL score: fixed at fit time, blind to today's batch."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from features.clock import DAY_US
from features.spec import Spec
from models.scoring import TIERS

_WARM_PER_HOT = 3
_CRITICAL_PER_HOT = 0.2
_UNREACHABLE = 2.0
"""Above every probability: nobody reaches the tier."""
_SCORE_KNOTS = 1_001


class _Ordered(Spec):
    """Three values, one per tier, falling from critical to warm."""

    critical: float = Field(gt=0)
    hot: float = Field(gt=0)
    warm: float = Field(gt=0)

    @model_validator(mode="after")
    def _check(self) -> "_Ordered":
        if not self.critical >= self.hot >= self.warm:
            raise ValueError("must fall from critical over hot to warm")
        return self


class ProbabilityTiers(_Ordered):
    """Cut-offs given as probabilities: a row is hot from `hot` on, [hot, critical)."""

    by: Literal["probability"]
    critical: float = Field(gt=0, le=1)
    hot: float = Field(gt=0, le=1)
    warm: float = Field(gt=0, le=1)


class CapacityTiers(Spec):
    """As many hot-or-better entities a week as sales can call; a fifth of them critical, and
    three times as many warm-or-better."""

    by: Literal["capacity"]
    reps: int = Field(ge=1)
    per_rep_per_week: int = Field(ge=1)


class LiftTiers(_Ordered):
    """Cut-offs as multiples of the base rate's odds in the calibrate fold.

    Of the odds, not of the rate: ten times a rate of one in nine would be above certainty.
    """

    by: Literal["lift"] = "lift"
    critical: float = Field(default=10.0, gt=0)
    hot: float = Field(default=5.0, gt=0)
    warm: float = Field(default=2.0, gt=0)


class PrecisionTiers(_Ordered):
    """The share of each tier-or-better that is expected to convert."""

    by: Literal["precision"]
    critical: float = Field(default=0.5, gt=0, le=1)
    hot: float = Field(default=0.3, gt=0, le=1)
    warm: float = Field(default=0.1, gt=0, le=1)


TierSpec = Annotated[
    ProbabilityTiers | CapacityTiers | LiftTiers | PrecisionTiers, Field(discriminator="by")
]


def fit_tiers(
    probability: np.ndarray,
    label: np.ndarray,
    entity: np.ndarray,
    as_of: np.ndarray,
    spec: TierSpec,
) -> dict[str, Any]:
    """Cut-offs and score map from the calibrate fold, all arguments of shape (n,).

    Returns
    -------
    dict
        JSON-ready: ``cutoffs`` by tier, above 1 where nobody reaches it; ``knots`` and
        ``heights`` of the PQL score: 100 x the share of these rows with a lower probability.
    """
    match spec:
        case ProbabilityTiers():
            cuts = [spec.warm, spec.hot, spec.critical]
        case CapacityTiers():
            cuts = _capacity(probability, entity, as_of, spec.reps * spec.per_rep_per_week)
        case LiftTiers():
            odds = float(label.mean() / max(1 - label.mean(), 1e-9))
            cuts = [x * odds / (1 + x * odds) for x in (spec.warm, spec.hot, spec.critical)]
        case PrecisionTiers():
            cuts = [_precision(probability, at) for at in (spec.warm, spec.hot, spec.critical)]
    knots, heights = _score_map(probability)
    return {
        "by": spec.by,
        "cutoffs": dict(zip(TIERS[1:], cuts, strict=True)),
        "knots": knots.tolist(),
        "heights": heights.tolist(),
    }


def _capacity(
    probability: np.ndarray, entity: np.ndarray, as_of: np.ndarray, per_week: int
) -> list[float]:
    """An entity that stays on the list all week is one call: its best row of the week counts."""
    week = (as_of - as_of.min()) // (7 * DAY_US)
    order = np.lexsort((-probability, entity, week))
    first = np.r_[True, (np.diff(week[order]) != 0) | (np.diff(entity[order]) != 0)]
    best = np.sort(probability[order][first])[::-1]
    hot = per_week * (int(week.max()) + 1)
    return [
        _nearest_cut(best, size) for size in (_WARM_PER_HOT * hot, hot, _CRITICAL_PER_HOT * hot)
    ]


def _nearest_cut(falling: np.ndarray, wanted: float) -> float:
    """The value whose "this or more" holds nearest to `wanted`, or nobody, if that is nearer.

    Equal values can't be parted: without skill all are equal, and a list of everyone is no list.

    >>> _nearest_cut(np.array([0.9, 0.5, 0.5, 0.1]), wanted=2), _nearest_cut(np.ones(9), wanted=2)
    (0.9, 2.0)
    """
    last_of_block = np.flatnonzero(np.r_[falling[1:] != falling[:-1], True])
    best = int(np.argmin(np.abs(last_of_block + 1 - wanted)))
    if wanted < abs(last_of_block[best] + 1 - wanted):
        return _UNREACHABLE
    return float(falling[last_of_block[best]])


def _precision(probability: np.ndarray, target: float) -> float:
    """The lowest cut-off above which the mean calibrated probability reaches `target`."""
    falling = np.sort(probability)[::-1]
    last_of_block = np.flatnonzero(np.r_[falling[1:] != falling[:-1], True])
    mean = np.cumsum(falling)[last_of_block] / (last_of_block + 1)
    enough = last_of_block[mean >= target]
    return float(falling[enough[-1]]) if len(enough) else _UNREACHABLE


def _score_map(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rising, first = np.unique(np.sort(probability), return_index=True)
    kept = np.unique(np.linspace(0, len(rising) - 1, _SCORE_KNOTS).round().astype(int))
    return rising[kept], 100.0 * first[kept] / len(probability)
