"""Which segment is the worst, if any stands out for more than chance."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ALARM = 0.01
"""Chance that any segment is named where none deserves it.

Not the usual 0.05: the sentence stands in every training's report, and one false name in twenty
trainings is one too many.
"""


@dataclass(frozen=True)
class Finding:
    """One comparison of a segment with the rest.

    Parameters
    ----------
    row
        Position in the table of `measure_segments`.
    what
        ``calibration`` or ``ranking``.
    p
        Adjusted for all comparisons made.
    """

    row: int
    what: str
    p: float


def findings(table: "pd.DataFrame") -> list[Finding]:
    """All comparisons that were made, the least likely first, with p adjusted by Holm (1979).

    The chance that any is below a limit where nothing is wrong is at most that limit, however
    the segments overlap.
    """
    pairs = [
        (float(p), at, what)
        for what in ("calibration", "ranking")
        for at, p in enumerate(table[f"{what}_p"])
        if not np.isnan(p)
    ]
    adjusted, found = 0.0, []
    for place, (p, at, what) in enumerate(sorted(pairs)):
        adjusted = max(adjusted, min(1.0, p * (len(pairs) - place)))
        found.append(Finding(at, what, adjusted))
    return found


def worst_segment(table: "pd.DataFrame") -> str:
    """The worst segment in one sentence, or that none stands out."""
    found = findings(table)
    if not found:
        return "No segment can be judged: too few conversions."
    worst = found[0]
    told = f"{_sentence(table.iloc[worst.row], worst.what)}, adjusted p = {worst.p:.2g}"
    among = f"{len(found)} comparison{'' if len(found) == 1 else 's'}"
    if worst.p >= ALARM:
        return f"No segment stands out among {among}; the farthest off is {told}."
    more = len({one.row for one in found if one.p < ALARM} - {worst.row})
    also = f"; {more} more stand{'s' if more == 1 else ''} out" if more else ""
    return f"Worst segment among {among}: {told}{also}."


def _sentence(row: "pd.Series", what: str) -> str:
    name = f"{row['of']} {row['segment']!r} ({row['converting']:,} converting): "
    if what == "calibration":
        return name + (
            f"{100 * row['base_rate']:.2g} % convert where {100 * row['expected_rate']:.2g} % "
            "are expected"
        )
    return name + (
        f"ROC-AUC {row['roc_auc']:.3f} ({row['roc_auc_low']:.3f} to {row['roc_auc_high']:.3f}) "
        f"where the other segments of {row['of']} have {row['others_roc_auc']:.3f}"
    )
