"""What `monitor` and `programme` print: one line or table a person can read."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import to_text
from pipeline.console import show, table
from pipeline.report.monitor import OUTCOME_NAMES, outcome_row, page_told, seen_told
from pipeline.wording import near, percent

if TYPE_CHECKING:
    from models.monitoring.programme import Metrics, Rate
    from pipeline.monitor import Monitoring
    from pipeline.programme import Programme

_SHOWN = 8


def print_monitoring(found: "Monitoring", page: Path) -> None:
    """Outcomes, the columns that moved most, events, and last the line that says what to do."""
    inputs = found.inputs
    if found.realised:
        outcomes = table(*OUTCOME_NAMES)
        for one in found.realised:
            outcomes.add_row(*outcome_row(one))
        show(
            outcomes,
            "Promised: mean probability of the rows scored. Converted: the share of them that did "
            f"within {found.horizon_days} days. Ratio: conversions, with those still to come, by "
            "the promised; 1 is calibrated. Brackets: 95 % intervals.",
        )
    moved = table("column", "PSI", "limit", "drifted")
    scores = [] if inputs.scores is None else [inputs.scores]
    for drift in [*scores, *inputs.features[:_SHOWN]]:
        moved.add_row(
            drift.name, f"{drift.psi:.3f}", f"{drift.limit:.2f}", "yes" if drift.drifted else ""
        )
    show(
        moved,
        "PSI: how far tonight's distribution lies from that of the training, 0 where they are "
        "equal; the limit is the larger of the settings' and what is usual for the column.",
    )
    lines = [f"Vanished: {one.name} ({one.count:,}, usual {one.expected:,.0f})"
             for one in inputs.gone]  # fmt: skip
    lines += [f"New event: {one.name} ({one.count:,} in 7 days)"
              for one in inputs.new_events[:_SHOWN]]  # fmt: skip
    if found.reference[1] > found.as_of:
        lines.append(
            f"The reference ends on {to_text(found.reference[1])}, after this date: what the model "
            "was trained on is compared with its own past"
        )
    if not found.pinned:
        lines.append(
            "This model has no pinned reference: it is compared with the log's nights from "
            f"{to_text(found.reference[0])} to {to_text(found.reference[1])}"
        )
    if not found.realised:
        lines.append(
            f"No score in the ledger is {found.horizon_days} days old: nothing is known of "
            "outcomes, nor of the base rate"
        )
    if found.seen:
        lines.append(seen_told(found.seen))
    if found.late:
        lines.append(f"{late_told(found.late, found.as_of)}; --backfilled counts them")
    lines += [page_told(page), f"As of {to_text(found.as_of)}: {found.verdict.line}"]
    show("\n".join(lines))


def print_programme(found: "Programme") -> None:
    """One line per group, then where the lists are."""
    if not found.metrics:
        show(
            f"The ledger holds no score of {found.model} before {to_text(found.as_of)} that "
            "counts: score some nights first (`predict`)."
        )
        for line in _left_out(found):
            show(line)
        return
    names = ["by", "group", "scored", "PQLs", "PQL rate", "won", "median days", "mean days"]
    names += ["open", "revenue per PQL"] + (["opportunity"] if found.with_crm else [])
    metrics = table(*names)
    for one in found.metrics:
        metrics.add_row(*_cells(one, found.with_crm))
    show(metrics)
    lines = [
        "PQL: first time in a tier of monitor.pql_tiers; a month's are divided by those scored in "
        "it who were none before. Won: share of PQLs that did after that"
        f"{', by the CRM' if found.with_crm else ', by the conversions of the log'}. Days: from PQL"
        " to won, those still open taken into account (Kaplan-Meier); - where fewer than half ever "
        "win. Brackets: 95 % intervals; none for the revenue of fewer than 30 accounts.",
        f"{len(found.wasted):,} PQLs passed their horizon unconverted, {len(found.missed):,} "
        "converted unflagged",
    ]
    if found.quarantined:
        told = ", ".join(f"{reason} {n:,}" for reason, n in found.quarantined.items())
        lines.append(f"CRM rows that can't be used: {told}")
    if found.unknown:
        lines.append(f"{found.unknown:,} entities of the ledger are not in the log")
    lines += _left_out(found)
    lines += [f"Written: {near(path)}" for path in found.files]
    show("\n".join(lines))


def _left_out(found: "Programme") -> list[str]:
    lines = [seen_told(found.seen)] if found.seen else []
    if found.late:
        lines.append(f"{late_told(found.late, found.as_of)}; --backfilled counts them")
    return lines


def late_told(dates: int, as_of: int) -> str:
    """How many dates are left out since nobody could act on the scores of them by then.

    >>> late_told(1, 0).partition(":")[0]
    '1 scored date left out'
    """
    return (
        f"{dates:,} scored date{'' if dates == 1 else 's'} left out: scores written more than 2 "
        f"days after their date, or not before {to_text(as_of)}, were on nobody's list by then"
    )


def _cells(one: "Metrics", with_crm: bool) -> list[str]:
    return [
        one.by,
        one.group,
        f"{one.scored:,}",
        f"{one.pqls:,}",
        _rate(one.pql_rate),
        _rate(one.to_won),
        _number(one.median_days),
        _number(one.mean_days),
        f"{one.still_open:,}",
        _money(one),
        *([_rate(one.to_opportunity)] if with_crm else []),
    ]


def _rate(rate: "Rate | None") -> str:
    if rate is None:
        return "-"
    return f"{percent(rate.value)} ({percent(rate.low)} to {percent(rate.high)})"


def _number(value: float) -> str:
    """
    >>> _number(3.14159), _number(float("nan"))
    ('3.1', '-')
    """
    return f"{value:.1f}" if value == value else "-"


def _money(one: "Metrics") -> str:
    if not one.revenue:
        return "-"
    value = f"{one.revenue_per_pql:,.0f}"
    if one.revenue_low != one.revenue_low:
        return value
    return f"{value} ({one.revenue_low:,.0f} to {one.revenue_high:,.0f})"
