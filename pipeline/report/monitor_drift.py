"""Sections of the monitoring page on drift: scores, features, and who signs up."""

from collections.abc import Sequence

from models.monitoring.drift import Drift
from models.monitoring.spec import MonitorSpec
from pipeline.monitor import Monitoring
from pipeline.plots_monitor import picture_of_drift, picture_of_scores
from pipeline.report.page import Block, Cell, Fold, Picture, Section, Table, Text, columns
from pipeline.wording import percent

MOST = 25
"""Columns listed; all are in the JSON."""
_NOBODY = "Nobody is eligible tonight."
_PSI = ("#PSI", "#limit", "#q")


def told_section(
    key: str,
    title: str,
    table: Table | Fold,
    meanings: Sequence[str],
    picture: Picture | None = None,
) -> Section:
    """A picture, a table, and the meaning of its numbers."""
    shown: list[Block] = [] if picture is None or not picture.svg else [picture]
    told = [Text(meaning, muted=True) for meaning in meanings]
    return Section(key, title, [*shown, table, *told])


def scores_section(found: Monitoring, spec: MonitorSpec) -> Section:
    """Where tonight's probabilities lie against the reference."""
    scores = found.inputs.scores
    rows = [] if scores is None else [("scores", *_psi(scores))]
    return told_section(
        "scores",
        "Scores tonight against the reference",
        Table("Drift of the scores", columns("what", *_PSI), rows, _NOBODY),
        (_psi_meaning(spec),),
        None
        if scores is None
        else Picture(
            picture_of_scores(scores),
            "Where do tonight's scores lie?",
            "Bins of equal size in the reference, lowest probability first; equal heights: no "
            "drift.",
        ),
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


def features_section(found: Monitoring, spec: MonitorSpec) -> Section:
    """The features that moved furthest."""
    features = found.inputs.features
    drifted = sum(one.drifted for one in features)
    return told_section(
        "features",
        f"Features: {drifted} of {len(features)} have drifted",
        Fold(
            "The furthest in numbers",
            [_drift_table("Drift of the features", features[:MOST], _NOBODY)],
        ),
        (
            f"The {MOST} furthest, by PSI / limit. Unknown: share of rows without a value. The "
            f"limit on all of them together is a share of {spec.drifted_share:g} drifted.",
        ),
        None
        if not features
        else Picture(
            picture_of_drift(features[:MOST]),
            "Which features moved most?",
            "PSI; the tick is the limit. Orange: drifted.",
            wide=True,
        ),
    )


def _psi(one: Drift) -> tuple[str, str, str]:
    return f"{one.psi:.3f}", f"{one.limit:.2f}", _small(one.q)


def _drift_table(caption: str, drifts: Sequence[Drift], nothing: str) -> Table:
    names = columns("feature", *_PSI, "#unknown then", "#unknown now", "drifted")
    return Table(caption, names, [_drift_row(one) for one in drifts], nothing)


def _drift_row(one: Drift) -> list[Cell | str]:
    return [
        Cell(one.name, code=True),
        *_psi(one),
        percent(one.unknown_before),
        percent(one.unknown),
        "yes" if one.drifted else "",
    ]


def newcomers_section(found: Monitoring, spec: MonitorSpec) -> Section:
    """Fit features of who is new."""
    drifts = found.inputs.newcomer_features
    return told_section(
        "newcomers",
        "Who signs up",
        _drift_table("Drift of who is new", drifts, "No fit feature to compare."),
        (
            f"The {found.inputs.newcomers:,} rows that entered in the {spec.newcomers_days} days "
            "before tonight, against those of the reference as young: another mix of sign-ups "
            "shows here weeks before it shows in the whole cohort.",
        ),
    )


def _small(q: float) -> str:
    """
    >>> _small(0.5), _small(0.00004)
    ('0.5', '4e-05')
    """
    return f"{q:.2g}"
