"""Which event makes a customer: rare, once per entity, and followed by what only customers get.

A sign-up never does: it makes a user.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.clock import DAY_US, MINUTE_US, SECOND_US
from pipeline.profile.events import NEARLY_ALL, EventFacts
from pipeline.profile.words import is_bill, is_internal, is_sign_up, purchase_words
from pipeline.storage import quote_list, quote_text, rows_of

if TYPE_CHECKING:
    import duckdb

_MOST = 12
"""Candidates whose followers are looked up."""
_BY_CONSTRUCTION = 0.9
"""Share of converted entities that a consequence of the conversion follows, within a day."""
_BEFORE = 0.05
"""Share of them that may have had it before: a slip, not a habit."""
_EXCLUSIVE = 0.95
_FEW = 5
"""Share of the entities with an event that had it only as customers; of fewer it says nothing."""
_NOTABLE = 0.1
"""A bill that follows fewer of them is a coincidence."""
_CONVINCING = 4.0
_BILLED = 0.5
"""A bill that follows at least so many speaks for an event whatever it is called."""


@dataclass(frozen=True)
class Follower:
    """An event that came after the first conversion.

    Parameters
    ----------
    share
        Of the converted entities, those that it followed within a day.
    within_us
        Nine in ten of them had it this long after the conversion, or sooner (microseconds).
    before
        Share of converted entities that had it before they converted.
    customers_only
        Hardly anybody has it but after converting.
    """

    name: str
    share: float
    within_us: int
    before: float
    customers_only: bool

    @property
    def by_construction(self) -> bool:
        return self.customers_only or (self.share >= _BY_CONSTRUCTION and self.before <= _BEFORE)


@dataclass(frozen=True)
class Candidate:
    """An event that may be the conversion, with the evidence."""

    event: EventFacts
    share: float
    followers: tuple[Follower, ...]

    @property
    def bill(self) -> Follower | None:
        """The billing-like event that follows most often."""
        bills = (
            one
            for one in self.followers
            if is_bill(one.name) and one.share >= _NOTABLE and one.before <= _BEFORE
        )
        return next(bills, None)

    @property
    def consequences(self) -> tuple[str, ...]:
        """Events that follow by construction."""
        return tuple(one.name for one in self.followers if one.by_construction)

    @property
    def score(self) -> float:
        """Points for its name, for happening once, for being rare, and for bills that follow."""
        once = 2 if self.event.per_entity <= 1.2 else 1 if self.event.per_entity <= 1.5 else 0
        often = -1 if self.event.per_entity > 3 else 0
        rare = 1 if self.share <= 0.5 else -3 if self.share > NEARLY_ALL else 0
        return purchase_words(self.event.name) + once + often + rare + self._billed * 2

    @property
    def plausible(self) -> bool:
        """Whether its name says that somebody buys or is billed, or bills follow it."""
        named = purchase_words(self.event.name)
        return named > 0 or (named == 0 and is_bill(self.event.name)) or self._billed >= _BILLED

    @property
    def convincing(self) -> bool:
        """Whether a person would agree from these figures alone."""
        return self.score >= _CONVINCING and (
            purchase_words(self.event.name) == 3 or self._billed >= _BILLED
        )

    @property
    def _billed(self) -> float:
        return self.bill.share if self.bill else 0.0


def find_conversions(
    connection: "duckdb.DuckDBPyConnection", events: Sequence[EventFacts], n_entities: int
) -> tuple[Candidate, ...]:
    """Candidates, the plausible ones first, the best of them first; no sign-ups."""
    there = [
        e for e in events if e.n_entities and not is_internal(e.name) and not is_sign_up(e.name)
    ]
    likely = sorted(
        there,
        key=lambda e: (-Candidate(e, e.n_entities / n_entities, ()).score, e.n_entities, e.name),
    )[:_MOST]
    followers = _followers(connection, likely)
    found = [Candidate(e, e.n_entities / n_entities, followers.get(e.name, ())) for e in likely]
    ranked = sorted(
        found,
        key=lambda one: (not one.plausible, -one.score, one.event.n_entities, one.event.name),
    )
    # What follows from a better candidate is its consequence, not a second way to convert.
    return tuple(
        one
        for place, one in enumerate(ranked)
        if not any(one.event.name in better.consequences for better in ranked[:place])
    )


def find_entry(
    connection: "duckdb.DuckDBPyConnection",
    events: Iterable[EventFacts],
    n_entities: int,
    conversion: str | None,
) -> str | None:
    """The sign-up-like event that nearly every entity has once, or every one that converts."""
    converts = f"c.event = {quote_text(conversion)}" if conversion is not None else "false"
    for event in sorted(events, key=lambda e: (-e.n_entities, e.name)):
        if event.name == conversion or not is_sign_up(event.name) or event.per_entity > 1.1:
            continue
        [(converted, entered)] = rows_of(
            connection,
            f"""
            select count(*), count(e.entity) from firsts c
            left join firsts e on e.entity = c.entity and e.first <= c.first
                 and list_contains({quote_list([event.name])}, e.event)
            where {converts}""",
        )
        before = entered / converted if converted else 0.0
        if event.n_entities >= NEARLY_ALL * n_entities or before >= NEARLY_ALL:
            return event.name
    return None


def evidence(candidate: Candidate, entities: str, n_entities: int) -> str:
    """The figures behind a candidate, in a sentence without its end."""
    event = candidate.event
    text = (
        f"{event.n_entities:,} of {n_entities:,} {entities}, {event.per_entity:.1f} per "
        f"{entities.removesuffix('s')}"
    )
    if candidate.bill:
        bill = candidate.bill
        soon = _duration(bill.within_us)
        text += f", followed by {bill.name!r} within {soon} in {bill.share:.0%}"
    return text


def _followers(
    connection: "duckdb.DuckDBPyConnection", candidates: Sequence[EventFacts]
) -> dict[str, tuple[Follower, ...]]:
    names = quote_list(e.name for e in candidates)
    rows = rows_of(
        connection,
        f"""
        with converted as (
            select event as candidate, entity, first
            from firsts where list_contains({names}, event)),
        sizes as (select candidate, count(*) as converted from converted group by all),
        others as (
            select c.candidate, f.event, f.first - c.first as delay,
                   delay between 0 and {DAY_US - 1} as soon
            from converted c join firsts f on f.entity = c.entity and f.event <> c.candidate),
        owners as (select event, count(*) as owners from firsts group by all)
        select candidate, event, count(*) filter (soon) / any_value(converted) as share,
               coalesce(quantile_disc(delay, 0.9) filter (soon), 0),
               count(*) filter (delay < 0) / any_value(converted),
               count(*) filter (delay >= 0) >= {_EXCLUSIVE} * any_value(owners)
                   and any_value(owners) >= {_FEW}
        from others join sizes using (candidate) join owners using (event)
        group by candidate, event having count(*) filter (delay >= 0) > 0
        order by candidate, share desc, event""",
    )
    found: dict[str, tuple[Follower, ...]] = {}
    for candidate, *facts in rows:
        one = Follower(*facts)
        found[candidate] = (*found.get(candidate, ()), one)
    return found


def _duration(us: int) -> str:
    """A length of time in its own unit, rounded up.

    >>> _duration(790_000), _duration(61 * MINUTE_US)
    ('1 s', '2 h')
    """
    units = (("s", SECOND_US), ("min", MINUTE_US), ("h", 60 * MINUTE_US))
    unit, size = next((one for one in units if us <= 60 * one[1]), units[-1])
    return f"{max(1, -(-us // size))} {unit}"
