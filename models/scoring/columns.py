"""From columns by name to numbers by position: what the model was trained on, or a diff."""

from collections.abc import Mapping
from itertools import repeat
from typing import Any

import numpy as np

KEYS = ("as_of", "account_id", "domain")
_KINDS = {"number": "fiub", "category": "OUT", "time": "iM"}


class ColumnError(ValueError):
    """The columns are not those the model was trained on; the message is a diff."""


def expected(columns: list[dict]) -> dict[str, str]:
    """``number``, ``category`` or ``time`` by name of all columns that rows are scored by."""
    kinds = {column["name"]: column["dtype"] for column in columns}
    return {"as_of": "time"} | kinds | {"account_id": "category", "domain": "category"}


def check_columns(columns: list[dict], values: Mapping[str, Any]) -> int:
    """Number of rows, if all columns have the names and types that the model expects.

    Raises
    ------
    ColumnError
        With a diff: ``-`` is missing, ``+`` is unknown, ``!`` is wrong.
    """
    expected = {"as_of": "time"} | {column["name"]: column["dtype"] for column in columns}
    diff = [f"- {name}" for name in expected if name not in values]
    diff += [f"+ {name}" for name in values if name not in expected and name not in KEYS]
    n = len(values.get("as_of", ()))
    for name, column in values.items():
        found = np.asarray(column).dtype
        if name in expected and found.kind not in _KINDS[expected[name]]:
            diff.append(f"! {name}: expected {expected[name]}, got {found}")
        if len(column) != n and "as_of" in values:
            diff.append(f"! {name}: {len(column)} rows, as_of has {n}")
    if diff:
        raise ColumnError("The columns differ from the model's:\n" + "\n".join(diff))
    return n


def encode(columns: list[dict], values: Mapping[str, Any]) -> np.ndarray:
    """Model columns as float64, shape (n, n_columns); missing and unseen values are NaN.

    A category becomes the position of its level; levels that were rare in training share the
    position after the last.
    """
    n = check_columns(columns, values)
    encoded = np.empty((n, len(columns)), order="F")
    for at, column in enumerate(columns):
        raw = values[column["name"]]
        if column["dtype"] == "category":
            codes = dict.fromkeys(column["rare"], len(column["levels"]))
            codes |= {level: code for code, level in enumerate(column["levels"])}
            raw = np.fromiter(map(codes.get, raw, repeat(np.nan)), np.float64, n)
        encoded[:, at] = raw
    return encoded
