"""The matrix while it is filled: one contiguous float32 column per number, codes per category."""

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from features.arrow import float_column
from features.definitions import Feature
from features.kernels import scatter, scatter_one

if TYPE_CHECKING:
    import pyarrow as pa


class Columns:
    """Feature values of `n` rows, written in any order, read as one Arrow table without a copy.

    Every cell must be written once. Memory is 4 bytes per cell of a column that holds anything:
    columns with one value only share theirs, and what is never touched costs nothing.
    """

    def __init__(self, features: tuple[Feature, ...], n: int):
        self.features = features
        self._slot = {column: slot for slot, column in enumerate(of_dtype(features, "number"))}
        # Not zeros: NumPy asks for huge pages only here, and the first touch of small ones is slow.
        self.numbers = np.empty((len(self._slot), n), np.float32)
        self.codes = {i: np.full(n, -1, np.int32) for i in of_dtype(features, "category")}
        self.texts: dict[int, pa.Array] = {}
        self._waiting: dict[int, list[tuple[float, np.ndarray]]] = {c: [] for c in self._slot}
        self._lock = Lock()

    def write(self, column: int, values: np.ndarray, place: np.ndarray) -> None:
        """Set rows `place` (int64) of a column."""
        self._settle(column)
        scatter(values, place, self._target(column))

    def fill(self, column: int, value: float, place: np.ndarray) -> None:
        """Set rows `place` of a column to one value; a category keeps its unknown."""
        if column not in self._slot:
            return
        with self._lock:
            if column in self._waiting:
                self._waiting[column].append((value, place))
                return
        scatter_one(value, place, self._target(column))

    def read(self, column: int) -> np.ndarray:
        """A column as written so far: float32, or int32 codes."""
        self._settle(column)
        return self._target(column)

    def settled(self) -> np.ndarray:
        """All numbers, every cell in memory: float32, shape (n_numbers, n)."""
        for column in self._slot:
            self._settle(column)
        return self.numbers

    def _settle(self, column: int) -> None:
        """Write what waits: from now on the column has memory of its own."""
        with self._lock:
            for value, place in self._waiting.pop(column, ()):
                scatter_one(value, place, self._target(column))

    def name_codes(self, column: int, texts: "pa.Array") -> None:
        """What the codes of a category column stand for."""
        self.texts[column] = texts

    def table(self) -> "pa.Table":
        """One column per feature, in order."""
        import pyarrow as pa

        constants: dict[str, pa.Array] = {}
        arrays = []
        for column in range(len(self.features)):
            if column in self.codes:
                arrays.append(named(self.codes[column], self.texts.get(column)))
                continue
            values = {repr(value) for value, _ in self._waiting.get(column, ())}
            if len(values) != 1:
                self._settle(column)
                arrays.append(float_column(self.numbers[self._slot[column]]))
                continue
            (value,) = values
            if value not in constants:
                constant = np.full(self.numbers.shape[1], float(value), np.float32)
                constants[value] = float_column(constant)
            arrays.append(constants[value])
        return pa.table(arrays, names=[feature.name for feature in self.features])

    def _target(self, column: int) -> np.ndarray:
        if column in self.codes:
            return self.codes[column]
        return self.numbers[self._slot[column]]


def of_dtype(features: tuple[Feature, ...], dtype: str) -> list[int]:
    """Positions of the features of that dtype."""
    return [i for i, feature in enumerate(features) if feature.dtype == dtype]


def named(codes: np.ndarray, texts: "pa.Array | None") -> "pa.Array":
    """Categories from their codes; null for -1, or where nothing has a name."""
    import pyarrow as pa

    if texts is None or not len(texts):
        return pa.nulls(len(codes), pa.string())
    return texts.take(pa.array(np.maximum(codes, 0), mask=codes < 0))
