"""Pictures of milestones: how often those convert who got so far, and how soon."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.milestones.found import CountRow, Milestone, Milestones
from pipeline.plots import COLOURS, GREY, bare, cut, in_percent, save

_WIDTH, _HEIGHT, _HEAD = 5.0, 2.1, 0.6
_LONGEST = 24
"""Characters of an event's name."""


def reached_picture(milestones: Milestones) -> Any:
    """Conversion rate by how often each milestone's event was done, one panel per milestone.

    Dots with 95 % intervals; full ones have reached the threshold, which is the dashed line.
    """
    drawing = _panels(milestones, _draw_reached)
    drawing.supylabel(f"share that converts within {milestones.follow_up_days} days", fontsize=9)
    return drawing


def days_picture(milestones: Milestones) -> Any:
    """Of those who converted after reaching it: in which week, one panel per milestone.

    The dashed line is the median.
    """
    drawing = _panels(milestones, _draw_days)
    drawing.supxlabel("weeks from the milestone to the conversion", fontsize=9)
    drawing.supylabel("conversions", fontsize=9)
    return drawing


def plot_reached(milestones: Milestones, path: Path) -> None:
    """`reached_picture` as a PNG file."""
    drawing = reached_picture(milestones)
    drawing.suptitle("How often do those convert who got so far?", **_TITLE)
    note = "Of the hold-out. Activity is not held equal. Bars: 95 % intervals. Dashed: threshold."
    drawing.supxlabel(note, fontsize=7, color=GREY, x=0.01, ha="left")
    save(drawing, path)


def plot_days(milestones: Milestones, path: Path) -> None:
    """`days_picture` as a PNG file."""
    drawing = days_picture(milestones)
    drawing.suptitle("How soon after a milestone do they convert?", **_TITLE)
    save(drawing, path)


_TITLE: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": 12, "fontweight": "bold"}


def _panels(milestones: Milestones, draw: Callable[[Any, Milestone], None]) -> Any:
    from matplotlib.figure import Figure

    n = max(1, len(milestones.found))
    drawing = Figure(figsize=(_WIDTH, n * _HEIGHT + _HEAD), dpi=160, layout="constrained")
    for at, one in enumerate(milestones.found):
        axes = drawing.add_subplot(n, 1, at + 1)
        told = replace(one, event=cut(one.event, _LONGEST)).short
        axes.set_title(f"{at + 1}. {told}", loc="left", fontsize=9.5)
        bare(axes)
        draw(axes, one)
    return drawing


def _draw_reached(axes: Any, one: Milestone) -> None:
    rows = [row for row in one.by_count if row.rows]
    place = np.arange(len(rows))
    rate = np.array([row.rate.value for row in rows])
    ends = np.array([[row.rate.low, row.rate.high] for row in rows]).T
    reach = np.maximum([rate - ends[0], ends[1] - rate], 0)
    axes.errorbar(place, rate, reach, fmt="none", color=COLOURS["model"], linewidth=1, capsize=2)
    got = np.array([row.reached for row in rows])
    style: dict[str, Any] = {"color": COLOURS["model"], "markersize": 5, "linestyle": "none"}
    axes.plot(place[got], rate[got], "o", **style)
    axes.plot(place[~got], rate[~got], "o", mfc="white", **style)
    if got.any():
        threshold = place[got][0] - 0.5
        axes.axvline(threshold, linestyle="--", color=COLOURS["scorecard"], linewidth=1)
    axes.set_xticks(place, [_bin(row) for row in rows], fontsize=8.5)
    axes.set_ylim(bottom=0)
    in_percent(axes.yaxis)
    axes.tick_params(axis="y", labelsize=8.5)


def _bin(row: CountRow) -> str:
    if row.most is None:
        return f"{row.least:,}+"
    return f"{row.least:,}" if row.most == row.least else f"{row.least:,}-{row.most:,}"


def _draw_days(axes: Any, one: Milestone) -> None:
    weeks = np.arange(len(one.by_week))
    last = max((week for week in weeks if one.by_week[week]), default=0)
    axes.bar(weeks + 0.5, one.by_week, width=0.9, color=COLOURS["model"])
    axes.set_xlim(0, max(last + 1, 4))
    if last == weeks[-1]:
        axes.text(last + 1, one.by_week[last], "or more", ha="right", va="bottom", fontsize=7.5)
    if one.median_days is not None:
        median = one.median_days / 7
        axes.axvline(median, linestyle="--", color=COLOURS["scorecard"], linewidth=1)
        told = f" half within {one.median_days:.0f} days"
        axes.text(median, max(one.by_week), told, fontsize=8.5, color=GREY, va="top")
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    axes.tick_params(labelsize=8.5)
