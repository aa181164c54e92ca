"""The rows of all sources as one table, each judged as the importer judges it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.profile.columns import flatten, records_of
from pipeline.profile.sources import SourceProfile
from pipeline.profile.times import Record
from pipeline.sources import stage, times
from pipeline.sources.files import kind_of
from pipeline.storage import quote_text, rows_of

if TYPE_CHECKING:
    import duckdb

_SAMPLED_BYTES = 64_000_000
_PER_EVENT = 60
_MOST_SAMPLED = 200
"""For properties and traits: how much text is kept, how many rows of an event, how many events."""


def load_events(connection: "duckdb.DuckDBPyConnection", sources: Sequence[SourceProfile]) -> None:
    """Table ``seen``, one row per input row: source, event, visitor, person, anonymous, link_from,
    account, moment (microseconds UTC), page; ``reason`` says why the importer would refuse the row,
    ``usable`` that it would not, and ``file`` is that of a refused row; ``raw`` is kept of about
    `_SAMPLED_BYTES` of rows, all of a small file."""
    connection.execute("""
        create table seen (
            source integer, event varchar, visitor varchar, person varchar, anonymous boolean,
            link_from varchar, account varchar, moment bigint, page varchar, reason varchar,
            usable boolean, file varchar, raw varchar)""")
    every = 1 + sum(_text_bytes(source.rows.paths) for source in sources) // _SAMPLED_BYTES
    for number, source in enumerate(sources):
        connection.execute(f"""
            insert into seen by name
            select {number} as source, * exclude (text, file), reason is null as usable,
                   case when reason is not null then file end as file,
                   case when hash(event, visitor, account, moment) % {every} = 0
                        then text end as raw
            from ({_judged(source)})""")


def _judged(source: SourceProfile) -> str:
    """SQL of the rows of a source, with the ``reason`` for which an import refuses one."""
    rows, canonical = source.rows, source.canonical()
    page = canonical.property(source.page) if source.page else "null"
    taken = f"""
        select nullif(trim({canonical.event}), '') as event,
               id_of({canonical.visitor}) as visitor, id_of({canonical.person}) as person,
               coalesce({canonical.anonymous}, false) as anonymous,
               id_of({canonical.link_from}) as link_from, id_of({canonical.account}) as account,
               {canonical.occurred_at} as occurred_at, {canonical.known_at} as known_given,
               {stage.broken(rows, canonical)} as broken, true as wanted,
               {page} as page, {rows.raw} as text, __file as file
        from {rows.relation()} where not {rows.blank}"""
    return f"""
        select * exclude (occurred_at, known_given, broken, wanted), occurred_at as moment,
               {stage.reason()} as reason
        from ({taken})"""


def why_unusable(
    connection: "duckdb.DuckDBPyConnection", sources: Sequence[SourceProfile]
) -> str | None:
    """Why rows would go to quarantine, in the import's words, with an example of the commonest.

    None where every row can be used.
    """
    found = rows_of(
        connection,
        """
        select reason, count(*) as n, mode(source) from seen where not usable
        group by reason order by n desc, reason""",
    )
    if not found:
        return None
    reason, _, number = found[0]
    listed = "; ".join(f"{n:,} x {text}" for text, n, _ in found)
    source = sources[number]
    query = f"select text from ({_judged(source)}) where reason = {quote_text(reason)} limit 1"
    [(text,)] = rows_of(connection, query)
    if reason != stage.UNREAD_TIME:
        return f"{listed}. Example ({reason}): {str(text)[:200]!r}."
    record = next(iter(records_of(source.rows, [(text,)])), {})
    held = {name: value for name, value in flatten(record).items() if name in source.times}
    name = next((name for name in source.times if name in held), source.times[0])
    example = f"holds {str(held[name])[:60]!r}" if held else "is missing"
    return f"{listed}. Example: {name!r} {example}. {times.SPELLINGS}"


def sample_records(
    connection: "duckdb.DuckDBPyConnection", sources: Sequence[SourceProfile], number: int
) -> dict[str, list[Record]]:
    """Event name -> some of its rows in source `number`, as objects.

    They are those with the smallest hashes, so that any order of rows gives the same ones.
    """
    found = rows_of(
        connection,
        f"""
        select event, arg_min(raw, hash(raw), {_PER_EVENT}) from seen
        where usable and raw is not null and source = {number}
        group by event order by count(*) desc, event limit {_MOST_SAMPLED}""",
    )
    rows = sources[number].rows
    return {event: records_of(rows, [(text,) for text in texts]) for event, texts in found}


def _text_bytes(paths: Iterable[Path]) -> int:
    """Roughly the size of the rows as text: events compress well."""
    grows = {path: 5 if kind_of(path) == "parquet" else 1 for path in paths}
    return sum(
        path.stat().st_size * (20 if path.suffix == ".gz" else times)
        for path, times in grows.items()
    )
