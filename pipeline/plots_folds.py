"""Pictures of folds: which time each learns from and is judged on, and what it gave."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY_US
from models.dataset import Dataset
from models.judging.backtest import Backtest
from models.judging.metric_words import METRIC_NAMES
from models.splits import Split
from pipeline.plots import COLOURS, GREY, MARKERS, PART_COLOURS, WAIT, bare, figure, save

if TYPE_CHECKING:
    import pandas as pd

SHOWN = (
    "pr_auc",
    "lift_10pct",
    "precision_at_capacity",
    "log_loss",
    "calibration_error",
    "calibration_in_the_large",
)
FOLDS_NOTE = (
    "Bars are as_of times, the numbers above them converting rows. Rows between two parts would "
    "share outcomes with the later one."
)


def plot_folds(splits: Sequence[Split], dataset: Dataset, path: Path) -> None:
    """`folds_picture` as a PNG file, told what it shows."""
    drawing = folds_picture(splits, dataset)
    drawing.axes[0].set_title("What each fold learns from and is judged on", loc="left")
    drawing.supxlabel(FOLDS_NOTE, fontsize=7.5, color=GREY, x=0.01, ha="left")
    save(drawing, path)


def folds_picture(splits: Sequence[Split], dataset: Dataset) -> Any:
    """One line per fold, oldest on top: its parts by as_of, what lies between, what is too recent.

    Numbers above the bars are rows that convert.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    drawing, axes = figure()
    for row, split in enumerate(splits):
        for before, after in zip(split.folds, split.folds[1:], strict=False):
            _bar(axes, row, before.last_as_of, after.first_as_of, color=WAIT)
        for fold in split.folds:
            colour = PART_COLOURS[fold.name]
            middle = _bar(axes, row, fold.first_as_of, fold.last_as_of, color=colour)
            above = {"fontsize": 8, "ha": "center", "va": "bottom"}
            axes.text(middle, row - 0.3, f"{fold.positives:,}", **above)
    recent = dataset.as_of[~dataset.mature]
    if len(recent):
        _bar(axes, len(splits), int(recent.min()), int(recent.max()), **_UNKNOWN)
    rows = len(splits) + bool(len(recent))
    several = len(splits) > 1
    names = [f"fold {at + 1}" if several else "this model" for at in range(len(splits))]
    names.append("too recent")
    axes.set_yticks(range(rows), names[:rows])
    axes.set_ylim(rows - 0.4, -0.75)
    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.grid(visible=False, axis="y")
    drawing.set_size_inches(8.4, 1.2 + 0.5 * rows)
    drawing.legend(
        handles=_legend(recent=bool(len(recent))),
        loc="outside lower left",
        ncols=5,
        frameon=False,
        fontsize=8,
    )
    return drawing


_UNKNOWN: dict[str, Any] = {"facecolor": "none", "edgecolor": GREY, "hatch": "////"}


def _bar(axes: Any, row: int, first: int, last: int, **style: Any) -> float:
    """A bar over [first, last]; where its middle is."""
    from matplotlib.dates import date2num

    # A part of one date has no length of its own.
    ends = date2num(np.array([first, max(last, first + DAY_US)]).astype("datetime64[us]"))
    axes.barh(row, ends[1] - ends[0], left=ends[0], height=0.5, **style)
    return float(ends.mean())


def _legend(*, recent: bool) -> list[Any]:
    from matplotlib.patches import Patch

    marks = [Patch(color=colour, label=name) for name, colour in PART_COLOURS.items()]
    marks.append(Patch(color=WAIT, label="left out (purge, embargo)"))
    if recent:
        marks.append(Patch(**_UNKNOWN, label="outcome not known"))
    return marks


def metrics_picture(result: Backtest) -> Any:
    """Metrics of model and scorecard per fold and pooled, with 95 % intervals."""
    drawing, first = figure()
    first.remove()
    drawing.set_size_inches(7.6, 4.6)
    panels = drawing.subplots(2, 3)
    names = [str(at + 1) for at in range(len(result.folds))] + ["all"]
    for axes, metric in zip(panels.flat, SHOWN, strict=True):
        bare(axes)
        axes.set_title(METRIC_NAMES[metric], loc="left", fontsize=9.5)
        _panel(axes, result, metric)
        axes.axvline(len(names) - 1.5, color=GREY, linewidth=0.6)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel("fold", fontsize=8)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.tick_params(labelsize=8)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return drawing


def _panel(axes: Any, result: Backtest, metric: str) -> None:
    tables = [*(fold.table for fold in result.folds), result.table]
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
            fmt=MARKERS[who][0],
            markersize=4,
            capsize=2,
            linewidth=1.2,
            color=COLOURS[who],
            label=who,
        )
    if metric == "pr_auc":
        rates = [*(fold.base_rate for fold in result.folds), result.base_rate]
        axes.plot(range(len(rates)), rates, ":", color=GREY, linewidth=1)
    if metric == "calibration_in_the_large":
        axes.axhline(0, color=GREY, linewidth=1, linestyle=":")


def _row(table: "pd.DataFrame", metric: str, contender: str) -> "pd.Series":
    return table[(table["metric"] == metric) & (table["contender"] == contender)].iloc[0]
