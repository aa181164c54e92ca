"""A feature matrix as a notebook shows it: how much, of whom, and examples of each dimension."""

from typing import TYPE_CHECKING

import numpy as np

from features.clock import to_text
from features.definitions import DIMENSIONS, Feature
from features.rich_html import Cell, Html, table, three_digits

if TYPE_CHECKING:
    from features.matrix import FeatureMatrix

_EXAMPLES = 2


def matrix_html(matrix: "FeatureMatrix") -> Html:
    """A table of at most two features per dimension, with their typical values.

    Typical is the median or the most frequent value of all rows.
    """
    rows: list[list[Cell]] = []
    for dimension in DIMENSIONS:
        mine = [feature for feature in matrix.features if feature.dimension == dimension]
        # The first and the middle one: neighbours are windows of the same thing.
        for at in sorted({0, len(mine) // 2})[:_EXAMPLES] if mine else []:
            of: list[Cell] = [dimension, len(mine)] if at == 0 else ["", None]
            rows.append([*of, mine[at].name, mine[at].meaning, *_about(matrix, mine[at])])
    heads: list[Cell] = ["dimension", "features", "for example", "meaning", "typical", "unknown"]
    return table(heads, rows, caption=_caption(matrix))


def _caption(matrix: "FeatureMatrix") -> str:
    snapshots = matrix.snapshots
    of = f"{len(matrix):,} snapshots x {len(matrix.features):,} features"
    if not len(matrix):
        return of
    who, when = len(np.unique(snapshots.entity)), snapshots.as_of
    period = [to_text(int(at)) for at in (when.min(), when.max())]
    dates = f"as of {period[0]}" if period[0] == period[1] else f"{period[0]} to {period[1]}"
    return f"{of}: {who:,} {snapshots.level}{'' if who == 1 else 's'}, {dates}"


def _about(matrix: "FeatureMatrix", feature: Feature) -> list[Cell]:
    """The typical value, and the share of rows without one."""
    values = matrix.column(feature.name)
    if feature.dtype == "number":
        missing = np.isnan(values)
    else:
        missing = np.array([value is None for value in values], bool)
    known = values[~missing]
    if not len(known):
        return ["unknown", "100 %" if len(values) else ""]
    if feature.dtype == "number":
        median = float(np.median(known))
        typical: Cell = f"{median:,.0f}" if median.is_integer() else three_digits(median)
    else:
        levels, counts = np.unique(known.astype(str), return_counts=True)
        typical = str(levels[counts.argmax()])
    return [typical, f"{100 * missing.mean():.0f} %"]
