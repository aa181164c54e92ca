"""Mistakes in a settings file: each in one line with its place and the nearest valid name."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from features.errors import few

_SLIP = 0.75
"""Likeness of a misspelt name to the right one (`difflib`): 'color' is no 'cohort' (0.73)."""


def mistakes(errors: list, model: type[BaseModel], data: Any, source: str) -> list[str]:
    """One line per mistake, without those that only follow from another.

    Parameters
    ----------
    errors
        What pydantic found in the file.
    model
        The settings that the file was read as.
    data
        The file's mapping with its line marks.
    source
        What the lines call the file.
    """
    outer = {item["loc"][:n] for item in errors for n in range(len(item["loc"]))}
    told: dict[tuple, list] = {}
    for item in errors:
        # A list is not too short as well because its items are wrong.
        if item["type"] != "too_short" or item["loc"] not in outer:
            keys = _keys_only(item, data)
            # A value that fits no member of a union is one mistake, not one per member.
            told.setdefault(tuple(keys), []).append(item)
    # Nor is a block the wrong word because of what is wrong inside it.
    inner = {keys[:n] for keys in told for n in range(len(keys))}
    return [
        f"{source}:{line_of(keys, data)}: {'.'.join(map(str, keys)) or 'settings'}: "
        f"{_explain(items, keys, model)}"
        for keys, items in told.items()
        if keys not in inner
    ]


def _explain(items: list, keys: tuple, model: type[BaseModel]) -> str:
    """What is wrong with one value, and the nearest valid name."""
    item, given = items[0], items[0].get("input")
    match item["type"]:
        case "extra_forbidden":
            return f"unknown setting; {_nearest(keys[-1], _names_at(model, item['loc'][:-1]))}"
        case "missing":
            return "is missing and has no default"
        case "union_tag_not_found":
            return "is missing; it says which kind this is"
        case "too_short" if isinstance(given, list):
            least = item["ctx"]["min_length"]
            return f"needs {least} or more entries, {len(given) or 'none'} given"
        case "union_tag_invalid":
            tag = item["ctx"]["tag"]
            return f"can't be {tag!r}; {_nearest(tag, _quoted(item['ctx']['expected_tags']))}"
    names = [name for one in items for name in _words_for(one)]
    if names and isinstance(given, str):
        block = any(one["type"] == "dict_type" for one in items)
        other = "give names with their values, or a word; " if block else ""
        return f"can't be {given!r}; {other}{_nearest(given, names)}"
    message = item["msg"].removeprefix("Value error, ")
    return message if isinstance(given, dict | list) else f"{message} (got {given!r})"


def _nearest(given: object, names: Sequence[str]) -> str:
    """
    >>> _nearest("cohrt", ["cohort", "rows"]), _nearest("horizon", ["rows", "horizon_days"])
    ("did you mean 'cohort'?", "did you mean 'horizon_days'?")
    >>> _nearest("color", ["cohort", "rows"])
    "known here: 'cohort', 'rows'"
    """
    told = str(given)
    begun = [name for name in names if len(told) > 2 and name.startswith(told)]
    near = get_close_matches(told, names, n=1, cutoff=_SLIP) or begun
    return f"did you mean {near[0]!r}?" if near else f"known here: {few(names, 12)}"


def _words_for(item: Any) -> list[str]:
    """The words that a setting takes, where it takes only some."""
    return _quoted(item["ctx"]["expected"]) if item["type"] == "literal_error" else []


def _quoted(text: str) -> list[str]:
    """
    >>> _quoted("'account' or 'user'")
    ['account', 'user']
    """
    return re.findall(r"'([^']*)'", text)


def _keys_only(item: Any, data: Any) -> list:
    """Drop the names of union members that pydantic puts between and after the file's keys."""
    keys: list = []
    for part in item["loc"]:
        if _holds(data, part):
            data = data[part]
            keys.append(part)
    match item["type"]:
        case "missing":
            return [*keys, item["loc"][-1]]
        case "union_tag_invalid" | "union_tag_not_found":
            return [*keys, *_quoted(item["ctx"]["discriminator"])]
    return keys


def _holds(data: Any, key: Any) -> bool:
    if isinstance(data, list):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, dict) and key in data


def line_of(keys: Sequence, data: Any) -> int:
    """Line of the deepest key that the file has, counted from 1."""
    line = 1
    for key in keys:
        place = getattr(data, "lc", None)
        if place is None or not _holds(data, key):
            break
        line = (place.key(key) if isinstance(data, dict) else place.item(key))[0] + 1
        data = data[key]
    return line


def _names_at(model: type[BaseModel], loc: tuple) -> list[str]:
    """Names of the settings that are valid in a block, in the member of a union that it is."""
    models: list[Any] = [model]
    for part in loc:
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        inner = [model for field in fields for model in models_in(field.annotation)]
        chosen = [model for model in models if part in _tags(model)]
        models = inner or chosen or models
    return [name for model in models for name in model.model_fields]


def _tags(model: Any) -> set[Any]:
    """Values by which a union tells this member from the others."""
    kinds = [field.annotation for field in model.model_fields.values()]
    return {value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)}


def models_in(annotation: Any) -> list[Any]:
    """Blocks that an annotation speaks of, the members of a union each."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
