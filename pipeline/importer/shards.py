"""Codes, shards, files: the attributed events written as `features.events` reads them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY_US
from features.events import PROPERTY_PREFIX, Level, ValueType
from pipeline.importer.identity import forget_events
from pipeline.importer.stage import FORMAT
from pipeline.sources.spec import DataSpec, GenericSource
from pipeline.storage import quote_name, quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

_USUAL_SHARE = 0.01
EVENTS_PER_SHARD = 1_000_000
MOST_SHARDS = 512

_CODED = [
    "case when t.account is null then u.shard else a.shard end as shard",
    "coalesce(a.code, -1)::integer as account",
    'coalesce(u.code, -1)::integer as "user"',
    "e.code as event",
    't.known_at as "at"',
    "t.occurred_at",
]
_KEYS = ["account", '"user"', "event", '"at"', "occurred_at"]


def n_shards_for(n_events: int, events_per_shard: int) -> int:
    """As many shards as it takes, from 1 to 512.

    >>> n_shards_for(0, 10), n_shards_for(10, 10), n_shards_for(11, 10), n_shards_for(10**9, 10)
    (1, 1, 2, 512)
    """
    return min(max(-(-n_events // events_per_shard), 1), MOST_SHARDS)


def code_events(
    connection: "duckdb.DuckDBPyConnection", properties: Mapping[str, ValueType]
) -> None:
    """Tables ``event_names``, ``members`` and ``values<i>`` of each category, with final codes.

    Codes follow the order of the texts, so they do not depend on the order of the rows. Needs
    ``groups``.
    """
    connection.execute("""
        create table event_names as
        select (row_number() over (order by key) - 1)::integer as code, key, text as name,
               n_events, first_at, last_at, n_users, n_accounts
        from (select event as key, sum(n_events)::bigint as n_events, min(first_at) as first_at,
                     max(last_at) as last_at, count(distinct "user") as n_users,
                     count(distinct account) as n_accounts
              from groups group by event)
        join event_texts t on key = t.code""")
    for i, kind in enumerate(properties.values()):
        if kind == "category":
            connection.execute(f"""
                create table values{i} as
                select (row_number() over (order by key) - 1)::integer as code, key, text as value
                from (select distinct p{i} as key from attributed
                      where left_out is null and p{i} is not null)
                join category{i} c on key = c.code""")
    connection.execute("""
        create table members as
        select a.code as account, u.code as "user", min(known_at) as known_at
        from (select account, "user", first_at as known_at from groups
              union all select account, "user", known_at from table_members) t
        join accounts a on t.account = a.key join users u on t."user" = u.key
        group by all""")


def count_values(
    connection: "duckdb.DuckDBPyConnection", properties: Mapping[str, ValueType]
) -> dict[str, int]:
    """How many events carry each property."""
    if not properties:
        return {}
    counted = ", ".join(f"count(p{i})" for i in range(len(properties)))
    present = rows_of(connection, f"select {counted} from attributed where left_out is null")[0]
    return dict(zip(properties, present, strict=True))


def assign_shards(
    connection: "duckdb.DuckDBPyConnection", level: Level, events_per_shard: int
) -> int:
    """Tables ``account_shards`` and ``user_shards`` (code, shard); returns the number of shards.

    At account level the unit that stays together is an account, or a user without one; at user
    level it is a connected component of users and accounts. Unit u lies in shard u mod n.
    """
    n_events = value_of(connection, "select sum(n_events)::bigint from groups")
    n = n_shards_for(n_events, events_per_shard)
    member_of = _column(connection, "select account from users order by code")
    n_accounts = value_of(connection, "select count(*) from accounts")
    if level == "account":
        account_unit = np.arange(n_accounts)
        own = n_accounts + np.arange(len(member_of))
        user_unit = np.where(member_of >= 0, member_of, own)
    else:
        user_unit, account_unit = _components(connection, len(member_of), n_accounts)
    for of, unit in (("account", account_unit), ("user", user_unit)):
        codes = np.arange(len(unit), dtype=np.int32)
        connection.register("units", {"code": codes, "unit": unit})
        connection.execute(f"""
            create table {of}_shards as
            select code, key, case when present is null then -1 else unit % {n} end::integer
                   as shard
            from units join {of}s using (code)
            left join (select distinct "{of}" as present from groups) on key = present""")
        connection.unregister("units")
    return n


def _components(
    connection: "duckdb.DuckDBPyConnection", n_users: int, n_accounts: int
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    user = _column(connection, 'select "user" from members order by "user", account')
    account = _column(connection, 'select account from members order by "user", account')
    n = n_users + n_accounts
    graph = coo_array((np.ones(len(user), np.int8), (user, n_users + account)), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    # Labels are numbered by their first node, so they follow the codes.
    return labels[:n_users].astype(np.int64), labels[n_users:].astype(np.int64)


def _column(connection: "duckdb.DuckDBPyConnection", query: str) -> np.ndarray:
    # By way of Arrow the same array would cost an import of pandas.
    (column,) = connection.execute(query).fetchnumpy().values()
    return column.astype(np.int64)


def write_shards(
    connection: "duckdb.DuckDBPyConnection",
    properties: Mapping[str, ValueType],
    n_shards: int,
    folder: Path,
) -> list[dict[str, Any]]:
    """Write ``shard-*.parquet``; returns file name and number of events of each."""
    columns, joins = [], []
    for i, (name, kind) in enumerate(properties.items()):
        if kind == "number":
            columns.append(f"coalesce(p{i}, 'nan'::double)")
        else:
            columns.append(f"coalesce(v{i}.code, -1)::integer")
            joins.append(f"left join values{i} v{i} on p{i} = v{i}.key")
        columns[-1] += f" as {quote_name(PROPERTY_PREFIX + name)}"
    named = [quote_name(PROPERTY_PREFIX + name) for name in properties]
    order = ", ".join(["shard", '"at"', "occurred_at", "account", '"user"', "event", *named])
    connection.execute(f"""
        create table sorted as
        from (select {", ".join(_CODED + columns)}
        from attributed t join event_names e on t.event = e.key
        left join account_shards a on t.account = a.key
        left join user_shards u on t."user" = u.key {" ".join(joins)}
        where left_out is null) order by {order}""")
    forget_events(connection)
    counted = dict(rows_of(connection, "select shard, count(*) from sorted group by shard"))
    shards = []
    for shard in range(n_shards):
        file = f"shard-{shard:05d}.parquet"
        # The table keeps its order, so a shard needs no second sort.
        connection.execute(f"""
            copy (select {", ".join(_KEYS + named)} from sorted where shard = {shard})
            to {quote_text(str(folder / file))} ({FORMAT})""")
        shards.append({"file": file, "n_events": counted.get(shard, 0)})
    return shards


def find_span(
    connection: "duckdb.DuckDBPyConnection", until_us: int | None
) -> tuple[int, int, int]:
    """First event, end of the data, and how many events lie beyond the end.

    The end is `until_us` or else the last event, and a microsecond, of the last UTC day that has at
    least one in a hundred of the median day's events. One client with its clock a month ahead would
    otherwise make a month of labels mature that nobody has seen the end of.
    """
    first, end, beyond = rows_of(
        connection,
        f"""
        with days as (select "at" // {DAY_US} as day, count(*) as n, min("at") as earliest,
                             max("at") as latest
                      from sorted group by all),
        usual as (select max(day) as day from days
                  where n >= {_USUAL_SHARE} * (select median(n) from days))
        select min(earliest), max(latest) filter (day <= (select day from usual)) + 1,
               coalesce(sum(n) filter (day > (select day from usual)), 0)
        from days""",
    )[0]
    return (int(first), int(end), int(beyond)) if until_us is None else (int(first), until_us, 0)


def count_repeated(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, properties: Mapping[str, ValueType]
) -> int:
    """How many events equal the one before them in everything that the log holds.

    0 where rows carry ids, which tell an event that was sent twice from one that happened twice,
    or days instead of times, where equal rows are usual. Equal events are neighbours in ``sorted``.
    """
    sources = [one for one in spec.sources if isinstance(one, GenericSource)]
    if len(sources) < len(spec.sources) or any(
        one.columns.event_id is not None or one.daily for one in sources
    ):
        return 0
    columns = [*_KEYS, *(quote_name(PROPERTY_PREFIX + name) for name in properties)]
    same = " and ".join(f"{one} is not distinct from lag({one}) over ()" for one in columns)
    repeated: int = value_of(
        connection, f"select count(*) from (select {same} as same from sorted) where same"
    )
    return repeated


def told_of_events(connection: "duckdb.DuckDBPyConnection") -> list[dict[str, Any]]:
    """Every distinct event name in the order of codes, as `features.events.EventName`."""
    fields = ("name", "n_events", "first_at", "last_at", "n_users", "n_accounts")
    query = f"select {', '.join(fields)} from event_names order by code"
    return [dict(zip(fields, row, strict=True)) for row in rows_of(connection, query)]


def write_entities(
    connection: "duckdb.DuckDBPyConnection", properties: Mapping[str, ValueType], folder: Path
) -> None:
    """Write ``accounts.parquet``, ``users.parquet`` and ``categories.json``."""
    for of, extra in (("account", ""), ("user", ", account")):
        connection.execute(f"""
            copy (select id, shard, domain, domain_at{extra}
                  from {of}s join {of}_shards using (code, key) order by code)
            to {quote_text(str(folder / f"{of}s.parquet"))} (format parquet, compression zstd)""")
    categories = {
        name: [
            value for (value,) in rows_of(connection, f"select value from values{i} order by code")
        ]
        for i, (name, kind) in enumerate(properties.items())
        if kind == "category"
    }
    text = json.dumps(categories, ensure_ascii=False, indent=0)
    (folder / "categories.json").write_text(text, encoding="utf-8")
