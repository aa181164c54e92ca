"""What the import did, in numbers and in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError, few
from features.events import Level
from pipeline.importer.contents import Contents
from pipeline.importer.identity import KEPT
from pipeline.importer.parts import Staged
from pipeline.importer.plural import many
from pipeline.sources import quarantine
from pipeline.storage import quote_text, rows_of

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
            f"No event is left of {many(counts['rows'], 'row')} "
            f"({_listed(counts['left_out']) or 'none'} left out). "
            "Check `until`, `exclude`, `where` and `drop_events`."
        )


def told_of_copies(contents: Iterable[Contents]) -> list[str]:
    """Files that count once because another has the same content."""
    copies = [copy for one in contents for copy in one.copies]
    if not copies:
        return []
    pairs = few(f"{copy.name} = {original.name}" for copy, original in copies)
    return [f"counted once: {many(len(copies), 'file')} with the content of another ({pairs})"]


def told_of_files(staged: Iterable[Staged], n_gone: int) -> list[str]:
    """What an import did not have to read again; nothing when every file is new."""
    new = sum(one.n_new for one in staged)
    reused = sum(len(one.parts) for one in staged) - new
    if not reused and not n_gone:
        return []
    return [f"files: {new:,} new, {reused:,} read before, {n_gone:,} gone"]


def told_of_reuse(log: str, n_new: int, n_gone: int) -> str:
    """That a log is reused, and whether the files are those of the last import."""
    if not n_new and not n_gone:
        return f"nothing changed, reusing the log {log}"
    return (
        f"files: {n_new:,} new, {n_gone:,} gone since the last import; an earlier one had just "
        f"these, reusing its log {log}"
    )


def told_of_old(n_gone: int) -> list[str]:
    """Logs that were removed because they are old."""
    return [f"removed {many(n_gone, 'log')} not used for a week"] if n_gone else []


def told_of_empty(staged: Iterable[Staged]) -> list[str]:
    """Files that hold no row and are skipped.

    Raises
    ------
    EventLogError
        When no file holds any.
    """
    parts = [one for one in staged if one.parts]
    empty = [file.name for one in parts for file in one.empty]
    if not empty:
        return []
    told = f"{many(len(empty), 'file is', 'files are')} empty: {few(empty)}"
    if not any(one.filled for one in parts):
        raise EventLogError(f"There is nothing to import: {told}.")
    return [told]


def bad_files(
    connection: "duckdb.DuckDBPyConnection", base: Path
) -> tuple[dict[str, int], list[str]]:
    """Bad rows by file, and the files that are cut off; files in `base` are named from there."""

    def named(file: str) -> str:
        path = Path(file)
        return str(path.relative_to(base)) if path.is_relative_to(base) else path.name

    cut_off = quarantine.counts(connection, f"reason = {quote_text(quarantine.CUT_OFF)}", "file")
    bad = quarantine.counts(connection, by="file")
    return {named(file): n for file, n in bad.items()}, [named(file) for file in cut_off]


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
            f"{few(_Counted(*one) for one in bad.items())}",
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
            counts["events"],
            f"kept {many(counts['events'], 'event')} of {many(counts['accounts'], 'account')} and "
            f"{many(counts['users'], 'user')} in {many(counts['shards'], 'shard')} "
            f"to score {level}s",
        ),
    )


class _Counted:
    """A name with its count, as `few` lists it."""

    def __init__(self, name: str, n: int):
        self._told = f"{name!r} ({n:,})"

    def __repr__(self) -> str:
        return self._told


def _worth_reading(*lines: tuple[int, str]) -> list[str]:
    return [line for n, line in lines if n]


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _listed(counts: dict[str, int]) -> str:
    return "; ".join(f"{n:,} {reason}" for reason, n in counts.items())
