"""What fresh rows say of challenger, champion and scorecard, and the gate's rules on it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from models.base_rate import without_shift
from models.judging.bootstrap import Contender, evaluate
from models.judging.gate import GateSpec, Ruling, Verdict, switched_off
from models.propensity import PropensityModel

if TYPE_CHECKING:
    import pandas as pd

    from models.dataset import Dataset

CHALLENGER, CHAMPION, SCORECARD, ANCHOR = "challenger", "champion", "scorecard", "anchor"

_ONE_SIDED = 0.05
"""Chance of a rule to let through what it should stop, at any asking since the last promotion."""


@dataclass(frozen=True)
class Evidence:
    """What the fresh rows say of the contenders.

    Parameters
    ----------
    converting
        Accounts (or entities without one) that convert: what the intervals rest on.
    table
        `models.judging.bootstrap.evaluate`, the challenger first; None where the rows do not hold
        both outcomes.
    note
        What a reader must know of the rows, or why there are none.
    """

    rows: int
    positives: int
    converting: int
    table: "pd.DataFrame | None" = None
    note: str = ""

    def judgeable(self, spec: GateSpec) -> bool:
        """Whether enough accounts convert for the rules that read outcomes."""
        return self.table is not None and self.converting >= (spec.min_converting or 1)


def gather(
    rows: "Dataset",
    contenders: Mapping[str, Contender],
    *,
    capacity: int,
    n_bootstrap: int,
    seed: int,
    note: str = "",
) -> Evidence:
    """Measure all contenders on the same mature rows and the same draws of accounts.

    Parameters
    ----------
    contenders
        The challenger first, then by the names ``champion``, ``scorecard`` and ``anchor``.
    capacity
        Rows that sales can work per as_of.
    """
    positives, cluster = int(rows.label.sum()), rows.cluster
    converting = len(np.unique(cluster[rows.label]))
    if not 0 < positives < len(rows):
        return Evidence(len(rows), positives, converting, note=note)
    table = evaluate(
        rows.label,
        contenders,
        cluster,
        rows.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return Evidence(len(rows), positives, converting, table, note)


def confidence(asked: int) -> float:
    """Coverage of the intervals at the k-th asking since the last promotion, in (0, 1).

    A rule errs at the k-th asking, on the side that promotes, with at most .05 / (k (k + 1)): .025
    at the first, as a 95 % interval does, and .05 at all of them together, however many come and
    however much their rows overlap (Bonferroni's inequality; the terms sum to .05).

    >>> [round(confidence(k), 4) for k in (1, 2, 20)]
    [0.95, 0.9833, 0.9998]
    """
    return 1 - 2 * _ONE_SIDED / (asked * (asked + 1))


def stretch(asked: int) -> float:
    """How many times as wide as a 95 % interval that is, by the normal distribution.

    Some hundred draws have no percentile so far out.

    >>> [round(stretch(k), 2) for k in (1, 2, 20)]
    [1.0, 1.22, 1.87]
    """
    wanted, usual = (
        NormalDist().inv_cdf((1 + covered) / 2) for covered in (confidence(asked), confidence(1))
    )
    return wanted / usual


def judge_evidence(
    found: Evidence,
    spec: GateSpec,
    *,
    against_champion: bool = True,
    anchored: bool = False,
    asked: int = 1,
) -> tuple[Ruling, ...]:
    """The rules that read outcomes.

    Every one asks for proof, so that few conversions refuse and never promote. All must pass: an
    intersection-union test (Berger 1982, "Multiparameter hypothesis testing and acceptance
    sampling"), whose chance to let through what one rule should stop is at most that rule's own.

    Parameters
    ----------
    against_champion
        Whether there is a champion that answers the same question.
    anchored
        Whether there is an anchor: a former champion that does.
    asked
        Times that the gate was asked since the last promotion, by any version, this one included;
        intervals widen with it (`stretch`).
    """
    seen = _Seen(found, asked) if found.judgeable(spec) else None
    rivals = [(CHAMPION, spec.pr_auc_margin, spec.log_loss_margin)] * against_champion
    rivals += [(SCORECARD, spec.scorecard_pr_auc_margin, spec.scorecard_log_loss_margin)]
    rulings = [_enough(found, spec)]
    for rival, pr_auc, log_loss in rivals:
        rulings.append(_no_worse(seen, rival, "pr_auc", pr_auc))
        rulings.append(_no_worse(seen, rival, "log_loss", log_loss))
    if anchored:
        rulings.append(_no_worse(seen, ANCHOR, "pr_auc", spec.anchor_margin))
    rulings.append(_adds_up(seen, spec.calibration_factor))
    rulings.append(_calibrated(seen, spec.calibration_error))
    return tuple(rulings)


class _Seen:
    """Values of the table with intervals as wide as this asking needs them."""

    def __init__(self, found: Evidence, asked: int):
        self._table, self._stretch = found.table, stretch(asked)
        self.base_rate = found.positives / found.rows
        self.level = f"{100 * confidence(asked):.5g} %"

    def value(self, metric: str, contender: str) -> float:
        return float(self._row(metric, contender)["value"])

    def interval(self, metric: str, contender: str = CHALLENGER) -> tuple[float, float, float]:
        """The challenger's value and both ends, or its difference to another contender."""
        row = self._row(metric, contender)
        names = ("difference", "difference_low", "difference_high")
        if contender == CHALLENGER:
            names = ("value", "low", "high")
        value, low, high = (float(row[name]) for name in names)
        return value, value + self._stretch * (low - value), value + self._stretch * (high - value)

    def above(self, metric: str) -> float:
        """Upper end for a challenger's metric that is biased upwards on any sample.

        Draws of a sample show as much bias again as the sample itself has, so the end is 2 value -
        (lower percentile): the basic bootstrap interval (Davison & Hinkley 1997, "Bootstrap methods
        and their application", section 5.2).
        """
        row = self._row(metric, CHALLENGER)
        value, low, high = (float(row[name]) for name in ("value", "low", "high"))
        return 2 * value - (low + high) / 2 + self._stretch * (high - low) / 2

    def _row(self, metric: str, contender: str) -> "pd.Series":
        table = self._table
        assert table is not None
        return table[(table["metric"] == metric) & (table["contender"] == contender)].iloc[0]


def _enough(found: Evidence, spec: GateSpec) -> Ruling:
    least = spec.min_converting
    meaning = "With fewer, chance decides and nothing can be shown."
    if least is None:
        return switched_off("enough evidence", meaning)
    told = f"{found.converting:,} converting accounts on {found.rows:,} fresh rows"
    lacking = least - found.converting
    told += f": {lacking:,} more needed" if lacking > 0 else ""
    return Ruling(
        "enough evidence",
        "pass" if lacking <= 0 else "fail",
        f"{told} ({found.note})" if found.note else told,
        f"at least {least:,}",
        meaning,
        found.converting,
        least,
    )


def _no_worse(seen: _Seen | None, rival: str, metric: str, margin: float | None) -> Ruling:
    """Non-inferiority: the worse end of the paired interval lies within the margin."""
    words = {"pr_auc": "PR-AUC", "log_loss": "log loss"}[metric]
    name, rising = f"{words}, {rival}", metric == "pr_auc"
    what = "Ranks" if rising else "Predicts"
    meaning = f"{what} surely not worse than the {rival} by more than the margin."
    if margin is None:
        return switched_off(name, meaning)
    if seen is None:
        return _unjudged(name, f"{100 * margin:g} % of the {rival}'s", meaning)
    difference, low, high = seen.interval(metric, rival)
    base = seen.value(metric, rival)
    value, bound = (low, -margin * base) if rising else (high, margin * base)
    holds = value >= bound if rising else value <= bound
    return Ruling(
        name,
        "pass" if holds else "fail",
        f"{difference:+z.4f} ({seen.level}: {low:+z.4f} to {high:+z.4f})",
        f"{'lower' if rising else 'upper'} end at {'least' if rising else 'most'} {bound:+z.4f}: "
        f"{100 * margin:g} % of {base:.4f}",
        meaning,
        value,
        bound,
    )


def _adds_up(seen: _Seen | None, factor: float | None) -> Ruling:
    name = "calibration in the large"
    meaning = "Came / expected: 2 means twice as many as predicted. `recalibrate` moves it."
    if factor is None:
        return switched_off(name, meaning)
    limit = f"interval within {1 / factor:.2f} to {factor:.2f}"
    if seen is None:
        return _unjudged(name, limit, meaning)
    gap = seen.interval("calibration_in_the_large")
    # The gap is expected - came; what is expected varies little from draw to draw.
    ratio, high, low = (1 - end / (gap[0] + seen.base_rate) for end in gap)
    farthest = max(high, 1 / low) if low > 0 else float("inf")
    verdict: Verdict = "pass" if farthest <= factor else "fail"
    told = f"{ratio:.2f} ({seen.level}: {max(low, 0.0):.2f} to {high:.2f})"
    return Ruling(name, verdict, told, limit, meaning, farthest if low > 0 else None, float(factor))


def _calibrated(seen: _Seen | None, share: float | None) -> Ruling:
    name = "calibration error"
    meaning = "Mean gap of predicted and true rate among rows of like probability."
    if share is None:
        return switched_off(name, meaning)
    limit = f"upper end at most {100 * share:g} % of the base rate"
    if seen is None:
        return _unjudged(name, limit, meaning)
    error = seen.value("calibration_error", CHALLENGER)
    highest = max(0.0, seen.above("calibration_error")) / seen.base_rate
    return Ruling(
        name,
        "pass" if highest <= share else "fail",
        f"surely ({seen.level}) below {100 * highest:.0f} %; chance included it shows "
        f"{100 * error / seen.base_rate:.0f} %",
        f"{limit} ({seen.base_rate:.4f})",
        meaning,
        highest,
        share,
    )


def _unjudged(name: str, limit: str, meaning: str) -> Ruling:
    return Ruling(name, "not judged", "not enough evidence", limit, meaning)


def moved_only(challenger: PropensityModel, champion: PropensityModel) -> bool:
    """Whether the two differ in nothing but a move of all odds, and in tiers."""
    one, other = challenger.scorer, champion.scorer
    return (
        challenger.training == champion.training
        and challenger.features == champion.features
        and one.learner.files() == other.learner.files()
        and without_shift(one.calibration) == without_shift(other.calibration)
    )


def as_fitted(model: PropensityModel) -> PropensityModel:
    """The model before any move of its odds."""
    scorer = copy.copy(model.scorer)
    scorer.calibration = without_shift(scorer.calibration)
    return PropensityModel(scorer, model.features, model.training)
