"""The fingerprint of a written log."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def fingerprint_of(folder: Path, manifest: dict[str, Any]) -> str:
    """sha256 over the contents of a written log: columns, dictionaries, what the manifest says.

    Read back from the files, so that it covers what a reader gets; it does not depend on how the
    input was split into files, on the order of its rows, or on threads.
    """
    import pyarrow.parquet as pq

    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode())
    digest.update((folder / "categories.json").read_bytes())
    names = ["accounts.parquet", "users.parquet", "attributes.parquet"]
    for name in [*names, *(shard["file"] for shard in manifest["shards"])]:
        file = pq.ParquetFile(folder / name)
        columns = [hashlib.sha256(name.encode()) for name in file.schema_arrow.names]
        for batch in file.iter_batches():
            for column, values in zip(columns, batch.columns, strict=True):
                for piece in _bytes_of(values):
                    column.update(piece)
        for column in columns:
            digest.update(column.digest())
    return digest.hexdigest()


def _bytes_of(values: "pa.Array") -> Iterable[bytes]:
    """The values as bytes, whatever lies in the memory behind missing ones."""
    import pyarrow as pa

    missing = _missing(values) if values.null_count else None
    if missing is not None:
        yield missing.tobytes()
    if pa.types.is_string(values.type):
        texts = values.to_pylist()
        encoded = [b"" if text is None else text.encode() for text in texts]
        yield np.array([len(text) for text in encoded], dtype=np.int64).tobytes()
        yield b"".join(encoded)
    else:
        numbers = _numbers(values)
        yield (numbers if missing is None else np.where(missing, 0, numbers)).tobytes()


# Arrow's own to_numpy would import pandas first, which costs more than all of the hashing.
def _numbers(values: "pa.Array") -> np.ndarray:
    kind = np.dtype(str(values.type))
    start = values.offset * kind.itemsize
    return np.frombuffer(values.buffers()[1], kind, len(values), start)


def _missing(values: "pa.Array") -> np.ndarray:
    present = np.unpackbits(np.frombuffer(values.buffers()[0], np.uint8), bitorder="little")
    return present[values.offset : values.offset + len(values)] == 0
