"""The page of a backtest: folds, metrics over time, calibration, and the price of shortcuts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.clock import to_text
from models.choosing.ladder import Ladder
from models.judging.backtest import Backtest
from models.judging.champion import AgainstChampion
from models.judging.curves import gain_curve
from models.judging.evaluation import calibration_verdict
from models.splits import Split
from pipeline.across_folds import AcrossFolds
from pipeline.dataset import Assembled
from pipeline.plots import svg
from pipeline.plots_folds import metrics_picture
from pipeline.prices import Prices
from pipeline.report.against import curves_section, metrics_blocks, shortcuts_section
from pipeline.report.backtest_parts import (
    OWN_COLUMNS,
    calibration_section,
    champion_section,
    others_section,
    per_fold_section,
)
from pipeline.report.cells import reliability_table
from pipeline.report.folds import folds_section
from pipeline.report.page import Page, Picture, Section, Text
from pipeline.report.quality import cautions_section
from pipeline.report.render import write_page
from pipeline.report.segments import segments_section
from pipeline.report.tiers import churn_blocks
from pipeline.report.verdict import how_sure, key_numbers, model_is_better, what_to_do
from pipeline.settings import Run

if TYPE_CHECKING:
    import pandas as pd


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
    """Write ``report.html`` into `folder`; returns its path. Equal backtests give equal bytes."""
    rows, folds = len(result.out_of_fold.rows), len(result.folds)
    pair = _pair(result)
    calibration = calibration_verdict(pair, result.base_rate, result.converting)
    advice = what_to_do(pair, result.converting, result.tiers["model"], result.base_rate)
    page = Page(
        title=f"{run.settings.name}: backtest of {folds} fold{'' if folds == 1 else 's'}",
        kicker="Evaluation report",
        verdict=[
            ("What was found", result.verdict),
            ("How sure", how_sure(rows, result.converting, calibration)),
            ("What to do", advice),
            ("Against the champion", champion.verdict),
        ],
        alarm=not model_is_better(pair, result.converting),
        numbers=key_numbers(pair, result.base_rate, rows, result.converting),
        facts=_facts(data),
        sections=list(_sections(run, data, splits, result, ladders, champion, across, prices)),
    )
    return write_page(page, folder / "report.html")


def _pair(result: Backtest) -> "pd.DataFrame":
    return result.table[result.table["contender"].isin(OWN_COLUMNS)]


def _facts(data: Assembled) -> str:
    log = data.log
    return (
        f"Data: {log.n_events:,} events, {to_text(log.first_at)[:19]} to "
        f"{to_text(log.data_end)[:19]}, fingerprint `{log.fingerprint[:16]}`."
    )


def _sections(
    run: Run,
    data: Assembled,
    splits: Sequence[Split],
    result: Backtest,
    ladders: Sequence[Ladder],
    champion: AgainstChampion,
    across: AcrossFolds,
    prices: Prices,
) -> Iterator[Section]:
    settings, found = run.settings, result.out_of_fold
    yield _over_time(run, result)
    yield _against(result)
    yield curves_section(
        {name: gain_curve(found.rows.label, found.pooled[name].score) for name in OWN_COLUMNS},
        {name: result.reliability[name] for name in OWN_COLUMNS},
        result.base_rate,
    )
    tiers = reliability_table(
        "What came of each tier, by each fold's own cut-offs",
        "tier",
        list(reversed(result.tiers["model"])),
    )
    yield Section("tiers", "Tiers", [tiers, *churn_blocks((across.churn, None))])
    yield folds_section(splits, data.dataset, settings.horizon_days)
    yield per_fold_section(result, ladders)
    yield champion_section(champion)
    yield shortcuts_section(prices.table, prices.verdict)
    yield from others_section(result)
    yield segments_section(across.segments, across.segment_verdict, settings.evaluation.segments)
    yield calibration_section(result, settings.horizon_days)
    yield cautions_section(data)


def _over_time(run: Run, result: Backtest) -> Section:
    found, level = result.out_of_fold, run.settings.entity
    told = (
        f"Asked: does this {level} convert within {run.settings.horizon_days} days of as_of? Each "
        "fold trains a model as one would have on that day, and judges it on what came later: "
        f"{len(found.rows):,} snapshots of {len(np.unique(found.rows.entity)):,} {level}s, of "
        f"which {int(found.rows.label.sum()):,} convert. No row was judged by a model that had "
        "seen anything of its time."
    )
    newest = result.folds[-1].table
    value = newest[(newest["metric"] == "pr_auc") & (newest["contender"] == "model")]["value"]
    picture = Picture(
        svg(metrics_picture(result), "metrics", f"PR-AUC of the newest fold: {value.item():.3f}."),
        "Does it hold over time?",
        "Every fold's later, unseen rows; 95 % intervals over accounts or users. Dotted: the base "
        "rate, or 0.",
        wide=True,
    )
    return Section("over-time", "Does it hold over time?", [Text(told), picture])


def _against(result: Backtest) -> Section:
    note = (
        "The fitted models are taken as they are: what another training of the same folds would "
        "have given is not in the ranges. Scores of different trainings do not compare, so here "
        "every row counts by its rank within its fold; numbers of calibration take probabilities "
        "as they are."
    )
    blocks = metrics_blocks(
        "On the test rows of all folds", _pair(result), result.if_perfect["model"]
    )
    return Section("against", "Model against scorecard", [*blocks, Text(note, muted=True)])
