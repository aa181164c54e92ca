"""What monitoring found as one page: pictures, tables, and what every number means beside it."""

from pathlib import Path

from features.clock import to_text
from models.monitoring.delays import DAYS
from models.monitoring.realised import ALL, Realised
from models.monitoring.spec import MonitorSpec
from pipeline.monitor import Monitoring, report_folder
from pipeline.plots_monitor import picture_of_outcomes
from pipeline.report.cells import span
from pipeline.report.monitor_drift import (
    MOST,
    features_section,
    newcomers_section,
    scores_section,
    told_section,
)
from pipeline.report.page import (
    Cell,
    Page,
    Picture,
    Row,
    Section,
    Table,
    columns,
)
from pipeline.report.render import write_page
from pipeline.settings import Run
from pipeline.wording import near, percent


def write_monitor_page(run: Run, found: Monitoring) -> Path:
    """Write ``monitor.html`` of the date into the store; returns its path."""
    spec = run.settings.monitor
    page = Page(
        title=f"{found.version.name} as of {to_text(found.as_of)}",
        kicker="Monitoring report",
        verdict=[("Tonight", found.verdict.line)],
        alarm=bool(found.verdict.crossed),
        facts=_opening(found),
        sections=[
            _outcomes(found, spec),
            scores_section(found, spec),
            features_section(found, spec),
            newcomers_section(found, spec),
            _events(found, spec),
            _values(found),
        ],
    )
    folder = report_folder(run, found.as_of, with_backfilled=found.with_backfilled)
    return write_page(page, folder / "monitor.html")


def _opening(found: Monitoring) -> str:
    begin, end = (to_text(at) for at in found.reference)
    how = (
        "pinned when the model was trained"
        if found.pinned
        else "made from the log, since this model was registered without one"
    )
    return (
        f"{found.version.name} version {found.version.number}; {found.inputs.rows:,} rows tonight. "
        f"Reference: the nights from {begin} to {end}, {how}. Only what was known before the date "
        "above is used."
    )


def ranged(value: float, low: float, high: float) -> str:
    """
    >>> ranged(1.234, 0.9, 1.6), ranged(float("nan"), 0, 0)
    ('1.23 (0.90 to 1.60)', '-')
    """
    return f"{value:.2f} ({low:.2f} to {high:.2f})" if value == value else "-"


def outcome_row(one: Realised) -> list[str]:
    """One line of the table of outcomes."""
    share = f"{percent(one.converted)} ({percent(one.low)} to {percent(one.high)})"
    return [
        one.month,
        one.tier,
        f"{one.rows:,}",
        f"{one.accounts:,}",
        f"{one.converting:,}",
        percent(one.promised),
        share,
        f"{one.to_come:.1f}",
        ranged(one.ratio, one.ratio_low, one.ratio_high),
        ranged(one.lift, one.lift_low, one.lift_high),
    ]


OUTCOME_NAMES = (
    *("month", "tier", "rows", "accounts", "converting", "promised", "converted"),
    *("still to come", "ratio", "lift"),
)


def _outcome_cells(one: Realised) -> Row:
    """The same line with its intervals below the numbers."""
    month, *counts = outcome_row(one)[:6]
    ratio = _ratio(one.ratio, one.ratio_low, one.ratio_high)
    lift = _ratio(one.lift, one.lift_low, one.lift_high)
    share = Cell(percent(one.converted), span(one.low, one.high))
    return (Cell(month, tone="whole"), *counts, share, f"{one.to_come:.1f}", ratio, lift)


def _ratio(value: float, low: float, high: float) -> Cell:
    return Cell(f"{value:.2f}", f"{low:.2f} to {high:.2f}") if value == value else Cell("-")


def _outcomes(found: Monitoring, spec: MonitorSpec) -> Section:
    versions = ", ".join(str(version) for version in found.judged)
    judged = f"of version {versions}" if versions else "none, as too few are known"
    months = [one for one in found.realised if one.month != ALL]
    return told_section(
        "outcomes",
        "What became of the scores",
        Table(
            "By month of the score",
            columns(*(name if name in ("month", "tier") else f"#{name}" for name in OUTCOME_NAMES)),
            [_outcome_cells(one) for one in found.realised],
            f"No score is {found.horizon_days} days old yet: nothing is known of outcomes.",
        ),
        (
            f"Rows: scores in the ledger that were given to the champion's list, whose "
            f"{found.horizon_days} days have passed; {found.immature:,} more are too recent. "
            + (f"{seen_told(found.seen)}. " if found.seen else "")
            + "Converting: accounts among them that did. Promised: their mean probability. "
            "Converted: the share of rows that did within the horizon, as far as known. Below "
            "the numbers 95 % intervals, rows of one account taken as hanging together: of shares "
            "Wilson's on the effective number of rows, of ratios those within 1.96 standard errors "
            "that the ratio itself would bring, of lifts bootstrap over accounts.",
            "Still to come: conversions in these rows that have probably happened but are not "
            f"known yet, estimated from how late those of the last {DAYS} days became known "
            "(product limit in reverse time). Ratio: conversions with those to come / sum of "
            "probabilities; 1 is calibrated. Lift: the tier's share / that of all tiers in the "
            "same month.",
            f"The line on top judges scores whose {found.horizon_days} days ended in the last "
            f"{spec.realised_days}, if at least {spec.min_conversions} accounts converted or were "
            "to (each by its highest probability): those of the version that scores now if that "
            f"is true of them alone, else those of all that were champion. Tonight: {judged}.",
        ),
        Picture(
            picture_of_outcomes(months),
            "Did what was promised come true?",
            "Conversions / sum of probabilities, 95 % intervals. On the dotted line: calibrated.",
        ),
    )


def _events(found: Monitoring, spec: MonitorSpec) -> Section:
    rows: list[Row] = [
        [
            Cell(one.name, code=True),
            "vanished",
            f"{one.count:,} in {one.days} d",
            f"{one.expected:,.0f}",
        ]
        for one in found.inputs.gone
    ]
    rows += [
        [Cell(one.name, code=True), "new", f"{one.count:,} in 7 d", "0"]
        for one in found.inputs.new_events[:MOST]
    ]
    return told_section(
        "events",
        "Events that vanished, and new ones",
        Table("Events", columns("event", "what happened", "#came", "#usual"), rows),
        (
            f"Vanished: less than {percent(spec.vanished_below)} of what the same days of the week "
            "brought in the four weeks of the reference, where at least 20 were to be expected. "
            "New: unknown to the reference; the model does not read it. Both at once may be one "
            "event renamed.",
        ),
    )


def _values(found: Monitoring) -> Section:
    share = {one.name: one.unseen for one in found.inputs.features}
    rows: list[Row] = [
        [Cell(name, code=True), percent(share.get(name, 0.0)), ", ".join(values[:5])]
        for name, values in sorted(found.inputs.new_values.items())
    ]
    names = columns("feature", "#share of rows, beyond the reference's", "values")
    return told_section(
        "values",
        "Categories without a bin in the reference",
        Table("Categories", names, rows),
        ("The reference gives its 30 commonest values a bin each; rarer and new ones share one.",),
    )


def page_told(path: Path) -> str:
    """Where the page is, in one line."""
    return f"Page: {near(path)}"


def seen_told(dates: int) -> str:
    """How many dates are left out since the scores of them knew the outcomes."""
    return (
        f"{dates:,} scored date{'' if dates == 1 else 's'} left out: the champion had learnt from "
        "outcomes of that time"
    )
