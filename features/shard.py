"""The features of one shard: one pure function for every engine."""

from functools import cached_property

import numpy as np
import pyarrow as pa

from features.arrow import numbers
from features.clock import DAY_US
from features.columns import Columns
from features.definitions import Condition, Feature
from features.errors import SchemaMismatch
from features.events import PROPERTY_PREFIX, Level
from features.kernels import latest_before
from features.kinship import account_of_user
from features.plan import Group, Plan
from features.statistics import STATISTICS
from features.view import Rows, View


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
    columns = Columns(plan.features, snapshots.num_rows)
    entity, as_of = numbers(snapshots["entity"]), numbers(snapshots["as_of"])
    place = np.arange(len(entity))
    fill_shard(ShardColumns(events, attributes, plan), entity, as_of, place, columns)
    return columns.table()


def fill_shard(
    shard: "ShardColumns",
    entity: np.ndarray,
    as_of: np.ndarray,
    place: np.ndarray,
    columns: Columns,
) -> None:
    """Write the features of snapshots (sorted, distinct) into rows `place` of the columns."""
    plan = shard.plan
    own = [group for group in plan.groups if group.scope == "entity"]
    if own:
        view = View(shard, plan.level, Rows.sorted(entity, as_of))
        for group in own:
            _fill(view, group, place, columns)
        view.forget()
    accounts = entity if plan.level == "account" else np.full(len(entity), -1, np.int32)
    if plan.level == "user" and plan.needs_accounts:
        columns_of = {name: shard.column(name) for name in ("user", "account", "at")}
        accounts = account_of_user(columns_of, plan.n_users, entity, as_of)
    of_account = [group for group in plan.groups if group.scope == "account"]
    if of_account:
        _fill_of_accounts(shard, of_account, accounts, as_of, place, columns)
    for column, feature in enumerate(plan.features):
        if feature.statistic == "attribute":
            owner = entity if feature.source == plan.level else accounts
            found = shard.attribute_rows(feature.source, str(feature.property), owner, as_of)
            if feature.dtype == "category":
                columns.write(column, found, place)
            else:
                columns.write(column, shard.numbers_at(found), place)
        if feature.dtype == "category":
            columns.name_codes(column, shard.texts(feature))


def _fill_of_accounts(
    shard: "ShardColumns",
    groups: list[Group],
    accounts: np.ndarray,
    as_of: np.ndarray,
    place: np.ndarray,
    columns: Columns,
) -> None:
    """What a user's account did; unknown, not idle, for a user who is in none yet."""
    known = accounts >= 0
    rows, inverse = Rows.of(accounts[known], as_of[known])
    part = Columns(shard.plan.features, len(rows))
    view = View(shard, "account", rows)
    for group in groups:
        _fill(view, group, np.arange(len(rows)), part)
        for column, _ in group.columns:
            columns.write(column, part.read(column)[inverse], place[known])
            columns.fill(column, np.nan, place[~known])
    view.forget()


def _fill(view: View, group: Group, place: np.ndarray, columns: Columns) -> None:
    """Every feature over one selection of events."""
    selection = view.select(group.events, group.where)
    selection.features = tuple(feature for _, feature in group.columns)
    for column, feature in group.columns:
        statistic = STATISTICS[feature.statistic]
        if statistic.empty is None or selection.carries(statistic.over, feature):
            values = statistic.compute(selection, feature)
            if np.shape(values) != place.shape:
                raise SchemaMismatch(
                    f"Feature {feature.name!r}: its statistic gave an array of shape "
                    f"{np.shape(values)}, not one value for each of {len(place):,} rows."
                )
            columns.write(column, values, place)
        else:
            columns.fill(column, statistic.empty, place)


class ShardColumns:
    """A shard's columns, with the look-ups that several groups share."""

    def __init__(self, events: pa.Table, attributes: pa.Table, plan: Plan):
        self.plan = plan
        self.event_set = frozenset(plan.event_codes)
        self._events = events
        self._columns: dict[str, np.ndarray] = {}
        self._keys: dict[str, tuple[np.ndarray, int]] = {}
        self._attributes = attributes
        self._at = numbers(attributes["at"])
        self._code = numbers(attributes["code"])
        self._kind = numbers(attributes["attribute"])

    @cached_property
    def _text(self) -> pa.Array:
        return pa.array(self._attributes["text"].combine_chunks(), pa.string())

    def column(self, name: str) -> np.ndarray:
        if name not in self._columns:
            self._columns[name] = numbers(self._events[name])
        return self._columns[name]

    def n_codes(self, level: Level) -> int:
        return self.plan.n_accounts if level == "account" else self.plan.n_users

    def keys(self, of: str) -> tuple[np.ndarray, int]:
        """Codes of every event of the shard, -1 for none, and how many codes there are.

        Parameters
        ----------
        of
            ``user``, ``event``, ``weekday``, ``session`` (the user, or all without one together),
            or ``<source>.<property>``.
        """
        if of not in self._keys:
            self._keys[of] = self._coded(of)
        return self._keys[of]

    def _coded(self, of: str) -> tuple[np.ndarray, int]:
        n_users = self.plan.n_users
        if of == "user":
            return self.column("user"), n_users
        if of == "event":
            return self.column("event"), len(self.plan.event_codes)
        if of == "weekday":
            return (self.column("at") // DAY_US % 7).astype(np.int32), 7
        if of == "session":
            user = self.column("user")
            return np.where(user < 0, np.int32(n_users), user), n_users + 1
        source, _, name = of.partition(".")
        if source == "event":
            return self.column(PROPERTY_PREFIX + name), max(1, len(self.plan.categories[name]))
        # +1: what is known when the event happens includes what it brings itself.
        owner = self.column(source)
        found = self.attribute_rows(source, name, owner, self.column("at") + 1)
        text = self._text.take(pa.array(found, mask=found < 0))
        coded = text.dictionary_encode()
        return coded.indices.fill_null(-1).to_numpy(), max(1, len(coded.dictionary))

    def meets(self, where: tuple[Condition, ...]) -> np.ndarray:
        """Which events meet every condition: bool, shape (n_events,)."""
        met = np.ones(self._events.num_rows, bool)
        for one in where:
            value = self.column(PROPERTY_PREFIX + one.property)
            if one.one_of:
                texts = self.plan.categories[one.property]
                met &= np.isin(value, [i for i, text in enumerate(texts) if text in one.one_of])
            if one.at_least is not None:
                met &= value >= one.at_least
            if one.at_most is not None:
                met &= value <= one.at_most
        return met

    def attribute_rows(
        self, source: str, name: str, code: np.ndarray, time: np.ndarray
    ) -> np.ndarray:
        """Row of the attributes with the latest value with at < time, -1 where none: int64."""
        kind = next(
            index
            for index, item in enumerate(self.plan.attributes)
            if (item.of, item.name) == (source, name)
        )
        begin, end = np.searchsorted(self._kind, [kind, kind + 1])
        codes = self._code[begin:end]
        left = begin + np.searchsorted(codes, code, "left")
        right = begin + np.searchsorted(codes, code, "right")
        found = latest_before(self._at, left, right, time)
        found[code < 0] = -1
        return found

    def numbers_at(self, found: np.ndarray) -> np.ndarray:
        """float64 values at rows of the attributes, NaN where -1."""
        number = numbers(self._attributes["number"])
        out = np.full(len(found), np.nan)
        out[found >= 0] = number[found[found >= 0]]
        return out

    def number_as_of(
        self, source: str, name: str, code: np.ndarray, time: np.ndarray
    ) -> np.ndarray:
        return self.numbers_at(self.attribute_rows(source, name, code, time))

    def texts(self, feature: Feature) -> pa.Array:
        """What the codes of a category feature stand for."""
        if feature.statistic == "attribute":
            return self._text
        return pa.array(self.plan.categories[str(feature.property)], pa.string())
