"""From files to the staged table: one canonical row per input row, good or bad."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from features.clock import MINUTE_US
from pipeline.sources import generic, posthog, segment, times, values
from pipeline.sources.canonical import NOTHING, Canonical, matches
from pipeline.sources.quarantine import keep_rejects
from pipeline.sources.rows import Rows, open_rows
from pipeline.sources.spec import DataSpec, GenericSource, PostHogSource, SegmentSource
from pipeline.storage import quote_text

if TYPE_CHECKING:
    import duckdb

_READERS: dict[str, ModuleType] = {"posthog": posthog, "segment": segment, "generic": generic}
Source = PostHogSource | SegmentSource | GenericSource

_LATE_US = 60 * MINUTE_US
"""An event that arrives later than this after it occurred is worth counting as late."""

DROPPED = "dropped by name"
"""Such rows are no events, but what they say about identity and attributes still holds."""


def prepare(connection: "duckdb.DuckDBPyConnection", spec: DataSpec) -> None:
    """Create the SQL macros and the empty staged table.

    Per property i a column ``p<i>``; per attribute i ``a<i>`` (its new value) and ``o<i>`` (a value
    that only counts when it is the first). ``reason`` is set for rows that can't be used,
    ``left_out`` for rows that are not wanted.
    """
    connection.execute(times.MACROS)
    connection.execute(values.MACROS)
    columns = [
        "source integer, file varchar, line bigint, raw varchar, reason varchar, left_out varchar",
        "event_id varchar, visitor varchar, person varchar, anonymous boolean",
        "link_from varchar, alias boolean",
        "account varchar, event varchar, occurred_at bigint, known_at bigint",
        "before_occurred boolean, late boolean, bad_numbers integer, email varchar",
    ]
    columns += [
        f"p{i} {'double' if kind == 'number' else 'varchar'}"
        for i, kind in enumerate(spec.properties.values())
    ]
    columns += [f"a{i} varchar, o{i} varchar" for i in range(len(spec.attributes))]
    connection.execute(f"create table staged ({', '.join(columns)})")


def carried_columns(spec: DataSpec) -> list[str]:
    """Columns of the staged table that hold values of the events, in a fixed order."""
    values = [f"p{i}" for i in range(len(spec.properties))]
    traits = [f"{kind}{i}" for i in range(len(spec.attributes)) for kind in "ao"]
    return ["email", "bad_numbers", *values, *traits]


def stage(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, index: int, paths: list[Path]
) -> None:
    """Append the rows of source `index` to the staged table, rejected ones to the quarantine."""
    source = spec.all_sources[index]
    reader = _READERS[source.format]
    times.set_zone(connection, source.timezone if isinstance(source, GenericSource) else "UTC")
    for rows in open_rows(connection, paths, reader.KINDS):
        query = _query(spec, index, rows, reader.read(source, rows))
        connection.execute(f"insert into staged by name {query}")
        keep_rejects(connection)


def statements_of(source: Source) -> list[str]:
    """What a source does with anonymous history, duplicates, late events, zones, test traffic."""
    told: list[str] = _READERS[source.format].statements(source)
    return [*told, "Test and employee traffic is what `exclude` names, and is left out."]


def _query(spec: DataSpec, index: int, rows: Rows, canonical: Canonical) -> str:
    """Three layers: take the values, judge the row, shape it."""
    columns = {
        **_canonical_columns(spec, canonical),
        **_property_columns(spec, canonical),
        **_attribute_columns(spec, canonical),
    }
    taken = {
        **columns,
        "known_given": canonical.known_at,
        "wanted": canonical.wanted,
        "internal": matches(spec.exclude.properties, canonical.property, every=False),
        "broken": _first_of([(rows.broken, "not JSON"), *canonical.broken]),
        "file": "__file",
        "line": rows.line,
        "raw": rows.raw,
    }
    # Built last: by now the relation knows every value it has to extract.
    take = f"select {_listed(taken)} from {rows.relation()} where not {rows.blank}"
    judge = f"select *, {_left_out(spec)} as left_out, {_reason()} as unusable from ({take})"
    daily = canonical.daily
    shaped = {
        **{name: name for name in columns},
        "source": str(index),
        "left_out": "left_out",
        "reason": "unusable",
        "file": "case when unusable is not null then file end",
        "line": "case when unusable is not null then line end",
        "raw": "case when unusable is not null then raw end",
        "known_at": "greatest(coalesce(known_given, occurred_at), occurred_at)",
        "before_occurred": "false" if daily else "coalesce(known_given < occurred_at, false)",
        "late": "false" if daily else f"coalesce(known_given > occurred_at + {_LATE_US}, false)",
    }
    return f"select {_listed(shaped)} from ({judge})"


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{sql} as {name}" for name, sql in columns.items())


def _first_of(cases: list[tuple[str, str]]) -> str:
    whens = " ".join(f"when {condition} then {quote_text(text)}" for condition, text in cases)
    return f"case {whens} end"


def _canonical_columns(spec: DataSpec, canonical: Canonical) -> dict[str, str]:
    renamed = " ".join(
        f"when {canonical.event} = {quote_text(one.event)} "
        f"and {matches(one.where, canonical.property, every=True)} then {quote_text(one.name)}"
        for one in spec.derived_events
    )
    event = f"case {renamed} else {canonical.event} end" if renamed else canonical.event
    return {
        "event": f"nullif(trim({event}), '')",
        "event_id": f"nullif({canonical.event_id}, '')",
        "visitor": f"id_of({canonical.visitor})",
        "person": f"id_of({canonical.person})",
        "anonymous": canonical.anonymous,
        "link_from": f"id_of({canonical.link_from})",
        "alias": canonical.alias,
        "account": f"id_of({canonical.account})",
        "occurred_at": canonical.occurred_at,
        "email": canonical.user_trait("email"),
    }


def _property_columns(spec: DataSpec, canonical: Canonical) -> dict[str, str]:
    columns, bad = {}, ["0"]
    for i, (name, kind) in enumerate(spec.properties.items()):
        text = canonical.property(name)
        columns[f"p{i}"] = f"number_of({text})" if kind == "number" else f"nullif({text}, '')"
        if kind == "number":
            bad.append(f"(nullif({text}, '') is not null and number_of({text}) is null)::integer")
    return {**columns, "bad_numbers": " + ".join(bad)}


def _attribute_columns(spec: DataSpec, canonical: Canonical) -> dict[str, str]:
    columns = {}
    for i, (name, attribute) in enumerate(spec.attributes.items()):
        of_user = attribute.of == "user"
        columns[f"a{i}"] = (canonical.user_trait if of_user else canonical.account_trait)(name)
        columns[f"o{i}"] = canonical.user_trait_once(name) if of_user else NOTHING
    return columns


def _left_out(spec: DataSpec) -> str:
    """Why a good row is not wanted; the first that applies, NULL for a wanted row."""
    cases = [("not wanted", "not matching where"), ("internal", "excluded by property")]
    if spec.until_us is not None:
        known = "greatest(coalesce(known_given, occurred_at), occurred_at)"
        cases.append((f"{known} >= {spec.until_us}", "at or after until"))
    if spec.drop_events:
        dropped = ", ".join(map(quote_text, spec.drop_events))
        cases.append((f"event in ({dropped})", DROPPED))
    return _first_of(cases)


def _reason() -> str:
    """Why a row can't be used; the first that applies, NULL for a good row."""
    names = ("event", "visitor", "account", "person", "link_from")

    def any_name(test: str) -> str:
        return " or ".join(f"coalesce({test.format(name)}, false)" for name in names)

    outside = f"not between {times.FIRST_VALID_US} and {times.LAST_VALID_US - 1}"
    cases = [
        (any_name("contains({}, chr(0))"), "NUL byte in an id or event name"),
        (any_name(f"length({{}}) > {values.LONGEST_NAME}"), "id or event name is too long"),
        ("event is null", "event name is missing"),
        ("visitor is null and account is null", "no user and no account"),
        ("occurred_at is null", "time is missing or can't be read"),
        (f"occurred_at {outside} or known_given {outside}", "time out of range"),
    ]
    # What is wrong with a row that is not ours is not our business.
    return f"coalesce(broken, case when wanted then {_first_of(cases)} end)"
