"""What input files hold, told by the fingerprint of their bytes and not by name or time."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from features.errors import EventLogError
from pipeline.sources.files import kind_of

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Contents:
    """The different contents of a source's files.

    Parameters
    ----------
    files
        Content -> the first file, by path, that has it. A content is the sha256 of the bytes with
        how they are read (``csv``, ``json.gz``, ...): equal bytes may mean different rows.
    copies
        (file, file it is a copy of).
    """

    files: dict[str, Path]
    copies: tuple[tuple[Path, Path], ...]


@dataclass(frozen=True)
class Gone:
    """A content that is no longer among the files.

    Parameters
    ----------
    place
        The file that had it; empty where none is known.
    changed
        That file holds something else now.
    """

    place: str
    changed: bool


class FileIndex:
    """What is known of files, kept in the store: their contents, and what was imported last.

    A file whose path, size and change time are known is not read again to be recognised. The index
    only saves work: without it, or with an old one, an import gives the same log.
    """

    def __init__(self, path: Path):
        self._path = path
        self._files: dict[str, list] = {}
        self._last: dict[str, list[str]] = {}
        self._places: dict[str, str] = {}
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            self._files, self._last = dict(known["files"]), dict(known["last"])
            self._places = {state[-1]: path for path, state in sorted(self._files.items())[::-1]}
        except (OSError, ValueError, KeyError, TypeError):
            # Missing, or written by a disk that was full: begin anew.
            return

    def contents(self, paths: Iterable[Path]) -> Contents:
        """The contents of a source's files.

        Raises
        ------
        EventLogError
            When a file can't be read.
        """
        files: dict[str, Path] = {}
        copies = []
        for path in paths:
            content = self.content(path)
            if content in files:
                copies.append((path, files[content]))
            files.setdefault(content, path)
        return Contents(files, tuple(copies))

    def content(self, path: Path) -> str:
        """The content of one file.

        Raises
        ------
        EventLogError
            When the file can't be read, or is written to at this moment.
        """
        try:
            state = _state(path)
            known = self._files.get(str(path))
            if known is None or known[:-1] != state:
                known = [*state, _sha256(path)]
                if _state(path) != state:
                    raise EventLogError(
                        f"The file {str(path)!r} changes while it is read; import it when it is "
                        "complete."
                    )
                self._files[str(path)] = known
        except OSError as error:
            raise EventLogError(f"Can't read {str(path)!r}: {error.strerror or error}.") from error
        packed = ".gz" if path.suffix == ".gz" else ""
        return f"{known[-1]}.{kind_of(path)}{packed}"

    def gone(self, settings: str, contents: Iterable[str]) -> list[Gone]:
        """The contents that the last import with these settings had and `contents` lack."""
        gone = set(self._last.get(settings, [])) - set(contents)
        return sorted(map(self._gone, gone), key=lambda one: one.place)

    def _gone(self, content: str) -> Gone:
        digest = content.partition(".")[0]
        place = self._places.get(digest, "")
        return Gone(place, changed=bool(place) and self._files[place][-1] != digest)

    def new(self, settings: str, contents: Iterable[str]) -> int:
        """How many of `contents` the last import with these settings did not have.

        0 where there is none that is known.
        """
        last = self._last.get(settings)
        return 0 if last is None else len(set(contents) - set(last))

    def remember(self, settings: str, contents: Iterable[str]) -> None:
        """Write the index: these contents were imported last, and files that are gone forgotten.

        Raises
        ------
        OSError
            When it can't be written.
        """
        self._last[settings] = sorted(set(contents))
        files = {path: known for path, known in self._files.items() if os.path.exists(path)}
        text = json.dumps({"files": files, "last": self._last}, ensure_ascii=False, indent=0)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._path)


def _state(path: Path) -> list[int]:
    found = path.stat()
    # A copy that keeps the time (cp -p, rsync -t) still has another inode or change time.
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
