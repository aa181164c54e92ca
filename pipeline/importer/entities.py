"""Which users and accounts the log holds: exclusion, e-mail domains, codes in the order of ids."""

from typing import TYPE_CHECKING

from features.clock import ALWAYS_US
from pipeline.importer.identity import own_events
from pipeline.importer.reading import EXCLUDED_ENTITY
from pipeline.sources.freemail import FREE_MAIL
from pipeline.sources.spec import Exclude
from pipeline.storage import quote_list, quote_text, value_of

if TYPE_CHECKING:
    import duckdb


def find_domains(connection: "duckdb.DuckDBPyConnection") -> None:
    """Table ``user_domains`` (user, domain, domain_at): who must not be compared with whom.

    The domain of an id that looks like an e-mail, always known; else of the user's first e-mail
    that is no free mail, known with it. Not the latest one: a corporate address given at checkout
    would reach back in time and hide the customers a row resembles.
    """
    free = quote_list(sorted(FREE_MAIL))
    connection.execute(f"""
        create table user_domains as
        with named as (
            select code as "user", domain_of(text) as domain from user_texts
            where domain_of(text) is not null),
        present as (
            select "user" from attributed semi join named using ("user")
            union select id from table_ids where of = 'user'),
        told as (
            select "user", domain, {ALWAYS_US} as known_at
            from named semi join present using ("user")
            union all
            select "user", domain_of(email), known_at from emails)
        select "user", arg_min(domain, (known_at, domain)) as domain, min(known_at) as domain_at
        from told where domain is not null and not list_contains({free}, domain)
        group by told."user" """)


def exclude(connection: "duckdb.DuckDBPyConnection", spec: Exclude) -> None:
    """Set ``left_out`` of events of excluded people and accounts, and forget the people.

    A user is excluded when any e-mail it ever had is of an excluded domain.
    """
    domains = quote_list(domain.lower().removeprefix("@") for domain in spec.email_domains)
    users = quote_list(str(user) for user in spec.users)
    accounts = quote_list(str(account) for account in spec.accounts)
    connection.execute(f"""
        create table excluded_users as
        select code as id from user_texts
        where list_contains({users}, text)
              or list_contains({domains}, domain_of(text)) and code in (
                  select "user" from attributed union select id from table_ids where of = 'user')
        union select "user" from emails where list_contains({domains}, domain_of(email));
        create table excluded_accounts as
        select code as id from account_texts where list_contains({accounts}, text)""")
    if not value_of(
        connection,
        "select (select count(*) from excluded_users) + count(*) from excluded_accounts",
    ):
        return
    own_events(connection)
    connection.execute(f"""
        update attributed set left_out = {quote_text(EXCLUDED_ENTITY)}
        where left_out is null and ("user" in (from excluded_users)
                                    or account in (from excluded_accounts));
        delete from table_ids where of = 'user' and id in (from excluded_users)
                                 or of = 'account' and id in (from excluded_accounts);
        delete from table_members where "user" in (from excluded_users)
                                        or account in (from excluded_accounts)""")


def group_events(connection: "duckdb.DuckDBPyConnection") -> None:
    """Table ``groups``: number and times of the events of each (event, account, user).

    What is asked of entities and names is told from it, without a look at every event.
    """
    connection.execute("""
        create table groups as
        select event, account, "user", count(*) as n_events,
               min(known_at) as first_at, max(known_at) as last_at
        from attributed where left_out is null group by event, account, "user" """)


def number_entities(connection: "duckdb.DuckDBPyConnection") -> None:
    """Tables ``users`` (code, key, id, account code, domain, domain_at) and ``accounts``
    (code, key, id); `key` is the code among all the ids of the input. Needs ``groups``.

    Codes are dense and follow the order of the ids as text, whatever the order of the events.
    """
    connection.execute("""
        create table accounts as
        select (row_number() over (order by key) - 1)::integer as code, key, text as id
        from (select account as key from groups where account is not null
              union select id from table_ids where of = 'account'
              union select account from table_members)
        join account_texts t on key = t.code""")
    connection.execute("""
        create table users as
        with keys as (
            select "user" as key from groups where "user" is not null
            union select id from table_ids where of = 'user'),
        seen as (
            select "user" as key, min(account) as least, max(account) as most from groups
            where account is not null and "user" is not null group by "user"),
        -- Only for users of several accounts it matters which one came last.
        several as (select key as "user" from seen where least < most),
        by_events as (
            select key, least as account from seen where least = most
            union all
            select "user", arg_max(account, (known_at, occurred_at, account))
            from attributed semi join several using ("user")
            where left_out is null and account is not null group by "user"),
        by_tables as (
            select "user" as key, arg_max(account, (known_at, account)) as account
            from table_members group by "user")
        select (row_number() over (order by key) - 1)::integer as code, key, x.text as id,
               coalesce(a.code, -1)::integer as account, domain, domain_at
        from keys left join by_events e using (key) left join by_tables t using (key)
        left join accounts a on a.key = coalesce(e.account, t.account)
        left join user_domains d on d."user" = key
        join user_texts x on key = x.code""")


def name_account_domains(connection: "duckdb.DuckDBPyConnection") -> None:
    """Add to ``accounts`` the domain that was known first among its members, and since when.

    Needs ``members`` (account code, user code, known_at), every pair once. Accounts are never
    merged by domain.
    """
    connection.execute("""
        create or replace table accounts as
        with told as (
            select m.account as code, domain, greatest(domain_at, m.known_at) as known_at
            from members m join users u on m."user" = u.code where domain is not null),
        first as (
            select code, arg_min(domain, (known_at, domain)) as domain,
                   min(known_at) as domain_at
            from told group by code)
        select accounts.*, domain, domain_at from accounts left join first using (code)""")
