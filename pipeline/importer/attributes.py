"""What is known about accounts and users, with its history: from events and from tables."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import ALWAYS_US
from features.events import Attribute
from pipeline.importer.identity import KEPT
from pipeline.sources import times
from pipeline.sources.files import find_files
from pipeline.sources.quarantine import keep_rejects
from pipeline.sources.rows import Rows, open_rows
from pipeline.sources.spec import DataSpec, Table
from pipeline.storage import quote_text, value_of

if TYPE_CHECKING:
    import duckdb

_TABLE_KINDS = ("csv", "json", "parquet")


def declared_attributes(spec: DataSpec) -> list[Attribute]:
    """Every attribute of the log, in the order of its codes: from events, then from tables."""
    from_events = [
        Attribute(name, one.of, one.type, static=False) for name, one in spec.attributes.items()
    ]
    from_tables = [
        Attribute(name, table.of, kind, static=table.static)
        for table in spec.tables
        for name, kind in table.columns.items()
    ]
    return from_events + from_tables


def read_tables(connection: "duckdb.DuckDBPyConnection", spec: DataSpec, base: Path) -> int:
    """Tables ``facts``, ``table_ids``, ``table_members`` and ``emails`` from the spec's tables.

    A row holds from its `time` on, or always in a static table. Returns the number of rows read.
    """
    connection.execute("""
        create table facts (attribute integer, id varchar, known_at bigint, once boolean,
                            text varchar);
        create table table_ids (of varchar, id varchar);
        create table table_members ("user" varchar, account varchar, known_at bigint);
        create table emails ("user" varchar, known_at bigint, email varchar);
        create table table_rows (of varchar, id varchar, known_at bigint)""")
    first, n_rows = len(spec.attributes), 0
    for table in spec.tables:
        times.set_zone(connection, table.timezone)
        for rows in open_rows(connection, find_files(table.files, base), _TABLE_KINDS):
            n_rows += _read_table(connection, spec, table, rows, first)
        first += len(table.columns)
    return n_rows


def _read_table(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, table: Table, rows: Rows, first: int
) -> int:
    rows.require(table.id, table.time, table.account, *table.columns)
    values = {f"v{i}": rows.text(name) for i, name in enumerate(table.columns)}
    taken = {
        "id": f"id_of({rows.text(table.id)})",
        "known_at": rows.time(table.time) if table.time else str(ALWAYS_US),
        "account": f"id_of({rows.text(table.account)})" if table.account else "null::varchar",
        **values,
        "file": "__file",
        "line": f"coalesce({rows.line}, -1)",
        "raw": rows.raw,
    }
    listed = ", ".join(f"{sql} as {name}" for name, sql in taken.items())
    connection.execute(f"""
        create or replace table table_rows as
        select *, case when id is null then 'table row without id'
                       when known_at is null then 'time is missing or can''t be read'
                       when {_outside(table)} then 'time out of range' end as reason
        from (select {listed} from {rows.relation()} where not {rows.blank})""")
    keep_rejects(connection)
    n_rows = value_of(connection, "select count(*) from table_rows")
    future = "false" if spec.until_us is None else f"known_at >= {spec.until_us}"
    connection.execute(f"""
        insert into quarantine
            select file, line, reason, raw from table_rows where reason is not null;
        delete from table_rows where reason is not null or {future};
        insert into table_ids select {quote_text(table.of)}, id from table_rows;
        insert into table_members
            select id, account, known_at from table_rows where account is not null""")
    for i, name in enumerate(table.columns):
        connection.execute(
            f"insert into facts select {first + i}, id, known_at, false, v{i} from table_rows"
        )
        if table.of == "user" and name == "email":
            connection.execute(f"insert into emails select id, known_at, v{i} from table_rows")
    return n_rows


def _outside(table: Table) -> str:
    if table.time is None:
        return "false"
    return f"known_at not between {times.FIRST_VALID_US} and {times.LAST_VALID_US - 1}"


def take_from_events(connection: "duckdb.DuckDBPyConnection", spec: DataSpec) -> None:
    """Add to ``facts`` and ``emails`` what identify and group calls say, known when they are."""
    for i, attribute in enumerate(spec.attributes.values()):
        entity, known = ('"user"', "told_at") if attribute.of == "user" else ("account", "known_at")
        for column, once in ((f"a{i}", "false"), (f"o{i}", "true")):
            connection.execute(f"""
                insert into facts
                select {i}, {entity}, {known}, {once}, {column} from attributed
                where {column} is not null and {entity} is not null and {KEPT}""")
    connection.execute("""
        insert into emails
        select "user", told_at, email from attributed
        where email is not null and "user" is not null""")


def write_history(
    connection: "duckdb.DuckDBPyConnection", attributes: list[Attribute], target: Path
) -> int:
    """Write ``attributes.parquet``: one row per change; returns how many numbers can't be read.

    A value set once counts only where nothing came before it. Of several values known at the same
    microsecond the last in text order holds, whatever the order of rows.
    """
    numbers = _codes(i for i, one in enumerate(attributes) if one.type == "number")
    users = _codes(i for i, one in enumerate(attributes) if one.of == "user")
    connection.execute(f"""
        create table valued as
        select attribute, known_at, once, coalesce(u.code, a.code) as code,
               case when attribute in ({numbers}) then number_of(text) end as number,
               case when attribute not in ({numbers}) then nullif(trim(text), '') end as text,
               attribute in ({numbers}) and nullif(trim(text), '') is not null as is_number
        from facts
        left join users u on attribute in ({users}) and facts.id = u.id
        left join accounts a on attribute not in ({users}) and facts.id = a.id
        where coalesce(u.code, a.code) is not null""")
    unreadable = value_of(
        connection, "select count(*) from valued where is_number and number is null"
    )
    connection.execute(f"""
        copy (
            with present as (select * from valued where number is not null or text is not null),
            ranked as (
                select *, row_number() over (
                    partition by attribute, code order by known_at, once, number, text) as nth
                from present),
            single as (
                select attribute, code, known_at, max(number) as number, max(text) as text
                from ranked where not once or nth = 1 group by all),
            changes as (
                select *, lag(number) over history as number_before,
                       lag(text) over history as text_before,
                       row_number() over history as nth
                from single window history as (partition by attribute, code order by known_at))
            select attribute::integer as attribute, code::integer as code, known_at as "at",
                   coalesce(number, 'nan'::double) as number, text
            from changes
            where nth = 1 or number is distinct from number_before
                  or text is distinct from text_before
            order by attribute, code, "at")
        to {quote_text(str(target))} (format parquet, compression zstd)""")
    return unreadable


def _codes(codes: Iterable[int]) -> str:
    return ", ".join(map(str, codes)) or "-1"
