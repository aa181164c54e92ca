"""An evaluation as a notebook shows it: the verdict, every metric, and what each means."""

from typing import TYPE_CHECKING

import numpy as np

from features.rich_html import Cell, Html, definition, foldout, paragraph, table, three_digits
from models.judging.metric_words import INTERVAL_MEANING, METRIC_MEANINGS, METRIC_NAMES

if TYPE_CHECKING:
    import pandas as pd

    from models.judging.evaluation import Evaluation


def evaluation_html(evaluation: "Evaluation") -> Html:
    """The first contender beside the others, metric by metric, with paired differences."""
    first, *others = evaluation.table["contender"].unique()
    heads: list[Cell] = ["on the test rows", first, "95 % interval"]
    for name in others:
        heads += [name, "difference", "95 % interval"]
    rows = [
        _row(str(metric), values)
        for metric, values in evaluation.table.groupby("metric", sort=False)
    ]
    caption = (
        f"{evaluation.rows:,} test rows of {evaluation.entities:,} entities: "
        f"{evaluation.positives:,} rows convert ({100 * evaluation.base_rate:.1f} %), of "
        f"{evaluation.converting:,} accounts"
    )
    meanings = {METRIC_NAMES[name]: METRIC_MEANINGS[name] for name in METRIC_NAMES}
    return Html(
        paragraph(f"{evaluation.verdict} {evaluation.calibration}")
        + table(heads, rows, caption=caption)
        + foldout("What the numbers mean", {**meanings, "95 % interval": INTERVAL_MEANING})
    )


def _row(metric: str, values: "pd.DataFrame") -> list[Cell]:
    """One metric of all contenders; the first has no difference from itself."""
    row: list[Cell] = [definition(METRIC_NAMES[metric], METRIC_MEANINGS[metric])]
    for at, one in enumerate(values.to_dict("records")):
        if at:
            gap = _range(one["difference_low"], one["difference_high"])
            row += [one["value"], one["difference"], gap]
        else:
            row += [one["value"], _range(one["low"], one["high"])]
    return row


def _range(low: float, high: float) -> str:
    return "" if np.isnan(low) else f"{three_digits(low)} to {three_digits(high)}"
