"""The features of one shard: one pure function for every engine."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.definitions import Feature, Scope
from features.events import PROPERTY_PREFIX, Level
from features.kinship import account_of_user
from features.plan import Plan
from features.sweep import latest_before
from features.view import EventView, Rows


def compute_shard(
    events: pa.Table, snapshots: pa.Table, attributes: pa.Table, plan: Plan
) -> pa.Table:
    """Features of a shard's snapshots: pure, so the same locally, on Spark and for one account.

    Parameters
    ----------
    events
        All events of the snapshots' entities in time order (columns of `Plan.event_columns`).
    snapshots
        ``entity`` int32 and ``as_of`` int64, sorted by both.
    attributes
        The log's ``attributes.parquet``, or the part of it that concerns these entities.

    Returns
    -------
    pyarrow.Table
        One column per feature in the plan's order, row i for snapshot i.
    """
    shard = ShardColumns(events, attributes, plan)
    entity = snapshots["entity"].to_numpy()
    as_of = snapshots["as_of"].to_numpy()
    out = np.zeros((len(plan.features), len(entity)), np.float32)
    own = Rows.of(entity, as_of)
    account_rows: Rows | None = None
    accounts = np.full(len(entity), -1, np.int32)
    if plan.level == "account":
        accounts = entity
    elif any(feature.scope == "account" for feature in plan.features):
        accounts = account_of_user(shard.columns, plan.n_users, entity, as_of)
        account_rows = Rows.of(accounts, as_of)
    seen: list[tuple[Scope, Level, Rows | None]] = [
        ("entity", plan.level, own),
        ("account", "account", account_rows),
    ]
    for scope, level, rows in seen:
        groups = [group for group in plan.groups if group.scope == scope]
        if rows is None or not groups:
            continue
        part = np.zeros((len(plan.features), len(rows.as_of)), np.float32)
        view = EventView(shard, level, rows)
        for group in groups:
            view.fill(group, part)
        mine = [column for group in groups for column, _ in group.columns]
        filled = part[mine][:, rows.inverse]
        if scope == "account":
            filled[:, accounts < 0] = np.nan
        out[mine] = filled
    categories = {
        column: shard.category(feature, out[column])
        for column, feature in enumerate(plan.features)
        if feature.dtype == "category" and feature.statistic != "attribute"
    }
    for column, feature in enumerate(plan.features):
        if feature.statistic == "attribute":
            owner = entity if feature.source == plan.level else accounts
            number, text = shard.attribute_as_of(feature, owner, as_of)
            out[column] = number
            if feature.dtype == "category":
                categories[column] = text
    arrays = [
        categories[c] if c in categories else pa.array(out[c]) for c in range(len(plan.features))
    ]
    return pa.table(arrays, names=[feature.name for feature in plan.features])


class ShardColumns:
    """A shard's columns, with the look-ups that several groups share."""

    def __init__(self, events: pa.Table, attributes: pa.Table, plan: Plan):
        self.plan = plan
        self.columns = {name: events[name].to_numpy() for name in events.column_names}
        self.attributes = attributes
        self._sorted: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def attribute_as_of(
        self, feature: Feature, code: np.ndarray, time: np.ndarray
    ) -> tuple[np.ndarray, pa.Array]:
        """Latest number and text with at < time per row; missing where none or code is -1."""
        kind = next(
            index
            for index, item in enumerate(self.plan.attributes)
            if (item.of, item.name) == (feature.source, feature.property)
        )
        part = self.attributes.filter(pc.equal(self.attributes["attribute"], kind))
        size = self.plan.n_accounts if feature.source == "account" else self.plan.n_users
        start = np.searchsorted(part["code"].to_numpy(), np.arange(size + 1))
        found = latest_before(part["at"].to_numpy(), start, np.maximum(code, 0), time)
        found[code < 0] = -1
        index = pa.array(found, mask=found < 0)
        number = part["number"].take(index).to_numpy(zero_copy_only=False)
        return number.astype(np.float32), part["text"].take(index).combine_chunks()

    def keys(self, feature: Feature) -> tuple[np.ndarray, int]:
        """Codes to count distinct values of, -1 for none, and how many codes there are."""
        if feature.statistic == "members":
            return self.columns["user"], self.plan.n_users
        if feature.statistic == "breadth":
            return self.columns["event"], len(self.plan.event_codes)
        if feature.source == "event":
            name = str(feature.property)
            return self.columns[PROPERTY_PREFIX + name], len(self.plan.categories[name])
        # +1: what is known when the event happens includes what it brings itself.
        _, text = self.attribute_as_of(feature, self.columns["user"], self.columns["at"] + 1)
        coded = text.dictionary_encode()
        return coded.indices.fill_null(-1).to_numpy(), len(coded.dictionary)

    def category(self, feature: Feature, codes: np.ndarray) -> pa.Array:
        """Codes written by a kernel as numbers, back to their texts."""
        missing = np.isnan(codes) | (codes < 0)
        index = np.where(missing, 0, codes).astype(np.int32)
        values = pa.array(self.plan.categories[str(feature.property)], pa.string())
        return values.take(pa.array(index, mask=missing))
