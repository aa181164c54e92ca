"""What the import did, in numbers and in sentences."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError, few
from features.events import Level
from pipeline.importer.contents import Contents
from pipeline.importer.identity import KEPT
from pipeline.importer.parts import Staged
from pipeline.storage import rows_of

if TYPE_CHECKING:
    import duckdb


def count_left_out(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Good rows that are no events of the log, by why, the commonest first."""
    query = f"""
        select left_out, count(*) as n
        from (select left_out from people where not {KEPT}
              union all select left_out from attributed)
        where left_out is not null group by left_out order by n desc, left_out"""
    return dict(rows_of(connection, query))


def count_events(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Counts over the events of the log."""
    query = """
        select count(*), count(*) filter (linked), count(*) filter (late),
               count(*) filter (before_occurred), count(*) filter (unknown),
               coalesce(sum(bad_numbers), 0)
        from attributed where left_out is null"""
    names = ("events", "linked", "late", "known_before_occurred", "anonymous", "unreadable_numbers")
    return dict(zip(names, map(int, rows_of(connection, query)[0]), strict=True))


def refuse_empty(counts: dict[str, Any]) -> None:
    """Stop when nothing is left to work with.

    Raises
    ------
    EventLogError
        Saying why rows were left out.
    """
    if counts["events"] == 0:
        raise EventLogError(
            f"No event is left of {counts['rows']:,} rows ({_listed(counts['left_out']) or 'none'} "
            "left out). Check `until`, `exclude`, `where` and `drop_events`."
        )


def told_of_copies(contents: Iterable[Contents]) -> list[str]:
    """Files that count once because another has the same content."""
    copies = [copy for one in contents for copy in one.copies]
    if not copies:
        return []
    pairs = few(f"{copy.name} = {original.name}" for copy, original in copies)
    return [f"counted once: {_many(len(copies), 'file')} with the content of another ({pairs})"]


def told_of_files(staged: Iterable[Staged], n_gone: int) -> list[str]:
    """What an import did not have to read again; nothing when every file is new."""
    new = sum(one.n_new for one in staged)
    reused = sum(len(one.parts) for one in staged) - new
    if not reused and not n_gone:
        return []
    return [f"files: {new:,} new, {reused:,} read before, {n_gone:,} gone"]


def told_of_rows(counts: dict[str, Any]) -> list[str]:
    """What was read; a line whose count is zero is not worth reading and left out."""
    bad = sum(counts["quarantined"].values())
    return _worth_reading(
        (counts["rows"], f"read {_many(counts['files'], 'file')}, {counts['rows']:,} rows"),
        (counts["table_rows"], f"read {counts['table_rows']:,} rows of tables"),
        (bad, f"quarantined {bad:,} rows: {_listed(counts['quarantined'])}"),
    )


def told_of_people(counts: dict[str, Any]) -> list[str]:
    """What identity, attribution and exclusion did to the rows."""
    left_out = sum(counts["left_out"].values())
    return _worth_reading(
        (counts["duplicates"], f"removed {counts['duplicates']:,} duplicates"),
        (
            counts["linked"],
            f"linked {counts['linked']:,} events of {counts['linked_ids']:,} other ids to their "
            "users; those before the link are known from the link on",
        ),
        (counts["anonymous"], f"kept {counts['anonymous']:,} events of unidentified visitors"),
        (left_out, f"left out {left_out:,} rows: {_listed(counts['left_out'])}"),
        (counts["late"], f"{counts['late']:,} events arrived more than an hour late"),
        (
            counts["known_before_occurred"],
            f"{counts['known_before_occurred']:,} events were known before they occurred; taken as "
            "known when they occurred",
        ),
        (
            counts["unreadable_numbers"],
            f"{counts['unreadable_numbers']:,} numbers of events can't be read or are not finite; "
            "taken as missing",
        ),
    )


def told_of_log(counts: dict[str, Any], level: Level) -> list[str]:
    """What the log holds."""
    empty = counts["empty_properties"]
    return _worth_reading(
        (
            counts["unreadable_attributes"],
            f"{counts['unreadable_attributes']:,} numbers of attributes can't be read or are not "
            "finite; taken as missing",
        ),
        (
            counts["beyond_end"],
            f"{counts['beyond_end']:,} events lie beyond {counts['end'][:10]}, the last day with a "
            "usual number of them; the data end there, unless you set data.until",
        ),
        (len(empty), f"no event has the properties {few(empty)}; check their names"),
        (
            counts["events"],
            f"kept {counts['events']:,} events of {_many(counts['accounts'], 'account')} and "
            f"{_many(counts['users'], 'user')} in {_many(counts['shards'], 'shard')} "
            f"to score {level}s",
        ),
    )


def _worth_reading(*lines: tuple[int, str]) -> list[str]:
    return [line for n, line in lines if n]


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _listed(counts: dict[str, int]) -> str:
    return "; ".join(f"{n:,} {reason}" for reason, n in counts.items())
