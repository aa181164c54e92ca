"""What kind of files these are, and how the importer would read them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.definitions import slug
from features.errors import EventLogError
from pipeline.profile.columns import find_roles, flatten, opened, records_of
from pipeline.profile.times import Record, TimeKind, find_arrival
from pipeline.sources import generic, posthog, segment, times, values
from pipeline.sources.canonical import Canonical
from pipeline.sources.files import find_files, kind_of, salvage
from pipeline.sources.rows import Rows, open_rows
from pipeline.sources.spec import GenericSource, PostHogSource, SegmentSource
from pipeline.storage import rows_of

if TYPE_CHECKING:
    import duckdb

Source = PostHogSource | SegmentSource | GenericSource

_HEAD = 20_000
"""Rows at the beginning of each layout that tell what its columns are; counts read every row."""
_HEAD_FILES = 50
"""Files of a layout whose beginnings make up that head: the first may hold no events."""
_PERSON_KEYS = ("person_id", "person_key", "person_uuid")
_GROUPS = ("account", "company", "organization", "organisation", "workspace", "team", "customer")
_PAGES = ("$pathname", "path", "pathname", "page_path", "page", "url", "page_url", "$current_url")


@dataclass(frozen=True)
class SourceProfile:
    """One layout of files: its entry in the settings and what had to be assumed for it.

    Parameters
    ----------
    given
        The files as they were named; of one that is cut off `rows` reads a salvaged copy.
    page
        The property that holds a page's path or address.
    """

    spec: Source
    rows: Rows
    given: tuple[Path, ...] = ()
    time_kind: TimeKind = "zone"
    page: str | None = None
    assumed: tuple[str, ...] = ()

    @property
    def times(self) -> tuple[str, ...]:
        """The columns of the time at which an event happened, the first that is filled counts."""
        if isinstance(self.spec, GenericSource):
            return (self.spec.columns.time,)
        if isinstance(self.spec, PostHogSource):
            return ("timestamp",)
        return ("timestamp", "originalTimestamp", "receivedAt")

    def canonical(self) -> Canonical:
        """What the importer's reader makes of the rows."""
        if isinstance(self.spec, PostHogSource):
            return posthog.read(self.spec, self.rows)
        if isinstance(self.spec, SegmentSource):
            return segment.read(self.spec, self.rows)
        return generic.read(self.spec, self.rows)


def salvage_cut_off(paths: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """The whole lines of every gzip that ends early, written into `folder`: file -> its salvage.

    Raises
    ------
    EventLogError
        When a file is no gzip at all.
    """
    found = {}
    for number, path in enumerate(paths):
        target = folder / f"{number}-{path.name.removesuffix('.gz')}"
        if path.suffix == ".gz" and salvage(path, target) is not None:
            found[path] = target
    return found


def open_sources(
    connection: "duckdb.DuckDBPyConnection",
    patterns: Sequence[str],
    salvaged: Mapping[Path, Path],
) -> tuple[list[SourceProfile], list[tuple[list[Path], EventLogError]]]:
    """One source per layout of the files, and the files whose columns do not tell what they are.

    `salvaged` files are read from elsewhere.

    Raises
    ------
    EventLogError
        When a file is missing, empty or unreadable.
    """
    connection.execute(times.MACROS)
    connection.execute(values.MACROS)
    times.set_zone(connection, "UTC")
    whole = {salvaged.get(path, path): path for path in find_files(patterns, Path.cwd())}
    found, refused = [], []
    for rows in open_rows(connection, list(whole), generic.KINDS):
        given = [whole[path] for path in rows.paths]
        try:
            source = _recognise(rows, _head(connection, rows), given[0], spelled(patterns, given))
        except EventLogError as error:
            refused.append((given, error))
            continue
        source = replace(source, given=tuple(given))
        cut = sorted(path.name for path in given if path in salvaged)
        if cut:
            told = (
                f"{', '.join(map(repr, cut))}: the gzip ends early, and its whole lines were read. "
                "A training refuses it: bring the whole file, or set data.accept_cut_files: true"
            )
            source = replace(source, assumed=(*source.assumed, told))
        found.append(source)
    return found, refused


def _head(connection: "duckdb.DuckDBPyConnection", rows: Rows) -> list[Record]:
    """Rows at the beginning of the files of a layout."""
    paths = rows.paths[:: -(-len(rows.paths) // _HEAD_FILES)]
    head: list[Record] = []
    for path in paths:
        [one] = open_rows(connection, [path], generic.KINDS)
        query = f"select {one.raw} from {one.base} limit {_HEAD // len(paths)}"
        head += records_of(one, rows_of(connection, query))
    return head


def spelled(patterns: Sequence[str], paths: Sequence[Path]) -> tuple[str, ...]:
    """The patterns that stand for these files only; one by one, the files that none stands for."""
    here, out, covered = set(paths), [], set()
    for pattern in patterns:
        matched = set(find_files([pattern], Path.cwd()))
        if matched <= here:
            out.append(pattern)
            covered |= matched
    return (*out, *(str(path) for path in sorted(here - covered)))


def _recognise(rows: Rows, head: list[Record], path: Path, files: tuple[str, ...]) -> SourceProfile:
    if not head:
        raise EventLogError(f"The file {path.name!r} holds no readable event.")
    keys = {key for record in head for key in record}
    kind = kind_of(path)
    if kind in posthog.KINDS and {"event", "distinct_id", "properties", "timestamp"} <= keys:
        # Exports of people and groups may lie beside.
        return _posthog(rows, [row for row in head if row.get("event")], files)
    ids = {"anonymousId", "userId"} & keys
    stamps = {"messageId", "originalTimestamp", "receivedAt", "sentAt"} & keys
    if kind in segment.KINDS and "type" in keys and ids and stamps:
        page = _first_page(flatten(r.get("properties") or {}) for r in head)
        return SourceProfile(SegmentSource(format="segment", files=files), rows, page=page)
    records = [flatten(record) for record in head]
    roles = find_roles(records, path.name)
    fixed = None if roles.columns.event else slug(path.name.split(".")[0])
    spec = GenericSource(
        format="generic",
        files=files,
        columns=roles.columns,
        event=fixed,
        daily=roles.time_kind == "date",
    )
    assumed = list(roles.assumed)
    if fixed:
        assumed.append(f"{path.name!r} has no column of event names: its rows are called {fixed!r}")
    if roles.time_kind == "naive":
        assumed.append(f"{roles.columns.time!r} names no time zone: UTC is assumed")
    if roles.time_kind == "date":
        assumed.append(f"{roles.columns.time!r} holds whole days: known from the end of the day on")
    return SourceProfile(
        spec,
        rows,
        time_kind=roles.time_kind,
        page=_first_page(records),
        assumed=tuple(assumed),
    )


def _posthog(rows: Rows, head: list[Record], files: tuple[str, ...]) -> SourceProfile:
    properties = [_properties(record) for record in head]
    groups = [key for item in properties for key in _object(item.get("$groups"))]
    groups += [str(item["$group_type"]) for item in properties if item.get("$group_type")]
    # The order of preference, then the most used; PostHog's own first group stands for the rest.
    ranked = sorted(
        set(groups),
        key=lambda key: (_GROUPS.index(key) if key in _GROUPS else 99, -groups.count(key), key),
    )
    top = [{key: item for key, item in record.items() if key != "properties"} for record in head]
    people = [key for key in _PERSON_KEYS if all(record.get(key) for record in top)]
    spec = PostHogSource(
        format="posthog",
        files=files,
        account_group=ranked[0] if ranked else "account",
        person_key=people[0] if people else None,
        known_at=find_arrival(top, sorted({key for record in top for key in record}), "timestamp"),
    )
    return SourceProfile(spec, rows, page=_first_page(properties))


def _first_page(records: Iterable[Record]) -> str | None:
    keys = {key for record in records for key in record}
    return next((name for name in _PAGES if name in keys), None)


def _properties(record: Record) -> Record:
    return _object(record.get("properties"))


def _object(value: Any) -> Record:
    """An object, or the one that a text holds."""
    value = opened(value) if isinstance(value, str) else value
    return value if isinstance(value, dict) else {}
