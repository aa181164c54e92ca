"""What fresh rows say of challenger, champion and scorecard, and the gate's rules on it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.base_rate import without_shift
from models.judging.bootstrap import Contender, evaluate
from models.judging.curves import PerfectError, calibration_error_if_perfect
from models.judging.gate import GateSpec, Ruling, Verdict, switched_off
from models.propensity import PropensityModel

if TYPE_CHECKING:
    import pandas as pd

    from models.dataset import Dataset

CHALLENGER, CHAMPION, SCORECARD = "challenger", "champion", "scorecard"


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
    if_perfect
        The calibration error that the challenger's probabilities would show if all were true.
    note
        What a reader must know of the rows, or why there are none.
    """

    rows: int
    positives: int
    converting: int
    table: "pd.DataFrame | None" = None
    if_perfect: PerfectError | None = None
    note: str = ""


def gather(
    rows: "Dataset",
    contenders: Mapping[str, Contender],
    *,
    horizon_days: int,
    capacity: int,
    n_bootstrap: int,
    seed: int,
    note: str = "",
) -> Evidence:
    """Measure all contenders on the same mature rows and the same draws of accounts.

    Parameters
    ----------
    contenders
        The challenger first, then by the names ``champion`` and ``scorecard``.
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
    perfect = calibration_error_if_perfect(
        contenders[CHALLENGER].probability,
        rows.entity,
        rows.as_of,
        horizon_days=horizon_days,
        seed=seed,
    )
    return Evidence(len(rows), positives, converting, table, perfect, note)


def judge_evidence(
    found: Evidence, spec: GateSpec, *, against_champion: bool = True
) -> tuple[Ruling, ...]:
    """The rules that read outcomes.

    Every one asks for proof, so that few conversions refuse and never promote. All must pass: an
    intersection-union test (Berger 1982, "Multiparameter hypothesis testing and acceptance
    sampling"), whose chance to let through what one rule should stop is at most that rule's own.

    Parameters
    ----------
    against_champion
        Whether there is a champion that answers the same question.
    """
    enough = found.converting >= (spec.min_converting or 1) and found.table is not None
    rivals = [(CHAMPION, spec.pr_auc_margin, spec.log_loss_margin)] * against_champion
    rivals += [(SCORECARD, spec.scorecard_pr_auc_margin, spec.scorecard_log_loss_margin)]
    rulings = [_enough(found, spec)]
    for rival, pr_auc, log_loss in rivals:
        rulings.append(_no_worse(found, enough, rival, "pr_auc", pr_auc))
        rulings.append(_no_worse(found, enough, rival, "log_loss", log_loss))
    rulings.append(_adds_up(found, enough, spec.calibration_factor))
    rulings.append(_calibrated(found, enough, spec.calibration_error))
    return tuple(rulings)


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


def _no_worse(
    found: Evidence, enough: bool, rival: str, metric: str, margin: float | None
) -> Ruling:
    """Non-inferiority: the worse end of the paired 95 % interval lies within the margin."""
    words = {"pr_auc": "PR-AUC", "log_loss": "log loss"}[metric]
    name, rising = f"{words}, {rival}", metric == "pr_auc"
    what = "Ranks" if rising else "Predicts"
    meaning = f"{what} surely not worse than the {rival} by more than the margin."
    if margin is None:
        return switched_off(name, meaning)
    if not enough or found.table is None:
        return _unjudged(name, f"{100 * margin:g} % of the {rival}'s", meaning)
    row = _row(found.table, metric, rival)
    difference, low, high = (
        float(row[key]) for key in ("difference", "difference_low", "difference_high")
    )
    allowed = margin * float(row["value"])
    value, bound = (low, -allowed) if rising else (high, allowed)
    holds = value >= bound if rising else value <= bound
    return Ruling(
        name,
        "pass" if holds else "fail",
        f"{difference:+z.4f} (95 %: {low:+z.4f} to {high:+z.4f})",
        f"{'lower' if rising else 'upper'} end at {'least' if rising else 'most'} {bound:+z.4f}: "
        f"{100 * margin:g} % of {float(row['value']):.4f}",
        meaning,
        value,
        bound,
    )


def _adds_up(found: Evidence, enough: bool, factor: float | None) -> Ruling:
    name = "calibration in the large"
    meaning = "Came / expected: 2 means twice as many as predicted. `recalibrate` moves it."
    if factor is None:
        return switched_off(name, meaning)
    limit = f"interval within {1 / factor:.2f} to {factor:.2f}"
    if not enough or found.table is None:
        return _unjudged(name, limit, meaning)
    row = _row(found.table, "calibration_in_the_large", CHALLENGER)
    expected = float(row["value"]) + found.positives / found.rows
    # The gap is expected - came; what is expected varies little from draw to draw.
    ratio, high, low = (1 - float(row[key]) / expected for key in ("value", "low", "high"))
    farthest = max(high, 1 / low) if low > 0 else float("inf")
    verdict: Verdict = "pass" if farthest <= factor else "fail"
    told = f"{ratio:.2f} (95 %: {max(low, 0.0):.2f} to {high:.2f})"
    return Ruling(name, verdict, told, limit, meaning, farthest if low > 0 else None, float(factor))


def _calibrated(found: Evidence, enough: bool, share: float | None) -> Ruling:
    name = "calibration error"
    meaning = "Mean gap of predicted and observed rate, less what chance alone shows."
    if share is None:
        return switched_off(name, meaning)
    limit = f"at most {100 * share:g} % of the base rate"
    if not enough or found.table is None or found.if_perfect is None:
        return _unjudged(name, limit, meaning)
    error = float(_row(found.table, "calibration_error", CHALLENGER)["value"])
    rate = found.positives / found.rows
    beyond = max(0.0, error - found.if_perfect.mean)
    return Ruling(
        name,
        "pass" if beyond <= share * rate else "fail",
        f"{100 * beyond / rate:.0f} % ({error:.4f}, by chance {found.if_perfect.mean:.4f})",
        f"{limit} ({rate:.4f})",
        meaning,
        beyond / rate,
        share,
    )


def _row(table: "pd.DataFrame", metric: str, contender: str) -> "pd.Series":
    return table[(table["metric"] == metric) & (table["contender"] == contender)].iloc[0]


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
