"""The report's sections on nulls and shortcuts: what the headline is worth, and what it is not."""

from math import isfinite
from typing import TYPE_CHECKING

from models.judging.nulls import MODEL, Null
from models.judging.shortcuts import SHORTCUTS
from pipeline.wording import INTERVAL_MEANING, METRIC_MEANINGS, METRIC_NAMES, interval, shown

if TYPE_CHECKING:
    import pandas as pd

_HEADLINES = ("roc_auc", "pr_auc", "lift_10pct", "precision_at_capacity", "brier")
_PRICED = ("roc_auc", "pr_auc", "pr_auc_over_base_rate", "lift_10pct", "calibration_in_the_large")
PART_NAMES = {
    "base_rate": "base rate",
    "mean_probability": "mean probability",
    "pr_auc_over_base_rate": "PR-AUC over base rate",
}
PART_MEANINGS = {
    "base_rate": "share of the rows that convert",
    "mean_probability": "what the model expects that share to be",
    "pr_auc_over_base_rate": "PR-AUC as a multiple of what guessing gives, so that parts with "
    "different base rates compare",
}


def nulls_section(table: "pd.DataFrame", nulls: tuple[Null, ...], verdict: str) -> str:
    """Markdown of the nulls beside the model.

    Parameters
    ----------
    table
        Of `models.judging.nulls.beside_nulls`.
    verdict
        Of `models.judging.nulls.nearest_null`.
    """
    names = ["score", *(METRIC_NAMES[metric] for metric in _HEADLINES), "model minus null, PR-AUC"]
    lines = ["## What the headline is worth\n", verdict + "\n", *_header(names)]
    for contender in table["contender"].unique():
        rows = table[table["contender"] == contender].set_index("metric")
        cells = [_ranged(rows.loc[metric], "") for metric in _HEADLINES]
        difference = "" if contender == MODEL else _ranged(rows.loc["pr_auc"], "difference")
        lines.append(_row([contender, *cells, difference]))
    lines += ["", "The nulls, on the same rows and the same draws:\n"]
    names_by_how: dict[str, list[str]] = {}
    for null in nulls:
        names_by_how.setdefault(null.how, []).append(f"*{null.name}*")
    lines += [f"- {', '.join(names)}: {how}." for how, names in names_by_how.items()]
    return "\n".join([*lines, "", *_meanings(_HEADLINES), INTERVAL_MEANING + "\n"])


def shortcuts_section(table: "pd.DataFrame", verdict: str) -> str:
    """Markdown of what each shortcut would have claimed, beside the honest number.

    Parameters
    ----------
    table
        Of `models.judging.shortcuts.price_of_shortcuts`.
    verdict
        Of `models.judging.shortcuts.price_sentence`.
    """
    names = ["shortcut", "metric", "honest", "claimed", "price", "on the same rows"]
    lines = ["## The price of each shortcut\n", verdict + "\n", *_header(names)]
    for name, rows in table.groupby("shortcut", sort=False):
        by_metric = rows.set_index("metric")
        for metric in _PRICED:
            row = by_metric.loc[metric]
            cells = [_ranged(row, what) for what in ("honest", "claimed", "price", "same_price")]
            lines.append(_row([str(name), _named(metric), *cells]))
    lines += ["", "The same model, settings, seed and sizes of parts, fitted once more for each:\n"]
    lines += [
        f"- *{name}*: {SHORTCUTS[str(name)]}; tested on {rows['rows'].iloc[0]:,} rows with "
        f"{rows['converting'].iloc[0]:,} converting, {rows['same_rows'].iloc[0]:,} with "
        f"{rows['same_converting'].iloc[0]:,} of which the honest test holds, too."
        for name, rows in table.groupby("shortcut", sort=False)
    ]
    price = (
        "Price is claimed minus honest; each claim is judged on its own test rows, as its user "
        "would, and older months may be easier or harder to predict whatever the split. On the "
        "same rows: the shortcut's model minus the honest one where both tests hold the row, so "
        "that months play no part. Either may go either way: a shortcut can also train a model "
        "that is lost on its own test rows."
    )
    return "\n".join([*lines, "", price, "", *_meanings(_PRICED), INTERVAL_MEANING + "\n"])


def _named(metric: str) -> str:
    return PART_NAMES.get(metric) or METRIC_NAMES[metric]


def _meanings(metrics: tuple[str, ...]) -> list[str]:
    known = METRIC_MEANINGS | PART_MEANINGS
    return [*(f"- {_named(metric)}: {known[metric]}." for metric in metrics), ""]


def _ranged(row: "pd.Series", what: str) -> str:
    prefix = f"{what}_" if what else ""
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    if not isfinite(low) or not isfinite(high):
        return "too few"
    return f"{shown(row[what or 'value'])} ({interval(low, high)})"


def _header(names: list[str]) -> list[str]:
    return [_row(names), "|" + "---|" * len(names)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
