"""Input files: found, told apart by extension, checked before reading, salvaged when cut off."""

import csv
import difflib
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from features.errors import EventLogError, few

Kind = Literal["csv", "json", "parquet"]
_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
"""How every gzip begins (RFC 1952, section 2.3.1)."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""


def find_files(patterns: Iterable[str], base: Path) -> list[Path]:
    """Files behind paths and globs, each once, sorted by path.

    Raises
    ------
    EventLogError
        When a path or glob matches no file.
    """
    found: set[Path] = set()
    for pattern in patterns:
        path = Path(base, pattern)
        if path.is_file():
            found.add(path.resolve())
            continue
        matches = {one for one in _matches(pattern, path) if one.is_file()}
        if not matches:
            beside = (
                sorted(one.name for one in path.parent.glob("*")) if path.parent.is_dir() else []
            )
            near = difflib.get_close_matches(path.name, beside, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            if path.is_dir():
                hint = f" It is a folder: write {pattern.rstrip('/') + '/*'!r}, or name a file."
            raise EventLogError(f"No file matches {pattern!r} in {str(base)!r}.{hint}")
        found |= matches
    return sorted(found)


def skipped_folders(patterns: Iterable[str], base: Path, files: Iterable[Path]) -> list[Path]:
    """Folders that globs match and that hold none of the `files` found, sorted by path.

    A program that writes in parallel leaves such a folder of parts under the name of a file.
    """
    used = {folder for file in files for folder in file.parents}
    paths = {pattern: Path(base, pattern) for pattern in patterns}
    found = {
        one
        for pattern, path in paths.items()
        if not path.is_file()
        for one in _matches(pattern, path)
    }
    return sorted(one for one in found - used if one.is_dir())


def _matches(pattern: str, path: Path) -> set[Path]:
    """What a glob matches; `path` is the glob as seen from the current folder."""
    try:
        # A leading slash makes a pattern absolute; glob wants it relative to its root.
        return {one.resolve() for one in Path(path.anchor).glob(_below(path))}
    except (ValueError, OSError) as error:
        raise EventLogError(f"The file pattern {pattern!r} can't be read: {error}.") from error


def _below(path: Path) -> str:
    return str(path.absolute().relative_to(path.absolute().anchor))


def named(path: Path | str, base: Path) -> str:
    """A file as messages name it: from `base`, the folder of the settings, or else in full.

    >>> named("/data/2024/p.csv", Path("/data")), named("/in/p.csv", Path("/data"))
    ('2024/p.csv', '/in/p.csv')
    """
    return str(path).removeprefix(f"{base}{os.sep}")


@contextmanager
def named_from(base: Path, paths: Iterable[Path]) -> Iterator[None]:
    """Errors within name files in full, DuckDB's own too; they leave it named from `base`."""
    try:
        yield
    except EventLogError as error:
        told = str(error)
        for path in paths:
            told = told.replace(str(path), named(path, base))
        raise EventLogError(told) from error


def kind_of(path: Path) -> Kind:
    """What the extension says, with or without ``.gz``.

    Raises
    ------
    EventLogError
        When the extension is none we read.

    Examples
    --------
    >>> kind_of(Path("events.jsonl.gz"))
    'json'
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _KINDS:
        raise EventLogError(
            f"Can't tell the format of {str(path)!r}; files end in {few(_KINDS, most=9)}, "
            "text files also with .gz."
        )
    return _KINDS[suffix]


def open_bytes(path: Path) -> IO[bytes]:
    """The uncompressed bytes of a file."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def is_empty(path: Path) -> bool:
    """Whether a file holds nothing, or nothing but blank lines."""
    if path.stat().st_size == 0:
        return True
    if kind_of(path) == "parquet":
        return False
    try:
        with open_bytes(path) as stream:
            return not any(line.strip() for line in stream)
    except (OSError, EOFError, zlib.error):  # broken, as whoever reads it will say
        return False


def first_line(path: Path) -> str:
    """The first line that is not blank.

    Raises
    ------
    EventLogError
        When the file is empty, can't be read, or is not what its extension says.
    """
    try:
        with open_bytes(path) as stream:
            # A cut-off gzip may end inside the first block: what came before still counts.
            line = next((line for line in _lines(stream) if line.strip()), b"")
    except gzip.BadGzipFile as error:
        raise EventLogError(
            f"The file {str(path)!r} is not gzipped; name it {path.stem!r}, or compress it."
        ) from error
    except OSError as error:
        raise EventLogError(f"Can't read {str(path)!r}: {error.strerror or error}.") from error
    if not line.strip():
        what = "is empty" if is_empty(path) else "is cut off before the end of its first line"
        raise EventLogError(f"The file {str(path)!r} {what}; remove it from the list of files.")
    if line.startswith(_GZIP) and path.suffix != ".gz":
        raise EventLogError(f"The file {str(path)!r} is gzipped; name it {path.name + '.gz'!r}.")
    # Without a mark, the zero byte of its first character tells it.
    if line.startswith(_UTF16) or b"\0" in line[:2]:
        raise EventLogError(f"The file {str(path)!r} is UTF-16; save it as UTF-8.")
    return line.decode("utf-8-sig", errors="replace").strip("\r\n")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from stream
    except (EOFError, zlib.error):
        return


@dataclass(frozen=True)
class CsvLayout:
    """What a header line tells; files of equal layout are read together."""

    delimiter: str
    columns: tuple[str, ...]


def csv_layout(path: Path) -> CsvLayout:
    """Delimiter (the commonest of , ; tab |) and column names of a CSV file.

    Raises
    ------
    EventLogError
        When the file is empty or a column name is missing or given twice.
    """
    header = first_line(path)
    delimiter = max(",;\t|", key=header.count)
    columns = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter)))
    doubled = sorted({name for name in columns if columns.count(name) > 1 or not name})
    if doubled:
        raise EventLogError(
            f"The header of {str(path)!r} has unnamed or repeated columns: {few(doubled)}."
        )
    return CsvLayout(delimiter, columns)


def check_json(path: Path) -> None:
    """Refuse what is not one object a line before DuckDB reads all of it.

    Raises
    ------
    EventLogError
        When the file is empty or holds one big array.
    """
    if first_line(path).lstrip().startswith("["):
        raise EventLogError(
            f"The file {str(path)!r} holds one JSON array; write one object per line (JSON lines)."
        )


@dataclass(frozen=True)
class Salvaged:
    """What could be read of a gzip that ends early."""

    path: Path
    n_lines: int
    rest: str


def salvage(path: Path, target: Path) -> Salvaged | None:
    """Write the whole lines of a cut-off gzip to `target`; None when the file is sound.

    Raises
    ------
    EventLogError
        When the file is no gzip at all.
    """
    rest, n_lines, sound = b"", 0, False
    with path.open("rb") as stream, target.open("wb") as out:
        for block in _inflate(stream, str(path)):
            if block is None:
                sound = True
                break
            whole, newline, rest = (rest + block).rpartition(b"\n")
            n_lines += whole.count(b"\n") + len(newline)
            out.write(whole + newline)
    if sound:
        target.unlink()
        return None
    return Salvaged(target, n_lines, rest.decode("utf-8", errors="replace"))


def _inflate(stream: IO[bytes], name: str) -> Iterator[bytes | None]:
    """Uncompressed blocks; None after the last when the stream ends as a gzip should."""
    inflater = zlib.decompressobj(wbits=31)
    fresh = True
    while packed := stream.read(_BLOCK):
        while packed:
            try:
                yield inflater.decompress(packed)
            except zlib.error as error:
                if fresh:
                    raise EventLogError(f"The file {name!r} is not a gzip: {error}.") from error
                return
            fresh = False
            packed = inflater.unused_data
            if inflater.eof:  # a gzip may hold several members, one after the other
                inflater = zlib.decompressobj(wbits=31) if packed else inflater
    if inflater.eof:
        yield None
