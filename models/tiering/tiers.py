"""Cut-offs of probability and the 0-100 PQL score: fixed at fit time, blind to today's batch."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from statistics import NormalDist
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from features.errors import NotEnoughHistory, SettingsError
from features.spec import Spec
from models.scoring import TIERS
from models.tiering.capacity import UNREACHABLE, CapacityTiers, capacity_cuts

_SCORE_KNOTS = 1_001


class _Ordered(Spec):
    """Three values, one per tier, falling from critical to warm."""

    critical: float = Field(gt=0)
    """Where critical begins."""
    hot: float = Field(gt=0)
    """Where hot begins."""
    warm: float = Field(gt=0)
    """Where warm begins."""

    @model_validator(mode="after")
    def _check(self) -> "_Ordered":
        if not self.critical >= self.hot >= self.warm:
            raise ValueError("must fall from critical over hot to warm")
        return self


class ProbabilityTiers(_Ordered):
    """Cut-offs given as probabilities: a row is hot from `hot` on, [hot, critical)."""

    by: Literal["probability"]
    """Cut-offs are probabilities."""
    critical: float = Field(gt=0, le=1)
    """Probability from which a row is critical."""
    hot: float = Field(gt=0, le=1)
    """Probability from which a row is hot."""
    warm: float = Field(gt=0, le=1)
    """Probability from which a row is warm."""


class LiftTiers(_Ordered):
    """Cut-offs as multiples of the base rate's odds in the calibrate fold.

    Of the odds, not of the rate: ten times a rate of one in nine would be above certainty.
    """

    by: Literal["lift"] = "lift"
    """Cut-offs are multiples of the base rate's odds; the default kind."""
    critical: float = Field(default=10.0, gt=0)
    """Multiple from which a row is critical."""
    hot: float = Field(default=5.0, gt=0)
    """Multiple from which a row is hot."""
    warm: float = Field(default=2.0, gt=0)
    """Multiple from which a row is warm."""


class PrecisionTiers(_Ordered):
    """The share of each tier-or-better that converts, as the calibrate fold shows it.

    The cut-off is the lowest above which the share is at least this with `confidence`, and the
    mean probability too: the best rows of one fold owe some of their conversions to luck, which
    the next month does not repeat.
    """

    by: Literal["precision"]
    """Cut-offs by the share that converts."""
    critical: float = Field(default=0.5, gt=0, le=1)
    """Share of critical that converts at least."""
    hot: float = Field(default=0.3, gt=0, le=1)
    """Share of hot or better that converts at least."""
    warm: float = Field(default=0.1, gt=0, le=1)
    """Share of warm or better that converts at least."""
    confidence: float = Field(default=0.8, ge=0.5, lt=1)
    """How surely."""


class ValueTiers(_Ordered):
    """Cut-offs of expected value: probability x what the account is worth, in units of `column`."""

    by: Literal["value"]
    """Cut-offs of probability x account value."""
    column: str
    """A number feature: what the account would pay. Where it is unknown, the training rows' median
    stands in."""


TierSpec = Annotated[
    ProbabilityTiers | CapacityTiers | LiftTiers | PrecisionTiers | ValueTiers,
    Field(discriminator="by"),
]


def fit_tiers(
    probability: np.ndarray,
    label: np.ndarray,
    entity: np.ndarray,
    as_of: np.ndarray,
    spec: TierSpec,
    columns: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Cut-offs and score map from the calibrate fold, arrays of shape (n,).

    Parameters
    ----------
    columns
        The model's, as `models.learners.encoding.fit_columns` describes them; only ``value`` reads
        them.

    Returns
    -------
    dict
        JSON-ready: ``cutoffs`` by tier, out of reach where nobody gets there; ``knots`` and
        ``heights`` of the PQL score: 100 x the share of these rows with a lower probability;
        and for expected value ``value``: the ``column``, and what stands in where it is
        ``missing``.

    Raises
    ------
    SettingsError
        When the column of values is no number feature of the model.
    NotEnoughHistory
        When no training row has a value.
    """
    tiers: dict[str, Any] = {"by": spec.by}
    match spec:
        case ProbabilityTiers():
            cuts = _given(spec)
        case ValueTiers():
            cuts = _given(spec)
            tiers["value"] = {"column": spec.column, "missing": _typical(spec.column, columns)}
        case CapacityTiers():
            cuts = capacity_cuts(probability, entity, as_of, spec)
        case LiftTiers():
            cuts = _lift(spec, float(label.mean()))
        case PrecisionTiers():
            cuts = _precision(probability, label, entity, spec)
    return tiers | _stored(cuts, probability)


def refit_tiers(
    tiers: Mapping[str, Any],
    probability: np.ndarray,
    entity: np.ndarray,
    as_of: np.ndarray,
    spec: TierSpec,
    rate: float,
) -> dict[str, Any]:
    """Tiers for probabilities that moved to another base `rate`, from recent rows.

    Each kind keeps what it promises. Capacity promises a number of calls and is counted anew,
    lift promises a multiple of the base rate and moves with it; cut-offs of probability, of
    precision and of value are said in a unit that recalibration has just put right, and stay.

    Parameters
    ----------
    probability
        Of the recent rows, after the move. Their labels are not read, so the newest rows count.
    """
    match spec:
        case CapacityTiers():
            cuts = capacity_cuts(probability, entity, as_of, spec)
        case LiftTiers():
            cuts = _lift(spec, rate)
        case _:
            cuts = [tiers["cutoffs"][name] for name in TIERS[1:]]
    return {**tiers, **_stored(cuts, probability)}


def _stored(cuts: list[float], probability: np.ndarray) -> dict[str, Any]:
    knots, heights = _score_map(probability)
    return {
        "cutoffs": dict(zip(TIERS[1:], cuts, strict=True)),
        "knots": knots.tolist(),
        "heights": heights.tolist(),
    }


def _given(spec: _Ordered) -> list[float]:
    return [spec.warm, spec.hot, spec.critical]


def _lift(spec: LiftTiers, rate: float) -> list[float]:
    odds = rate / max(1 - rate, 1e-9)
    return [x * odds / (1 + x * odds) for x in _given(spec)]


def _typical(name: str, columns: Sequence[Mapping[str, Any]]) -> float:
    """The median of a number column in training."""
    numbers = {column["name"]: column["typical"] for column in columns if "levels" not in column}
    if name not in numbers:
        near = get_close_matches(name, numbers, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingsError(
            f"model.tiers.column {name!r} is no number feature of the model.{hint} Name one that "
            "says what an account is worth, or choose other tiers."
        )
    if numbers[name] is None:
        raise NotEnoughHistory(
            f"No training row has a value of {name!r}, so expected values can't be made. Bring "
            "the column, or choose other tiers."
        )
    return float(numbers[name])


def _precision(
    probability: np.ndarray, label: np.ndarray, entity: np.ndarray, spec: PrecisionTiers
) -> list[float]:
    """Of each target the lowest cut-off above which the share is at least that, with confidence,
    and so is the mean probability.

    The bound is Wilson's (1927), on rows divided by the design effect: one conversion shows in
    several rows of its entity.
    """
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    last_of_block = np.flatnonzero(np.r_[falling[1:] != falling[:-1], True])
    per_entity = np.bincount(np.unique(entity, return_inverse=True)[1], label)
    effect = max(1.0, float((per_entity**2).sum() / max(per_entity.sum(), 1)))
    rows = (last_of_block + 1) / effect
    bound = _wilson_low(np.cumsum(label[order])[last_of_block] / effect, rows, spec.confidence)
    # One lucky row at the top is a share of 1: the probabilities must say the same.
    claimed = np.minimum(bound, np.cumsum(falling)[last_of_block] / (last_of_block + 1))
    # A longer list may come back to the target: the longest counts.
    enough = [last_of_block[claimed >= target] for target in _given(spec)]
    return [float(falling[ends[-1]]) if len(ends) else UNREACHABLE for ends in enough]


def _wilson_low(positives: np.ndarray, rows: np.ndarray, confidence: float) -> np.ndarray:
    z = NormalDist().inv_cdf(confidence)
    share, spread = positives / rows, z * z / rows
    half = z * np.sqrt(share * (1 - share) / rows + spread / (4 * rows))
    return (share + spread / 2 - half) / (1 + spread)


def _score_map(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rising, first = np.unique(np.sort(probability), return_index=True)
    kept = np.unique(np.linspace(0, len(rising) - 1, _SCORE_KNOTS).round().astype(int))
    return rising[kept], 100.0 * first[kept] / len(probability)
