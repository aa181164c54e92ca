"""The top of a page: what was found, how sure that is, what to do, and the numbers to remember."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.errors import few
from models.judging.bootstrap import pr_auc_difference
from models.judging.curves import ReliabilityRow
from models.judging.evaluation import MIN_CONVERTING
from models.judging.metric_words import METRIC_NAMES
from models.leakage.finding import Audit
from pipeline.report.page import Number
from pipeline.wording import interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

REMEMBERED = ("pr_auc", "lift_10pct", "precision_at_capacity", "roc_auc")


def model_is_better(table: "pd.DataFrame", converting: int) -> bool:
    """Whether the model is shown to rank better than the scorecard."""
    low, _, _ = pr_auc_difference(table, "scorecard")
    return converting >= MIN_CONVERTING and low > 0


def how_sure(
    rows: int,
    converting: int,
    calibration: str,
    *,
    nulls: "pd.DataFrame | None" = None,
    audit: Audit | None = None,
) -> str:
    """What carries the verdict, whether the probabilities add up, and what speaks against it.

    Parameters
    ----------
    nulls
        Of `models.judging.nulls.beside_nulls`: those that the model is not shown to beat.
    """
    accounts = f"{converting:,} converting account{'' if converting == 1 else 's'}"
    parts = [f"{accounts} among {rows:,} later rows carry this", _clause(calibration)]
    if nulls is not None:
        pr_auc = nulls[nulls["metric"] == "pr_auc"]
        beside = pr_auc[pr_auc["difference_low"] <= 0]["contender"].tolist()
        if beside:
            parts.append(f"it is not shown to rank better than {few(beside)}")
    if audit is not None:
        parts.append(_clause(audit.verdict))
    return "; ".join(parts) + "."


def _clause(sentence: str) -> str:
    """
    >>> _clause("No leak was found.")
    'no leak was found'
    """
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def what_to_do(
    table: "pd.DataFrame",
    converting: int,
    tiers: Sequence[ReliabilityRow],
    base_rate: float,
    *,
    nulls: "pd.DataFrame | None" = None,
    audit: Audit | None = None,
) -> str:
    """One sentence that follows from the findings; the gravest reason not to call comes first.

    Parameters
    ----------
    table
        Of `models.judging.bootstrap.evaluate`, with model and scorecard.
    tiers
        Of the model, as they came out on the test rows.
    nulls
        Of `models.judging.nulls.beside_nulls`.
    """
    if audit is not None and not audit.passed:
        return "Mend the leaks first: until then no number below can be believed."
    if converting < MIN_CONVERTING:
        return (
            f"Take the list as a trial until {MIN_CONVERTING} accounts convert in a test; here "
            f"{converting} do."
        )
    _, high, _ = pr_auc_difference(table, "scorecard")
    if high < 0:
        return "Rank by the scorecard (`model.learner: scorecard`), and try again with more data."
    if nulls is not None:
        rows = nulls[(nulls["metric"] == "pr_auc") & (nulls["difference_high"] < 0)]
        if len(rows):
            return f"Sort by {rows['contender'].iloc[0]!r}, which ranks better than the model."
    return _whom_to_call(tiers, base_rate)


def _whom_to_call(tiers: Sequence[ReliabilityRow], base_rate: float) -> str:
    """Those that are shown to convert more often than all; no order that is not shown."""
    upper = [row for row in reversed(tiers) if row.group in ("critical", "hot") and row.rows]
    if not upper:
        return "Nobody is critical or hot on the test rows: nurture, and lower the cut-offs."
    rich = [row for row in upper if row.low > base_rate]
    vague = [row for row in upper if row.low <= base_rate]
    all_rows = f"of all rows {percent(base_rate)} converted"
    if not rich:
        return (
            f"Try the list before you rely on it: {_came(vague)} {_are(vague)} not shown to "
            f"convert more often than average ({all_rows})."
        )
    told = [f"Call {_came(rich)} first: {all_rows}."]
    if vague:
        told.append(f"Not {_came(vague)}, not shown to convert more often than average.")
    short = [row.group for row in rich if not row.low <= row.predicted <= row.high]
    if short:
        told.append(f"The promise of {' and '.join(short)} was not kept: see the tiers.")
    if len(rich) > 1 and rich[0].low <= rich[1].high:
        fewer = rich[0].high < rich[1].low
        told.append(
            f"More of {rich[1].group} converted than of {rich[0].group}: see the tiers."
            if fewer
            else "Which of the two converts more often is not shown."
        )
    return " ".join(told)


def _came(rows: Sequence[ReliabilityRow]) -> str:
    return " and ".join(
        f"{row.group} ({row.rows:,} test rows, {percent(row.observed)} converted)" for row in rows
    )


def _are(rows: Sequence[ReliabilityRow]) -> str:
    return "is" if len(rows) == 1 else "are"


def key_numbers(
    table: "pd.DataFrame", base_rate: float, rows: int, converting: int
) -> list[Number]:
    """The metrics to remember: the model's with their ranges, and the scorecard's beside them."""
    numbers = [
        Number("base rate", percent(base_rate), f"of {rows:,} later rows"),
        Number("converting accounts", f"{converting:,}", "carry all ranges"),
    ]
    for metric in REMEMBERED:
        found = table[table["metric"] == metric].set_index("contender")
        model, card = found.loc["model"], found.loc["scorecard"]
        within = interval(model["low"], model["high"])
        versus = f"scorecard {shown(card['value'])}"
        numbers.append(Number(METRIC_NAMES[metric], shown(model["value"]), within, versus))
    return numbers
