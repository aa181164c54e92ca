"""What a setting or an option takes, in words."""

import re
import types
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_PLAIN = {bool: "true or false", int: "whole number", float: "number", str: "text", date: "date"}
_SCALARS = {str, int, float, bool}
_MOST_WORDS = 8


def takes(annotation: Any) -> str:
    """The values that a type admits.

    >>> takes(tuple[int, ...]), takes(int | None), takes(Literal["link", "drop"])
    ('list of whole numbers', 'whole number', '`link` or `drop`')
    >>> from pydantic import PositiveInt
    >>> takes(PositiveInt)
    'whole number above 0'
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return takes(parts[0]) + bounds(parts[1:])
    if origin is Literal:
        return words(parts)
    if origin in (Union, types.UnionType):
        return _union([part for part in parts if part is not type(None)])
    if origin is tuple:
        inner = _plural(takes(parts[0]))
        return f"list of {inner}" if parts[-1] is Ellipsis else f"list of {len(parts)} {inner}"
    if origin is dict:
        return f"names, each with {takes(parts[1])}"
    return _PLAIN.get(annotation, "block")


def _union(parts: list[Any]) -> str:
    """
    >>> _union([str, int, float, bool, tuple[int, ...]])
    'value or list of whole numbers'
    """
    if set(parts) >= _SCALARS:
        rest = [takes(part) for part in parts if part not in _SCALARS]
        return " or ".join(["value", *rest])
    choices = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    kinds = [takes(part) for part in parts if get_origin(part) is not Literal]
    kinds += [words(choices)] if choices else []
    return (", or " if any(" or " in kind for kind in kinds) else " or ").join(kinds)


def words(values: Sequence[Any]) -> str:
    """A choice of words; of many, the first few and how many there are.

    >>> words(["posthog"])
    '`posthog`'
    """
    quoted = [f"`{value}`" for value in values]
    if len(quoted) > _MOST_WORDS:
        return f"one of {len(quoted)} words: {', '.join(quoted[:3])}, ..."
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def bounds(metadata: Sequence[Any]) -> str:
    """Limits of a value, with a leading blank; empty where there are none.

    >>> from pydantic import Field
    >>> bounds(Field(ge=0, lt=1).metadata), bounds(Field(min_length=1).metadata)
    (' in [0, 1)', ', 1 or more')
    """
    found: dict[str, Any] = {}
    for item in metadata:
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern"):
            value = getattr(item, name, None)
            if value is not None:
                found[name] = value
    return _range(found) + _length(found)


def _range(found: dict[str, Any]) -> str:
    low, high = found.get("ge", found.get("gt")), found.get("le", found.get("lt"))
    if low is not None and high is not None:
        left, right = "[" if "ge" in found else "(", "]" if "le" in found else ")"
        return (
            f" in {left}{low:,}, {high:,}{right}" if high < 1000 else f" from {low:,} to {high:,}"
        )
    if low is not None:
        return f", {low:,} or more" if "ge" in found else f" above {low:,}"
    if high is not None:
        return f", at most {high:,}" if "le" in found else f" below {high:,}"
    return ""


def _length(found: dict[str, Any]) -> str:
    said = f", {found['min_length']} or more" if "min_length" in found else ""
    said += f", at most {found['max_length']} long" if "max_length" in found else ""
    return said + (f", of the form `{found['pattern']}`" if "pattern" in found else "")


def _plural(kind: str) -> str:
    """
    >>> _plural("text or whole number"), _plural("whole number above 0"), _plural("`a` or `b`")
    ('texts or whole numbers', 'whole numbers above 0', '`a` or `b`')
    """
    return re.sub(r"\b(number|text|date|value)\b(?!`)", r"\1s", kind)
