"""The report's section on what is said beside the score: days, value and accounts."""

from typing import TYPE_CHECKING

from models.heads.aggregation import AccountScores
from models.heads.converters import LEAST_TO_JUDGE, LEAST_TO_LEARN, Evidence
from models.heads.head_results import ACCOUNT, LIKELIEST, DaysResult, ValueResult
from models.heads.heads import DaysHead, Heads, ValueHead
from pipeline.wording import METRIC_NAMES, interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

_METRICS = ("roc_auc", "pr_auc", "precision_at_capacity", "log_loss", "calibration_in_the_large")
WAYS = {
    "noisy_or": "1 minus the product of (1 - probability) over all members",
    "top3": "1 minus the product of (1 - probability) over the likeliest three members",
    "max": "the likeliest member alone",
}


def heads_section(
    heads: Heads,
    days: DaysResult | None,
    value: ValueResult | None,
    accounts: "pd.DataFrame | None",
) -> str:
    """All heads that are on, with what test rows say of them; empty when none is.

    Parameters
    ----------
    accounts
        `models.heads.head_results.judge_accounts`.
    """
    parts = []
    if heads.days is not None:
        parts.append(_days(heads.days, days))
    if heads.value is not None:
        parts.append(_value(heads.value, value))
    if heads.accounts is not None:
        parts.append(_accounts(heads.accounts, accounts))
    return "\n".join(["## Beside the score\n", *parts]) if parts else ""


def _days(head: DaysHead, result: DaysResult | None) -> str:
    within, evidence = head.within_days, head.forecast.evidence
    if head.forecast.learner is None:
        low, high = (head.forecast.constant + end for end in head.ends)
        said = (
            f"Every row is told the same: {shown(head.forecast.constant)} days; four in five "
            f"convert after {interval(low, high)} days. {_why(evidence)}"
        )
    else:
        said = f"Learnt. {_why(evidence)}"
    lines = [
        "### Expected days to conversion\n",
        f"Given that a row converts within {within} days of as_of: half of such rows do so sooner "
        "than `expected_days`, and four in five between `days_low` and `days_high`. It says "
        "nothing of whether a row converts, and nothing of conversions that come later.\n",
        said,
    ]
    if result is not None:
        lines.append(
            f"\nOn {result.rows:,} test rows ({result.converting:,} converting accounts): mean "
            f"absolute error {shown(result.error)} days, {shown(result.constant_error)} with the "
            f"constant; {percent(result.inside)} lie between `days_low` and `days_high` (80 % is "
            "promised)."
        )
    return "\n".join(lines) + "\n"


def _value(head: ValueHead, result: ValueResult | None) -> str:
    evidence, mean = head.forecast.evidence, head.forecast.constant
    ranged = f"{shown(mean)} (95 %: {interval(*head.mean_range)})"
    if head.feature is not None:
        said = (
            f"`{head.feature}` stands in for it; where it is unknown, its mean over training rows "
            f"that convert: {ranged}."
        )
    elif head.forecast.learner is None:
        said = f"Every row is told the mean: {ranged}. {_why(evidence)}"
    else:
        said = f"Learnt. {_why(evidence)}"
    lines = [
        "### Expected value\n",
        "`conversion_value` is the mean of what rows like this bring if they convert within the "
        "horizon; `expected_value` is probability x that.\n",
        said,
    ]
    if result is not None:
        lines.append(
            f"\nOn {result.rows:,} test rows ({result.converting:,} converting accounts) the "
            f"expected values add up to {shown(result.said)}; {shown(result.came)} came. Said / "
            f"came is {shown(result.ratio)} (95 %: {interval(result.low, result.high)}; 1 is "
            f"best). Per converting row {shown(result.said_each)} was said and "
            f"{shown(result.came_each)} came: what the ratio owes to values alone. "
            f"{result.unknown:,} rows converted with an unknown value and are left out."
        )
    return "\n".join(lines) + "\n"


def _accounts(head: AccountScores, table: "pd.DataFrame | None") -> str:
    lines = [
        "### Scores of accounts\n",
        f"From the probabilities of an account's users in the cohort: {WAYS[head.how]}; "
        f"calibrated on {head.rows:,} rows of accounts, {head.converting:,} of which convert. An "
        "account converts when any member does. Accounts that had converted, and users in no "
        "account, are left out.\n",
    ]
    if head.losses:
        tried = ", ".join(f"{way} {shown(loss)}" for way, loss in head.losses.items())
        lines.append(f"Chosen by log loss on accounts held out: {tried}.\n")
    if table is not None:
        lines += [
            f"| metric | {ACCOUNT} | {LIKELIEST} | difference |",
            "|---|---|---|---|",
            *(_line(rows) for metric, rows in table.groupby("metric") if metric in _METRICS),
        ]
    return "\n".join(lines) + "\n"


def _line(rows: "pd.DataFrame") -> str:
    ours, other = (rows[rows["contender"] == name].iloc[0] for name in (ACCOUNT, LIKELIEST))
    ranged = interval(other["difference_low"], other["difference_high"])
    gap = f"{shown(other['difference'])} ({ranged})"
    name = METRIC_NAMES[ours["metric"]]
    return f"| {name} | {shown(ours['value'])} | {shown(other['value'])} | {gap} |"


def _why(evidence: Evidence) -> str:
    """The evidence in a sentence."""
    if evidence.tried is None:
        return (
            f"{evidence.learnt_from:,} converting accounts to learn from and "
            f"{evidence.converting:,} to judge by are too few to try more (at least "
            f"{LEAST_TO_LEARN} and {LEAST_TO_JUDGE})."
        )
    assert evidence.constant_loss is not None
    whole = evidence.constant_loss or 1.0
    verdict = "it is kept" if evidence.kept else "not enough to keep it"
    return (
        f"On {evidence.rows:,} calibrate rows ({evidence.converting:,} converting accounts) "
        f"{evidence.tried} change the loss of a constant by {percent(-evidence.gain / whole)} "
        f"(standard error {percent(evidence.error / whole)}): {verdict}."
    )
