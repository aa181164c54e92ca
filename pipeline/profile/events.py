"""Counts over the events: names, entities, the span of time and where it ends too thinly."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.clock import DAY_US
from features.events import Level
from pipeline.profile.words import DROPPED
from pipeline.sources.stage import UNREAD_TIME
from pipeline.storage import quote_list, quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

_THIN = 0.05
"""A tail whose days hold less than this share of the usual volume is cut off."""
_THIN_DAYS = 3
_FULL = 0.5
"""The last day that counts holds at least this share: days that fade out are no full days."""
_USUAL_DAYS = 28
NEARLY_ALL = 0.9
"""Share of entities of which the rest says nothing."""
_BUSY = 20
"""Events a day below which a quiet week says nothing."""


@dataclass(frozen=True)
class EventFacts:
    """One event name over the whole log; times in microseconds UTC."""

    name: str
    n_events: int
    n_entities: int
    first_at: int
    last_at: int

    @property
    def per_entity(self) -> float:
        return self.n_events / self.n_entities if self.n_entities else 0.0


@dataclass(frozen=True)
class Totals:
    """The log as a whole.

    Parameters
    ----------
    n_unusable
        Rows that would go to quarantine.
    n_strangers
        Anonymous visitors never identified; where accounts are scored they are no users.
    """

    n_events: int
    n_unusable: int
    n_users: int
    n_strangers: int
    n_accounts: int
    n_entities: int
    first_at: int
    last_at: int


def identify(connection: "duckdb.DuckDBPyConnection") -> None:
    """Table ``events`` (event, user, stranger, identified, account, moment, known, page).

    ``stranger``: nothing ever says who the visitor is; ``identified``: this row does; ``known``:
    when user and account were known. Needs ``seen``.

    A simpler identity than the importer's: an anonymous id belongs to the first user it is linked
    to, an event without account to the first account of its user, whatever the time. For counts
    that is enough; nothing here becomes a feature.
    """
    connection.execute("""
        create table events as
        with links as (
            select link_from as visitor, arg_min(coalesce(person, visitor), moment) as person,
                   min(moment) as linked_at
            from seen where usable and link_from <> coalesce(person, visitor) group by all),
        people as (
            select event, coalesce(links.person, seen.person, seen.visitor) as "user",
                   anonymous and links.person is null as stranger,
                   not anonymous or link_from is not null as identified, account, moment,
                   greatest(moment, coalesce(linked_at, moment)) as known, page
            from seen left join links using (visitor) where usable),
        homes as (
            select "user", arg_min(account, known) as home, min(known) as housed_at
            from people where account is not null and "user" is not null group by all)
        select event, "user", stranger, identified, coalesce(account, home) as account, moment,
               case when account is null then greatest(known, coalesce(housed_at, known))
                    else known end as known, page
        from people left join homes using ("user")""")


def count_entities(connection: "duckdb.DuckDBPyConnection", level: Level) -> None:
    """Table ``firsts``: (entity, event) with its count ``n`` and ``first``, ``last`` time."""
    connection.execute(f"""
        create table firsts as
        select "{level}" as entity, event, count(*) as n, min(moment) as first, max(moment) as last
        from events where "{level}" is not null group by all""")


def totals(connection: "duckdb.DuckDBPyConnection", level: Level) -> Totals:
    """Sizes of the log."""
    nobody = "stranger" if level == "account" else "false"
    row = rows_of(
        connection,
        f"""
        select count(*), (select count(*) from seen where not usable),
               count(distinct "user") filter (not {nobody}),
               count(distinct "user") filter ({nobody}),
               count(distinct account), count(distinct "{level}"),
               coalesce(min(moment), 0), coalesce(max(moment), 0)
        from events""",
    )[0]
    return Totals(*row)


def kept_entities(
    connection: "duckdb.DuckDBPyConnection", level: Level, until: int | None
) -> tuple[int, int]:
    """Users and accounts that an import counts: those with an event that is not left out."""
    end = f"< {until}" if until is not None else "is not null"
    # A user who is identified after the end is an unknown visitor before it.
    users = f"not stranger and known {end}" if level == "account" else f"moment {end}"
    query = f"""
        select count(distinct "user") filter ({users}),
               count(distinct account) filter (known {end})
        from events where not list_contains({quote_list(DROPPED)}, event)"""
    users, accounts = rows_of(connection, query)[0]
    return users, accounts


def shares_after_entry(
    connection: "duckdb.DuckDBPyConnection", level: Level, wanted: str, entered_by: str | None
) -> dict[str, float]:
    """Of what known entities did, the share after entry, by name (SQL `wanted`).

    An entity enters with `entered_by`, without it when it is identified first. An event that only
    strangers have has the share 0.
    """
    return dict(
        rows_of(
            connection,
            f"""
            with entries as ({entries_query(level, entered_by)}),
            asked as (select {wanted} as wanted, "{level}" as entity, stranger, moment from events)
            select wanted, coalesce(count(*) filter (moment >= entry)
                   / nullif(count(*) filter (entity is not null and not stranger), 0), 0)
            from asked left join entries using (entity)
            where wanted is not null group by wanted order by wanted""",
        )
    )


def entries_query(level: Level, entered_by: str | None) -> str:
    """SQL of when each entity entered: columns ``entity`` and ``entry``."""
    entry = f"event = {quote_text(entered_by)}" if entered_by else "identified"
    return f"""
        select "{level}" as entity, min(moment) as entry from events
        where "{level}" is not null and {entry} group by all"""


def had_from_entry(
    connection: "duckdb.DuckDBPyConnection", entered_by: str | None, n_entities: int
) -> frozenset[str]:
    """Events that nearly every entity has within a day of its entry; none without an entry."""
    if entered_by is None:
        return frozenset()
    found = rows_of(
        connection,
        f"""
        select f.event from firsts f join firsts e using (entity)
        where e.event = {quote_text(entered_by)} and f.first <= e.first + {DAY_US}
        group by f.event having count(*) >= {NEARLY_ALL * n_entities}""",
    )
    return frozenset(name for (name,) in found)


def unusable_files(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Rows that would go to quarantine, by file, the most first."""
    query = """
        select file, count(*) as n from seen where not usable group by file order by n desc, file"""
    return dict(rows_of(connection, query))


def untimely_files(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    """Files whose bad rows are mostly events without a readable time."""
    query = f"""
        select file from seen where not usable
        group by file having mode(reason) = {quote_text(UNREAD_TIME)}"""
    return {file for (file,) in rows_of(connection, query)}


def event_facts(connection: "duckdb.DuckDBPyConnection") -> tuple[EventFacts, ...]:
    """Every event name, the most frequent first, ties by name."""
    return tuple(
        EventFacts(*row)
        for row in rows_of(
            connection,
            """
            select e.event, e.n, coalesce(f.entities, 0), e.first, e.last
            from (select event, count(*) as n, min(moment) as first, max(moment) as last
                  from events group by all) e
            left join (select event, count(*) as entities from firsts group by all) f using (event)
            order by e.n desc, e.event""",
        )
    )


def n_accounts(connection: "duckdb.DuckDBPyConnection") -> int:
    return value_of(connection, "select count(distinct account) from events")


def thin_tail(connection: "duckdb.DuckDBPyConnection") -> int | None:
    """Midnight from which on the log only trickles, None where it ends in full.

    A last stretch of at least three days that holds on average under 5 % of the usual daily volume
    is a clock gone wrong or a simulation that ran on: what looks like inactivity there is missing
    data. The usual volume is the median of the 28 days before it.
    """
    query = f"select moment // {DAY_US}, count(*) from events group by 1 order by 1"
    return find_tail(dict(rows_of(connection, query)))


def find_tail(counts: dict[int, int]) -> int | None:
    """`thin_tail` of counts by day number.

    >>> busy = {day: 100 for day in range(40)}
    >>> find_tail(busy) is None, find_tail(busy | {44: 1, 90: 2}) == 40 * DAY_US
    (True, True)
    """
    middle = _median(counts.values())
    if not counts:
        return None
    # A log that grows is far busier at its end than in its middle.
    lively = max(day for day, n in counts.items() if n >= _THIN * middle)
    usual = max(middle, _median(counts.get(lively - back, 0) for back in range(_USUAL_DAYS)))
    full = [day for day, n in counts.items() if n >= _FULL * usual]
    if usual < _BUSY or not full:
        return None
    end = max(full) + 1
    days = max(counts) - end + 1
    after = sum(n for day, n in counts.items() if day >= end)
    return end * DAY_US if days >= _THIN_DAYS and after < _THIN * usual * days else None


def _median(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
