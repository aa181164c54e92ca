"""Files that a glob takes along and that hold no events, such as exports of people and groups."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from features.errors import EventLogError
from pipeline.profile.columns import EVENT_NAMES
from pipeline.profile.events import untimely_files
from pipeline.profile.sources import SourceProfile, spelled
from pipeline.profile.words import rank
from pipeline.sources import generic
from pipeline.sources.rows import open_rows
from pipeline.sources.spec import GenericSource
from pipeline.storage import quote_list, value_of

if TYPE_CHECKING:
    import duckdb

Why = Literal["no events", "no names"]


@dataclass(frozen=True)
class Skipped:
    """A file that is left out: no row is an event, or no column names events as others' do."""

    path: Path
    why: Why


def skip_layouts(
    patterns: Sequence[str],
    found: Sequence[SourceProfile],
    refused: Sequence[tuple[list[Path], EventLogError]],
) -> tuple[list[SourceProfile], list[Skipped]]:
    """The layouts that are events, and the files of the others; what is named itself stays.

    Raises
    ------
    EventLogError
        When a file that is named itself, or every file, is refused.
    """
    itself = {Path(Path.cwd(), one).resolve() for one in patterns if Path(one).is_file()}
    for paths, error in refused:
        if not found or itself & set(paths):
            raise error
    skipped = [Skipped(path, "no events") for paths, _ in refused for path in paths]
    if all(_nameless(one) for one in found):
        return list(found), skipped
    kept = []
    for one in found:
        if _nameless(one) and not itself & set(one.given):
            skipped += [Skipped(path, "no names") for path in one.given]
        else:
            kept.append(one)
    return kept, skipped


def _nameless(source: SourceProfile) -> bool:
    """Whether no column is called what columns of event names are called."""
    if not isinstance(source.spec, GenericSource):
        return False
    column = source.spec.columns.event
    return column is None or rank(column, EVENT_NAMES) is None


def skip_dead(
    connection: "duckdb.DuckDBPyConnection",
    patterns: Sequence[str],
    sources: Sequence[SourceProfile],
    bad: dict[str, int],
) -> tuple[list[SourceProfile], list[Skipped]]:
    """Take files none of whose rows is an event out of ``seen`` and of the sources.

    An import would refuse them. Where every file is such a one, all stay. A source that loses every
    file keeps its place, without files.

    Parameters
    ----------
    bad
        Rows of each file that are no events.
    """
    # Events whose times can't be read are events all the same, and no other kind of file.
    untimely = untimely_files(connection)
    dead = {
        file
        for file, n in bad.items()
        if file not in untimely and _n_rows(connection, Path(file), n + 1) == n
    }
    if not dead or dead >= {str(path) for source in sources for path in source.rows.paths}:
        return list(sources), []
    connection.execute(f"delete from seen where list_contains({quote_list(dead)}, file)")
    kept, skipped = [], []
    for source in sources:
        pairs = list(zip(source.rows.paths, source.given, strict=True))
        gone = [given for path, given in pairs if str(path) in dead]
        if gone:
            skipped += [Skipped(path, "no events") for path in gone]
            rest = tuple(path for path in source.given if path not in gone)
            spec = source.spec.model_copy(update={"files": spelled(patterns, rest)})
            source = replace(source, spec=spec, given=rest)
        kept.append(source)
    return kept, skipped


def _n_rows(connection: "duckdb.DuckDBPyConnection", path: Path, most: int) -> int:
    """Rows of a file, counted up to `most`."""
    [rows] = open_rows(connection, [path], generic.KINDS)
    query = f"select count(*) from (select 1 from {rows.base} where not {rows.blank} limit {most})"
    return value_of(connection, query)
