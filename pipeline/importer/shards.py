"""Codes, shards, files: the attributed events written as `features.events` reads them."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY_US
from features.events import PROPERTY_PREFIX, Level
from pipeline.sources.spec import DataSpec
from pipeline.storage import quote_name, quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

_USUAL_SHARE = 0.01
EVENTS_PER_SHARD = 2_000_000
MOST_SHARDS = 512

_KEYS = ["account", '"user"', "event", '"at"', "occurred_at"]


def n_shards_for(n_events: int, events_per_shard: int) -> int:
    """As many shards as it takes, from 1 to 512.

    >>> n_shards_for(0, 10), n_shards_for(10, 10), n_shards_for(11, 10), n_shards_for(10**9, 10)
    (1, 1, 2, 512)
    """
    return min(max(-(-n_events // events_per_shard), 1), MOST_SHARDS)


def code_events(connection: "duckdb.DuckDBPyConnection", spec: DataSpec) -> None:
    """Tables ``coded`` (events as numbers), ``event_names``, ``members`` and one of each category.

    Codes follow the order of the texts, so they do not depend on the order of the rows.
    """
    connection.execute("""
        create table event_names as
        select (row_number() over (order by event) - 1)::integer as code, event as name,
               count(*) as n_events, min(known_at) as first_at, max(known_at) as last_at
        from attributed where left_out is null group by event""")
    values, joins = [], []
    for i, kind in enumerate(spec.properties.values()):
        if kind == "number":
            values.append(f"coalesce(p{i}, 'nan'::double) as p{i}")
            continue
        connection.execute(f"""
            create table category{i} as
            select (row_number() over (order by value) - 1)::integer as code, value
            from (select distinct p{i} as value from attributed
                  where left_out is null and p{i} is not null)""")
        values.append(f"coalesce(c{i}.code, -1)::integer as p{i}")
        joins.append(f"left join category{i} c{i} on t.p{i} = c{i}.value")
    connection.execute(f"""
        create table coded as
        select {
        ", ".join(
            [
                "coalesce(a.code, -1)::integer as account",
                'coalesce(u.code, -1)::integer as "user"',
                "e.code as event",
                't.known_at as "at"',
                "t.occurred_at",
                *values,
            ]
        )
    }
        from attributed t join event_names e on t.event = e.name
        left join accounts a on t.account = a.id left join users u on t."user" = u.id
        {" ".join(joins)}
        where t.left_out is null""")
    connection.execute("""
        create table members as
        select account, "user", min(known_at) as known_at from (
            select account, "user", "at" as known_at from coded where account >= 0 and "user" >= 0
            union all
            select a.code, u.code, t.known_at from table_members t
            join accounts a on t.account = a.id join users u on t."user" = u.id)
        group by all""")


def empty_properties(connection: "duckdb.DuckDBPyConnection", spec: DataSpec) -> list[str]:
    """Declared properties that no event has: most likely a misspelt name."""
    if not spec.properties:
        return []
    counted = ", ".join(f"count(p{i})" for i in range(len(spec.properties)))
    present = rows_of(connection, f"select {counted} from attributed where left_out is null")[0]
    return [name for name, n in zip(spec.properties, present, strict=True) if n == 0]


def assign_shards(
    connection: "duckdb.DuckDBPyConnection", level: Level, events_per_shard: int
) -> int:
    """Tables ``account_shards`` and ``user_shards`` (code, shard); returns the number of shards.

    At account level the unit that stays together is an account, or a user without one; at user
    level it is a connected component of users and accounts. Unit u lies in shard u mod n.
    """
    import pyarrow as pa

    n = n_shards_for(value_of(connection, "select count(*) from coded"), events_per_shard)
    member_of = _column(connection, "select account from users order by code")
    n_accounts = value_of(connection, "select count(*) from accounts")
    if level == "account":
        account_unit = np.arange(n_accounts)
        own = n_accounts + np.arange(len(member_of))
        user_unit = np.where(member_of >= 0, member_of, own)
    else:
        user_unit, account_unit = _components(connection, len(member_of), n_accounts)
    for of, unit in (("account", account_unit), ("user", user_unit)):
        table = pa.table({"code": np.arange(len(unit), dtype=np.int32), "unit": unit})
        connection.register("units", table)
        connection.execute(f"""
            create table {of}_shards as
            select code, case when present is null then -1 else unit % {n} end::integer as shard
            from units
            left join (select distinct "{of}" as present from coded) on code = present""")
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
    table = connection.sql(query).to_arrow_table()
    return table.column(0).to_numpy().astype(np.int64)


def write_shards(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, n_shards: int, folder: Path
) -> list[dict[str, Any]]:
    """Write ``shard-*.parquet``; returns file name and number of events of each."""
    properties = [f"p{i}" for i in range(len(spec.properties))]
    order = ["shard", '"at"', "occurred_at", "account", '"user"', "event", *properties]
    connection.execute(f"""
        create table sorted as
        select coded.*, case when account >= 0 then a.shard else u.shard end as shard
        from coded left join account_shards a on account = a.code
        left join user_shards u on "user" = u.code
        order by {", ".join(order)}""")
    named = [
        f"{column} as {quote_name(PROPERTY_PREFIX + name)}"
        for column, name in zip(properties, spec.properties, strict=True)
    ]
    shards = []
    for shard in range(n_shards):
        file = f"shard-{shard:05d}.parquet"
        # The table keeps its order, so a shard needs no second sort.
        connection.execute(f"""
            copy (select {", ".join(_KEYS + named)} from sorted where shard = {shard})
            to {quote_text(str(folder / file))} (format parquet, compression zstd)""")
        n = value_of(connection, f"select count(*) from sorted where shard = {shard}")
        shards.append({"file": file, "n_events": n})
    return shards


def find_end(connection: "duckdb.DuckDBPyConnection") -> tuple[int, int]:
    """Where the data end, and how many events lie beyond.

    The end is the last event, and a microsecond, of the last UTC day that has at least one in a
    hundred of the median day's events. One client with its clock a month ahead would otherwise
    make a month of labels mature that nobody has seen the end of.
    """
    end, beyond = rows_of(
        connection,
        f"""
        with days as (select "at" // {DAY_US} as day, count(*) as n, max("at") as latest
                      from coded group by all),
        usual as (select max(day) as day from days
                  where n >= {_USUAL_SHARE} * (select median(n) from days))
        select max(latest) filter (day <= (select day from usual)) + 1,
               coalesce(sum(n) filter (day > (select day from usual)), 0)
        from days""",
    )[0]
    return int(end), int(beyond)


def write_entities(connection: "duckdb.DuckDBPyConnection", spec: DataSpec, folder: Path) -> None:
    """Write ``accounts.parquet``, ``users.parquet`` and ``categories.json``."""
    for of, extra in (("account", ""), ("user", ", account")):
        connection.execute(f"""
            copy (select id, shard, domain, domain_at{extra}
                  from {of}s join {of}_shards using (code) order by code)
            to {quote_text(str(folder / f"{of}s.parquet"))} (format parquet, compression zstd)""")
    categories = {
        name: [
            value
            for (value,) in rows_of(connection, f"select value from category{i} order by code")
        ]
        for i, (name, kind) in enumerate(spec.properties.items())
        if kind == "category"
    }
    text = json.dumps(categories, ensure_ascii=False, indent=0)
    (folder / "categories.json").write_text(text, encoding="utf-8")


def fingerprint_of(folder: Path, manifest: dict[str, Any]) -> str:
    """sha256 over the contents of a written log: columns, dictionaries, what the manifest says.

    Read back from the files, so that it covers what a reader gets; it does not depend on how the
    input was split into files, on the order of its rows, or on threads.
    """
    import pyarrow.parquet as pq

    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode())
    digest.update((folder / "categories.json").read_bytes())
    for name in ("accounts.parquet", "users.parquet", "attributes.parquet"):
        for row_group in pq.ParquetFile(folder / name).iter_batches():
            digest.update(repr(row_group.to_pydict()).encode())
    for shard in manifest["shards"]:
        file = pq.ParquetFile(folder / shard["file"])
        columns = [hashlib.sha256(name.encode()) for name in file.schema_arrow.names]
        for batch in file.iter_batches():
            for column, values in zip(columns, batch.columns, strict=True):
                column.update(values.to_numpy(zero_copy_only=False).tobytes())
        for column in columns:
            digest.update(column.digest())
    return digest.hexdigest()
