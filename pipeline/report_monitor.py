"""What monitoring found as one page: pictures, tables, and what every number means beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from features.clock import to_text
from models.monitoring.delays import DAYS
from models.monitoring.drift import Drift
from models.monitoring.realised import ALL, Realised
from models.monitoring.spec import MonitorSpec
from pipeline.monitor import Monitoring, report_folder
from pipeline.plots_monitor import picture_of_drift, picture_of_outcomes, picture_of_scores
from pipeline.settings import Run
from pipeline.tables import write_atomically
from pipeline.wording import near, percent

MOST = 25
"""Columns listed; all are in the JSON."""


@dataclass(frozen=True)
class Section:
    """One part of the page: a picture (SVG text), a table, and the meaning of its numbers."""

    title: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    nothing: str
    meanings: tuple[str, ...]
    picture: str = ""


def write_monitor_page(run: Run, found: Monitoring) -> Path:
    """Write ``monitor.html`` of the date into the store; returns its path."""
    from jinja2 import Environment

    spec = run.settings.monitor
    source = (resources.files("pipeline") / "monitor.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True).from_string(source)
    text = page.render(
        title=f"{found.version.name} as of {to_text(found.as_of)}",
        line=found.verdict.line,
        alarm=bool(found.verdict.crossed),
        opening=_opening(found),
        sections=[
            _outcomes(found, spec),
            _scores(found, spec),
            _features(found, spec),
            _newcomers(found, spec),
            _events(found, spec),
            _values(found),
        ],
    )
    folder = report_folder(run, found.as_of, with_backfilled=found.with_backfilled)
    path = folder / "monitor.html"
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
    return path


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


def _outcomes(found: Monitoring, spec: MonitorSpec) -> Section:
    judged = ", ".join(str(version) for version in found.judged) or "none"
    return Section(
        "What became of the scores",
        OUTCOME_NAMES,
        [outcome_row(one) for one in found.realised],
        f"No score is {found.horizon_days} days old yet: nothing is known of outcomes.",
        (
            f"Rows: scores in the ledger that were given to the champion's list, whose "
            f"{found.horizon_days} days have passed; {found.immature:,} more are too recent. "
            + (f"{seen_told(found.seen)}. " if found.seen else "")
            + "Converting: accounts among them that did. Promised: their mean probability. "
            "Converted: the share of rows that did within the horizon, as far as known. In "
            "brackets 95 % intervals, rows of one account taken as hanging together: of shares "
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
            "is true of them alone, else those of all that were champion. Tonight: of version "
            f"{judged}.",
        ),
        picture_of_outcomes([one for one in found.realised if one.month != ALL]),
    )


def _scores(found: Monitoring, spec: MonitorSpec) -> Section:
    scores = found.inputs.scores
    return Section(
        "Scores tonight against the reference",
        ("PSI", "limit", "q"),
        [] if scores is None else [(f"{scores.psi:.3f}", f"{scores.limit:.2f}", _small(scores.q))],
        "Nobody is eligible tonight.",
        (_psi_meaning(spec),),
        "" if scores is None else picture_of_scores(scores),
    )


def _psi_meaning(spec: MonitorSpec) -> str:
    return (
        "PSI: population stability index over ten bins of equal size in the reference, less what "
        "samples of this many accounts show by chance. Below 0.1 is usually called no change, from "
        f"0.25 on a large one; here a column has drifted from {spec.psi:g} on, or from twice the "
        "second most that "
        "single nights before the reference differed from it, whichever is more, and only if q is "
        f"at most {spec.false_discoveries:g}. q: the smallest false discovery rate (Benjamini-"
        "Hochberg) at which the change counts as one; exact tests of the bins, rows of one account "
        "counted once. Where the day of the week matters, it is compared with its like."
    )


def _features(found: Monitoring, spec: MonitorSpec) -> Section:
    features = found.inputs.features
    drifted = sum(one.drifted for one in features)
    return Section(
        f"Features: {drifted} of {len(features)} have drifted",
        ("feature", "PSI", "limit", "q", "unknown then", "unknown now", "drifted"),
        [_drift_row(one) for one in features[:MOST]],
        "Nobody is eligible tonight.",
        (
            f"The {MOST} furthest, by PSI / limit. Unknown: share of rows without a value. The "
            f"limit on all of them together is a share of {spec.drifted_share:g} drifted.",
        ),
        picture_of_drift(features[:MOST]) if features else "",
    )


def _drift_row(one: Drift) -> list[str]:
    return [
        one.name,
        f"{one.psi:.3f}",
        f"{one.limit:.2f}",
        _small(one.q),
        percent(one.unknown_before),
        percent(one.unknown),
        "yes" if one.drifted else "",
    ]


def _newcomers(found: Monitoring, spec: MonitorSpec) -> Section:
    return Section(
        "Who signs up",
        ("feature", "PSI", "limit", "q", "unknown then", "unknown now", "drifted"),
        [_drift_row(one) for one in found.inputs.newcomer_features],
        "No fit feature to compare.",
        (
            f"The {found.inputs.newcomers:,} rows that entered in the {spec.newcomers_days} days "
            "before tonight, against those of the reference as young: another mix of sign-ups "
            "shows here weeks before it shows in the whole cohort.",
        ),
    )


def _events(found: Monitoring, spec: MonitorSpec) -> Section:
    rows = [
        [one.name, "vanished", f"{one.count:,} in {one.days} d", f"{one.expected:,.0f}"]
        for one in found.inputs.gone
    ]
    rows += [
        [one.name, "new", f"{one.count:,} in 7 d", "0"] for one in found.inputs.new_events[:MOST]
    ]
    return Section(
        "Events that vanished, and new ones",
        ("event", "", "came", "usual"),
        rows,
        "None.",
        (
            f"Vanished: less than {percent(spec.vanished_below)} of what the same days of the week "
            "brought in the four weeks of the reference, where at least 20 were to be expected. "
            "New: unknown to the reference; the model does not read it. Both at once may be one "
            "event renamed.",
        ),
    )


def _values(found: Monitoring) -> Section:
    share = {one.name: one.unseen for one in found.inputs.features}
    return Section(
        "Categories without a bin in the reference",
        ("feature", "share of rows, beyond the reference's", "values"),
        [
            [name, percent(share.get(name, 0.0)), ", ".join(values[:5])]
            for name, values in sorted(found.inputs.new_values.items())
        ],
        "None.",
        ("The reference gives its 30 commonest values a bin each; rarer and new ones share one.",),
    )


def _small(q: float) -> str:
    """
    >>> _small(0.5), _small(0.00004)
    ('0.5', '4e-05')
    """
    return f"{q:.2g}"


def page_told(path: Path) -> str:
    """Where the page is, in one line."""
    return f"Page: {near(path)}"


def seen_told(dates: int) -> str:
    """How many dates are left out since the scores of them knew the outcomes."""
    return (
        f"{dates:,} scored date{'' if dates == 1 else 's'} left out: the champion had learnt from "
        "outcomes of that time"
    )
