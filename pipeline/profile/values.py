"""Which properties and attributes are worth a feature: carried often, no constants, no ids."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from features.events import Level, ValueType
from pipeline.profile.columns import flatten, opened
from pipeline.profile.sources import Source
from pipeline.profile.times import Record, time_kind
from pipeline.profile.words import words
from pipeline.sources.spec import GenericSource, PostHogSource

_MOST_VALUES = 200
_LONGEST_VALUE = 100
_LONGEST_NAME = 60
"""A category has at most so many values, each at most so long; longer names are not declared."""
_SHARE_OF_TYPE = 0.95
_KEPT_INTERNAL = {"$os", "$browser", "$device_type"}
_KEPT_INTERNAL_TRAITS = {"$geoip_country_code"}
_PEOPLE = {"email", "name"}
"""Traits that say who it is: for exclusions and for reading, never a feature."""

Verdict = Literal["use", "declare", "constant", "id or free text", "a time"]


@dataclass(frozen=True)
class ValueFacts:
    """What the sampled values of a property or attribute look like.

    Parameters
    ----------
    coverage
        Estimated share of all events that carry it.
    carriers
        Events that carry it, the most frequent first.
    of
        Whose attribute it is; None for a property of events.
    """

    name: str
    type: ValueType
    verdict: Verdict
    coverage: float
    carriers: tuple[str, ...]
    of: Level | None = None


def find_properties(
    source: Source, samples: Mapping[str, list[Record]], counts: Mapping[str, int]
) -> list[ValueFacts]:
    """Properties of the events, the best covered first.

    Parameters
    ----------
    samples
        Event name -> some of its rows.
    counts
        Event name -> number of events, to weigh the samples by.
    """
    return _facts(samples, counts, _property_reader(source), None)


def find_attributes(
    source: Source, samples: Mapping[str, list[Record]], counts: Mapping[str, int]
) -> list[ValueFacts]:
    """Attributes of accounts, then of users, that the events set."""
    if isinstance(source, GenericSource):
        return []
    readers: list[tuple[Level, Callable[[Record], Record]]]
    if isinstance(source, PostHogSource):
        readers = [
            ("account", lambda record: _inner(record, "$group_set")),
            ("user", lambda record: _inner(record, "$set") | _inner(record, "$set_once")),
        ]
    else:
        readers = [
            ("account", lambda record: _traits(record, "group")),
            ("user", lambda record: _traits(record, "identify")),
        ]
    return [fact for of, read in readers for fact in _facts(samples, counts, read, of)]


def _property_reader(source: Source) -> Callable[[Record], Record]:
    if isinstance(source, GenericSource):
        taken = {name for name in source.columns.model_dump().values() if name}
        return lambda record: {k: v for k, v in flatten(record).items() if k not in taken}
    return lambda record: {
        key: value
        for key, value in flatten(_object(record.get("properties")), depth=0).items()
        if not key.startswith("$") or key in _KEPT_INTERNAL
    }


def _facts(
    samples: Mapping[str, list[Record]],
    counts: Mapping[str, int],
    read: Callable[[Record], Record],
    of: Level | None,
) -> list[ValueFacts]:
    values: dict[str, list[Any]] = {}
    carried: dict[str, dict[str, float]] = {}
    for event, records in samples.items():
        for record in records:
            for name, value in read(record).items():
                if len(name) > _LONGEST_NAME or not name.isprintable():
                    continue
                values.setdefault(name, []).append(value)
                weights = carried.setdefault(name, {})
                weights[event] = weights.get(event, 0.0) + counts[event] / len(records)
    total = sum(counts.values())
    found = [
        ValueFacts(
            name,
            *_judge(name, values[name], of),
            sum(carried[name].values()) / total,
            tuple(sorted(carried[name], key=lambda event: (-counts[event], event))),
            of,
        )
        for name in values
    ]
    return sorted(found, key=lambda fact: (-fact.coverage, fact.name))


def _judge(name: str, values: Sequence[Any], of: Level | None) -> tuple[ValueType, Verdict]:
    """The type of a value, and whether it is worth a feature.

    >>> _judge("rows", [5, 7, 7], None), _judge("plan", ["a", "a", "b", "b"], None)
    (('number', 'use'), ('category', 'use'))
    >>> _judge("user_id", [1, 2], None), _judge("email", ["a@b.co"], "user")
    (('number', 'id or free text'), ('category', 'declare'))
    """
    if of is not None and name.lower() in _PEOPLE:
        return "category", "declare"
    numbers = sum(_is_number(value) for value in values) >= _SHARE_OF_TYPE * len(values)
    kind: ValueType = "number" if numbers else "category"
    distinct = set(map(str, values))
    last = words(name)[-1:]
    if last in (["id"], ["uuid"], ["key"], ["token"]) or words(name)[:1] == ["email"]:
        return kind, "id or free text"
    if time_kind(name, values):
        return kind, "a time"
    # An attribute of few entities may have one value in a sample; a property seen often may not.
    if len(distinct) == 1 and len(values) > 1 and of is None:
        return kind, "constant"
    many = len(distinct) > _MOST_VALUES or (len(values) >= 10 and len(distinct) > len(values) / 2)
    if kind == "category" and (many or max(map(len, distinct)) > _LONGEST_VALUE):
        return kind, "id or free text"
    return kind, "use"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or bool(
        re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", str(value))
    )


def _inner(record: Record, key: str) -> Record:
    inner = flatten(_object(_object(record.get("properties")).get(key)), depth=0)
    return {k: v for k, v in inner.items() if k[0] != "$" or k in _KEPT_INTERNAL_TRAITS}


def _traits(record: Record, call: str) -> Record:
    return flatten(_object(record.get("traits")), depth=0) if record.get("type") == call else {}


def _object(value: Any) -> Record:
    value = opened(value) if isinstance(value, str) else value
    return value if isinstance(value, dict) else {}


def choose(facts: Iterable[ValueFacts], usable: Sequence[str], most: int) -> list[ValueFacts]:
    """Per type the best covered `most` properties that some usable event carries."""
    there = set(usable)
    good = [fact for fact in facts if fact.verdict == "use" and there & set(fact.carriers)]
    by_type = ([fact for fact in good if fact.type == kind] for kind in ("number", "category"))
    return [fact for facts in by_type for fact in facts[:most]]
