"""Arrow and NumPy without a copy, and without pandas.

pyarrow's own ``to_numpy`` and ``pa.array`` import pandas, which costs more than the features of a
hundred thousand events.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_MANY = 500_000
"""From here on pandas' speed is worth its import."""


def numbers(column: "pa.ChunkedArray | pa.Array") -> np.ndarray:
    """A numeric column without nulls as a NumPy array, shape (n,)."""
    import pyarrow as pa

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # too long for one Arrow array
        return np.concatenate([np.from_dlpack(chunk) for chunk in array.chunks])
    return np.from_dlpack(array)


def texts(column: "pa.ChunkedArray") -> np.ndarray:
    """A text column as an object array of str and None, shape (n,)."""
    if len(column) >= _MANY:
        return column.to_numpy()
    out = np.empty(len(column), object)
    out[:] = column.to_pylist()
    return out


def float_column(values: np.ndarray) -> "pa.Array":
    """A contiguous float32 array as an Arrow array; NaN stays NaN."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.float32(), len(values), [None, pa.py_buffer(values)])
