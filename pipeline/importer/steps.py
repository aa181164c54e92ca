"""The steps from staged parts to a written log, in order."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.clock import to_text
from features.errors import EventLogError
from features.events import FORMAT_VERSION, Level, ValueType
from pipeline.importer import attributes as import_attributes
from pipeline.importer import entities as import_entities
from pipeline.importer import identity as import_identity
from pipeline.importer import report as import_report
from pipeline.importer import shards as import_shards
from pipeline.importer.auto import choose_properties
from pipeline.importer.fingerprint import fingerprint_of
from pipeline.importer.load import code_texts, load_rows
from pipeline.importer.names import check_fields, told_of_names
from pipeline.importer.parts import FOLDER, Staged
from pipeline.importer.reading import Reading, find_extra
from pipeline.importer.sound import sizes_of
from pipeline.importer.stage import BAD
from pipeline.sources import quarantine, stage
from pipeline.sources.spec import DataSpec
from pipeline.storage import connect, keep_order, rows_of, why_stopped

if TYPE_CHECKING:
    import duckdb

Report = Callable[[str], None]


def open_work(folder: Path, memory_mb: int, threads: int) -> "duckdb.DuckDBPyConnection":
    """The database an import works in; it spills into `folder`."""
    connection = connect(folder, memory_mb, threads)
    stage.prepare(connection)
    keep_order(connection, False)
    return connection


@contextmanager
def one_sentence(connection: "duckdb.DuckDBPyConnection", store: Path) -> Iterator[None]:
    """Close the connection at the end, and say in one sentence why the work stopped.

    Raises
    ------
    EventLogError
        For whatever DuckDB could not do.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        reason = why_stopped(error, store)
        raise EventLogError(f"The import stopped and left nothing behind: {reason}") from error
    finally:
        connection.close()


def remove_work(folder: Path) -> None:
    """Remove what an import worked with, all but the log itself."""
    for leftover in (FOLDER, "spill"):
        shutil.rmtree(folder / leftover, ignore_errors=True)


def write_log(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    base: Path,
    staged: list[Staged],
    folder: Path,
    level: Level,
    events_per_shard: int,
    tell: Report,
) -> None:
    """Write the log of all parts into `folder`.

    Raises
    ------
    EventLogError
        When too many rows are bad, a field is missing, or no event is left.
    """

    def told(lines: list[str]) -> None:
        for line in lines:
            tell(line)

    readings = [Reading.of(connection, one) for one in staged if one.filled]
    remarks = check_fields(connection, spec, staged, readings)
    told(remarks)
    counts = _judge_rows(connection, spec, base, staged)
    told(import_report.told_of_rows(counts, *import_report.bad_files(connection, base)))
    told(import_report.told_of_swallowed(connection, base))
    properties, duplicates, names = _load(connection, spec, readings, told)
    counts |= {"duplicates": duplicates} | _identify(connection, spec, level)
    import_report.refuse_empty(counts)
    told(import_report.told_of_people(counts))
    keep_order(connection, True)
    quarantine.write(connection, folder / "quarantine.parquet")
    content, more = _write(connection, spec, properties, folder, level, events_per_shard)
    counts |= more
    counts["remarks"] = [*remarks, *names]
    _write_manifest(folder, spec, content, counts, [key for one in staged for key in one.keys])
    told(import_report.told_of_log(counts, level))


def _judge_rows(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, base: Path, staged: list[Staged]
) -> dict[str, Any]:
    """Read the tables, collect the bad rows, and refuse when they are too many."""
    quarantine.prepare(connection)
    for part, file in (one for source in staged for one in source.parts):
        if part.n_bad:
            quarantine.take_part(connection, part.folder / BAD, file)
    if not spec.accept_cut_files:
        quarantine.refuse_cut(connection)
    if spec.max_bad_share < 1:
        dead = [file for one in staged for part, file in one.filled if part.n_bad == part.n_rows]
        quarantine.refuse_dead(connection, dead)
    n_rows = sum(part.n_rows for one in staged for part, _ in one.parts)
    n_table_rows = import_attributes.read_tables(connection, spec, base)
    quarantine.refuse_too_many(connection, n_rows + n_table_rows, spec.max_bad_share)
    return {
        "files": sum(len(one.parts) for one in staged),
        "rows": n_rows,
        "table_rows": n_table_rows,
        "quarantined": quarantine.counts(connection),
    }


def _load(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    readings: list[Reading],
    told: Callable[[list[str]], None],
) -> tuple[Mapping[str, ValueType], int, list[str]]:
    """The parts in codes.

    Returns the properties, declared or found, the number of duplicates, and what was told of names
    in the settings that no row has.
    """
    properties: Mapping[str, ValueType] = spec.declared_properties
    duplicates = find_extra(connection, readings)
    if spec.properties == "auto":
        properties, lines = choose_properties(connection, spec, readings)
        told(lines)
    code_texts(connection, readings)
    names = told_of_names(connection, spec)
    told(names)
    import_attributes.code_facts(connection, import_attributes.declared_attributes(spec))
    load_rows(connection, spec, readings, properties, with_extra=duplicates > 0)
    return properties, duplicates, names


def _identify(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, level: Level
) -> dict[str, Any]:
    """From staged rows to events of known users and accounts."""
    linked_ids = import_identity.find_links(connection, level)
    import_identity.link_people(connection, spec, level)
    import_identity.find_memberships(connection)
    import_identity.attribute_accounts(connection, level)
    import_attributes.take_from_events(connection, spec)
    import_entities.find_domains(connection)
    import_entities.exclude(connection, spec.exclude)
    left_out = import_report.count_left_out(connection)
    import_identity.forget_people(connection)
    return {
        "left_out": left_out,
        "linked_ids": linked_ids,
        **import_report.count_events(connection),
    }


def _write(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    properties: Mapping[str, ValueType],
    folder: Path,
    level: Level,
    events_per_shard: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write every file but the manifest; returns what the manifest says, and counts."""
    carried = import_shards.count_values(connection, properties)
    import_entities.group_events(connection)
    import_entities.number_entities(connection)
    import_shards.code_events(connection, properties)
    import_entities.name_account_domains(connection)
    n_shards = import_shards.assign_shards(connection, level, events_per_shard)
    shards = import_shards.write_shards(connection, properties, n_shards, folder)
    import_shards.write_entities(connection, properties, folder)
    attributes = import_attributes.declared_attributes(spec)
    unreadable = import_attributes.write_history(
        connection, attributes, folder / "attributes.parquet"
    )
    first_at, end, beyond = import_shards.find_span(connection, spec.until_us)
    content = {
        "format_version": FORMAT_VERSION,
        "level": level,
        "n_events": sum(shard["n_events"] for shard in shards),
        "first_at": first_at,
        "data_end": end,
        "event_names": import_shards.told_of_events(connection),
        "properties": [
            {"name": name, "type": kind, "n_events": carried[name]}
            for name, kind in properties.items()
        ],
        "attributes": [asdict(attribute) for attribute in attributes],
        "shards": shards,
    }
    n_accounts, n_users = rows_of(
        connection, "select (select count(*) from accounts), (select count(*) from users)"
    )[0]
    counts = {
        "accounts": n_accounts,
        "users": n_users,
        "shards": n_shards,
        "repeated": import_shards.count_repeated(connection, spec, properties),
        "unreadable_attributes": unreadable,
        "empty_properties": [name for name, n in carried.items() if n == 0],
        "end": to_text(end),
        "beyond_end": beyond,
    }
    return content, counts


def _write_manifest(
    folder: Path,
    spec: DataSpec,
    content: dict[str, Any],
    counts: dict[str, Any],
    parts: list[str],
) -> None:
    manifest = {
        **content,
        "fingerprint": fingerprint_of(folder, content),
        "bytes": sizes_of(folder),
        "counts": counts,
        "parts": sorted(set(parts)),
        "statements": [
            {
                "source": f"{source.format} {source.origin}",
                "statements": stage.statements_of(source),
            }
            for source in spec.all_sources
        ],
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (folder / "log.json").write_text(text + "\n", encoding="utf-8")
