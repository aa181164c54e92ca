"""Parts: what files hold, staged once each and kept in the store for the imports to come."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from pipeline.importer.contents import Contents
from pipeline.importer.stage import Part, stage_file
from pipeline.sources.spec import DataSpec
from pipeline.sources.stage import Source, Take

if TYPE_CHECKING:
    import duckdb

FOLDER = "parts"
PART_VERSION = 3
_UNUSED = ".unused-"


@dataclass(frozen=True)
class Staged:
    """The parts of one source in the order of their keys, each with a file that it was made of.

    Parameters
    ----------
    n_new
        Parts that were made now, those of the `damaged` files again.
    """

    source: int
    parts: tuple[tuple[Part, Path], ...]
    n_new: int
    damaged: tuple[Path, ...]

    @property
    def keys(self) -> list[str]:
        return [part.folder.name for part, _ in self.parts]

    @property
    def filled(self) -> list[tuple[Part, Path]]:
        """The parts that have rows, good or bad."""
        return [(part, file) for part, file in self.parts if part.n_rows]

    @property
    def empty(self) -> list[Path]:
        """The files without any row."""
        return [file for part, file in self.parts if not part.n_rows]


def stage_new(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    contents: list[Contents],
    store: Path,
    work: Path,
    threads: int,
    content_of: Callable[[Path], str],
) -> list[Staged]:
    """Stage every content that has no part yet; returns the parts of each source.

    A part is written in `work` and then renamed into ``store/parts``: it is there whole or not at
    all, and what a killed import has staged is not staged again. One whose files are no longer
    what was written is removed and made anew.

    Parameters
    ----------
    content_of
        The content of a file at this moment, see `FileIndex.content`.

    Raises
    ------
    EventLogError
        When a file can't be read, or is no longer what it was when its content was taken.
    """
    take = _take(spec)
    home = store / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    keys = [
        {part_key(content, source, take): path for content, path in found.files.items()}
        for source, found in zip(spec.all_sources, contents, strict=True)
    ]
    known = {key: Part.read(home / key) for one in keys for key in one}
    damaged = {key for key in known if (home / key).exists() and not _is_sound(known[key])}
    for key in damaged:
        _remove(home / key)
        known[key] = None
    new = {
        key: (source, path, content)
        for source, found in zip(spec.all_sources, contents, strict=True)
        for content, path in found.files.items()
        if known[key := part_key(content, source, take)] is None
    }

    def stage_one(key: str) -> None:
        source, path, content = new[key]
        with connection.cursor() as cursor:
            stage_file(cursor, source, take, path, work / FOLDER / key)
        refuse_changed(path, content, content_of(path))
        _publish(work / FOLDER / key, home / key)

    _each(stage_one, new, threads)
    return [
        Staged(
            number,
            tuple((_existing(home / key), one[key]) for key in sorted(one)),
            len(one.keys() & new.keys()),
            tuple(one[key] for key in sorted(one.keys() & damaged)),
        )
        for number, one in enumerate(keys)
    ]


def prune(store: Path, used: Iterable[str]) -> None:
    """Remove the parts that neither this import nor any log in the store was made from.

    Deleting a log frees its parts. Call it only while no other import uses the store.
    """
    kept = set(used)
    for manifest in store.glob("*/log.json"):
        with suppress(ValueError):  # damaged, and of no more use
            kept.update(json.loads(manifest.read_text(encoding="utf-8")).get("parts", ()))
    home = store / FOLDER
    for part in [one for one in home.iterdir() if one.is_dir() and one.name not in kept]:
        _remove(part)


def _remove(part: Path) -> None:
    # Renamed before it is removed, so that nobody finds half a part.
    unused = part if part.name.startswith(_UNUSED) else part.with_name(f"{_UNUSED}{part.name}")
    if unused != part:
        shutil.rmtree(unused, ignore_errors=True)
        part.replace(unused)
    shutil.rmtree(unused, ignore_errors=True)


def _is_sound(part: Part | None) -> bool:
    return part is not None and part.is_sound()


def part_key(content: str, source: Source, take: Take) -> str:
    """Name of a part: what its file holds and everything in the settings that staging heeds."""
    settings = [
        PART_VERSION,
        source.model_dump(mode="json", exclude={"files", "postgres", "anonymous_history"}),
        [*take.properties],
        take.attributes,
        [one.model_dump(mode="json") for one in take.derived_events],
        take.excluded,
        take.discovered,
    ]
    told = json.dumps([content, settings], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def refuse_changed(path: Path, before: str, now: str) -> None:
    """
    Raises
    ------
    EventLogError
        When a file is not what it was before it was read.
    """
    if now != before:
        raise EventLogError(
            f"The file {str(path)!r} changed while it was read; import it when it is complete."
        )


def _publish(fresh: Path, target: Path) -> None:
    try:
        fresh.replace(target)
    except OSError:
        if Part.read(target) is None:
            raise
        # Another import has staged the same content at the same time.


def _take(spec: DataSpec) -> Take:
    declared = spec.declared_properties
    return Take(
        properties=tuple(sorted(declared)),
        attributes=tuple((name, one.of) for name, one in spec.attributes.items()),
        derived_events=spec.derived_events,
        excluded=spec.exclude.properties,
        discovered=spec.properties == "auto",
    )


def _each(work: Callable[[str], None], keys: Iterable[str], threads: int) -> None:
    """Do the work for every key, several at a time; the first failure ends it."""
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(work, key) for key in keys]
        try:
            for one in waiting:
                one.result()
        finally:
            for one in waiting:
                one.cancel()


def _existing(folder: Path) -> Part:
    part = Part.read(folder)
    if part is None:
        raise EventLogError(
            f"The part {folder.name!r} was removed from {str(folder.parent)!r} while it was "
            "needed; import again."
        )
    return part
