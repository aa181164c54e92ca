"""The promotion gate: rule by rule, whether a challenger may replace the champion."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from features.spec import Spec

Verdict = Literal["pass", "fail", "not judged", "off"]


class GateSpec(Spec):
    """The ``promotion:`` block: what `promote` asks of a challenger; null switches a rule off."""

    newest_days: PositiveInt | None = 182
    """Fresh rows are taken from so many days up to the newest mature date; null for all."""
    min_converting: PositiveInt | None = 50
    """Converting accounts on the fresh rows below which no rule that reads outcomes is judged."""
    pr_auc_margin: float | None = Field(default=0.15, ge=0, lt=1)
    """Share of the champion's PR-AUC by which the challenger is surely (95 %) not worse."""
    log_loss_margin: float | None = Field(default=0.03, ge=0, lt=1)
    """Share of the champion's log loss by which the challenger is surely (95 %) not worse."""
    scorecard_pr_auc_margin: float | None = Field(default=0.15, ge=0, lt=1)
    """The same against the scorecard; 0 asks that it is surely not worse at all."""
    scorecard_log_loss_margin: float | None = Field(default=0.03, ge=0, lt=1)
    """The same against the scorecard; 0 asks that it is surely not worse at all."""
    calibration_factor: float | None = Field(default=1.75, gt=1)
    """What came, as a multiple of what the challenger expected, surely lies in [1 / factor,
    factor]."""
    anchor_days: PositiveInt = 365
    """The anchor is the champion of so many days ago."""
    anchor_margin: float | None = Field(default=0.2, ge=0, lt=1)
    """Share of PR-AUC by which the challenger is surely not worse than the anchor."""
    calibration_error: PositiveFloat | None = 0.4
    """Share of the base rate below which the challenger's calibration error surely lies."""
    most_pql_churn: float | None = Field(default=0.6, ge=0, le=1)
    """Share of the PQLs (``monitor.pql_tiers``) of tonight that the promotion may replace."""
    min_days_between: PositiveFloat | None = 7.0
    """Days since the last change of the champion on record."""
    clean_audit: bool = True
    """The challenger's training was audited for leaks and passed; false switches the rule off."""


@dataclass(frozen=True)
class Ruling:
    """One rule of the gate and what it says.

    Parameters
    ----------
    value, bound
        The number that was held against the limit, and the limit; None where there is none.
    """

    rule: str
    verdict: Verdict
    found: str
    limit: str
    meaning: str
    value: float | None = None
    bound: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def passes(rulings: Sequence[Ruling]) -> bool:
    """Whether every rule that is not switched off was judged and passed."""
    return all(one.verdict in ("pass", "off") for one in rulings)


def judge_question(differences: Sequence[str]) -> Ruling:
    """Whether challenger and champion predict the same of the same entities.

    Parameters
    ----------
    differences
        In words, such as ``horizon_days: 14, the champion's is 7``.
    """
    return Ruling(
        "same question",
        "fail" if differences else "pass",
        "; ".join(differences) or "no difference",
        "no difference",
        "Other labels or other entities: the two can't be compared on any row.",
    )


def judge_tiers(
    before: np.ndarray, after: np.ndarray, pql_tiers: Collection[str], spec: GateSpec
) -> Ruling:
    """How many PQLs are others by the challenger, each model by its own cut-offs.

    1 - (PQLs of both) / (PQLs of the one that has more): the share lost or the share new, whichever
    is larger. A share of *all* would hardly move, as most are cold by any model.

    Parameters
    ----------
    before, after
        Object arrays of tier names, shape (n,), by the champion and by the challenger.
    pql_tiers
        Whose entities are PQLs.

    Examples
    --------
    >>> before, after = np.array(["cold", "hot", "hot"]), np.array(["hot", "hot", "hot"])
    >>> judge_tiers(before, after, ("critical", "hot"), GateSpec()).found
    '33.3 %: of 2 PQLs 0 lost, 1 new'
    """
    name, limit = "PQL churn", spec.most_pql_churn
    meaning = "So much of the list of PQLs would be others overnight, with nothing done by them."
    if limit is None:
        return switched_off(name, meaning)
    if not len(before):
        return Ruling(name, "not judged", "nobody to score", _at_most(limit), meaning)
    was, will = (np.isin(tiers, list(pql_tiers)) for tiers in (before, after))
    both, most = int((was & will).sum()), int(max(was.sum(), will.sum()))
    share = 1 - both / most if most else 0.0
    told = f"of {was.sum():,} PQLs {was.sum() - both:,} lost, {will.sum() - both:,} new"
    verdict: Verdict = "pass" if share <= limit else "fail"
    found = f"{100 * share:.1f} %: {told}"
    return Ruling(name, verdict, found, _at_most(limit), meaning, share, limit)


def judge_days(days: float | None, spec: GateSpec) -> Ruling:
    """Days since the last change of the champion on record; None where there is none."""
    name, limit = "days between", spec.min_days_between
    meaning = "Scores that change their model too often can't be followed up or judged."
    if limit is None:
        return switched_off(name, meaning)
    told = "no change is on record" if days is None else f"{days:.1f} days since the last change"
    verdict: Verdict = "pass" if days is None or days >= limit else "fail"
    return Ruling(name, verdict, told, f"at least {limit:g} days", meaning, days, limit)


def judge_audit(audit: Mapping[str, Any] | None, recorded: bool, spec: GateSpec) -> Ruling:
    """Whether the challenger's training was audited for leaks, and passed.

    Parameters
    ----------
    audit
        ``passed`` and ``verdict`` as the bundle keeps them; None where the audit was off.
    recorded
        Whether the bundle says anything of an audit at all.
    """
    name, meaning = "leak audit", "A leak makes every number above too good to be true."
    if not spec.clean_audit:
        return switched_off(name, meaning)
    if audit is None:
        told = "switched off in its training" if recorded else "not recorded: train again"
        return Ruling(name, "fail", told, "passed", meaning)
    verdict: Verdict = "pass" if audit["passed"] else "fail"
    return Ruling(name, verdict, str(audit["verdict"]), "passed", meaning)


def switched_off(name: str, meaning: str) -> Ruling:
    """The ruling of a rule that the settings leave out."""
    return Ruling(name, "off", "", "switched off", meaning)


def _at_most(share: float) -> str:
    return f"at most {100 * share:g} %"
