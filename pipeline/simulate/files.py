"""Arrays as Parquet columns, and files that grow block by block."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def text(codes: np.ndarray, values: Sequence[str]) -> pa.DictionaryArray:
    """Strings as codes into `values`; null where the code is negative.

    >>> text(np.array([1, -1]), ["low", "high"]).to_pylist()
    ['high', None]
    """
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


def number(values: np.ndarray) -> pa.Array:
    """float64; null where NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)


def moment(us: np.ndarray) -> pa.Array:
    """Microseconds since 1970 as timestamps in UTC."""
    return pa.array(us, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


class TableWriter:
    """One Parquet file, opened at the first table it is given; each table is a row group."""

    def __init__(self, path: Path):
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self.n_rows = 0

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = self._open(table.schema)
        self._writer.write_table(table)
        self.n_rows += table.num_rows

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        # Coded columns are stored coded, yet without Arrow's schema readers see plain strings.
        coded = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        return pq.ParquetWriter(
            self._path, schema, compression="zstd", use_dictionary=coded, store_schema=False
        )


class PartWriter:
    """Files ``part-00000.parquet`` ... in a new folder, of at most `rows_per_file` rows each.

    Rows keep their order: read one after the other, the parts do not depend on `rows_per_file`.
    """

    def __init__(self, folder: Path, rows_per_file: int):
        folder.mkdir(parents=True)
        self._folder = folder
        self._rows_per_file = rows_per_file
        self._parts: list[TableWriter] = []

    @property
    def n_files(self) -> int:
        return len(self._parts)

    @property
    def n_rows(self) -> int:
        return sum(part.n_rows for part in self._parts)

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(self, *error: object) -> None:
        for part in self._parts[-1:]:
            part.close()

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`, beginning a file whenever the last one is full."""
        while table.num_rows:
            if not self._parts or self._parts[-1].n_rows == self._rows_per_file:
                self._begin()
            room = self._rows_per_file - self._parts[-1].n_rows
            self._parts[-1].write(table.slice(0, room))
            table = table.slice(room)

    def _begin(self) -> None:
        for part in self._parts[-1:]:
            part.close()
        path = self._folder / f"part-{self.n_files:05d}.parquet"
        self._parts.append(TableWriter(path))
