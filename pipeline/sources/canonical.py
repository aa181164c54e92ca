"""The one shape every source is turned into before anything is decided about its rows."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.sources.spec import Match, values_of
from pipeline.storage import quote_text

NOTHING = "null::varchar"


def _absent(_name: str) -> str:
    return NOTHING


@dataclass(frozen=True)
class Canonical:
    """SQL expressions that give the canonical columns of a source's rows, all text but the times.

    Parameters
    ----------
    visitor
        The id the row carries for its person: a user id or an anonymous id.
    person
        An id that already identifies the person, where the source has one.
    anonymous
        Condition: unless linked to a user by some other row, `visitor` was never identified.
    link_from
        Another id of the same person that this row reveals.
    alias
        Condition: `link_from` may be a known user's old id, not only an anonymous one.
    occurred_at, known_at
        Microseconds UTC.
    broken
        (condition, reason) of rows that can't be used.
    wanted
        Condition: the row is ours.
    property, user_trait, user_trait_once, account_trait
        From a name to the expression of its value.
    columns
        Names of properties that are columns of the file.
    names, whole
        Where properties are keys of an object: the list of its keys, and the object as text.
    daily
        The times are whole days, so that no event counts as late.
    """

    event: str
    visitor: str
    account: str
    occurred_at: str
    known_at: str = "null::bigint"
    event_id: str = NOTHING
    person: str = NOTHING
    anonymous: str = "false"
    link_from: str = NOTHING
    alias: str = "false"
    broken: tuple[tuple[str, str], ...] = ()
    wanted: str = "true"
    property: Callable[[str], str] = _absent
    user_trait: Callable[[str], str] = _absent
    user_trait_once: Callable[[str], str] = _absent
    account_trait: Callable[[str], str] = _absent
    columns: tuple[str, ...] = ()
    names: str | None = None
    whole: str | None = None
    daily: bool = False


def matches(where: Match, value: Callable[[str], str], *, every: bool) -> str:
    """SQL condition that every (or any) property has one of its wanted values; never NULL.

    >>> matches({"plan": "pro"}, lambda name: name, every=True)
    "(coalesce(plan in ('pro'), false))"
    """
    tests = [
        f"coalesce({value(name)} in ({', '.join(map(quote_text, values_of(wanted)))}), false)"
        for name, wanted in where.items()
        if values_of(wanted)
    ]
    if not tests:
        return "true" if every else "false"
    return "(" + (" and " if every else " or ").join(tests) + ")"
