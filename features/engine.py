"""Point-in-time features: one pass over each shard, one pure function per shard."""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import MINUTE_US
from features.definitions import Feature
from features.events import PROPERTY_PREFIX, EventLog, Level
from features.matrix import FeatureMatrix, Snapshots
from features.plan import (
    ACTIVITY,
    DISTINCT,
    SESSIONS,
    VALUES,
    Group,
    Plan,
    WindowColumns,
    compile_plan,
)
from features.sweep import (
    counting_order,
    latest_before,
    link,
    sweep_activity,
    sweep_distinct,
    sweep_sessions,
    sweep_values,
)

SESSION_GAP_US = 30 * MINUTE_US
Progress = Callable[[int, int], None]


def build_features(
    log: EventLog,
    snapshots: Snapshots,
    features: Iterable[Feature],
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> FeatureMatrix:
    """Feature matrix of any snapshots: a calendar, one date, or a user's own rows.

    Parameters
    ----------
    threads
        Shards computed at the same time; the result does not depend on it.
    progress
        Called with (shards done, shards in all).

    Returns
    -------
    FeatureMatrix
        Row i is snapshot i; windows are [as_of - days, as_of) on known_at.

    Raises
    ------
    SchemaMismatch
        When a definition needs what the log does not carry.
    """
    from joblib import Parallel, delayed

    plan = compile_plan(log, snapshots.level, features)
    shard_of = log.entities(snapshots.level)["shard"].to_numpy()[snapshots.entity]
    # Entities without events live in no shard (-1): any shard computes them.
    shard_of = np.maximum(shard_of, 0)
    rows = [np.flatnonzero(shard_of == shard) for shard in range(log.n_shards)]

    def one(shard: int) -> pa.Table:
        wanted = snapshots.take(rows[shard])
        return compute_shard(
            log.shard(shard, plan.event_columns),
            pa.table({"entity": wanted.entity, "as_of": wanted.as_of}),
            log.attribute_values,
            plan,
        )

    busy = [shard for shard in range(log.n_shards) if len(rows[shard])]
    tables = []
    # Threads, not processes: the kernels and Arrow release the GIL and nothing is copied.
    for done, table in enumerate(
        Parallel(n_jobs=threads, prefer="threads", return_as="generator")(
            delayed(one)(shard) for shard in busy
        )
    ):
        tables.append(table)
        if progress:
            progress(done + 1, len(busy))
    if not tables:
        empty = pa.table({"entity": snapshots.entity, "as_of": snapshots.as_of})
        events = log.shard(0, plan.event_columns).slice(0, 0)
        tables = [compute_shard(events, empty, log.attribute_values, plan)]
    table = pa.concat_tables(tables)
    order = np.concatenate([rows[shard] for shard in busy]) if busy else np.empty(0, np.int64)
    if len(busy) > 1:
        table = table.take(np.argsort(order, kind="stable")).combine_chunks()
    return FeatureMatrix(snapshots, plan.features, table)


def compute_shard(
    events: pa.Table, snapshots: pa.Table, attributes: pa.Table, plan: Plan
) -> pa.Table:
    """Features of a shard's snapshots: pure, the same function locally, on Spark and for one account.

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
    shard = _Shard(events, attributes, plan)
    entity = snapshots["entity"].to_numpy()
    as_of = snapshots["as_of"].to_numpy()
    out = np.zeros((len(plan.features), len(entity)), np.float32)
    own = _Rows.of(entity, as_of)
    account_rows: _Rows | None = None
    accounts = np.full(len(entity), -1, np.int32)
    if plan.level == "account":
        accounts = entity
    elif any(feature.scope == "account" for feature in plan.features):
        accounts = shard.account_of_user(entity, as_of)
        account_rows = _Rows.of(accounts, as_of)
    for scope, level, rows in (("entity", plan.level, own), ("account", "account", account_rows)):
        groups = [group for group in plan.groups if group.scope == scope]
        if rows is None or not groups:
            continue
        part = np.zeros((len(plan.features), len(rows.as_of)), np.float32)
        view = _View(shard, level, rows)
        for group in groups:
            view.fill(group, part)
        mine = [column for group in groups for column, _ in group.columns]
        out[mine] = part[mine][:, rows.inverse]
        if scope == "account":
            out[np.ix_(mine, np.flatnonzero(accounts < 0))] = np.nan
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


class _Rows:
    """Distinct (entity, as_of) pairs of a shard's snapshots, sorted, entities numbered from 0."""

    def __init__(self, codes: np.ndarray, start: np.ndarray, as_of: np.ndarray, inverse: np.ndarray):
        self.codes, self.start, self.as_of, self.inverse = codes, start, as_of, inverse

    @classmethod
    def of(cls, entity: np.ndarray, as_of: np.ndarray) -> "_Rows":
        order = np.lexsort((as_of, entity))
        entity, as_of = entity[order], as_of[order]
        fresh = np.ones(len(entity), bool)
        fresh[1:] = (entity[1:] != entity[:-1]) | (as_of[1:] != as_of[:-1])
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.cumsum(fresh) - 1
        codes, first = np.unique(entity[fresh], return_index=True)
        return cls(codes, np.append(first, fresh.sum()), as_of[fresh], inverse)


class _Shard:
    """A shard's columns, with the look-ups that several groups share."""

    def __init__(self, events: pa.Table, attributes: pa.Table, plan: Plan):
        self.plan = plan
        self.columns = {name: events[name].to_numpy() for name in events.column_names}
        self.attributes = attributes
        self._sorted: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def account_of_user(self, user: np.ndarray, as_of: np.ndarray) -> np.ndarray:
        """The account of each user's latest event before as_of: int32 codes, -1 for none."""
        known = np.flatnonzero((self.columns["user"] >= 0) & (self.columns["account"] >= 0))
        order, start = counting_order(self.columns["user"][known], self.plan.n_users)
        order = known[order]
        found = latest_before(self.columns["at"][order], start, user, as_of)
        accounts = self.columns["account"][order]
        return np.where(found >= 0, accounts[np.maximum(found, 0)] if len(order) else -1, -1).astype(
            np.int32
        )

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
        return number.astype(np.float32), pa.chunked_array(part["text"].take(index)).combine_chunks()

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


class _View:
    """A shard's events as seen from one level: sorted by (entity, at), snapshots' entities only."""

    def __init__(self, shard: _Shard, level: Level, rows: _Rows):
        self.shard, self.rows = shard, rows
        plan = shard.plan
        size = plan.n_accounts if level == "account" else plan.n_users
        local = np.full(size + 1, -1, np.int32)  # the last slot stands for code -1
        local[rows.codes] = np.arange(len(rows.codes))
        local[size] = -1
        entity = local[shard.columns[level]]
        kept = np.flatnonzero(entity >= 0)
        order, start = counting_order(entity[kept], len(rows.codes))
        self.order, self.start = kept[order], start
        self.entity = entity[self.order]
        self.event = shard.columns["event"][self.order]

    def fill(self, group: Group, out: np.ndarray) -> None:
        """Write every feature of the group."""
        if group.events:
            codes = [c for n in group.events if (c := self.shard.plan.event_codes.get(n)) is not None]
            chosen = np.zeros(len(self.shard.plan.event_codes), bool)
            chosen[codes] = True
            places = np.flatnonzero(chosen[self.event])
        else:
            places = np.arange(len(self.event))
        if columns := group.of(ACTIVITY):
            self._activity(places, columns, out)
        if columns := group.of(SESSIONS):
            self._sessions(places, columns, out)
        for statistics, sweep in ((DISTINCT, self._distinct), (VALUES, self._values)):
            columns = group.of(statistics)
            # Features that read the same values are swept together.
            kinds = {(f.source, f.property, f.statistic in DISTINCT and f.statistic): f for _, f in columns}
            for kind, example in kinds.items():
                same = [
                    (c, f)
                    for c, f in columns
                    if (f.source, f.property, f.statistic in DISTINCT and f.statistic) == kind
                ]
                sweep(places, example, same, out)

    def _start(self, places: np.ndarray) -> np.ndarray:
        if len(places) == len(self.order):
            return self.start
        return np.searchsorted(places, self.start)

    def _at(self, places: np.ndarray) -> np.ndarray:
        return self.shard.columns["at"][self.order[places]]

    def _activity(self, places: np.ndarray, columns: list, out: np.ndarray) -> None:
        windows = WindowColumns(columns)
        sweep_activity(
            self._at(places),
            self._start(places),
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of("count"),
            windows.of("active_days"),
            windows.doubles,
            windows.of("trend"),
            windows.one("days_since_last"),
            windows.one("days_since_first"),
            out,
        )

    def _distinct(self, places: np.ndarray, example: Feature, columns: list, out: np.ndarray) -> None:
        keys, n_keys = self.shard.keys(example)
        places = places[keys[self.order[places]] >= 0]
        start = self._start(places)
        before, after = link(keys[self.order[places]], start, n_keys)
        windows = WindowColumns(columns)
        sweep_distinct(
            self._at(places),
            before,
            after,
            start,
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of(example.statistic),
            out,
        )

    def _values(self, places: np.ndarray, example: Feature, columns: list, out: np.ndarray) -> None:
        value = self.shard.columns[PROPERTY_PREFIX + str(example.property)]
        chosen = value[self.order[places]]
        present = chosen >= 0 if example.dtype == "category" else ~np.isnan(chosen)
        places = places[present]
        windows = WindowColumns(columns)
        sweep_values(
            self._at(places),
            chosen[present].astype(np.float64),
            self._start(places),
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of("sum"),
            windows.of("mean"),
            windows.of("max"),
            windows.of("last"),
            out,
        )

    def _sessions(self, places: np.ndarray, columns: list, out: np.ndarray) -> None:
        # Events without a user share one pseudo-user: code -1 becomes the last.
        user = self.shard.columns["user"][self.order[places]]
        user = np.where(user < 0, self.shard.plan.n_users, user)
        start = self._start(places)
        before, _ = link(user, start, self.shard.plan.n_users + 1)
        windows = WindowColumns(columns)
        sweep_sessions(
            self._at(places),
            before,
            SESSION_GAP_US,
            start,
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of("sessions"),
            windows.of("session_minutes"),
            out,
        )
