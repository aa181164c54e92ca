"""The section on what is said beside the score: days, value and accounts."""

from typing import TYPE_CHECKING

from models.heads.aggregation import AccountScores
from models.heads.converters import LEAST_TO_JUDGE, LEAST_TO_LEARN, Evidence
from models.heads.head_results import ACCOUNT, LIKELIEST, DaysResult, ValueResult
from models.heads.heads import DaysHead, Heads, ValueHead
from models.judging.metric_words import METRIC_NAMES
from pipeline.report.cells import difference
from pipeline.report.page import Block, Heading, Section, Table, Text, columns
from pipeline.wording import interval, percent, shown

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
) -> Section | None:
    """All heads that are on, with what test rows say of them; None where none is.

    Parameters
    ----------
    accounts
        `models.heads.head_results.judge_accounts`.
    """
    blocks: list[Block] = []
    if heads.days is not None:
        blocks += _days(heads.days, days)
    if heads.value is not None:
        blocks += _value(heads.value, value)
    if heads.accounts is not None:
        blocks += _accounts(heads.accounts, accounts)
    return Section("heads", "Beside the score", blocks) if blocks else None


def _days(head: DaysHead, result: DaysResult | None) -> list[Block]:
    within, evidence = head.within_days, head.forecast.evidence
    if head.forecast.learner is None:
        low, high = (head.forecast.constant + end for end in head.ends)
        said = (
            f"Every row is told the same: {shown(head.forecast.constant)} days; four in five "
            f"convert after {interval(low, high)} days. {_why(evidence)}"
        )
    else:
        said = f"Learnt. {_why(evidence)}"
    blocks: list[Block] = [
        Heading("Expected days to conversion"),
        Text(
            f"Given that a row converts within {within} days of as_of: half of such rows do so "
            "sooner than `expected_days`, and four in five between `days_low` and `days_high`. It "
            "says nothing of whether a row converts, and nothing of conversions that come later."
        ),
        Text(said),
    ]
    if result is not None:
        told = (
            f"On {result.rows:,} test rows ({result.converting:,} converting accounts): mean "
            f"absolute error {shown(result.error)} days, {shown(result.constant_error)} with the "
            f"constant; {percent(result.inside)} lie between `days_low` and `days_high` (80 % is "
            "promised)."
        )
        blocks.append(Text(told))
    return blocks


def _value(head: ValueHead, result: ValueResult | None) -> list[Block]:
    evidence, mean = head.forecast.evidence, head.forecast.constant
    within = f"{shown(mean)} (95 %: {interval(*head.mean_range)})"
    if head.feature is not None:
        said = (
            f"`{head.feature}` stands in for it; where it is unknown, its mean over training rows "
            f"that convert: {within}."
        )
    elif head.forecast.learner is None:
        said = f"Every row is told the mean: {within}. {_why(evidence)}"
    else:
        said = f"Learnt. {_why(evidence)}"
    blocks: list[Block] = [
        Heading("Expected value"),
        Text(
            "`conversion_value` is the mean of what rows like this bring if they convert within "
            "the horizon; `expected_value` is probability x that."
        ),
        Text(said),
    ]
    return [*blocks, Text(_came(result))] if result is not None else blocks


def _came(result: ValueResult) -> str:
    return (
        f"On {result.rows:,} test rows ({result.converting:,} converting accounts) the "
        f"expected values add up to {shown(result.said)}; {shown(result.came)} came. Said / "
        f"came is {shown(result.ratio)} (95 %: {interval(result.low, result.high)}; 1 is "
        f"best). Per converting row {shown(result.said_each)} was said and "
        f"{shown(result.came_each)} came: what the ratio owes to values alone. "
        f"{result.unknown:,} rows converted with an unknown value and are left out."
    )


def _accounts(head: AccountScores, table: "pd.DataFrame | None") -> list[Block]:
    blocks: list[Block] = [
        Heading("Scores of accounts"),
        Text(
            f"From the probabilities of an account's users in the cohort: {WAYS[head.how]}; "
            f"calibrated on {head.rows:,} rows of accounts, {head.converting:,} of which convert. "
            "An account converts when any member does. Accounts that had converted, and users in "
            "no account, are left out."
        ),
    ]
    if head.losses:
        tried = ", ".join(f"{way} {shown(loss)}" for way, loss in head.losses.items())
        blocks.append(Text(f"Chosen by log loss on accounts held out: {tried}."))
    if table is not None:
        names = columns("metric", f"#{ACCOUNT}", f"#{LIKELIEST}", "#difference")
        rows = [_line(rows) for metric, rows in table.groupby("metric") if metric in _METRICS]
        blocks.append(Table("Accounts of the test rows", names, rows))
    return blocks


def _line(rows: "pd.DataFrame") -> tuple:
    ours, other = (rows[rows["contender"] == name].iloc[0] for name in (ACCOUNT, LIKELIEST))
    name = METRIC_NAMES[ours["metric"]]
    return (name, shown(ours["value"]), shown(other["value"]), difference(other))


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
