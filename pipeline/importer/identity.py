"""Who did it: duplicates removed, anonymous history linked, every event given its account.

Everything is decided by known_at: where a link or membership becomes known only after an event,
the event's own known_at moves forward to it, so no snapshot sees what only the future told.
"""

from typing import TYPE_CHECKING

from features.events import Level
from pipeline.importer.reading import DROPPED, HISTORY, NEVER_IDENTIFIED
from pipeline.sources.spec import DataSpec, GenericSource
from pipeline.storage import quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

KEPT = f"(left_out is null or left_out = {quote_text(DROPPED)})"
"""SQL condition: the row is an event or still says something about identity and attributes."""

_TAKEN = """event, occurred_at, account, late, before_occurred,
               columns('^(email|bad_numbers|[pao][0-9]+)$')"""
"""Columns of ``people`` that are those of ``staged``."""
_LONGEST_CHAIN = 10
"""Aliases of aliases that are followed."""


def find_links(connection: "duckdb.DuckDBPyConnection", level: Level) -> int:
    """Table ``links``: from `made_at` on `visitor` is `person`, which is known from `known_at` on.

    Unique by (visitor, made_at). A person who is itself linked further (an alias of an alias) is
    followed to the end; at account level not through an alias that was still to come, see
    `link_people`. Returns the number of linked ids.
    """
    ahead = "before_link and link.alias" if level == "account" else "false"
    connection.execute(f"""
        create table links as
        select link_from as visitor, known_at as made_at,
               min(coalesce(person, visitor)) as person, known_at, bool_and(alias) as alias
        from staged
        where link_from <> coalesce(person, visitor) and {KEPT}
        group by all""")
    # Two ids that name each other would swap their events; the earlier link holds.
    connection.execute("""
        delete from links l where exists (
            select 1 from links o where o.visitor = l.person and o.person = l.visitor
            and (o.made_at, o.visitor) < (l.made_at, l.visitor))""")
    for _ in range(_LONGEST_CHAIN):
        if not value_of(
            connection,
            "select count(*) from links l semi join links o on l.person = o.visitor",
        ):
            break
        connection.execute(f"""
            create or replace table links as
            select visitor, made_at, alias,
                   case when {ahead} then person else coalesce(link.person, person) end as person,
                   case when {ahead} then known_at
                        else greatest(known_at, coalesce(link.known_at, known_at)) end as known_at
            from ({_linked("links", "person", "made_at")})""")
    return value_of(connection, "select count(distinct visitor) from links")


def _linked(table: str, key: str, time: str) -> str:
    """SQL: rows of `table` with ``link``: the last link of `key` up to `time`, else the first.

    The last before: what was known then. So a later link never takes events from an earlier one.
    ``before_link`` is true where only a later link tells the person. The links of an id come with
    it: the rows stream through a hash join and nothing is sorted.
    """
    # Most ids have one link; lists are searched only for the others.
    return f"""
        select * exclude (id, first_link, more, past), coalesce(past, first_link) as link,
               past is null and first_link is not null as before_link
        from (select *, case
                  when more is not null
                  then list_filter(more, lambda one: one.made_at <= {time})[-1]
                  when first_link.made_at <= {time} then first_link end as past
              from {table} left join (
                  select id, links[1] as first_link, case when len(links) > 1 then links end as more
                  from (select visitor as id, list(
                            struct_pack(made_at, person, known_at, alias) order by made_at) as links
                        from links group by visitor)) on {key} = id)"""


def link_people(connection: "duckdb.DuckDBPyConnection", spec: DataSpec, level: Level) -> None:
    """Table ``people``: staged rows with their ``user``, and known_at as the link allows.

    At account level what an account did is known at once, whoever did it: a row before the link
    that names an account keeps its time and has no user, and a user renamed by an alias keeps the
    old id up to it. At user level all of it moves to the user, known from the link on.

    A visitor no link identifies is a user of its own at user level; at account level there is
    nobody to score, so its rows stay only where they name an account, without a user: a nameless
    visitor is no member. ``left_out`` says which rows go.
    """
    drops = [
        str(index)
        for index, source in enumerate(spec.all_sources)
        if not isinstance(source, GenericSource) and source.anonymous_history == "drop"
    ]
    dropping = f"source in ({', '.join(drops)})" if drops else "false"
    alone = "account is null" if level == "account" else "false"
    left_alone = f"({alone} or {dropping} and account is null)"
    if value_of(connection, "select count(*) from links"):
        at_once = "before_link" if level == "account" else "false"
        kind, rows = "table", _linked_people(at_once, dropping, left_alone)
    else:
        # Where nothing is linked the rows need no second copy.
        kind, rows = "view", _people_as_told(left_alone)
    connection.execute(f"create {kind} people as {rows}")


def _linked_people(at_once: str, dropping: str, left_alone: str) -> str:
    return f"""
        select {_TAKEN}, unknown,
               case when renamed then visitor
                    when (unknown or nameless) and account is not null then null
                    else coalesce(person, link.person, visitor) end as "user",
               case when renamed or nameless then known_at
                    else greatest(known_at, coalesce(link.known_at, known_at)) end as known_at,
               link is not null and not renamed and not nameless as linked,
               case when left_out is not null then left_out
                    when {dropping} and before_link and not renamed
                    then {quote_text(HISTORY)}::why
                    when unknown and {left_alone}
                    then {quote_text(NEVER_IDENTIFIED)}::why end as left_out
        from (select *, anonymous and link is null as unknown,
                     {at_once} and link.alias and not anonymous as renamed,
                     {at_once} and (anonymous or not link.alias) and account is not null
                     as nameless
              from ({_linked("staged", "visitor", "known_at")}))"""


def _people_as_told(left_alone: str) -> str:
    """SQL of what `_linked_people` gives where no row has a link."""
    return f"""
        select {_TAKEN}, anonymous as unknown,
               case when anonymous and account is not null then null
                    else coalesce(person, visitor) end as "user",
               known_at, false as linked,
               case when left_out is not null then left_out
                    when anonymous and {left_alone}
                    then {quote_text(NEVER_IDENTIFIED)}::why end as left_out
        from staged"""


def find_memberships(connection: "duckdb.DuckDBPyConnection") -> None:
    """Table ``memberships``: the account of a user from known_at on, one row per change.

    Needs ``table_members`` (user, account, known_at), what tables of users say.
    """
    connection.execute(f"""
        create table memberships as
        with seen as (
            select "user", account, known_at from people
            where "user" is not null and account is not null and not unknown and {KEPT}
            union all select "user", account, known_at from table_members),
        pairs as materialized (
            select "user", account, min(known_at) as known_at from seen group by all),
        several as (select "user" from pairs group by all having count(*) > 1),
        -- Only users of several accounts need their history sorted.
        timed as (
            select "user", known_at, min(account) as account
            from seen semi join several using ("user") group by all),
        changes as (
            select *, lag(account) over (partition by "user" order by known_at) as before
            from timed)
        select "user", account, known_at from pairs anti join several using ("user")
        union all
        select "user", account, known_at from changes where account is distinct from before""")


def attribute_accounts(connection: "duckdb.DuckDBPyConnection", level: Level) -> None:
    """Table ``attributed``: events and dropped rows with user and account.

    An event without account gets the latest account its user had, known at the event's known_at.
    Before the first: at account level that first account, and known_at moves forward to when it
    became known; at user level none, for the user's own history is known at once. ``told_at`` is
    the known_at before that: what a row says about its user does not wait for an account.
    """
    if not value_of(
        connection,
        f"""select count(*) from people where account is null and "user" is not null and {KEPT}""",
    ):
        # Every row names its account: nothing is looked up, and no second copy is made.
        connection.execute(f"""
            create view attributed as select *, known_at as told_at from people where {KEPT}""")
        return
    # Rows that name their account need no look at the user's others.
    first = "first_change" if level == "account" else "null"
    connection.execute(f"""
        create table attributed as
        select * exclude (of_user, first_change, more, member) replace (
                   coalesce(account, member.account) as account,
                   case when account is null
                        then greatest(known_at, coalesce(member.known_at, known_at))
                        else known_at end as known_at),
               known_at as told_at
        from (
            select *, coalesce(case
                when more is not null
                then list_filter(more, lambda change: change.known_at <= people.known_at)[-1]
                when first_change.known_at <= people.known_at then first_change end,
                {first}) as member
            from people left join (
                select of_user, changes[1] as first_change,
                       case when len(changes) > 1 then changes end as more
                from (select "user" as of_user,
                             list(struct_pack(account, known_at) order by known_at) as changes
                      from memberships group by "user"))
            on case when account is null then "user" end = of_user
            where {KEPT})""")


def forget_people(connection: "duckdb.DuckDBPyConnection") -> None:
    """Free the rows that only the steps so far needed."""
    views = _views(connection)
    if "attributed" not in views:
        _drop(connection, "people", "staged")
    elif "people" not in views:
        _drop(connection, "staged")


def forget_events(connection: "duckdb.DuckDBPyConnection") -> None:
    """Free ``attributed`` and what it may be a view of."""
    views = _views(connection)
    _drop(connection, "attributed", *(["people", "staged"] if "attributed" in views else []))


def own_events(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make ``attributed`` a table, whose rows can be changed."""
    if "attributed" in _views(connection):
        connection.execute("""
            create table own as from attributed;
            drop view attributed;
            alter table own rename to attributed""")


def _drop(connection: "duckdb.DuckDBPyConnection", *names: str) -> None:
    views = _views(connection)
    for name in names:
        connection.execute(f"drop {'view' if name in views else 'table'} if exists {name}")


def _views(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    found = rows_of(connection, "select view_name from duckdb_views() where not internal")
    return {name for (name,) in found}
