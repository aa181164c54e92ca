"""Sections on model and scorecard on the same rows: metrics, curves, nulls, shortcuts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.judging.curves import PerfectError, ReliabilityRow
from models.judging.metric_words import INTERVAL_MEANING, METRIC_NAMES
from models.judging.nulls import MODEL, Null
from models.judging.shortcuts import SHORTCUTS
from pipeline.plots import (
    gain_picture,
    lift_picture,
    precision_recall_picture,
    reliability_picture,
    svg,
)
from pipeline.report.cells import difference, ranged
from pipeline.report.glossary import metric_name
from pipeline.report.page import (
    Block,
    Bullets,
    Cell,
    Fold,
    Gallery,
    Picture,
    Row,
    Section,
    Table,
    Text,
    columns,
)
from pipeline.wording import interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

_FIRST = (
    "roc_auc",
    "pr_auc",
    "lift_10pct",
    "precision_at_capacity",
    "log_loss",
    "calibration_in_the_large",
)
_HEADLINES = ("roc_auc", "pr_auc", "lift_10pct", "precision_at_capacity", "brier")
PRICE_MEANING = (
    "Each claim is judged on its own test rows, as its user would, and older months may be easier "
    "or harder to predict whatever the split. On the same rows, both tests hold the row, so that "
    "months play no part. Either may go either way: a shortcut can also train a model that is lost "
    "on its own test rows."
)
_PRICED = ("roc_auc", "pr_auc", "pr_auc_over_base_rate", "lift_10pct", "calibration_in_the_large")


def metrics_table(caption: str, table: "pd.DataFrame", *names: str) -> Table:
    """All metrics of two contenders with their paired difference; the first column is the first's.

    Parameters
    ----------
    names
        What to call the two; none for the table's own names.
    """
    rows = []
    for metric, found in table.groupby("metric", sort=False):
        first, second = found.iloc[0], found.iloc[1]
        rows.append((METRIC_NAMES[metric], ranged(first), ranged(second), difference(second)))
    who = names or tuple(table["contender"].iloc[:2])
    return Table(caption, columns("metric", *(f"#{name}" for name in who), "#difference"), rows)


def metrics_blocks(caption: str, table: "pd.DataFrame", perfect: PerfectError) -> list[Block]:
    """Model and scorecard by the metrics that matter most, and folded by all others."""
    pair = table[table["contender"].isin(("model", "scorecard"))]
    matters = pair["metric"].isin(_FIRST)
    others = metrics_table("The other metrics", pair[~matters])
    return [
        metrics_table(caption, pair[matters]),
        Text(INTERVAL_MEANING, muted=True),
        Fold(
            f"{len(others.rows)} more metrics",
            [others, Text(perfect_told(perfect), muted=True)],
        ),
    ]


def perfect_told(perfect: PerfectError) -> str:
    """How large a calibration error chance alone shows."""
    return (
        "Calibration errors are never 0, since a bin's few rows miss their share, and resampled "
        "rows miss by more: their range may lie above the value. True probabilities would show a "
        f"calibration error of {shown(perfect.mean)} ({interval(perfect.low, perfect.high)}) here."
    )


def curves_section(
    gain: Mapping[str, np.ndarray],
    reliability: Mapping[str, Sequence[ReliabilityRow]],
    base_rate: float,
    *more: Block,
) -> Section:
    """Four pictures of the same ranking: what it reaches, at which rate, and what was promised."""
    at_tenth = ", ".join(f"{name} {percent(_reached(curve))}" for name, curve in gain.items())
    pictures = [
        Picture(
            svg(gain_picture(gain), "gain", f"Conversions reached in the best 10 %: {at_tenth}."),
            "How many conversions does a call list reach?",
            f"Best score first. In the best 10 % of rows: {at_tenth}.",
        ),
        Picture(
            svg(lift_picture(gain), "lift", "Lift over the share of snapshots called."),
            "How much richer is the top of the list?",
            "Conversions as a multiple of the base rate, by how far down the list is called.",
        ),
        Picture(
            svg(
                precision_recall_picture(gain, base_rate),
                "precision-recall",
                "Precision over recall.",
            ),
            "What does reaching more of them cost?",
            f"The dotted line is the base rate, {percent(base_rate)}.",
        ),
        Picture(
            svg(reliability_picture(reliability), "reliability", _told(reliability)),
            "Do the probabilities come true?",
            "Bins of equal size, 95 % Wilson intervals; on the dotted line they do. Hollow: nobody "
            "of the bin converted.",
        ),
    ]
    return Section("curves", "Gain, lift, precision and reliability", [Gallery(pictures), *more])


def _reached(curve: np.ndarray) -> float:
    return float(np.interp(0.1, curve[:, 0], curve[:, 1]))


def _told(reliability: Mapping[str, Sequence[ReliabilityRow]]) -> str:
    last = {name: rows[-1] for name, rows in reliability.items()}
    parts = [
        f"{name} predicts {percent(row.predicted)} in its highest bin, {percent(row.observed)} "
        "converted"
        for name, row in last.items()
    ]
    return f"{'; '.join(parts)}."


def nulls_section(table: "pd.DataFrame", nulls: tuple[Null, ...], verdict: str) -> Section:
    """The nulls beside the model.

    Parameters
    ----------
    table
        Of `models.judging.nulls.beside_nulls`.
    verdict
        Of `models.judging.nulls.nearest_null`.
    """
    names = [f"#{metric_name(metric)}" for metric in _HEADLINES]
    rows: list[Row] = []
    for contender in table["contender"].unique():
        found = table[table["contender"] == contender].set_index("metric")
        gap = Cell("") if contender == MODEL else difference(found.loc["pr_auc"])
        rows.append((contender, *(ranged(found.loc[metric]) for metric in _HEADLINES), gap))
    names_by_how: dict[str, list[str]] = {}
    for null in nulls:
        names_by_how.setdefault(null.how, []).append(null.name)
    told = [(f"{', '.join(names)}:", f"{how}.") for how, names in names_by_how.items()]
    return Section(
        "nulls",
        "What the headline is worth",
        [
            Text(verdict),
            Fold(
                "The nulls, number by number",
                [
                    Table(
                        "The model and scores that know nothing, or nearly nothing, on the same "
                        "rows",
                        columns("score", *names, "#model minus null, PR-AUC"),
                        rows,
                    ),
                    Bullets(told),
                    Text(INTERVAL_MEANING, muted=True),
                ],
            ),
        ],
    )


def shortcuts_section(table: "pd.DataFrame", verdict: str) -> Section:
    """What each shortcut would have claimed, beside the honest number.

    Parameters
    ----------
    table
        Of `models.judging.shortcuts.price_of_shortcuts`.
    verdict
        Of `models.judging.shortcuts.price_sentence`.
    """
    tables: list[Block] = []
    for metric in _PRICED:
        priced: list[Row] = [
            (
                str(row["shortcut"]),
                *(ranged(row, what) for what in ("honest", "claimed", "price", "same_price")),
            )
            for _, row in table[table["metric"] == metric].iterrows()
        ]
        names = columns("shortcut", "#honest", "#claimed", "#price", "#on the same rows")
        tables.append(Table(metric_name(metric), names, priced))
    told = [
        (
            f"{name}:",
            f"{SHORTCUTS[str(name)]}; tested on {rows['rows'].iloc[0]:,} rows with "
            f"{rows['converting'].iloc[0]:,} converting, {rows['same_rows'].iloc[0]:,} with "
            f"{rows['same_converting'].iloc[0]:,} of which the honest test holds, too.",
        )
        for name, rows in table.groupby("shortcut", sort=False)
    ]
    return Section(
        "shortcuts",
        "The price of each shortcut",
        [
            Text(verdict),
            tables[0],
            Fold(
                "The other metrics, and what each shortcut does",
                [
                    Text(
                        "The same model, settings, seed and sizes of parts, fitted once more for "
                        "each:"
                    ),
                    Bullets(told),
                    *tables[1:],
                    Text(f"{PRICE_MEANING} {INTERVAL_MEANING}", muted=True),
                ],
            ),
        ],
    )
