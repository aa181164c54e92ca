"""The tables and phrases that a model card is made of."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from models.judging.curves import ReliabilityRow
from models.judging.metric_words import METRIC_MEANINGS, METRIC_NAMES
from models.learners.rungs import ModelSpec
from models.splits import Split
from models.tiering.capacity import CapacityTiers
from models.tiering.tiers import LiftTiers, PrecisionTiers, ProbabilityTiers, ValueTiers
from pipeline.settings import Settings
from pipeline.wording import cut_words, falling, interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

HEADLINES = (
    "roc_auc",
    "pr_auc",
    "lift_10pct",
    "precision_at_capacity",
    "log_loss",
    "brier",
    "calibration_error",
    "calibration_in_the_large",
)
"""The metrics of a card; the report of the training has them all."""


def table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table.

    >>> print(table(["a"], [["x|y"]]))
    | a |
    |---|
    | x\\|y |
    """
    names = list(names)
    # A name of the user's may hold what Markdown takes for the next column.
    safe = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in safe)])


def cohort_words(settings: Settings) -> str:
    """Who is asked about, in one sentence.

    >>> from pipeline.settings import parse
    >>> print(cohort_words(parse('''
    ... name: shop
    ... data: {sources: [{format: segment, files: [a.json]}]}
    ... conversion: {events: [paid]}
    ... cohort: {entered_by: [opened], min_age_days: 3}''')))
    Every 7 days, each account that entered (first `opened`) at least 3 days before, has at least 1
    event in the 28 days before, and has not converted.
    """
    if settings.rows is not None:
        return f"The rows (who and when) of the table `{settings.rows.file}`."
    cohort = settings.cohort
    entered = ", ".join(f"`{name}`" for name in cohort.entered_by)
    age = f"entered (first {entered or 'event'})"
    if cohort.min_age_days:
        age += f" at least {cohort.min_age_days} days before"
    if cohort.max_age_days is not None:
        age += f" at most {cohort.max_age_days} days before"
    events = f"{cohort.min_events} event{'' if cohort.min_events == 1 else 's'}"
    return (
        f"Every {cohort.every_days} days, each {settings.entity} that {age}, has at least {events} "
        f"in the {cohort.active_within_days} days before, and has not converted."
    )


def label_words(settings: Settings) -> str:
    """What a label says, with the brackets of its window."""
    events = ", ".join(f"`{name}`" for name in settings.conversion.events)
    if settings.rows is not None and settings.rows.label is not None:
        return f"The column `{settings.rows.label}` of the table `{settings.rows.file}`."
    return (
        f"1 if the {settings.entity}'s first {events} occurs in [as_of, as_of + "
        f"{settings.horizon_days} days), else 0. Rows whose window reaches beyond the data are "
        "never read."
    )


def metrics_table(evaluation: "pd.DataFrame") -> str:
    """Model, scorecard and their difference, each with its interval."""
    rows = []
    for metric in HEADLINES:
        found = evaluation[evaluation["metric"] == metric].set_index("contender")
        model, card = found.loc["model"], found.loc["scorecard"]
        cells = [_ranged(model, ""), _ranged(card, ""), _ranged(card, "difference")]
        rows.append([METRIC_NAMES[metric], *cells])
    return table(["metric", "model", "scorecard", "model minus scorecard"], rows)


def metric_meanings() -> str:
    """What each metric of the card is."""
    return "\n".join(f"- {METRIC_NAMES[one]}: {METRIC_MEANINGS[one]}." for one in HEADLINES)


def _ranged(row: "pd.Series", what: str) -> str:
    low, high = (row[f"{what}_{end}" if what else end] for end in ("low", "high"))
    return f"{shown(row[what or 'value'])} ({interval(low, high)})"


def cuts_text(tiers: Mapping[str, Any]) -> str:
    """Every cut-off in words; those of expected value are amounts, not probabilities."""
    if tiers["by"] != "value":
        return cut_words(tiers["cutoffs"])
    return ", ".join(f"{name} from {cut:,.4g}" for name, cut in falling(tiers["cutoffs"]))


def tiers_table(rows: list[ReliabilityRow], tiers: Mapping[str, Any]) -> str:
    """Each tier's cut-off with what its test rows were expected to do, and did."""
    cutoffs, of_value = tiers["cutoffs"], tiers["by"] == "value"
    cells = [
        [
            str(row.group),
            _from(cutoffs.get(str(row.group), 0.0), of_value),
            f"{row.rows:,}",
            percent(row.predicted),
            percent(row.observed),
            f"{percent(row.low)} to {percent(row.high)}",
        ]
        for row in reversed(rows)
    ]
    return table(["tier", "from", "test rows", "predicted", "converted", "95 % interval"], cells)


def _from(cut: float, of_value: bool) -> str:
    if of_value:
        return f"{cut:,.4g}"
    return percent(cut) if cut <= 1 else "out of reach"


def promise(spec: ModelSpec) -> str:
    """What the cut-offs were made for, in one sentence."""
    tiers = spec.tiers
    match tiers:
        case CapacityTiers():
            return (
                f"They were set so that about {tiers.reps * tiers.per_rep_per_week:,} a week are "
                "hot or better, counted on the newest weeks of the calibrate fold."
            )
        case PrecisionTiers():
            shares = ", ".join(f"{one} {percent(getattr(tiers, one))}" for one in _NAMES)
            return (
                "They were set so that of each tier or better at least this share converts, with "
                f"{percent(tiers.confidence)} confidence on the calibrate fold: {shares}."
            )
        case LiftTiers():
            odds = ", ".join(f"{one} {getattr(tiers, one):g}" for one in _NAMES)
            return f"They are multiples of the odds of the calibrate fold's base rate: {odds}."
        case ProbabilityTiers():
            return "They are probabilities that the settings give."
        case ValueTiers():
            return f"They are expected values: probability x `{tiers.column}`."


_NAMES = ("critical", "hot", "warm")


def folds_table(split: Split, folds: tuple[str, ...]) -> str:
    """Period, rows and conversions of some folds."""
    rows = [
        [
            str(row["fold"]),
            str(row["from"]),
            str(row["to"]),
            *(f"{row[key]:,}" for key in ("rows", "positives", "entities", "purged")),
        ]
        for row in split.describe()
        if row["fold"] in folds
    ]
    names = ["fold", "first as_of", "last as_of", "rows", "converting rows", "entities", "purged"]
    return table(names, rows)
