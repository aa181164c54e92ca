"""The price of each shortcut: what it would have claimed, beside the honest number."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features.errors import SchemaMismatch, few
from features.matrix import FeatureMatrix
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender, interval
from models.judging.nulls import Fit, contender_of
from models.judging.parts import PART_METRICS, Part, draw_parts
from models.propensity import PropensityModel
from models.splits import Split

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

RANDOM_ROWS = "random rows"
RANDOM_ENTITIES = "random entities"
WHOLE_HISTORY = "whole-history features"
WHOLE_HISTORY_RANDOM = "whole-history features, random rows"
SHORTCUTS = {
    RANDOM_ROWS: "rows of all dates go to train, calibrate and test at random: an entity stands on "
    "both sides, and the future may help to predict the past",
    RANDOM_ENTITIES: "entities go to one part each, at random, with all their dates: nobody stands "
    "on both sides, but the future may help to predict the past",
    WHOLE_HISTORY: "the honest split, but every row of an entity has its features as of the end "
    "of the data, as `groupby` over the whole table gives them",
    WHOLE_HISTORY_RANDOM: "both at once, as in a table with one `groupby` and a random split",
}
"""What each does that it should not."""


def price_of_shortcuts(
    fit: Fit,
    model: PropensityModel,
    data: Dataset,
    split: Split,
    customers: Customers,
    whole_history: FeatureMatrix | None = None,
    *,
    n_bootstrap: int,
    seed: int,
) -> "pd.DataFrame":
    """Fit the same model once per shortcut and judge it as its user would, on its own test rows.

    Parameters
    ----------
    model
        The honest one, fitted on the split's rows.
    whole_history
        Features as of the end of the data, one row per entity of `data` and `customers`; None
        leaves that shortcut out.

    Returns
    -------
    DataFrame
        ``shortcut, metric, rows, converting, honest, claimed, price, same_rows,
        same_converting, same_price``, the numbers each with ``_low`` and ``_high``; price is
        claimed minus honest. ``rows`` and ``converting`` (clusters) are those of the shortcut's
        test. 95 % intervals are percentiles over draws of clusters, each weighing the same in
        both tests.

        A claim on older rows also profits or suffers from how predictable those months were. So
        ``same_price`` is the shortcut's model minus the honest one on the ``same_rows`` that both
        tests hold, where the months are the same: what the leak alone is worth.

    Raises
    ------
    NotEnoughHistory
        When a shortcut's rows hold too few conversions to fit or calibrate on.
    SchemaMismatch
        When `whole_history` lacks an entity or has other features.
    """
    label, cluster = data.label, data.cluster

    def part(test: np.ndarray, who: Contender) -> Part:
        return Part(label[test], who, cluster[test])

    mixed = random_rows(data, split, seed)
    apart = random_entities(data, split, seed)
    tried: dict[str, tuple[Split, FeatureMatrix | None]] = {
        RANDOM_ROWS: (mixed, None),
        RANDOM_ENTITIES: (apart, None),
    }
    if whole_history is not None:
        tried[WHOLE_HISTORY] = (split, whole_history)
        tried[WHOLE_HISTORY_RANDOM] = (mixed, whole_history)
    honest = contender_of(model, data.take(split.test))
    parts = [part(split.test, honest)]
    for name, (other, ends) in tried.items():
        log.info("Shortcuts: fitting on %s", name)
        claimed = _judged(fit, data, other, customers, ends)
        both = split.test & other.test
        parts += [
            part(other.test, claimed),
            part(both, _some(honest, both[split.test])),
            part(both, _some(claimed, both[other.test])),
        ]
    return _table(list(tried), parts, draw_parts(parts, n_bootstrap, seed))


def _some(who: Contender, rows: np.ndarray) -> Contender:
    return Contender(who.score[rows], who.probability[rows])


def random_rows(data: Dataset, split: Split, seed: int) -> Split:
    """Parts as large as the split's, from all mature rows: an entity may stand in all three."""
    mixed = np.random.default_rng([seed, 2]).permutation(np.flatnonzero(data.mature))
    sizes = [int(part.sum()) for part in (split.train, split.calibrate, split.test)]
    return _split(len(data), np.split(mixed[: sum(sizes)], np.cumsum(sizes)[:-1]))


def random_entities(data: Dataset, split: Split, seed: int) -> Split:
    """Parts about as large as the split's, from all mature rows of whole entities.

    Entities stand in random order; a part ends with the entity that fills it, so its rows are
    fewer or more by less than one entity's.
    """
    rows = np.flatnonzero(data.mature)
    codes, member = np.unique(data.entity[rows], return_inverse=True)
    place = np.random.default_rng([seed, 3]).permutation(len(codes))
    in_order = rows[np.argsort(place[member], kind="stable")]
    ends = np.cumsum(np.bincount(place[member]))
    filled = np.cumsum([part.sum() for part in (split.train, split.calibrate, split.test)])
    cuts = ends[np.searchsorted(ends, filled)]
    return _split(len(data), np.split(in_order[: cuts[-1]], cuts[:-1]))


def _split(n: int, parts: list[np.ndarray]) -> Split:
    masks = [np.zeros(n, bool) for _ in parts]
    for mask, rows in zip(masks, parts, strict=True):
        mask[rows] = True
    train, calibrate, test = masks
    return Split(train, calibrate, test, folds=())


def spread(ends: FeatureMatrix, rows: FeatureMatrix) -> FeatureMatrix:
    """The rows' snapshots, each with its entity's only row of `ends`.

    Raises
    ------
    SchemaMismatch
        When an entity has no row there, or the features differ.
    """
    if ends.features != rows.features:
        raise SchemaMismatch(
            "The whole-history features have other definitions than the rows'. Build both from "
            "one list of definitions."
        )
    entity = rows.snapshots.entity
    place = np.searchsorted(ends.snapshots.entity, entity)
    there = place < len(ends)
    there[there] = ends.snapshots.entity[place[there]] == entity[there]
    if not there.all():
        missing = np.unique(rows.snapshots.ids[~there].astype(str)).tolist()
        raise SchemaMismatch(
            f"{len(missing)} entities have no whole-history features: {few(missing)}. Compute "
            "them for every entity of the rows and the customers."
        )
    return FeatureMatrix(rows.snapshots, rows.features, ends.table.take(place))


def _judged(
    fit: Fit, data: Dataset, split: Split, customers: Customers, ends: FeatureMatrix | None
) -> Contender:
    parts = [data.take(rows) for rows in (split.train, split.calibrate, split.test)]
    if ends is not None:
        parts = [replace(part, matrix=spread(ends, part.matrix)) for part in parts]
        # Who takes this shortcut takes it for customers too: theirs is the same table.
        customers = replace(customers, matrix=spread(ends, customers.matrix))
    train, calibrate, test = parts
    return contender_of(fit(train, calibrate, customers), test)


def _table(names: list[str], parts: list[Part], draws: np.ndarray) -> "pd.DataFrame":
    """Parts: the honest test, then of each shortcut its test and twice the rows of both."""
    import pandas as pd

    values = np.array([part.measure() for part in parts])
    rows = []
    for at, name in enumerate(names):
        own, before, after = range(3 * at + 1, 3 * at + 4)
        for place, metric in enumerate(PART_METRICS):
            value, drawn = values[:, place], draws[:, :, place]
            row = {
                "shortcut": name,
                "metric": metric,
                "rows": len(parts[own].label),
                "converting": parts[own].converting,
                "same_rows": len(parts[after].label),
                "same_converting": parts[after].converting,
            }
            for what, point, spread_of in (
                ("honest", value[0], drawn[:, 0]),
                ("claimed", value[own], drawn[:, own]),
                ("price", value[own] - value[0], drawn[:, own] - drawn[:, 0]),
                ("same_price", value[after] - value[before], drawn[:, after] - drawn[:, before]),
            ):
                low, high = interval(spread_of)
                row |= {what: point, f"{what}_low": low, f"{what}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def price_sentence(table: "pd.DataFrame") -> str:
    """What each shortcut adds to or takes from the ROC-AUC, and what of it is no matter of time.

    A price whose interval holds 0 is not told as one.
    """
    told, silent = [], []
    for row in table[table["metric"] == "roc_auc"].to_dict("records"):
        if row["price_low"] > 0 or row["price_high"] < 0:
            verb = "flatters" if row["price"] > 0 else "undersells"
            told.append(
                f"{row['shortcut']!r} {verb} by {_ranged(row, 'price')}, on the rows of both tests "
                f"by {_ranged(row, 'same_price')}"
            )
        else:
            silent.append(repr(row["shortcut"]))
    parts = [f"In ROC-AUC, {'; '.join(told)}."] if told else []
    if silent:
        parts.append(f"For {' and '.join(silent)} no price is shown: it may be 0.")
    return " ".join(parts)


def _ranged(row: dict, what: str) -> str:
    low, high = row[f"{what}_low"], row[f"{what}_high"]
    if not np.isfinite([row[what], low, high]).all():
        return "what can't be told (too few convert there)"
    return f"{row[what]:+.3f} ({low:+.3f} to {high:+.3f})"
