"""Values taken from JSON text by key, with one parse however many there are."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.storage import quote_name, quote_text

Tree = dict[str, Any]
"""Keys to subtrees; None is a value."""


class JsonText:
    """Values taken from one JSON text.

    All that is asked for goes into one structure, which DuckDB fills in one parse. Its fields
    ignore case and are either values or objects, so keys that clash in that go into another.

    Parameters
    ----------
    source
        SQL of the text.
    """

    def __init__(self, alias: str, source: str):
        self.alias = alias
        self.source = source
        self._trees: list[Tree] = [{}]

    def text(self, path: str) -> str:
        """SQL of the value at a key or, failing that, at a dotted path; NULL where there is none.

        >>> JsonText("x", "line").text("a.b")
        'coalesce(x_0."a.b", x_0."a"."b")'
        """
        return either(self.at, path)

    def at(self, *keys: str) -> str:
        """SQL of the value at exactly these nested keys."""
        # Structures know no empty keys and no places in arrays, which a number may mean.
        if any(not key or key.isdigit() for key in keys):
            return self.extract(*keys)
        number = next((i for i, tree in enumerate(self._trees) if _put(tree, keys)), None)
        if number is None:
            number = len(self._trees)
            self._trees.append({})
            _put(self._trees[-1], keys)
        return self._field(number, keys)

    def extract(self, *keys: str) -> str:
        """SQL of the value at these keys by a parse of its own."""
        return f"try(json_extract_string({self.source}, {quote_text(_pointer(keys))}))"

    @property
    def names(self) -> str:
        """SQL of the list of keys of the text, NULL where it is no object."""
        return f"try(json_keys({self.source}))"

    @property
    def whole(self) -> str:
        """SQL of the text itself."""
        return self.source

    @property
    def broken(self) -> str:
        """SQL condition: there is a text, and it is not JSON."""
        return (
            f"(case when {self.alias}_0 is null and {self.source} is not null "
            f"then not json_valid({self.source}) else false end)"
        )

    def values_below(self, key: str) -> list[str]:
        """SQL of every value asked for so far inside the object at `key`."""
        return [
            self._field(number, [key, *keys])
            for number, tree in enumerate(self._trees)
            for keys in _leaves(tree.get(key) or {})
        ]

    def over(self, query: str) -> str:
        """SQL after FROM: the rows of `query` with the structures, once all has been asked for."""
        # TRY gives NULL for a text that is not JSON, without parsing it once more to find out.
        taken = ", ".join(
            f"try(json_transform({self.source}, {quote_text(_structure(tree))})) "
            f"as {self.alias}_{number}"
            for number, tree in enumerate(self._trees)
        )
        return f"(select *, {taken} from {query})"

    def _field(self, number: int, keys: Sequence[str]) -> str:
        return ".".join([f"{self.alias}_{number}", *map(quote_name, keys)])


class JsonInside:
    """Values of the object at a key of a JSON line, which may also be a text that holds one."""

    def __init__(self, alias: str, line: JsonText, key: str):
        self._line = line
        self._key = key
        self._quoted = JsonText(alias, f"{alias}_text")

    def text(self, path: str) -> str:
        """SQL of the value at a key or, failing that, at a dotted path; NULL where none is."""
        return either(self.at, path)

    def at(self, *keys: str) -> str:
        """SQL of the value at exactly these nested keys."""
        return f"coalesce({self._line.at(self._key, *keys)}, {self._quoted.at(*keys)})"

    @property
    def names(self) -> str:
        """SQL of the list of keys of the object."""
        keys = f"try(json_keys({self._line.source}, {quote_text(_pointer([self._key]))}))"
        return (
            f"coalesce(nullif({keys}, []), case when {self._is_quoted()} "
            f"then try(json_keys({self.whole})) end)"
        )

    @property
    def whole(self) -> str:
        """SQL of the object as text."""
        return self._line.extract(self._key)

    @property
    def broken(self) -> str:
        """SQL condition: there is a text in the object's place, and it is not JSON."""
        return self._quoted.broken

    def over(self, query: str) -> str:
        """SQL after FROM, once all has been asked for."""
        # Only a line without any of the values and with a quote in the object's place is parsed
        # once more.
        found = ", ".join([*self._line.values_below(self._key), "null"])
        text = f"case when coalesce({found}) is null and {self._is_quoted()} then {self.whole} end"
        return self._quoted.over(f"(select *, {text} as {self._quoted.source} from {query})")

    def _is_quoted(self) -> str:
        quote = quote_text(f'"{self._key}"\\s*:\\s*"')
        return f"regexp_matches({self._line.source}, {quote})"


def either(at: Callable[..., str], path: str) -> str:
    """SQL of the value at a key that may contain dots, else at the nested keys they separate."""
    keys = path.split(".")
    return at(path) if len(keys) == 1 else f"coalesce({at(path)}, {at(*keys)})"


def _pointer(keys: Sequence[str]) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def _put(tree: Tree, keys: Sequence[str]) -> bool:
    """Add a path of keys unless it clashes with what is there."""
    key, *rest = keys
    if any(known != key and known.casefold() == key.casefold() for known in tree):
        return False
    if not rest:
        return tree.setdefault(key, None) is None
    if key not in tree:
        tree[key] = {}
    return tree[key] is not None and _put(tree[key], rest)


def _leaves(tree: Tree) -> list[list[str]]:
    return [
        [key, *rest]
        for key, below in tree.items()
        for rest in ([[]] if below is None else _leaves(below))
    ]


def _structure(tree: Tree) -> str:
    """What json_transform takes; an object needs at least one field."""

    def typed(tree: Tree) -> Tree:
        return {key: typed(below) if below else "VARCHAR" for key, below in tree.items()}

    return json.dumps(typed(tree or {"-": None}), ensure_ascii=False)
