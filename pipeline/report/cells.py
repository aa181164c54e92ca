"""Numbers as cells: a value with its range below it."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from models.judging.curves import ReliabilityRow
from pipeline.report.page import Cell, Table, columns
from pipeline.wording import interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd


def ranged(row: "pd.Series", what: str = "value") -> Cell:
    """A value of a table of metrics with its 95 % range.

    Parameters
    ----------
    what
        ``value``, whose range is ``low`` and ``high``, or a name that its range's begin with.
    """
    prefix = "" if what == "value" else f"{what}_"
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    if not isfinite(low) or not isfinite(high):
        return Cell("too few")
    return Cell(shown(row[what]), interval(low, high))


def difference(row: "pd.Series") -> Cell:
    """The same of a difference, bold where its range leaves out 0."""
    cell = ranged(row, "difference")
    shown_to_differ = row["difference_low"] > 0 or row["difference_high"] < 0
    return Cell(cell.text, cell.note, "strong" if shown_to_differ else "")


def span(low: float, high: float) -> str:
    """
    >>> span(0.1, 0.25)
    '10.0 % to 25.0 %'
    """
    return f"{percent(low)} to {percent(high)}"


def reliability_table(caption: str, group: str, rows: Sequence[ReliabilityRow]) -> Table:
    """What was predicted of each group of rows, and what came."""
    return Table(
        caption,
        columns(group, "#rows", "#predicted", "#converted"),
        [
            (
                row.group,
                f"{row.rows:,}",
                percent(row.predicted),
                Cell(percent(row.observed), span(row.low, row.high)),
            )
            for row in rows
        ],
    )
