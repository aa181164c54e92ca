"""How to write what people most often write otherwise: a list, a name, a line that needs quotes."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from models.scorecard.lines import to_quote
from pipeline.mistakes import models_in


def cut_line(lines: Sequence[str]) -> str | None:
    """What to do about a rule of the scorecard whose fact begins with a sign of YAML's."""
    head, _, fact = next(iter(lines), "").strip().removeprefix("- ").partition(":")
    return to_quote(head.strip(), fact.strip())


FORMS = {
    r"^[a-z][a-z0-9_-]*$": "begin with a letter a to z, then small letters, digits, - and _",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "begin with a letter or _, then letters, digits and _",
}
"""Patterns of the settings in words."""


def in_words(item: Any, model: type[BaseModel]) -> Any:
    """A mistake of pydantic's; it says how to write a list or a name where one is wanted."""
    if item["type"] == "string_pattern_mismatch" and item["ctx"]["pattern"] in FORMS:
        return item | {"msg": f"must {FORMS[item['ctx']['pattern']]}"}
    if item["type"] not in ("tuple_type", "list_type"):
        return item
    given = item["input"]
    if isinstance(given, str | int | float) and not _holds_blocks(item["loc"], model):
        plain = isinstance(given, str) and re.fullmatch(r"[\w$./-]+", given)
        return item | {"msg": f"expected a list; write [{given if plain else json.dumps(given)}]"}
    return item | {"msg": "expected a list, each entry on a line of its own behind a dash"}


def _holds_blocks(loc: tuple, model: type[BaseModel]) -> bool:
    """Whether entries of the list at a place are blocks, not words or numbers."""
    models: list[Any] = [model]
    for part in loc:
        fields = [one.model_fields[part] for one in models if part in one.model_fields]
        models = [inner for field in fields for inner in models_in(field.annotation)]
    return bool(models)
