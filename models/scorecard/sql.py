"""A scorecard as one query for the warehouse: the same points over a table of events."""

from collections.abc import Sequence

from features.clock import to_text
from features.definitions import DIMENSIONS, Feature
from features.errors import SettingsError, few
from features.events import Level
from models.scorecard.columns import column_of
from models.scorecard.rules import Rule
from models.scorecard.spec import ScorecardSpec
from models.scorecard.sql_facts import Writer, aggregate, subquery
from models.scorecard.sql_text import (
    Dialect,
    Tables,
    comment,
    literal,
    name,
    real,
    table,
    texts,
    utc,
)

_DIALECTS: dict[Dialect, str] = {"duckdb": "DuckDB", "postgres": "Postgres"}


def to_sql(
    spec: ScorecardSpec,
    features: Sequence[Feature],
    level: Level,
    *,
    as_of: int | None,
    dialect: Dialect = "duckdb",
    tables: Tables | None = None,
    notes: Sequence[str] = (),
) -> str:
    """A query of every entity's points, tier and fired rules, as `Scorecard.score` gives them.

    Events count from their known_at on, in [as_of - days, as_of). Everyone with an event before
    as_of gets a row.

    Parameters
    ----------
    spec
        As `resolved` gives it.
    features
        The run's catalogue.
    as_of
        Microseconds UTC; None for the midnight before the query runs.
    notes
        More to say about the tables, in comments at the top.

    Raises
    ------
    SettingsError
        When rules read what this SQL can't say, by their names.
    """
    writer = Writer(level, dialect, tables or Tables())
    pairs = [(rule, column) for rule in spec.rules if (column := _read(rule, features))]
    columns = list(dict.fromkeys(column for _, column in pairs))
    aggregates = {column: aggregate(column, writer) for column in columns}
    joined = {
        column: query
        for column in columns
        if aggregates[column] is None and (query := subquery(column, writer)) is not None
    }
    lacking = {column for column in columns if aggregates[column] is None and column not in joined}
    if refused := [rule.name for rule, column in pairs if column in lacking]:
        raise SettingsError(
            f"{len(refused)} of {len(spec.rules)} rules can't be said in SQL: {few(refused)}. "
            "They read a statistic that only the engine computes; count something else, or leave "
            "them out with --without."
        )
    value = {column: f"f{at}" for at, column in enumerate(columns, 1)}
    parts = [
        f"moment as (\n  select {_moment(as_of)} as as_of\n)",
        f"seen as (\n{_seen(columns, writer)}\n)",
        f"counted as (\n{_counted(aggregates, value)}\n)",
        *(f"{value[column]}_of as (\n{query}\n)" for column, query in joined.items()),
        f"facts as (\n{_facts(aggregates, joined, value)}\n)",
        f"fired as (\n{_fired(pairs, value)}\n)",
        f"earned as (\n{_earned([rule for rule, _ in pairs])}\n)",
    ]
    title = [*_title(columns, writer, as_of), *notes, *_without(spec, pairs)]
    return "\n".join(
        [*map(comment, title), "with", ",\n".join(parts), _final(spec, pairs, writer), ""]
    )


def _read(rule: Rule, features: Sequence[Feature]) -> Feature | None:
    column = column_of(rule, features)
    wanted = "number" if rule.reads_numbers else "category"
    return column if column is not None and column.dtype == wanted else None


def _title(columns: list[Feature], writer: Writer, as_of: int | None) -> list[str]:
    """Whose SQL it is, for which date, and the tables and columns that must be there."""
    tables = writer.tables
    today = "midnight (UTC) of the day on which it runs; --as-of names another"
    lines = [
        "Points of a scorecard, made by `python -m pipeline scorecard sql`.",
        f"Dialect: {_DIALECTS[writer.dialect]}.",
        f"As of: {today if as_of is None else f'{to_text(as_of)} (UTC)'}.",
    ]
    first = (writer.entity, tables.user, tables.event, tables.known_at)
    read = {tables.events: list(dict.fromkeys((*first, *_properties(columns))))}
    for column in columns:
        if column.property and column.source in ("account", "user"):
            of_user = column.source == "user"
            there = tables.users if of_user else tables.accounts
            who = tables.user if of_user else tables.account
            read.setdefault(there, [who, tables.valid_from]).append(column.property)
    return lines + [
        f"Reads {where}: {', '.join(dict.fromkeys(found))}." for where, found in read.items()
    ]


def _properties(columns: list[Feature]) -> list[str]:
    """Columns of the events that rules read."""
    return sorted({c.property for c in columns if c.property and c.source == "event"})


def _without(spec: ScorecardSpec, pairs: list[tuple[Rule, Feature]]) -> list[str]:
    told = {id(rule) for rule, _ in pairs}
    return [f"No data, never counts: {rule.name}" for rule in spec.rules if id(rule) not in told]


def _moment(as_of: int | None) -> str:
    # Without a time: the newest whole day.
    today = "date_trunc('day', current_timestamp at time zone 'UTC')"
    return f"cast({today if as_of is None else literal(to_text(as_of))} as timestamp)"


def _seen(columns: list[Feature], writer: Writer) -> str:
    tables = writer.tables
    known_at = utc(writer.dialect, name(tables.known_at))
    picked = [
        f"{name(writer.entity)} as entity",
        f"{name(tables.user)} as member",
        f"{name(tables.event)} as event",
        f"{known_at} as known_at",
        "as_of",
        *map(name, _properties(columns)),
    ]
    return (
        f"  select {', '.join(picked)}\n  from {table(tables.events)} cross join moment\n"
        f"  where {known_at} < as_of and {name(writer.entity)} is not null"
    )


def _counted(aggregates: dict[Feature, str | None], value: dict[Feature, str]) -> str:
    lines = [f"    {sql} as {value[column]}" for column, sql in aggregates.items() if sql]
    return (
        "  select entity"
        + "".join(f",\n{line}" for line in lines)
        + "\n  from seen group by entity"
    )


def _facts(
    aggregates: dict[Feature, str | None], joined: dict[Feature, str], value: dict[Feature, str]
) -> str:
    from features.statistics import STATISTICS

    picked, joins = ["counted.entity"], []
    for column, short in value.items():
        source = f"{short}_of.value" if column in joined else short
        empty = column.statistic in STATISTICS and STATISTICS[column.statistic].empty == 0
        source = f"coalesce({source}, 0)" if empty else source
        picked.append(f"{real(source) if column.dtype == 'number' else source} as {short}")
        if column in joined:
            joins.append(f"\n  left join {short}_of on {short}_of.entity = counted.entity")
    return "  select " + ", ".join(picked) + "\n  from counted" + "".join(joins)


def _fired(pairs: list[tuple[Rule, Feature]], value: dict[Feature, str]) -> str:
    lines = [
        f"    case when {_holds(rule, value[column])} then 1 else 0 end as r{at}"
        for at, (rule, column) in enumerate(pairs, 1)
    ]
    return "  select entity" + "".join(f",\n{line}" for line in lines) + "\n  from facts"


def _holds(rule: Rule, value: str) -> str:
    if rule.at_least is not None:
        return f"{value} >= {_number(rule.at_least)}"
    if rule.between is not None:
        low, high = map(_number, rule.between)
        return f"{value} >= {low} and {value} <= {high}"
    if rule.one_of is not None:
        return f"{value} in {texts(rule.one_of)}"
    equal = rule.equals
    return f"{value} = {literal(equal) if isinstance(equal, str) else _number(float(equal or 0))}"


def _number(bound: float) -> str:
    return real(repr(float(bound)))


def _earned(rules: list[Rule]) -> str:
    lines = []
    for dimension in DIMENSIONS:
        mine = [
            f"{rule.points} * r{at}"
            for at, rule in enumerate(rules, 1)
            if rule.dimension == dimension
        ]
        lines.append(f",\n    {' + '.join(mine) or '0'} as {name(dimension)}")
    names = "".join(
        f",\n      case when r{at} = 1 then {literal(rule.name)} end"
        for at, rule in enumerate(rules, 1)
    )
    fired = f"concat_ws('; '{names or ', null'}) as fired"
    return f"  select entity{''.join(lines)},\n    {fired}\n  from fired"


def _final(spec: ScorecardSpec, pairs: list[tuple[Rule, Feature]], writer: Writer) -> str:
    points = " + ".join(map(name, DIMENSIONS))
    tiers = " ".join(
        f"when points >= {getattr(spec.thresholds, tier)!r} then {literal(tier)}"
        for tier in ("critical", "hot", "warm")
    )
    dimensions = ", ".join(map(name, DIMENSIONS))
    return (
        f"select entity as {name(writer.entity)}, as_of, points, {dimensions},\n"
        f"  case {tiers} else 'cold' end as tier, fired\n"
        f"from (select *, {points} as points from earned) as summed cross join moment\n"
        "order by points desc, entity"
    )
