"""Raw files to the imported log: find, stage, identify, exclude, code, write."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.clock import to_text
from features.errors import EventLogError
from features.events import FORMAT_VERSION, EventLog, Level
from pipeline.importer import attributes as import_attributes
from pipeline.importer import entities as import_entities
from pipeline.importer import identity as import_identity
from pipeline.importer import report as import_report
from pipeline.importer import shards as import_shards
from pipeline.importer.stage import stage_files
from pipeline.sources import quarantine, stage
from pipeline.sources.files import find_files
from pipeline.sources.spec import DataSpec
from pipeline.storage import connect, keep_order, new_folder, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

Report = Callable[[str], None]


def import_log(
    spec: DataSpec,
    base: Path,
    store: Path,
    level: Level,
    *,
    memory_mb: int = 2000,
    threads: int = 2,
    events_per_shard: int = import_shards.EVENTS_PER_SHARD,
    report: Report | None = None,
) -> EventLog:
    """The log of the files a spec names, imported once and reused from then on.

    Parameters
    ----------
    base
        Folder that relative paths and globs in the spec refer to.
    store
        Folder of imported logs; the log goes to ``store/<key>``. The key covers the spec, the
        level, the format of logs, and path, size and change time of every input file.
    level
        What will be scored; decides what stays together in a shard.
    memory_mb
        Memory DuckDB may use, in megabytes; beyond it, it spills into `store`.
    events_per_shard
        About so many events lie in one file; features are computed a shard at a time, so smaller
        shards need less memory.
    report
        Receives one line per step, with counts.

    Raises
    ------
    EventLogError
        When files are missing, empty, unreadable or lack a column, when more than
        ``max_bad_share`` of the rows are bad, when no event is left, or when the disk is full.
    """
    tell = report or log.info
    base, store = Path(base).resolve(), Path(store).resolve()
    files = [find_files(source.files, base) for source in spec.all_sources]
    tables = [find_files(table.files, base) for table in spec.tables]
    paths = [path for group in files + tables for path in group]
    target = store / _key(spec, level, events_per_shard, paths)
    if (target / "log.json").is_file():
        tell(f"nothing changed, reusing the log {target.name}")
        return EventLog(target)
    with new_folder(target) as folder:
        connection = connect(folder, memory_mb, threads)
        _import(connection, spec, base, files, folder, level, events_per_shard, tell)
    return EventLog(target)


def _key(spec: DataSpec, level: Level, events_per_shard: int, paths: list[Path]) -> str:
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    settings = [spec.model_dump(mode="json"), level, events_per_shard, FORMAT_VERSION]
    told = json.dumps([settings, states], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _import(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    base: Path,
    files: list[list[Path]],
    folder: Path,
    level: Level,
    events_per_shard: int,
    tell: Report,
) -> None:
    """The steps, in order; everything they leave in `folder` but the log itself is removed."""
    import duckdb

    try:
        keep_order(connection, False)
        originals = stage_files(connection, spec, files, folder)
        counts = _judge_rows(connection, spec, base, sum(map(len, files)))
        _tell(tell, import_report.told_of_rows(counts))
        counts |= _identify(connection, spec, level)
        import_report.refuse_empty(counts)
        _tell(tell, import_report.told_of_people(counts))
        keep_order(connection, True)
        quarantine.write(connection, folder / "quarantine.parquet", originals)
        content, more = _write(connection, spec, folder, level, events_per_shard)
        counts |= more
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise EventLogError(f"The import stopped and left nothing behind: {reason}") from error
    finally:
        connection.close()
    _write_manifest(folder, spec, content, counts)
    _tell(tell, import_report.told_of_log(counts, level))
    for leftover in folder.iterdir():
        if leftover.name.startswith(("work.duckdb", "salvaged-")):
            leftover.unlink()
    shutil.rmtree(folder / "spill", ignore_errors=True)


def _tell(tell: Report, lines: list[str]) -> None:
    for line in lines:
        tell(line)


def _judge_rows(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, base: Path, n_files: int
) -> dict[str, Any]:
    """Read the tables, move bad rows to the quarantine, and refuse when they are too many."""
    quarantine.collect(connection)
    n_rows = value_of(
        connection, "select (select count(*) from staged) + (select count(*) from quarantine)"
    )
    n_table_rows = import_attributes.read_tables(connection, spec, base)
    quarantine.refuse_too_many(connection, n_rows + n_table_rows, spec.max_bad_share)
    return {
        "files": n_files,
        "rows": n_rows,
        "table_rows": n_table_rows,
        "quarantined": quarantine.counts(connection),
    }


def _identify(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, level: Level
) -> dict[str, Any]:
    """From staged rows to events of known users and accounts."""
    duplicates = import_identity.remove_duplicates(connection, spec)
    linked_ids = import_identity.find_links(connection, level)
    import_identity.link_people(connection, spec, level)
    connection.execute("drop table staged")
    import_identity.find_memberships(connection)
    import_identity.attribute_accounts(connection, level)
    import_attributes.take_from_events(connection, spec)
    import_entities.find_domains(connection)
    import_entities.exclude(connection, spec.exclude)
    left_out = import_report.count_left_out(connection)
    connection.execute("drop table people")
    return {
        "duplicates": duplicates,
        "left_out": left_out,
        "linked_ids": linked_ids,
        **import_report.count_events(connection),
    }


def _write(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    folder: Path,
    level: Level,
    events_per_shard: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write every file but the manifest; returns what the manifest says, and counts."""
    import_entities.number_entities(connection)
    import_shards.code_events(connection, spec)
    empty = import_shards.empty_properties(connection, spec)
    connection.execute("drop table attributed")
    import_entities.name_account_domains(connection)
    n_shards = import_shards.assign_shards(connection, level, events_per_shard)
    shards = import_shards.write_shards(connection, spec, n_shards, folder)
    import_shards.write_entities(connection, spec, folder)
    attributes = import_attributes.declared_attributes(spec)
    unreadable = import_attributes.write_history(
        connection, attributes, folder / "attributes.parquet"
    )
    first_at = value_of(connection, 'select min("at") from coded')
    end, beyond = import_shards.find_end(connection)
    if spec.until_us is not None:
        end, beyond = spec.until_us, 0
    events = rows_of(
        connection, "select name, n_events, first_at, last_at from event_names order by code"
    )
    content = {
        "format_version": FORMAT_VERSION,
        "level": level,
        "n_events": sum(shard["n_events"] for shard in shards),
        "first_at": first_at,
        "data_end": end,
        "event_names": [
            dict(zip(("name", "n_events", "first_at", "last_at"), row, strict=True))
            for row in events
        ],
        "properties": [{"name": name, "type": kind} for name, kind in spec.properties.items()],
        "attributes": [asdict(attribute) for attribute in attributes],
        "shards": shards,
    }
    counts = {
        "accounts": value_of(connection, "select count(*) from accounts"),
        "users": value_of(connection, "select count(*) from users"),
        "shards": n_shards,
        "unreadable_attributes": unreadable,
        "empty_properties": empty,
        "end": to_text(end),
        "beyond_end": beyond,
    }
    return content, counts


def _write_manifest(
    folder: Path, spec: DataSpec, content: dict[str, Any], counts: dict[str, Any]
) -> None:
    manifest = {
        **content,
        "fingerprint": import_shards.fingerprint_of(folder, content),
        "counts": counts,
        "statements": [
            {
                "source": f"{source.format} {', '.join(source.files)}",
                "statements": stage.statements_of(source),
            }
            for source in spec.all_sources
        ],
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (folder / "log.json").write_text(text + "\n", encoding="utf-8")
