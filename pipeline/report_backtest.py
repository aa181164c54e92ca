"""The backtest as a page: folds, metrics over time, calibration, and what its numbers mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.clock import to_text
from models.choosing.ladder import Ladder
from models.judging.backtest import Backtest
from models.judging.champion import AgainstChampion
from models.judging.curves import ReliabilityRow
from models.splits import Split
from pipeline.across_folds import AcrossFolds
from pipeline.dataset import Assembled
from pipeline.prices import Prices
from pipeline.report_nulls import shortcuts_section
from pipeline.report_segments import segments_section
from pipeline.report_tiers import churn_section
from pipeline.settings import Run
from pipeline.tables import write_atomically
from pipeline.wording import (
    INTERVAL_MEANING,
    METRIC_MEANINGS,
    METRIC_NAMES,
    interval,
    percent,
    shown,
)

if TYPE_CHECKING:
    import pandas as pd

PER_FOLD = ("roc_auc", "pr_auc", "lift_10pct", "precision_at_capacity", "log_loss",
            "calibration_error", "calibration_in_the_large")  # fmt: skip
OWN_COLUMNS = ("model", "scorecard")


def write_backtest(
    folder: Path,
    run: Run,
    data: Assembled,
    splits: Sequence[Split],
    result: Backtest,
    ladders: Sequence[Ladder],
    champion: AgainstChampion,
    across: AcrossFolds,
    prices: Prices,
) -> Path:
    """Write ``report.md`` beside ``folds.png`` and ``metrics.png``; returns its path."""
    sections = [
        _opening(run, data, result, champion),
        folds_section(splits, data, run.settings.horizon_days),
        _pooled(result),
        _others(result),
        _per_fold(result, ladders),
        _champion(champion),
        segments_section(across.segments, across.segment_verdict, run.settings.evaluation.segments),
        churn_section((across.churn, None)),
        shortcuts_section(prices.table, prices.verdict),
        _calibration(result, run.settings.horizon_days),
    ]
    page = folder / "report.md"
    text = "\n".join(section for section in sections if section)
    write_atomically(page, lambda path: path.write_text(text, encoding="utf-8"))
    return page


def markdown_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """
    >>> markdown_table(["a", "b"], [["1", "2"]])
    '| a | b |\\n|---|---|\\n| 1 | 2 |\\n'
    """
    head, *body = (f"| {' | '.join(cells)} |" for cells in (names, *rows))
    return "\n".join([head, "|" + "---|" * len(names), *body]) + "\n"


def _opening(run: Run, data: Assembled, result: Backtest, champion: AgainstChampion) -> str:
    found, log = result.out_of_fold, data.log
    level, folds = run.settings.entity, len(result.folds)
    return (
        f"# {run.settings.name}: backtest of {folds} fold{'' if folds == 1 else 's'}\n\n"
        f"**{result.verdict}**\n\n{champion.verdict}\n\n"
        f"Asked: does this {level} convert within {run.settings.horizon_days} days of as_of? Each "
        "fold trains a model as one would have on that day, and judges it on what came later: "
        f"{len(found.rows):,} snapshots of {len(np.unique(found.rows.entity)):,} {level}s, of "
        f"which {int(found.rows.label.sum()):,} convert (base rate {percent(result.base_rate)}; "
        f"intervals rest on the {result.converting:,} accounts that convert). "
        "No row was judged by a model that had seen anything of its time.\n\n"
        f"Data: {log.n_events:,} events, {to_text(log.first_at)[:19]} to "
        f"{to_text(log.data_end)[:19]}, fingerprint `{log.fingerprint[:16]}`.\n"
    )


def folds_section(splits: Sequence[Split], data: Assembled, horizon_days: int) -> str:
    """The picture, the table, and what purged means."""
    rows = [
        [str(number)]
        + [value if isinstance(value, str) else f"{value:,}" for value in row.values()]
        for number, split in enumerate(splits, 1)
        for row in split.describe()
    ]
    names = ["fold", "part", "from", "to", "rows", "converting rows", "entities", "purged"]
    recent = int((~data.dataset.mature).sum())
    return (
        "## Folds\n\n![Folds](folds.png)\n\n"
        + markdown_table(names, rows)
        + "\nOldest first; from and to are the first and last as_of. A row is purged when its "
        f"label window ({horizon_days} days, and the embargo if there is one) would reach into the "
        f"next part. {recent:,} rows are too recent: their outcome is not known, and nothing "
        "reads it.\n"
    )


def _pooled(result: Backtest) -> str:
    rows = []
    for metric, found in result.table.groupby("metric", sort=False):
        model, card = (_of(found, name) for name in OWN_COLUMNS)
        cells = [_ranged(model), _ranged(card), _ranged(card, "difference_")]
        rows.append([METRIC_NAMES[metric], *cells, METRIC_MEANINGS[metric]])
    return (
        "## All folds together\n\n![Metrics per fold](metrics.png)\n\n"
        + markdown_table(["metric", *OWN_COLUMNS, "difference", "meaning"], rows)
        + f"\n{INTERVAL_MEANING} The fitted models are taken as they are: what another training of "
        "the same folds would have given is not in the ranges.\n\n"
        "Scores of different trainings do not compare, so here every row counts by its rank within "
        "its fold; numbers of calibration take probabilities as they are.\n"
    )


def _others(result: Backtest) -> str:
    names = [name for name in result.out_of_fold.scores if name not in OWN_COLUMNS]
    rows = []
    for name in names:
        found = result.table[result.table["contender"] == name].set_index("metric")
        cells = [
            text
            for metric in ("pr_auc", "roc_auc", "log_loss")
            for text in (
                shown(found.loc[metric, "value"]),
                _ranged(found.loc[metric], "difference_"),
            )
        ]
        rows.append([name, *cells])
    if not rows:
        return ""
    columns = ["contender"]
    for metric in ("pr_auc", "roc_auc", "log_loss"):
        columns += [METRIC_NAMES[metric], "model minus it"]
    return "## Nulls and others on the same rows\n\n" + markdown_table(columns, rows)


def _per_fold(result: Backtest, ladders: Sequence[Ladder]) -> str:
    rows = []
    for number, fold in enumerate(result.folds, 1):
        for who in OWN_COLUMNS:
            mine = fold.table[fold.table["contender"] == who].set_index("metric")
            cells = [_ranged(mine.loc[metric]) for metric in PER_FOLD]
            rows.append([str(number), who, percent(fold.base_rate), *cells])
    names = ["fold", "contender", "base rate", *(METRIC_NAMES[metric] for metric in PER_FOLD)]
    return (
        "## Fold by fold\n\n"
        + markdown_table(names, rows)
        + "\nOldest first. Within a fold the model ranks by its raw score. The learner of each "
        "fold, chosen on its own training rows: "
        + ", ".join(f"{number} {ladder.chosen}" for number, ladder in enumerate(ladders, 1))
        + ".\n"
    )


def _champion(champion: AgainstChampion) -> str:
    title = "## Against the champion\n\n"
    if champion.table is None:
        return f"{title}{champion.verdict}\n"
    rows = []
    for metric, found in champion.table.groupby("metric", sort=False):
        model, other = (_of(found, name) for name in ("model", "champion"))
        cells = [_ranged(model), _ranged(other), _ranged(other, "difference_")]
        rows.append([METRIC_NAMES[metric], *cells])
    return (
        f"{title}{champion.verdict}\n\n"
        + markdown_table(["metric", "trained again", "champion", "difference"], rows)
        + f"\nOn {champion.rows:,} test rows ({champion.positives:,} convert) whose outcomes the "
        "champion has never seen. The folds' models are newer than the champion, as one trained "
        "today would be.\n"
    )


def _calibration(result: Backtest, horizon_days: int) -> str:
    parts = ["## Do the probabilities come true?\n"]
    for name, perfect in result.if_perfect.items():
        found = _of(result.table[result.table["metric"] == "calibration_error"], name)
        parts.append(
            f"- {name}: calibration error {shown(found['value'])}; probabilities that are all true "
            f"would show {shown(perfect.mean)} on these rows (95 %: "
            f"{interval(perfect.low, perfect.high)})."
        )
    parts.append(
        "\nThe error of true probabilities is not 0, for a bin's few rows never hit their share "
        "exactly. It comes from outcomes drawn from the probabilities 200 times; rows of one "
        f"entity within {horizon_days} days share their luck as far as their label windows "
        "overlap.\n"
    )
    for name, bins in result.reliability.items():
        parts.append(f"### Bins of equal size: {name}\n\n" + _reliability("bin", bins))
    for name, tiers in result.tiers.items():
        parts.append(f"### Tiers: {name}\n\n" + _reliability("tier", list(reversed(tiers))))
    parts.append(
        "Ranges are 95 % Wilson intervals on as many rows as would tell as much if they were "
        "independent: rows of one account hang together. Each fold has cut-offs of its own.\n"
    )
    return "\n".join(parts)


def _reliability(name: str, rows: Sequence[ReliabilityRow]) -> str:
    cells = [
        [
            row.group,
            f"{row.rows:,}",
            percent(row.predicted),
            percent(row.observed),
            f"{percent(row.low)} to {percent(row.high)}",
        ]
        for row in rows
    ]
    return markdown_table([name, "rows", "predicted", "converted", "95 % interval"], cells)


def _of(table: "pd.DataFrame", contender: str) -> "pd.Series":
    return table[table["contender"] == contender].iloc[0]


def _ranged(row: "pd.Series", prefix: str = "") -> str:
    value = row[prefix.rstrip("_") or "value"]
    if value != value:
        return "unknown"
    return f"{shown(value)} ({interval(row[prefix + 'low'], row[prefix + 'high'])})"
