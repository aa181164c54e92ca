"""Views of pages worth an event name of their own: those about money, and the commonest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.definitions import slug
from features.events import Level
from pipeline.profile.events import entries_query
from pipeline.profile.sources import SourceProfile
from pipeline.profile.words import page_event
from pipeline.storage import quote_list, quote_text, rows_of

if TYPE_CHECKING:
    import duckdb

_MOST_PATHS = 20
"""Addresses that one derived event lists."""
_MOST_OTHERS = 8
_LEAST_SHARE = 0.01
"""Of the users of the commonest page: fewer make a page of one file or of one person."""
_MOST_LOOKED_AT = 50
"""Commonest addresses among which those are looked for."""


@dataclass(frozen=True)
class Page:
    """Views of pages, worth an event name of their own.

    Parameters
    ----------
    n_users
        Known users who viewed one; not counted for pages about money.
    early
        Known users viewed them mostly before sign-up; not asked of pages about money.
    """

    name: str
    event: str
    property: str
    paths: tuple[str, ...]
    n_events: int
    n_users: int = 0
    early: bool = False


def money_pages(
    connection: "duckdb.DuckDBPyConnection", sources: Sequence[SourceProfile]
) -> tuple[Page, ...]:
    """Pages about money per event that views pages, with their commonest addresses."""
    place = _place(sources)
    if place is None:
        return ()
    # The words are looked for in Python, once per address, so only addresses that can have them.
    seen = rows_of(
        connection,
        """
        select event, page, count(*) from events
        where regexp_matches(lower(page), 'pric|plans|bill|checkout|upgrade|subscri|payment')
        group by all order by 3 desc, 1, 2""",
    )
    grouped: dict[tuple[str, str], dict[str, int]] = {}
    for event, path, n in seen:
        name = page_event(path)
        if name and _views(event):
            grouped.setdefault((name, event), {})[path] = n
    found = [
        Page(name, event, place, tuple(paths)[:_MOST_PATHS], sum(paths.values()))
        for (name, event), paths in grouped.items()
    ]
    return tuple(sorted(found, key=lambda page: (-page.n_events, page.name, page.event)))


def other_pages(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sequence[SourceProfile],
    level: Level,
    entered_by: str | None,
) -> tuple[Page, ...]:
    """The pages that most known users viewed, but for those about money.

    Addresses that differ in a final slash, a query or a fragment are one page.
    """
    place = _place(sources)
    if place is None:
        return ()
    known = "not stranger" if level == "account" else "true"
    seen = rows_of(
        connection,
        f"""
        with entries as ({entries_query(level, entered_by)}),
        views as (
            select event, page, "user", count(*) as n, count(*) filter (moment >= entry) as after
            from events left join entries on entity = "{level}"
            where page is not null and {known} group by all)
        select event, regexp_replace(page, '/*([?#].*)?$', '') as place,
               list(distinct page order by page), sum(n)::bigint,
               count(distinct "user") as users, sum(after) < sum(n) / 2
        from views group by event, place having count(distinct page) <= {_MOST_PATHS}
        order by users desc, 4 desc, event, place limit {_MOST_LOOKED_AT}""",
    )
    found: dict[str, Page] = {}
    for event, path, paths, n_events, n_users, early in seen:
        name = _view_of(path)
        many = n_users >= max(2, _LEAST_SHARE * seen[0][4])
        if many and _views(event) and page_event(path) is None and name not in found:
            found[name] = Page(name, event, place, tuple(paths), n_events, n_users, early)
    return tuple(found.values())[:_MOST_OTHERS]


def named_pages(pages: Sequence[Page]) -> str:
    """SQL of the name of an event, or of the page that it views."""
    whens = [
        f"when event = {quote_text(page.event)} and list_contains({quote_list(page.paths)}, page) "
        f"then {quote_text(page.name)}"
        for page in pages
    ]
    return f"case {' '.join(whens)} else event end" if whens else "event"


def _place(sources: Sequence[SourceProfile]) -> str | None:
    """The property that holds a page's path or address, if it is one for all sources."""
    places = {source.page for source in sources if source.page}
    return next(iter(places)) if len(places) == 1 else None


def _view_of(path: str) -> str:
    """What to call views of a page.

    >>> _view_of("/account/team"), _view_of("https://app.example.com/files"), _view_of("")
    ('account_team_viewed', 'files_viewed', 'home_viewed')
    """
    return slug(f"{re.sub(r'^[a-z]+://[^/]*', '', path).strip('/') or 'home'} viewed")


def _views(event: str) -> bool:
    plain = event.lower().replace("_", "").replace(" ", "").removeprefix("$")
    return plain in {"pageview", "pageviewed", "viewedpage", "page", "screen", "screenviewed"}
