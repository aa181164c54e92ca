"""From a file to its part: one canonical row per input row, good or bad."""

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from features.clock import DAY_US, MINUTE_US
from features.events import Level
from pipeline.sources import generic, posthog, segment, times, values
from pipeline.sources.canonical import NOTHING, Canonical, matches
from pipeline.sources.rows import Rows
from pipeline.sources.spec import (
    DerivedEvent,
    GenericSource,
    Match,
    PostHogSource,
    SegmentSource,
)
from pipeline.storage import quote_list, quote_text

if TYPE_CHECKING:
    import duckdb

_READERS: dict[str, ModuleType] = {"posthog": posthog, "segment": segment, "generic": generic}
Source = PostHogSource | SegmentSource | GenericSource

_LATE_US = 60 * MINUTE_US
"""An event that arrives later than this after it occurred is worth counting as late."""

TOO_LONG = "id or event name is too long"
UNREAD_TIME = "time is missing or can't be read"
AHEAD = "occurred more than a day after it was known"
"""The reason of a row whose clock was wrong; up to a day it may only be a little off."""

PROPERTY = "p_"
NOT_MATCHING = "not matching where"
EXCLUDED = "excluded by property"
"""Why a good row is not wanted, as far as its file alone tells."""


@dataclass(frozen=True)
class Take:
    """What is taken from a file besides who, what and when.

    Parameters
    ----------
    properties
        Names of properties.
    attributes
        (name, of) of each declared attribute, in the order of their codes.
    derived_events, excluded
        As in the settings.
    discovered
        `properties` were found in the file, not declared, so that rows are told apart by all they
        hold: ``content`` is its hash.
    more
        The file has more properties; they go into ``rest``, a map of names to values.
    """

    properties: tuple[str, ...]
    attributes: tuple[tuple[str, Level], ...]
    derived_events: tuple[DerivedEvent, ...]
    excluded: Match
    discovered: bool = False
    more: bool = False


def prepare(connection: "duckdb.DuckDBPyConnection") -> None:
    """Create the SQL macros."""
    connection.execute(times.MACROS)
    connection.execute(values.MACROS)


def property_column(name: str) -> str:
    """Column of a part that holds a property: names differ in more than columns may.

    >>> property_column("Plan")
    'p_506c616e'
    """
    return f"{PROPERTY}{name.encode().hex()}"


def property_name(column: str) -> str:
    """The property that a column of a part holds.

    >>> property_name("p_506c616e")
    'Plan'
    """
    return bytes.fromhex(column.removeprefix(PROPERTY)).decode()


def statements_of(source: Source) -> list[str]:
    """What a source does with anonymous history, duplicates, late events, zones, test traffic."""
    told: list[str] = _READERS[source.format].statements(source)
    return [*told, "Test and employee traffic is what `exclude` names, and is left out."]


def read(source: Source, rows: Rows) -> Canonical:
    """What the reader of a source makes of rows."""
    canonical: Canonical = _READERS[source.format].read(source, rows)
    return canonical


def kinds_of(source: Source) -> tuple[str, ...]:
    """The kinds of files that a source reads."""
    kinds: tuple[str, ...] = _READERS[source.format].KINDS
    return kinds


def part_query(rows: Rows, canonical: Canonical, take: Take) -> str:
    """SQL of a part: one canonical row per row of a file, good or bad.

    Ids, names and values are texts as the file has them. ``delay`` is known_at - occurred_at in
    microseconds.

    Three layers: take the values, judge the row, shape it. ``reason`` is set for rows that can't
    be used, ``left_out`` for rows that are not wanted.
    """
    columns = {
        **_canonical_columns(take, canonical),
        **{
            property_column(name): f"nullif({canonical.property(name)}, '')"
            for name in take.properties
        },
        **_attribute_columns(take, canonical),
    }
    taken = {
        **columns,
        "known_given": canonical.known_at,
        "wanted": canonical.wanted,
        "internal": matches(take.excluded, canonical.property, every=False),
        "broken": broken(rows, canonical),
        "line": rows.line,
        "held": rows.held,
        **({"rest": _rest(take, canonical)} if take.more else {}),
    }
    # Built last: by now the relation knows every value it has to extract.
    query = f"select {_listed(taken)} from {rows.relation()} where not {rows.blank}"
    judge = f"select *, {_left_out()} as left_out, {reason()} as unusable from ({query})"
    daily = canonical.daily
    shaped = {
        **{name: name for name in columns},
        "left_out": "left_out",
        "reason": "unusable",
        "line": "case when unusable is not null then line end",
        "raw": f"case when unusable is not null then {rows.raw_of('held')} end",
        **({"content": "hash(held)"} if take.discovered else {}),
        **({"rest": "rest"} if take.more else {}),
        "delay": "greatest(coalesce(known_given, occurred_at), occurred_at) - occurred_at",
        "before_occurred": "false" if daily else "coalesce(known_given < occurred_at, false)",
        "late": "false" if daily else f"coalesce(known_given > occurred_at + {_LATE_US}, false)",
    }
    return f"select {_listed(shaped)} from ({judge})"


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{sql} as {name}" for name, sql in columns.items())


def _first_of(cases: list[tuple[str, str]]) -> str:
    whens = " ".join(f"when {condition} then {quote_text(text)}" for condition, text in cases)
    return f"case {whens} end"


def _canonical_columns(take: Take, canonical: Canonical) -> dict[str, str]:
    renamed = " ".join(
        f"when {canonical.event} = {quote_text(one.event)} "
        f"and {matches(one.where, canonical.property, every=True)} then {quote_text(one.name)}"
        for one in take.derived_events
    )
    event = f"case {renamed} else {canonical.event} end" if renamed else canonical.event
    return {
        "event": event,
        "event_id": f"nullif({canonical.event_id}, '')",
        "visitor": canonical.visitor,
        "person": canonical.person,
        "anonymous": canonical.anonymous,
        "link_from": canonical.link_from,
        "alias": canonical.alias,
        "account": canonical.account,
        "occurred_at": canonical.occurred_at,
        "email": canonical.user_trait("email"),
    }


def _attribute_columns(take: Take, canonical: Canonical) -> dict[str, str]:
    columns = {}
    for i, (name, of) in enumerate(take.attributes):
        of_user = of == "user"
        columns[f"a{i}"] = (canonical.user_trait if of_user else canonical.account_trait)(name)
        columns[f"o{i}"] = canonical.user_trait_once(name) if of_user else NOTHING
    return columns


def _left_out() -> str:
    """Why a good row is not wanted; the first that applies, NULL for a wanted row."""
    return _first_of([("not wanted", NOT_MATCHING), ("internal", EXCLUDED)])


def _rest(take: Take, canonical: Canonical) -> str:
    """SQL of the properties that have no column of their own."""
    return f"""map_from_entries(list_filter(
        map_entries(try(from_json({canonical.whole}, '"MAP(VARCHAR,VARCHAR)"'))),
        lambda one: not list_contains({quote_list(take.properties)}, one.key)))"""


def broken(rows: Rows, canonical: Canonical) -> str:
    """SQL of why a row can't be taken apart, NULL for one that can."""
    return _first_of([(rows.broken, "not JSON"), *canonical.broken])


def _is_blank(name: str) -> str:
    # Texts that begin with a space sort before all that begin with a sign or letter.
    return f"({name} is null or {name} < '!' and trim({name}) = '')"


def reason() -> str:
    """SQL of why a row can't be used; the first that applies, NULL for a good row.

    Reads the columns event, visitor, account, person, link_from, occurred_at, known_given, broken
    and wanted.
    """
    names = ("event", "visitor", "account", "person", "link_from")

    def any_name(test: str) -> str:
        return " or ".join(f"coalesce({test.format(name)}, false)" for name in names)

    outside = f"not between {times.FIRST_VALID_US} and {times.LAST_VALID_US - 1}"
    cases = [
        (any_name("contains({}, chr(0))"), "NUL byte in an id or event name"),
        (any_name(f"length({{}}) > {values.LONGEST_NAME}"), TOO_LONG),
        (_is_blank("event"), "event name is missing"),
        (f"{_is_blank('visitor')} and {_is_blank('account')}", "no user and no account"),
        ("occurred_at is null", UNREAD_TIME),
        (f"occurred_at {outside} or known_given {outside}", "time out of range"),
        (f"occurred_at > known_given + {DAY_US}", AHEAD),
    ]
    # What is wrong with a row that is not ours is not our business.
    return f"coalesce(broken, case when wanted then {_first_of(cases)} end)"
