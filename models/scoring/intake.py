"""Rows as programs bring them: a frame, checked against the model, and the arrays it reads."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import ColumnError

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINES = 8
_WORDS = {"number": "number", "category": "text", "time": "time"}
_NUMPY_KINDS = {"f": "floating", "i": "integer", "u": "integer", "b": "boolean"}
_NUMBERS = {"empty", "integer", "floating", "mixed-integer-float", "boolean", "decimal"}
_TEXTS = {"string", "empty"}
_TIMES = {"string", "datetime64", "datetime", "date"}


def to_frame(rows: Any) -> "pd.DataFrame":
    """A frame of a frame, a dict of columns, a dict that is one row, or a list of such.

    Raises
    ------
    ColumnError
        When `rows` is something else, or columns have different lengths.
    """
    import pandas as pd

    if isinstance(rows, pd.DataFrame):
        return rows
    records = isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows)
    if not records and not isinstance(rows, Mapping):
        raise ColumnError(
            f"Rows must be a pandas DataFrame, a dict of columns or a list of dicts, "
            f"not {type(rows).__name__!r}."
        )
    one = not records and not any(
        isinstance(value, (Sequence, np.ndarray, pd.Series, pd.Index))
        and not isinstance(value, str)
        for value in rows.values()
    )
    try:
        return pd.DataFrame([rows] if one else rows)
    except ValueError as error:
        raise ColumnError(f"The rows are no table: {error}") from error


def check_frame(
    expected: Mapping[str, str],
    frame: "pd.DataFrame",
    optional: Sequence[str] = (),
) -> None:
    """Refuse a frame that the model can't read, with all that is wrong with it.

    Columns may stand in any order; those that the model does not know are left unread. A column
    of nothing but missing values is unknown, of whatever type.

    Parameters
    ----------
    expected
        ``number``, ``category`` or ``time`` by name of the column.
    optional
        Names that may be absent.

    Raises
    ------
    ColumnError
        With a diff of expected and got: ``-`` is missing, ``!`` is of another type, ``+`` is not
        known to the model, which is no fault by itself but may be a missing one misspelt.
    """
    names = list(frame.columns)
    there = set(names)
    lacking = [
        f"- {name}: expected {_WORDS[kind]}"
        for name, kind in expected.items()
        if name not in there and name not in optional
    ]
    several = {name for name in there if names.count(name) > 1} if len(there) < len(names) else ()
    wrong = []
    for name, kind in expected.items():
        if name in several:
            wrong.append(f"! {name}: expected one column, got {names.count(name)} of this name")
        elif name in there and (got := _trouble(frame[name], kind)):
            wrong.append(f"! {name}: expected {_WORDS[kind]}, got {got}")
    if not lacking and not wrong:
        return
    unknown = [f"+ {name}: {frame.dtypes.iloc[at]}" for at, name in enumerate(names)]
    unknown = [line for line, name in zip(unknown, names, strict=True) if name not in expected]
    raise ColumnError(
        f"The columns differ from the model's: {len(lacking)} of {len(expected)} are missing (-), "
        f"{len(wrong)} are of another type (!), {len(unknown)} are not the model's (+).\n"
        + "\n".join([*_few(lacking), *_few(wrong), *_few(unknown)])
    )


def to_values(expected: Mapping[str, str], frame: "pd.DataFrame") -> dict[str, np.ndarray]:
    """The arrays that `Scorer` reads, of a frame that passed `check_frame`.

    Numbers become float32, as features are. What is absent is unknown; only an absent
    ``account_id`` or ``domain`` stays absent.
    """
    values = {}
    for name, kind in expected.items():
        if name in frame:
            values[name] = _CONVERT[kind](frame[name])
        else:
            values[name] = np.full(len(frame), np.nan if kind == "number" else None)
    return values


def _few(lines: list[str]) -> list[str]:
    rest = len(lines) - _MOST_LINES
    return lines if rest <= 0 else [*lines[:_MOST_LINES], f"  and {rest} more like these"]


def _trouble(column: "pd.Series", kind: str) -> str:
    """What is wrong with a column, empty where nothing is."""
    if kind == "time":
        return _trouble_of_times(column)
    found = _kind_of(column)
    if found not in (_NUMBERS if kind == "number" else _TEXTS):
        return "" if column.isna().all() else _described(column, found)
    if kind == "category":
        return ""
    infinite = int(np.isinf(_numbers(column)).sum())
    return f"{infinite} of {len(column)} that are infinite or beyond float32" if infinite else ""


def _kind_of(column: "pd.Series") -> str:
    """pandas' word for the values: ``string``, ``floating``, ``mixed`` and so on."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.api.types.infer_dtype(dtype.categories, skipna=True)
    if isinstance(dtype, pd.StringDtype):
        return "string"
    if dtype.kind in _NUMPY_KINDS:
        return _NUMPY_KINDS[dtype.kind]
    return pd.api.types.infer_dtype(column, skipna=True)


def _described(column: "pd.Series", found: str) -> str:
    return f"{found} values" if str(column.dtype) == "object" else str(column.dtype)


def _trouble_of_times(column: "pd.Series") -> str:
    import pandas as pd

    missing = int(column.isna().sum())
    if missing:
        return f"{missing} of {len(column)} that are missing"
    if len(column) and not pd.api.types.is_datetime64_any_dtype(column.dtype):
        found = _kind_of(column)
        if found not in _TIMES:
            return _described(column, found)
        unread = column[_parsed(column).isna().to_numpy()]
        if len(unread):
            return (
                f"{len(unread)} of {len(column)} that are no ISO times, such as {unread.iloc[0]!r}"
            )
    return ""


def _parsed(column: "pd.Series") -> "pd.Series":
    """Times in UTC; those without a zone are in UTC already."""
    import pandas as pd

    return pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")


def _times(column: "pd.Series") -> np.ndarray:
    utc = _parsed(column).dt.tz_convert(None) if len(column) else column
    return utc.to_numpy("datetime64[us]")


def _numbers(column: "pd.Series") -> np.ndarray:
    with np.errstate(over="ignore"):
        if isinstance(column.dtype, np.dtype) and column.dtype != object:
            return column.to_numpy().astype(np.float32, copy=False)
        if column.dtype.kind in _NUMPY_KINDS:
            return column.to_numpy("float32", na_value=np.nan)
        plain = [np.nan if missing else float(value) for value, missing in _pairs(column)]
        return np.array(plain, np.float64).astype(np.float32)


def _texts(column: "pd.Series") -> np.ndarray:
    texts = column.astype(object)
    missing = texts.isna()
    return texts.where(~missing, None).to_numpy() if missing.any() else texts.to_numpy()


def _pairs(column: "pd.Series") -> Any:
    return zip(column.astype(object), column.isna(), strict=True)


_CONVERT = {"number": _numbers, "category": _texts, "time": _times}
