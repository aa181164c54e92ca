"""What is known about accounts and users, with its history: from events and from tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import ALWAYS_US
from features.events import Attribute
from pipeline.importer.identity import KEPT
from pipeline.importer.load import dictionary
from pipeline.sources import times
from pipeline.sources.files import find_files, kind_of
from pipeline.sources.quarantine import BROKEN, keep_rejects, keep_swallowed
from pipeline.sources.rows import Rows, open_rows
from pipeline.sources.spec import DataSpec, Table
from pipeline.sources.swallowed import find_swallowed
from pipeline.storage import quote_text, rows_of, value_of

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
        create table facts (attribute integer, of varchar, id varchar, known_at bigint,
                            once boolean, text varchar);
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
    _keep_swallowed(connection, rows)
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
            f"insert into facts select {first + i}, {quote_text(table.of)}, id, known_at, false, "
            f"v{i} from table_rows"
        )
        if table.of == "user" and name == "email":
            connection.execute(f"insert into emails select id, known_at, v{i} from table_rows")
    return n_rows


def _keep_swallowed(connection: "duckdb.DuckDBPyConnection", rows: Rows) -> None:
    """Make the lines that broken rows of CSV files swallowed bad rows. Needs ``table_rows``."""
    for path in [path for path in rows.paths if kind_of(path) == "csv"]:
        file = quote_text(str(path))
        query = f"""select distinct line from quarantine
                    where file = {file} and starts_with(reason, {quote_text(BROKEN)})"""
        if broken := [line for (line,) in rows_of(connection, query)]:
            n_parsed = value_of(connection, f"select count(*) from table_rows where file = {file}")
            (alone,) = open_rows(connection, [path], _TABLE_KINDS)
            found = find_swallowed(connection, alone, path, n_parsed, broken, [])
            if found is not None:
                keep_swallowed(connection, found, path)


def _outside(table: Table) -> str:
    if table.time is None:
        return "false"
    return f"known_at not between {times.FIRST_VALID_US} and {times.LAST_VALID_US - 1}"


def code_facts(connection: "duckdb.DuckDBPyConnection", attributes: list[Attribute]) -> None:
    """Turn the ids and texts of ``facts`` from tables into codes.

    Adds the tables ``attribute<i>`` (code, text) that events have no part in.
    """
    tabled = {
        attribute for (attribute,) in rows_of(connection, "select distinct attribute from facts")
    }
    for i in sorted(tabled):
        dictionary(
            connection, f"attribute{i}", [f"select distinct text from facts where attribute = {i}"]
        )
    coded = [
        f"""select attribute, t.code as id, known_at, once, d.code as value
            from told join {attributes[i].of}_texts t on id = t.text
            join attribute{i} d on told.text = d.text where attribute = {i}"""
        for i in sorted(tabled)
    ]
    connection.execute("alter table facts rename to told")
    connection.execute("""
        create table facts (attribute integer, id integer, known_at bigint, once boolean,
                            value integer)""")
    for query in coded:
        connection.execute(f"insert into facts {query}")


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
        select "user", min(told_at), text from attributed join addresses on email = code
        where "user" is not null group by "user", text""")


def write_history(
    connection: "duckdb.DuckDBPyConnection", attributes: list[Attribute], target: Path
) -> int:
    """Write ``attributes.parquet``: one row per change; returns how many numbers can't be read.

    A value set once counts only where nothing came before it. Of several values known at the same
    microsecond the last in text order holds, whatever the order of rows.
    """
    _rank_values(connection, attributes)
    unreadable = value_of(
        connection,
        "select count(*) from valued where place is null and is_number",
    )
    # Most entities have one value of an attribute, told again and again: its first time is all.
    connection.execute("""
        create table spans as
        select attribute, code, min(known_at) as known_at, min(place) as least, max(place) as most
        from valued where place is not null group by attribute, code""")
    connection.execute(f"""
        copy (
            with several as (
                select valued.* from valued semi join (from spans where least < most) s
                using (attribute, code) where place is not null),
            first_told as (
                select attribute, code, min(row(known_at, once, place)) as first
                from several group by all),
            single as (
                select attribute, code, known_at, max(place) as place
                from several join first_told using (attribute, code)
                where not once or row(known_at, once, place) = first group by all),
            changes as (
                select *, lag(place) over (partition by attribute, code order by known_at) as before
                from single),
            history as (
                select attribute, code, known_at, place from changes
                where place is distinct from before
                union all
                select attribute, code, known_at, least from spans where least = most)
            select attribute::integer as attribute, code::integer as code, known_at as "at",
                   coalesce(number, 'nan'::double) as number, text
            from history join places using (attribute, place)
            order by attribute, code, "at")
        to {quote_text(str(target))} (format parquet, compression zstd)""")
    return int(unreadable)


def _rank_values(connection: "duckdb.DuckDBPyConnection", attributes: list[Attribute]) -> None:
    """Tables ``places``, every value of every attribute, and ``valued``, ``facts`` with them.

    Values keep their order; 5 and 5.0 are one number.
    """
    connection.execute("""
        create table places (attribute integer, number double, text varchar, place bigint)""")
    connection.execute("""
        create table valued (attribute integer, code integer, known_at bigint, once boolean,
                             place bigint, is_number boolean)""")
    known = {name for (name,) in rows_of(connection, "select table_name from duckdb_tables()")}
    for i, attribute in enumerate(attributes):
        if f"attribute{i}" not in known:
            continue
        is_number = attribute.type == "number"
        number, text = (
            ("number_of(text)", "null::varchar")
            if is_number
            else ("null::double", "nullif(trim(text), '')")
        )
        connection.execute(f"""
            create or replace table ranked as
            select *, case when number is not null or text is not null
                           then dense_rank() over (order by number, text) end as place
            from (select code as value, {number} as number, {text} as text,
                         {is_number} and nullif(trim(text), '') is not null as is_number
                  from attribute{i})""")
        connection.execute(f"""
            insert into valued
            select {i}, e.code, known_at, once, place, is_number
            from facts join ranked using (value) join {attribute.of}s e on facts.id = e.key
            where attribute = {i}""")
        connection.execute(f"""
            insert into places
            select distinct {i}, number, text, place from ranked where place is not null""")
