"""Raw files to the imported log: recognise, stage what is new, then everything else over all."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from features.events import FORMAT_VERSION, EventLog, Level
from pipeline.importer import old_logs, parts, steps
from pipeline.importer import report as import_report
from pipeline.importer import shards as import_shards
from pipeline.importer.contents import FileIndex
from pipeline.importer.sound import find_damage
from pipeline.sources.fetched import as_files
from pipeline.sources.files import find_files, named_from, skipped_folders
from pipeline.sources.spec import DataSpec
from pipeline.storage import new_folder, shared_use

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
    """The log of the files and tables a spec names, imported once and reused from then on.

    Each file is parsed once, into a part that the store keeps; a later import parses only files
    whose content is new and reads the parts of the others. Who is who, what is a duplicate and
    every code is decided over all of them again, so the log is the one that an import of all files
    at once gives, byte for byte, whatever the order in which they came.

    Parameters
    ----------
    base
        Folder that relative paths and globs in the spec refer to.
    store
        Folder of imported logs; the log goes to ``store/<key>``, parts to ``store/parts``. The key
        covers the spec without names of files, the level, the format of logs, and the contents of
        the input files, not their names or times.
    level
        What will be scored; decides what stays together in a shard.
    memory_mb
        Limit for the process, in megabytes; beyond it, DuckDB spills into `store`.
    events_per_shard
        About so many events lie in one file; features are computed a shard at a time, so smaller
        shards need less memory.
    report
        Receives one line per step, with counts.

    Raises
    ------
    EventLogError
        When files are missing, unreadable or lack a column, when Postgres refuses, when all files
        are empty, when all rows of a file or more than ``max_bad_share`` of all rows are bad, when
        no event is left, or when the disk is full.

    Notes
    -----
    A log whose files are missing or cut short is made anew. A new log sends away those that were
    last used more than a week before, see `old_logs.remove_old`.
    """
    tell = report or log.info
    base, store = Path(base).resolve(), Path(store).resolve()
    with as_files(spec, store, tell) as filled:
        files = _Files.of(filled, base)
        _tell(tell, import_report.told_of_folders(files.folders, base))
        with named_from(base, files.all):
            return _import_files(
                filled, files, base, store, level, memory_mb, threads, events_per_shard, tell
            )


@dataclass(frozen=True)
class _Files:
    """The files of each source and of each table, and the folders that their globs match."""

    sources: list[list[Path]]
    tables: list[list[Path]]
    folders: list[Path]

    @classmethod
    def of(cls, spec: DataSpec, base: Path) -> "_Files":
        sources = [find_files(one.files, base) for one in spec.all_sources]
        tables = [find_files(one.files, base) for one in spec.tables]
        patterns = [name for one in (*spec.all_sources, *spec.tables) for name in one.files]
        every = [path for paths in (*sources, *tables) for path in paths]
        return cls(sources, tables, skipped_folders(patterns, base, every))

    @property
    def all(self) -> list[Path]:
        return [path for paths in (*self.sources, *self.tables) for path in paths]


def _import_files(
    spec: DataSpec,
    files: _Files,
    base: Path,
    store: Path,
    level: Level,
    memory_mb: int,
    threads: int,
    events_per_shard: int,
    tell: Report,
) -> EventLog:
    index = FileIndex(store / parts.FOLDER / "index.json")
    contents = [index.contents(paths) for paths in files.sources]
    tables = [[index.content(path) for path in paths] for paths in files.tables]
    settings = _settings_key(spec, level, events_per_shard)
    told = sorted({content for one in contents for content in one.files})
    gone = index.gone(settings, told)
    target = store / _digest([settings, [sorted(one.files) for one in contents], tables])
    _tell(tell, import_report.told_of_copies(contents, base))
    if target.exists() and (damaged := find_damage(target)) is not None:
        tell(f"{damaged} of the log {target.name} is damaged; the log is made anew")
        old_logs.remove(target)
    if target.exists():
        n_new = index.new(settings, told)
        tell(import_report.told_of_reuse(target.name, n_new, gone, base))
        old_logs.mark_used(target)
        _remember(index, settings, told)
        found = EventLog(target)
        # A name that is spelt wrong stays so until somebody mends it.
        _tell(tell, found.manifest["counts"].get("remarks", ()))
        return found
    with shared_use(store / parts.FOLDER / ".lock") as alone, new_folder(target) as folder:
        connection = steps.open_work(folder, memory_mb, threads)
        with steps.one_sentence(connection, store):
            staged = parts.stage_new(
                connection, spec, contents, store, folder, threads, index.content
            )
            _tell(tell, import_report.told_of_damaged(staged, base))
            _tell(tell, import_report.told_of_files(staged, gone, base))
            _tell(tell, import_report.told_of_empty(staged, contents, base))
            steps.write_log(connection, spec, base, staged, folder, level, events_per_shard, tell)
        for paths, before in zip(files.tables, tables, strict=True):
            for path, content in zip(paths, before, strict=True):
                parts.refuse_changed(path, content, index.content(path))
        steps.remove_work(folder)
        used = [key for one in staged for key in one.keys]
        if alone():
            _tell(tell, import_report.told_of_old(old_logs.remove_old(store, folder)))
            parts.prune(store, used)
    _remember(index, settings, told)
    return EventLog(target)


def _settings_key(spec: DataSpec, level: Level, events_per_shard: int) -> str:
    """Everything but the data that decides what a log holds; not where they lie."""
    told = spec.model_dump(mode="json")
    for block in [*told["sources"], *told["tables"], told["conversions"] or {}]:
        for name in ("files", "postgres"):
            block.pop(name, None)
    return _digest([told, level, events_per_shard, FORMAT_VERSION, parts.PART_VERSION])


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _tell(tell: Report, lines: Iterable[str]) -> None:
    for line in lines:
        tell(line)


def _remember(index: FileIndex, settings: str, contents: list[str]) -> None:
    try:
        index.remember(settings, contents)
    except OSError as error:
        # The log is whole, and the index only saves work.
        log.warning("The index of files can't be written: %s.", error.strerror or error)
