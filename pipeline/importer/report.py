"""What the import did, in numbers and in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError, few
from features.events import Level
from pipeline.importer.contents import Contents, Gone
from pipeline.importer.identity import KEPT
from pipeline.importer.parts import Staged
from pipeline.importer.plural import many
from pipeline.sources import quarantine
from pipeline.sources.files import is_empty, named
from pipeline.sources.quarantine import Counted
from pipeline.sources.swallowed import SWALLOWED
from pipeline.storage import quote_text, rows_of

if TYPE_CHECKING:
    import duckdb


_REPEATED_SHARE = 0.01
"""Of all events: above it, equal ones are worth a line."""


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
            f"No event is left of {many(counts['rows'], 'row')} "
            f"({_listed(counts['left_out']) or 'none'} left out). "
            "Check `until`, `exclude`, `where` and `drop_events`."
        )


def told_of_folders(folders: Sequence[Path], base: Path) -> list[str]:
    """Folders that a glob of files matches, and that are not read."""
    if not folders:
        return []
    name = named(folders[0], base)
    return [
        f"skipped {many(len(folders), 'folder')} that the names of files match: "
        f"{few(named(one, base) for one in folders)}; to read what is in it write {name + '/*'!r}"
    ]


def told_of_copies(contents: Iterable[Contents], base: Path) -> list[str]:
    """Files that count once because another has the same content."""
    copies = [copy for one in contents for copy in one.copies if not is_empty(copy[0])]
    if not copies:
        return []
    pairs = few(f"{named(copy, base)} = {named(original, base)}" for copy, original in copies)
    return [f"counted once: {many(len(copies), 'file')} with the content of another ({pairs})"]


def told_of_files(staged: Iterable[Staged], gone: Sequence[Gone], base: Path) -> list[str]:
    """What an import did not have to read again; nothing when every file is new."""
    new = sum(one.n_new for one in staged)
    reused = sum(len(one.parts) for one in staged) - new
    if not reused and not gone:
        return []
    return [f"files: {new:,} new, {reused:,} read before, {_gone(gone, base)}"]


def told_of_damaged(staged: Iterable[Staged], base: Path) -> list[str]:
    """Files that are read again because what was kept of them in the store is damaged."""
    files = [file for one in staged for file in one.damaged]
    if not files:
        return []
    return [
        f"what the store kept of {many(len(files), 'file')} was damaged; read again: "
        f"{few(named(file, base) for file in files)}"
    ]


def told_of_reuse(log: str, n_new: int, gone: Sequence[Gone], base: Path) -> str:
    """That a log is reused, and whether the files are those of the last import."""
    if not n_new and not gone:
        return f"nothing changed, reusing the log {log}"
    return (
        f"files since the last import: {n_new:,} new, {_gone(gone, base)}; an earlier one had "
        f"just these, reusing its log {log}"
    )


def _gone(gone: Sequence[Gone], base: Path) -> str:
    """How many files are gone, and which as far as that is known."""
    names = few(named(one.place, base) + " (changed)" * one.changed for one in gone if one.place)
    return f"{len(gone):,} gone" + (f": {names}" if names else "")


def told_of_old(n_gone: int) -> list[str]:
    """Logs that were removed because they are old."""
    return [f"removed {many(n_gone, 'log')} not used for a week"] if n_gone else []


def told_of_empty(staged: Sequence[Staged], contents: Iterable[Contents], base: Path) -> list[str]:
    """Files that hold no row and are skipped, each of several that are alike.

    Raises
    ------
    EventLogError
        When no file holds any.
    """
    parts = [one for one in staged if one.parts]
    empty = {file for one in parts for file in one.empty}
    if not empty:
        return []
    empty |= {copy for one in contents for copy, original in one.copies if original in empty}
    names = few(named(file, base) for file in sorted(empty))
    told = f"{many(len(empty), 'file is', 'files are')} empty: {names}"
    if not any(one.filled for one in parts):
        raise EventLogError(f"There is nothing to import: {told}.")
    return [told]


def bad_files(
    connection: "duckdb.DuckDBPyConnection", base: Path
) -> tuple[dict[str, int], list[str]]:
    """Bad rows by file, and the files that are cut off; files in `base` are named from there."""
    cut_off = quarantine.counts(connection, f"reason = {quote_text(quarantine.CUT_OFF)}", "file")
    bad = quarantine.counts(connection, by="file")
    return {named(file, base): n for file, n in bad.items()}, [
        named(file, base) for file in cut_off
    ]


def told_of_swallowed(connection: "duckdb.DuckDBPyConnection", base: Path) -> list[str]:
    """Lines that were lost in broken rows of CSV files, and where these begin."""
    query = f"""
        select file, min(line), count(*) as n from quarantine where reason = {quote_text(SWALLOWED)}
        group by file order by n desc, file limit 5"""
    return [
        f"{many(n, 'line')} of {named(file, base)!r} "
        f"{'was' if n == 1 else 'were'} swallowed by a broken row"
        + (f" that begins at line {line}; look there for a quote that is not closed" * (line > 0))
        for file, line, n in rows_of(connection, query)
    ]


def told_of_rows(
    counts: dict[str, Any], bad: Mapping[str, int], cut_off: Sequence[str]
) -> list[str]:
    """What was read; a line whose count is zero is not worth reading and left out.

    Parameters
    ----------
    bad, cut_off
        See `bad_files`.
    """
    n_bad = sum(counts["quarantined"].values())
    return _worth_reading(
        (counts["rows"], f"read {many(counts['files'], 'file')}, {many(counts['rows'], 'row')}"),
        (counts["table_rows"], f"read {many(counts['table_rows'], 'row')} of tables"),
        (
            n_bad,
            f"quarantined {many(n_bad, 'row')}: {_listed(counts['quarantined'])}, in "
            f"{few(Counted(*one) for one in bad.items())}",
        ),
        (
            len(cut_off),
            f"{many(len(cut_off), 'file ends', 'files end')} early: {few(cut_off)}; how many rows "
            "are lost is unknown",
        ),
    )


def told_of_people(counts: dict[str, Any]) -> list[str]:
    """What identity, attribution and exclusion did to the rows."""
    left_out = sum(counts["left_out"].values())
    early, unreadable = counts["known_before_occurred"], counts["unreadable_numbers"]
    return _worth_reading(
        (counts["duplicates"], f"removed {many(counts['duplicates'], 'duplicate')}"),
        (
            counts["linked"],
            f"linked {many(counts['linked'], 'event')} of {many(counts['linked_ids'], 'other id')} "
            "to their users; those before the link are known from the link on",
        ),
        (
            counts["anonymous"],
            f"kept {many(counts['anonymous'], 'event')} of unidentified visitors",
        ),
        (left_out, f"left out {many(left_out, 'row')}: {_listed(counts['left_out'])}"),
        (counts["late"], f"{many(counts['late'], 'event')} arrived more than an hour late"),
        (
            early,
            f"{many(early, 'event was', 'events were')} known up to a day before "
            f"{'it' if early == 1 else 'they'} occurred; taken as known then",
        ),
        (
            unreadable,
            f"{many(unreadable, 'number')} of events can't be read or {_are(unreadable)} not "
            "finite; taken as missing",
        ),
    )


def told_of_log(counts: dict[str, Any], level: Level) -> list[str]:
    """What the log holds."""
    empty, unreadable = counts["empty_properties"], counts["unreadable_attributes"]
    repeated = counts["repeated"]
    return _worth_reading(
        (
            unreadable,
            f"{many(unreadable, 'number')} of attributes can't be read or {_are(unreadable)} not "
            "finite; taken as missing",
        ),
        (
            counts["beyond_end"],
            f"{many(counts['beyond_end'], 'event lies', 'events lie')} beyond "
            f"{counts['end'][:10]}, the last day with a usual number of them; the data end there, "
            "unless you set data.until",
        ),
        (
            len(empty),
            f"no event has the {'property' if len(empty) == 1 else 'properties'} {few(empty)}; "
            f"check {'its name' if len(empty) == 1 else 'their names'}",
        ),
        (
            repeated > _REPEATED_SHARE * counts["events"],
            f"{repeated:,} of {many(counts['events'], 'event')} equal another in all that is read "
            "of them, and count again; if rows were sent twice, name the column of their id "
            "(columns.event_id), or leave the repeated rows out",
        ),
        (
            counts["events"],
            f"kept {many(counts['events'], 'event')} of {many(counts['accounts'], 'account')} and "
            f"{many(counts['users'], 'user')} in {many(counts['shards'], 'shard')} "
            f"to score {level}s",
        ),
    )


def _worth_reading(*lines: tuple[int, str]) -> list[str]:
    return [line for n, line in lines if n]


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _listed(counts: dict[str, int]) -> str:
    return "; ".join(f"{n:,} {reason}" for reason, n in counts.items())
