"""Parts to numbers: ids, names and categories coded once, so that all later steps move integers.

Every code is the position of its text in the order of texts: the least of several codes is the
least of their texts, and no code depends on the order of rows, files or parts.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from features.events import ValueType
from pipeline.importer.reading import NO_EXTRA, REASONS, Reading, left_out
from pipeline.sources.canonical import NOTHING
from pipeline.sources.spec import DataSpec
from pipeline.storage import quote_text

if TYPE_CHECKING:
    import duckdb


def code_texts(connection: "duckdb.DuckDBPyConnection", readings: Sequence[Reading]) -> None:
    """Tables ``user_texts``, ``account_texts`` (ids) and ``event_texts`` (names): code, text.

    ``user_raw`` and so on say the code of every spelling in the parts. Needs ``table_ids`` and
    ``table_members`` and turns their ids into codes as well.
    """
    persons = _distinct(readings, "visitor", "person", "link_from")
    persons += ["select id from table_ids where of = 'user'", 'select "user" from table_members']
    accounts = _distinct(readings, "account")
    accounts += ["select id from table_ids where of = 'account'"]
    accounts += ["select account from table_members"]
    for name, found, same in (
        ("user", persons, "id_of({})"),
        ("account", accounts, "id_of({})"),
        ("event", _distinct(readings, "event"), "nullif(trim({}), '')"),
    ):
        # Spellings of one id are told from the few different texts, not row by row.
        connection.execute(f"""
            create table {name}_raw as select text, {same.format("text")} as same
            from (select distinct text from ({" union all ".join(found)}) t(text))""")
        dictionary(connection, f"{name}_texts", [f"select same from {name}_raw"])
        connection.execute(f"""
            create or replace table {name}_raw as
            select r.text, t.code from {name}_raw r join {name}_texts t on r.same = t.text""")
    connection.execute("""
        create or replace table table_ids as
        select distinct of, coalesce(p.code, o.code) as id
        from table_ids left join user_texts p on of = 'user' and id = p.text
        left join account_texts o on of = 'account' and id = o.text;
        create or replace table table_members as
        select p.code as "user", o.code as account, known_at
        from table_members
        join user_texts p on "user" = p.text join account_texts o on account = o.text;
        create or replace table emails as
        select p.code as "user", known_at, email
        from emails join user_texts p on "user" = p.text""")


def load_rows(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    readings: Sequence[Reading],
    properties: Mapping[str, ValueType],
    *,
    with_extra: bool,
) -> None:
    """Table ``staged``: every good row once, in codes.

    Columns as in a part, but codes for texts; per property i ``p<i>``, a number or a code in
    ``category<i>``; per attribute i codes ``a<i>`` and ``o<i>`` in ``attribute<i>``; ``email`` in
    ``addresses``; ``bad_numbers`` counts the properties that should be numbers and are not.
    """
    connection.execute(f"create type why as enum ({', '.join(map(quote_text, REASONS))})")
    for i, (name, kind) in enumerate(properties.items()):
        if kind == "category":
            dictionary(connection, f"category{i}", [one.distinct(name) for one in readings])
    for i in range(len(spec.attributes)):
        dictionary(connection, f"attribute{i}", _distinct(readings, f"a{i}", f"o{i}"))
    dictionary(connection, "addresses", _distinct(readings, "email"))
    for number, reading in enumerate(readings):
        query = _coded(spec, reading, properties, with_extra)
        verb = "insert into staged" if number else "create table staged as"
        connection.execute(f"{verb} {query}")


def _coded(
    spec: DataSpec, reading: Reading, properties: Mapping[str, ValueType], with_extra: bool
) -> str:
    """SQL of a source's rows in codes."""
    taken = {"source": f"{reading.source}::utinyint", "event": "e.code"}
    joins = ["join event_raw e on t.event = e.text"]

    def coded(name: str, value: str, dictionary: str) -> None:
        if name in reading.empty:
            taken[name] = "null::integer"
            return
        taken[name] = f"d_{name}.code"
        joins.append(f"left join {dictionary} d_{name} on {value} = d_{name}.text")

    for name, dictionary in (
        ("visitor", "user_raw"),
        ("person", "user_raw"),
        ("link_from", "user_raw"),
        ("account", "account_raw"),
        ("email", "addresses"),
    ):
        coded(name, f"t.{name}", dictionary)
    for name in ("anonymous", "alias", "occurred_at", "before_occurred", "late"):
        taken[name] = f"t.{name}"
    taken["known_at"] = "occurred_at + delay"
    bad = ["0"]
    for i, (name, kind) in enumerate(properties.items()):
        value = reading.property(name)
        if kind == "category":
            coded(f"p{i}", value, f"category{i}")
            continue
        taken[f"p{i}"] = f"number_of({value})"
        bad.append(f"({value} is not null and number_of({value}) is null)::integer")
    taken["bad_numbers"] = " + ".join(bad)
    for i in range(len(spec.attributes)):
        for name in (f"a{i}", f"o{i}"):
            coded(name, f"t.{name}", f"attribute{i}")
    taken["left_out"] = f"{left_out(spec)}::why"
    if with_extra:
        joins.append(NO_EXTRA)
    listed = ", ".join(f"{sql} as {name}" for name, sql in taken.items())
    return f"select {listed} from {reading.rows} t {' '.join(joins)}"


def _distinct(readings: Sequence[Reading], *columns: str) -> list[str]:
    return [
        f"select distinct {column} from {reading.rows}"
        for reading in readings
        for column in columns
        if column not in reading.empty
    ]


def dictionary(connection: "duckdb.DuckDBPyConnection", name: str, texts: list[str]) -> None:
    """Table `name` (code, text) of the different texts that queries give, in their order."""
    union = " union all ".join(texts or [f"select {NOTHING}"])
    connection.execute(f"""
        create table {name} as
        select (row_number() over (order by text) - 1)::integer as code, text
        from (select distinct text from ({union}) t(text) where text is not null)""")
