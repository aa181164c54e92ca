"""A matrix larger than memory: written a shard at a time, then joined column by column on disk."""

import mmap
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.arrow import float_column
from features.columns import Columns, named, of_dtype
from features.definitions import Feature
from features.errors import EventLogError

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 16e6
"""Of the columns that are joined at once: more rows, fewer columns."""


class Spill:
    """Parts of a matrix on disk, joined to one table that is read from disk as it is used.

    A context manager: whatever happens, its folder is gone at the end. What `table` returned stays
    readable, for an open file outlives its name.

    Parameters
    ----------
    n
        Rows of the whole matrix.
    folder
        Where to write; twice the size of the matrix is needed for a while.
    """

    def __init__(self, features: tuple[Feature, ...], n: int, folder: Path):
        self.features, self.n = features, n
        self._numbers = of_dtype(features, "number")
        self._parts: list[tuple[np.ndarray, Path]] = []
        self._codes = {i: np.full(n, -1, np.int32) for i in of_dtype(features, "category")}
        self._texts: dict[int, pa.Array] = {}
        self._parent = folder
        self._folder = folder

    def __enter__(self) -> "Spill":
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=".features-", dir=self._parent))
        except OSError as error:
            raise self._refusal(error) from error
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self, rows: np.ndarray, columns: Columns) -> None:
        """Write the columns of some rows of the matrix, each once.

        Raises
        ------
        EventLogError
            When the disk is full.
        """
        path = self._folder / f"part-{rows[0]:09d}"
        try:
            columns.settled().tofile(path)
        except OSError as error:
            raise self._refusal(error) from error
        for i, codes in columns.codes.items():
            self._codes[i][rows] = codes
        self._texts.update(columns.texts)
        self._parts.append((rows, path))

    def table(self) -> "pa.Table":
        """The whole matrix, read from disk when it is used.

        Raises
        ------
        EventLogError
            When the disk is full.
        """
        import pyarrow as pa

        try:
            numbers = self._joined()
        except OSError as error:
            raise self._refusal(error) from error
        slots = {column: slot for slot, column in enumerate(self._numbers)}
        arrays = [
            float_column(numbers[slots[i]])
            if i in slots
            else named(self._codes[i], self._texts.get(i))
            for i in range(len(self.features))
        ]
        return pa.table(arrays, names=[feature.name for feature in self.features])

    def _joined(self) -> np.ndarray:
        """All numbers as one file, mapped: float32, shape (n_numbers, n)."""
        shape = (len(self._numbers), self.n)
        if 0 in shape:
            return np.empty(shape, np.float32)
        path = self._folder / "matrix"
        # Written as a file, not through a map: a full disk is then an error and not a crash.
        with path.open("wb") as file:
            many = max(1, int(_BLOCK_BYTES / (4 * self.n)))
            for begin in range(0, shape[0], many):
                block = np.empty((min(many, shape[0] - begin), self.n), np.float32)
                for rows, part in self._parts:
                    size = len(rows) * block.itemsize
                    with part.open("rb") as source:
                        source.seek(begin * size)
                        values = np.fromfile(source, np.float32, len(block) * len(rows))
                    block[:, rows] = values.reshape(len(block), len(rows))
                block.tofile(file)
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, np.float32).reshape(shape)

    def _refusal(self, error: OSError) -> EventLogError:
        size = 2 * 4 * len(self._numbers) * self.n / 1e6
        return EventLogError(
            f"The features can't be written into {str(self._parent)!r}: "
            f"{error.strerror or error}. They need about {size:,.0f} MB there for a while; nothing "
            "was left behind. Free some space, or raise compute.memory_mb."
        )
