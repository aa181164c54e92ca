"""Who did it: duplicates removed, anonymous history linked, every event given its account.

Everything is decided by known_at: where a link or membership becomes known only after an event,
the event's own known_at moves forward to it, so no snapshot sees what only the future told.
"""

from typing import TYPE_CHECKING

from features.events import Level
from pipeline.sources.spec import DataSpec, GenericSource
from pipeline.sources.stage import DROPPED, carried_columns
from pipeline.storage import quote_text, value_of

if TYPE_CHECKING:
    import duckdb

KEPT = f"coalesce(left_out, {quote_text(DROPPED)}) = {quote_text(DROPPED)}"
"""SQL condition: the row is an event or still says something about identity and attributes."""

_LONGEST_CHAIN = 10
"""Aliases of aliases that are followed."""


def remove_duplicates(connection: "duckdb.DuckDBPyConnection", spec: DataSpec) -> int:
    """Keep one staged row per (source, event_id): the one known first.

    Rows known at the same time are told apart by content, never by place, so that neither the
    order of rows nor the split into files changes the log. Rows without event_id are all kept.
    Returns the number of rows removed.
    """
    content = ["known_at", "occurred_at", "visitor", "account", "event", "link_from"]
    connection.execute(f"""
        create temp table extra as
        with repeated as (
            select source, event_id from staged where event_id is not null
            group by all having count(*) > 1)
        select row from (
            select s.rowid as row, row_number() over (
                partition by source, event_id
                order by {", ".join(content + carried_columns(spec))}) as nth
            from staged s semi join repeated using (source, event_id))
        where nth > 1""")
    connection.execute("delete from staged where rowid in (select row from extra)")
    return value_of(connection, "select count(*) from extra")


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
    ``before_link`` is true where only a later link tells the person. The few links of an id come
    as one sorted list: the rows stream through a hash join and nothing is sorted.
    """
    return f"""
        select * exclude (id, id_links, past), coalesce(past, id_links[1]) as link,
               past is null and id_links is not null as before_link
        from (select *, list_filter(id_links, lambda one: one.made_at <= {time})[-1] as past
              from {table} left join (
                  select visitor as id, list(
                      struct_pack(made_at, person, known_at, alias) order by made_at) as id_links
                  from links group by visitor) on {key} = id)"""


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
    at_once = "before_link" if level == "account" else "false"
    connection.execute(f"""
        create table people as
        select source, event, occurred_at, account, late, before_occurred, unknown,
               case when renamed then visitor
                    when (unknown or nameless) and account is not null then null
                    else coalesce(person, link.person, visitor) end as "user",
               case when renamed or nameless then known_at
                    else greatest(known_at, coalesce(link.known_at, known_at)) end as known_at,
               link is not null and not renamed and not nameless as linked,
               case when left_out is not null then left_out
                    when {dropping} and before_link and not renamed then 'anonymous history'
                    when unknown and ({alone} or {dropping} and account is null)
                    then 'anonymous visitor never identified' end as left_out,
               {", ".join(carried_columns(spec))}
        from (select *, anonymous and link is null as unknown,
                     {at_once} and link.alias and not anonymous as renamed,
                     {at_once} and (anonymous or not link.alias) and account is not null
                     as nameless
              from ({_linked("staged", "visitor", "known_at")}))""")


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
        pairs as (select "user", account, min(known_at) as known_at from seen group by all),
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
    first = "changes[1]" if level == "account" else "null"
    connection.execute(f"""
        create table attributed as
        select * exclude (of_user, changes, member) replace (
                   coalesce(account, member.account) as account,
                   case when account is null
                        then greatest(known_at, coalesce(member.known_at, known_at))
                        else known_at end as known_at),
               known_at as told_at
        from (
            select *, coalesce(
                list_filter(changes, lambda change: change.known_at <= people.known_at)[-1],
                {first}) as member
            from people left join (
                select "user" as of_user,
                       list(struct_pack(account, known_at) order by known_at) as changes
                from memberships group by "user") on "user" = of_user
            where {KEPT})""")
