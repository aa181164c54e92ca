"""Properties found in the data: which are worth having, of which type, and why others are not.

Decided over all events and never by the label, so that neither the split into files nor the order
of rows nor the number of threads changes what is taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.events import ValueType
from pipeline.importer.plural import many
from pipeline.importer.reading import Reading, wanted_rows
from pipeline.profile.values import ValueFacts, find_properties
from pipeline.sources.spec import DataSpec, GenericSource
from pipeline.sources.stage import Source, property_column
from pipeline.storage import rows_of

if TYPE_CHECKING:
    import duckdb

_SHARE_OF_NUMBERS = 0.99
_FEWEST_NUMBERS = 3
"""A property is a number when so large a share of its values are finite numbers, so many of them
different: what is only 0 or 1 is a category."""
_MOST_OBJECTS = 0.01
_AT_ONCE = 40
"""Properties that one statement looks at."""
_MOST_TOLD = 30
"""Properties left out that are named."""


@dataclass(frozen=True)
class _Values:
    """What the values of a property are over all events; `distinct` is 0 where none was counted."""

    name: str
    present: int
    numbers: int
    objects: int
    least: str
    most: str
    distinct: int


def considered(source: Source, names: Iterable[str]) -> list[str]:
    """The names that `init` would look at too: no roles of columns, nothing internal."""
    listed = list(names)
    looked_at = {fact.name for fact in _judged(source, [dict.fromkeys(listed, "x")])}
    return [name for name in listed if name in looked_at]


def _judged(source: Source, records: list[dict[str, str]]) -> list[ValueFacts]:
    """What `init` says of properties with these values."""
    if not isinstance(source, GenericSource):
        records = [{"properties": record} for record in records]  # type: ignore[dict-item]
    return find_properties(source, {"": records}, {"": 1})


def choose_properties(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, readings: Sequence[Reading]
) -> tuple[dict[str, ValueType], list[str]]:
    """The best covered properties and their types, and what to tell about them.

    Coverage is the number of events that carry a value; ties go by name. Left out are constants,
    times, ids and free text (by name, as `init` judges them, or more than `max_categories`
    values), objects and lists. Needs ``extra``.
    """
    rows = [wanted_rows(spec, reading) for reading in readings]
    coverage = _coverage(connection, spec, readings, rows)
    n_events = sum(rows_of(connection, f"select count(*) from {one}")[0][0] for one in rows)
    ranked = sorted((name for name in coverage if coverage[name]), key=lambda k: (-coverage[k], k))
    taken: dict[str, ValueType] = {}
    refused: list[str] = []
    for begin in range(0, len(ranked), _AT_ONCE):
        batch = ranked[begin : begin + _AT_ONCE]
        for values in _look(connection, readings, rows, batch, spec.max_categories):
            kind, reason = _verdict(values, spec)
            if reason is None and len(taken) == spec.max_properties:
                reason = "less covered than those taken"
            if reason is None:
                taken[values.name] = kind
            else:
                refused.append(f"{values.name} ({reason}, {_share(values.present, n_events)})")
        if len(taken) == spec.max_properties:
            break
    unseen = len(ranked) - len(taken) - len(refused)
    return taken, _told(taken, coverage, n_events, refused, unseen)


def _told(
    taken: dict[str, ValueType],
    coverage: dict[str, int],
    n_events: int,
    refused: list[str],
    unseen: int,
) -> list[str]:
    listed = ", ".join(
        f"{name} ({kind}, {_share(coverage[name], n_events)})" for name, kind in taken.items()
    )
    n_taken = many(len(taken), "property", "properties")
    lines = [f"took {n_taken} from the data: {listed or 'none is worth having'}"]
    n_left = len(refused) + unseen
    if n_left:
        shown = refused[:_MOST_TOLD]
        more = [f"{n_left - len(shown)} more"] if n_left > len(shown) else []
        n_properties = many(n_left, "property", "properties")
        lines.append(f"left out {n_properties}: {', '.join([*shown, *more])}")
    return lines


def _share(n: int, n_events: int) -> str:
    """How many of all events, in words.

    >>> _share(30, 100), _share(1, 10_000)
    ('on 30% of events', 'on 0.01% of events')
    """
    return f"on {100 * n / max(n_events, 1):.3g}% of events"


def _coverage(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    readings: Sequence[Reading],
    rows: Sequence[str],
) -> dict[str, int]:
    """How many events carry each property."""
    counted: dict[str, int] = {}
    for reading, wanted in zip(readings, rows, strict=True):
        found = dict.fromkeys(reading.properties, 0)
        if found:
            columns = ", ".join(f"count({property_column(name)})" for name in found)
            totals = rows_of(connection, f"select {columns} from {wanted}")[0]
            found = dict(zip(found, totals, strict=True))
        if "rest" in reading.columns:
            others = rows_of(
                connection,
                f"""select one.key, count(*) from (
                        select unnest(map_entries(rest)) as one from {wanted})
                    where one.value <> '' group by one.key""",
            )
            names = considered(spec.all_sources[reading.source], [name for name, _ in others])
            for name, n in others:
                if name in set(names):
                    found[name] = found.get(name, 0) + n
        for name, n in found.items():
            counted[name] = counted.get(name, 0) + n
    return counted


def _look(
    connection: "duckdb.DuckDBPyConnection",
    readings: Sequence[Reading],
    rows: Sequence[str],
    names: Sequence[str],
    max_categories: int,
) -> list[_Values]:
    """The values of properties, in the order of `names`."""
    columns = [f"v{i}" for i in range(len(names))]
    union = " union all ".join(
        "select "
        + ", ".join(
            f"{reading.property(name)} as {column}"
            for name, column in zip(names, columns, strict=True)
        )
        + f" from {wanted}"
        for reading, wanted in zip(readings, rows, strict=True)
    )
    facts = ", ".join(
        f"""[count({v})::varchar, count(number_of({v}))::varchar,
             (count(*) filter ({v}[1] in ('{{', '[')))::varchar,
             min({v}), max({v}), approx_count_distinct({v})::varchar]"""
        for v in columns
    )
    seen = rows_of(connection, f"select {facts} from ({union})")[0]
    # Exact counts are dear; an estimate from the same values is the same on every run.
    exact = [v for v, one in zip(columns, seen, strict=True) if int(one[5]) <= 2 * max_categories]
    counts: dict[str, int] = {}
    if exact:
        query = ", ".join(f"count(distinct {v})" for v in exact)
        counts = dict(
            zip(exact, rows_of(connection, f"select {query} from ({union})")[0], strict=True)
        )
    return [
        _Values(
            name, int(one[0]), int(one[1]), int(one[2]), one[3], one[4], counts.get(v, int(one[5]))
        )
        for name, v, one in zip(names, columns, seen, strict=True)
    ]


def _verdict(values: _Values, spec: DataSpec) -> tuple[ValueType, str | None]:
    """The type of a property, and why it is not worth having; None where it is."""
    is_number = (
        values.numbers >= _SHARE_OF_NUMBERS * values.present and values.distinct >= _FEWEST_NUMBERS
    )
    kind: ValueType = "number" if is_number else "category"
    if values.least == values.most:
        return kind, "constant"
    if values.objects > _MOST_OBJECTS * values.present:
        return kind, "objects or lists"
    ends = [{values.name: values.least}, {values.name: values.most}]
    for source in spec.all_sources:
        for fact in _judged(source, ends):
            if fact.verdict != "use":
                return kind, fact.verdict
    if kind == "category" and values.distinct > spec.max_categories:
        return kind, f"over {spec.max_categories:,} values"
    return kind, None
