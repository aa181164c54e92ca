"""What a row of the ledger holds: columns, their types, and a digest of the scores."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.scoring import PARTS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

CIRCUMSTANCES = ("scored_at", "data_end", "log_fingerprint", "alias", "backfill", "seen")
"""Columns that may differ between two entries with equal scores."""

_KINDS = {
    "entity_id": "text",
    "name": "text",
    "as_of": "time",
    "model_version": "integer",
    "raw_score": "number",
    "probability": "number",
    "pql_score": "number",
    "tier": "text",
    "tier_before": "text",
    "fit_score": "number",
    "fit_tier": "text",
    "usage_score": "number",
    "usage_tier": "text",
    **{f"{part}_points": "number" for part in PARTS},
    "reasons": "texts",
    "reasons_against": "texts",
    "look_alikes": "texts",
    "look_alikes_share": "texts",
    "trigger": "text",
    "trigger_fact": "text",
    "triggered_at": "time",
    "next_action": "text",
    "why_not_now": "text",
    "asked_at": "time",
    "message": "text",
    "scored_at": "time",
    "model": "text",
    "alias": "text",
    "backfill": "truth",
    "seen": "truth",
    "data_end": "time",
    "log_fingerprint": "text",
    "sequence": "integer",
}


def typed(frame: "pd.DataFrame") -> "pa.Table":
    """As Arrow, with the ledger's types however empty a column is; other columns as they are."""
    import pyarrow as pa

    types = _types()
    return pa.table(
        {
            name: pa.array(frame[name], type=types.get(name), from_pandas=True)
            for name in frame.columns
        }
    )


def numbered(table: "pa.Table", sequence: int) -> "pa.Table":
    """With the column ``sequence``."""
    import pyarrow as pa

    return table.append_column("sequence", pa.array([sequence] * len(table), pa.int64()))


def joined(tables: "Sequence[pa.Table]", columns: Sequence[str] | None) -> "pa.Table":
    """One table of all rows; a column that some lack is empty there.

    Parameters
    ----------
    columns
        Exactly these, though no table may have them; None for all that there are.
    """
    import pyarrow as pa

    types = _types()
    names = list(types) if columns is None else list(columns)
    bare = [table.replace_schema_metadata(None) for table in tables]
    if columns is not None or not bare:
        there = {name for table in bare for name in table.column_names}
        fields = [(name, types.get(name, pa.float64())) for name in names if name not in there]
        fields += [(name, types[name]) for name in names if name in there and name in types]
        bare.append(pa.schema(fields).empty_table())
    table = pa.concat_tables(bare, promote_options="default")
    return table if columns is None else table.select(names)


def digest_of(table: "pa.Table") -> str:
    """sha256 over names, types, gaps and values of all but `CIRCUMSTANCES`.

    The same scores have the same digest with every version of Arrow and Parquet.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        if name not in CIRCUMSTANCES:
            column = table[name].combine_chunks()
            digest.update(f"{name}\0{column.type}\0{len(column)}\0".encode())
            for part in _bytes_of(column):
                digest.update(part)
    return digest.hexdigest()


def _bytes_of(array: "pa.Array") -> list[bytes]:
    import pyarrow as pa
    import pyarrow.compute as pc

    gaps = array.is_null().to_numpy(zero_copy_only=False).tobytes()
    if pa.types.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        return [gaps, lengths.to_numpy().tobytes(), *_bytes_of(array.flatten())]
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        texts = [text.encode() for text in array.fill_null("").to_pylist()]
        lengths = np.array([len(text) for text in texts], np.int64)
        return [gaps, lengths.tobytes(), b"".join(texts)]
    if pa.types.is_null(array.type):
        return [gaps]
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    elif pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    return [gaps, array.fill_null(0).to_numpy().tobytes()]


def _types() -> "dict[str, pa.DataType]":
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "number": pa.float64(),
        "integer": pa.int64(),
        "truth": pa.bool_(),
        "time": pa.timestamp("us"),
    }
    return {name: kinds[kind] for name, kind in _KINDS.items()}
