"""Pictures of a backtest: which time each fold learns from and is judged on, and what it gave."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY_US
from models.dataset import Dataset
from models.judging.backtest import Backtest
from models.splits import Split
from pipeline.plots import COLOURS, GREY, figure, save
from pipeline.wording import METRIC_NAMES

if TYPE_CHECKING:
    import pandas as pd

PART_COLOURS = {"train": "#8fb3c2", "calibrate": "#4b8299", "test": "#1d4d63"}
WAIT = "#dddddd"
SHOWN = (
    "pr_auc",
    "lift_10pct",
    "precision_at_capacity",
    "log_loss",
    "calibration_error",
    "calibration_in_the_large",
)


def plot_folds(splits: Sequence[Split], dataset: Dataset, path: Path) -> None:
    """One line per fold, oldest on top: its parts by as_of, what lies between, what is too recent.

    Numbers in the bars are rows that convert.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.patches import Patch

    drawing, axes = figure(
        "What each fold learns from and is judged on",
        "Bars are as_of times, numbers converting rows. Rows between two parts would share "
        "outcomes with the later one.",
    )
    drawing.set_size_inches(8.4, 2.2 + 0.42 * len(splits))

    def bar(row: int, first: int, last: int, **style: Any) -> float:
        # A part of one date has no length of its own.
        ends = date2num(np.array([first, max(last, first + DAY_US)]).astype("datetime64[us]"))
        axes.barh(row, ends[1] - ends[0], left=ends[0], height=0.62, **style)
        return float(ends.mean())

    for row, split in enumerate(splits):
        for at, fold in enumerate(split.folds):
            if at:
                bar(row, split.folds[at - 1].last_as_of, fold.first_as_of, color=WAIT)
        for fold in split.folds:
            middle = bar(row, fold.first_as_of, fold.last_as_of, color=PART_COLOURS[fold.name])
            axes.text(
                middle,
                row,
                f"{fold.positives:,}",
                color="white",
                fontsize=8,
                ha="center",
                va="center",
            )
    recent = dataset.as_of[~dataset.mature]
    marks = [Patch(color=colour, label=name) for name, colour in PART_COLOURS.items()]
    marks.append(Patch(color=WAIT, label="left out (purge, embargo)"))
    if len(recent):
        bar(
            len(splits),
            int(recent.min()),
            int(recent.max()),
            color="white",
            edgecolor=GREY,
            hatch="////",
        )
        marks.append(
            Patch(facecolor="white", edgecolor=GREY, hatch="////", label="outcome not known")
        )
    rows = len(splits) + bool(len(recent))
    names = [f"fold {at + 1}" for at in range(len(splits))] + ["too recent"]
    axes.set_yticks(range(rows), names[:rows])
    axes.set_ylim(rows - 0.5, -0.5)
    locator = AutoDateLocator(maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.grid(visible=False, axis="y")
    below = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.12)}
    axes.legend(handles=marks, ncols=len(marks), frameon=False, fontsize=8, **below)
    save(drawing, path)


def plot_metrics(result: Backtest, path: Path) -> None:
    """Metrics of model and scorecard per fold and pooled, with 95 % intervals."""
    drawing, first = figure(
        "",
        "Every fold's later, unseen rows; 95 % intervals over accounts or users. Dashed: the base "
        "rate, or 0.",
    )
    first.remove()
    drawing.set_size_inches(9.2, 5.6)
    drawing.suptitle("Does it hold over time?", x=0.01, ha="left", fontsize=12, fontweight="bold")
    panels = drawing.subplots(2, 3)
    tables = [*(fold.table for fold in result.folds), result.table]
    names = [str(at + 1) for at in range(len(result.folds))] + ["all"]
    for axes, metric in zip(panels.flat, SHOWN, strict=True):
        axes.set_title(METRIC_NAMES[metric], loc="left", fontsize=9.5)
        for at, who in enumerate(("model", "scorecard")):
            rows = [_row(table, metric, who) for table in tables]
            value, low, high = (
                np.array([row[name] for row in rows]) for name in ("value", "low", "high")
            )
            axes.errorbar(
                np.arange(len(rows)) + 0.16 * (at - 0.5),
                value,
                # A percentile interval may miss a value that resampling only inflates.
                np.maximum([value - low, high - value], 0),
                fmt="o",
                markersize=4,
                capsize=2,
                linewidth=1.2,
                color=COLOURS[who],
                label=who,
            )
        if metric == "pr_auc":
            rates = [*(fold.base_rate for fold in result.folds), result.base_rate]
            axes.plot(range(len(rates)), rates, color=GREY, linewidth=1, linestyle="--")
        if metric == "calibration_in_the_large":
            axes.axhline(0, color=GREY, linewidth=1, linestyle="--")
        axes.axvline(len(names) - 1.5, color="#e6e6e6", linewidth=1)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel("fold", fontsize=8)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0, 0].legend(frameon=False, fontsize=8)
    save(drawing, path)


def _row(table: "pd.DataFrame", metric: str, contender: str) -> "pd.Series":
    return table[(table["metric"] == metric) & (table["contender"] == contender)].iloc[0]
