"""Sections that only a backtest has: fold by fold, champion, others, calibration of each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from models.choosing.ladder import Ladder
from models.judging.backtest import Backtest
from models.judging.champion import AgainstChampion
from models.judging.metric_words import METRIC_NAMES
from pipeline.report.against import metrics_table
from pipeline.report.cells import difference, ranged, reliability_table
from pipeline.report.page import Block, Bullets, Fold, Row, Section, Table, Text, columns
from pipeline.wording import interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

PER_FOLD = ("roc_auc", "pr_auc", "lift_10pct", "precision_at_capacity", "log_loss",
            "calibration_error", "calibration_in_the_large")  # fmt: skip
OWN_COLUMNS = ("model", "scorecard")
_IN_OTHERS = ("pr_auc", "roc_auc", "log_loss")


def per_fold_section(result: Backtest, ladders: Sequence[Ladder]) -> Section:
    """Metrics of model and scorecard within each fold, and what each fold's model stands on."""
    rows: list[Row] = []
    for number, fold in enumerate(result.folds, 1):
        for who in OWN_COLUMNS:
            mine = fold.table[fold.table["contender"] == who].set_index("metric")
            cells = [ranged(mine.loc[metric]) for metric in PER_FOLD]
            rows.append((f"{number} {who}", percent(fold.base_rate), *cells))
    names = columns("fold", "#base rate", *(f"#{METRIC_NAMES[metric]}" for metric in PER_FOLD))
    learners = ", ".join(f"{number} {ladder.chosen}" for number, ladder in enumerate(ladders, 1))
    told = (
        "Oldest first. Within a fold the model ranks by its raw score. The learner of each fold, "
        f"chosen on its own training rows: {learners}."
    )
    why = [(f"{number}:", ladder.verdict) for number, ladder in enumerate(ladders, 1)]
    numbers = Fold("Each fold in numbers", [Table("Fold by fold", names, rows), Bullets(why)])
    return Section("fold-by-fold", "Fold by fold", [Text(told), numbers])


def champion_section(champion: AgainstChampion) -> Section:
    """Training again beside the registered champion, on rows that it has never seen."""
    blocks: list[Block] = [Text(champion.verdict)]
    if champion.table is not None:
        table = metrics_table(
            "On rows whose outcomes the champion has never seen",
            champion.table,
            "trained again",
            "champion",
        )
        told = (
            f"On {champion.rows:,} test rows ({champion.positives:,} convert). The folds' models "
            "are newer than the champion, as one trained today would be."
        )
        blocks.append(Fold("All metrics", [table, Text(told, muted=True)]))
    return Section("champion", "Against the champion", blocks)


def others_section(result: Backtest) -> Iterator[Section]:
    """Nulls and whoever else was judged; nothing without any."""
    rows = []
    for name in result.out_of_fold.scores:
        if name in OWN_COLUMNS:
            continue
        found = result.table[result.table["contender"] == name].set_index("metric")
        cells = [
            cell
            for metric in _IN_OTHERS
            for cell in (shown(found.loc[metric, "value"]), difference(found.loc[metric]))
        ]
        rows.append((name, *cells))
    if not rows:
        return
    names = ["contender"]
    for metric in _IN_OTHERS:
        names += [f"#{METRIC_NAMES[metric]}", "#model minus it"]
    table = Table("Nulls and others on the same rows", columns(*names), rows)
    yield Section("nulls", "What the headline is worth", [table])


def calibration_section(result: Backtest, horizon_days: int) -> Section:
    """Predicted against observed, by bins and by tiers, for everyone who was judged."""
    told = []
    for name, perfect in result.if_perfect.items():
        error = _of(result.table, "calibration_error", name)
        told.append(
            f"{name}: calibration error {shown(error)}; probabilities that are all true would "
            f"show {shown(perfect.mean)} on these rows (95 %: "
            f"{interval(perfect.low, perfect.high)})."
        )
    tables: list[Block] = [
        reliability_table(f"Bins of equal size: {name}", "bin", rows)
        for name, rows in result.reliability.items()
    ]
    tables += [
        reliability_table(f"Tiers: {name}", "tier", list(reversed(tiers)))
        for name, tiers in result.tiers.items()
    ]
    why = (
        "The error of true probabilities is not 0, for a bin's few rows never hit their share "
        "exactly. It comes from outcomes drawn from the probabilities 200 times; rows of one "
        f"entity within {horizon_days} days share their luck as far as their label windows "
        "overlap."
    )
    blocks: list[Block] = [
        Bullets(told),
        Text(why, muted=True),
        Fold("Bins and tiers in numbers", tables),
    ]
    return Section("calibration", "Do the probabilities come true?", blocks)


def _of(table: "pd.DataFrame", metric: str, contender: str) -> float:
    rows = table[(table["metric"] == metric) & (table["contender"] == contender)]
    return float(rows["value"].iloc[0])
