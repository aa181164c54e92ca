"""Which users and accounts the log holds: exclusion, e-mail domains, codes in the order of ids."""

from typing import TYPE_CHECKING

from pipeline.sources.freemail import FREE_MAIL
from pipeline.sources.spec import Exclude
from pipeline.storage import quote_list

if TYPE_CHECKING:
    import duckdb


def find_domains(connection: "duckdb.DuckDBPyConnection") -> None:
    """Table ``user_domains``: of each user's latest e-mail, else of an id that looks like one."""
    connection.execute("""
        create table user_domains as
        with ids as (
            select distinct "user" from attributed where "user" is not null
            union select id from table_ids where of = 'user'),
        latest as (
            select "user", arg_max(domain_of(email), (known_at, email)) as domain
            from emails where domain_of(email) is not null group by "user")
        select "user", coalesce(domain, domain_of("user")) as domain
        from ids left join latest using ("user")
        where coalesce(domain, domain_of("user")) is not null""")


def exclude(connection: "duckdb.DuckDBPyConnection", spec: Exclude) -> None:
    """Set ``left_out`` of events of excluded people and accounts, and forget the people.

    A user is excluded when any e-mail it ever had is of an excluded domain.
    """
    domains = quote_list(domain.lower().removeprefix("@") for domain in spec.email_domains)
    users = quote_list(str(user) for user in spec.users)
    accounts = quote_list(str(account) for account in spec.accounts)
    connection.execute(f"""
        create table excluded as
        select 'user' as of, unnest({users}::varchar[]) as id
        union select 'account', unnest({accounts}::varchar[])
        union select 'user', "user" from user_domains where list_contains({domains}, domain)
        union select 'user', "user" from emails
              where list_contains({domains}, domain_of(email))""")
    connection.execute("""
        create table excluded_users as select id from excluded where of = 'user';
        create table excluded_accounts as select id from excluded where of = 'account';
        update attributed set left_out = 'excluded user or account'
        where left_out is null and ("user" in (from excluded_users)
                                    or account in (from excluded_accounts));
        delete from table_ids where (of, id) in (select of, id from excluded);
        delete from table_members where "user" in (from excluded_users)
                                        or account in (from excluded_accounts)""")


def number_entities(connection: "duckdb.DuckDBPyConnection") -> None:
    """Tables ``users`` (code, id, account code, domain) and ``accounts`` (code, id, domain).

    Codes are dense and follow the order of the ids as text, whatever the order of the events.
    """
    free = quote_list(sorted(FREE_MAIL))
    connection.execute("""
        create table accounts as
        select (row_number() over (order by id) - 1)::integer as code, id
        from (select account as id from attributed where left_out is null and account is not null
              union select id from table_ids where of = 'account'
              union select account from table_members)""")
    connection.execute(f"""
        create table users as
        with ids as (
            select "user" as id from attributed where left_out is null and "user" is not null
            union select id from table_ids where of = 'user'),
        by_events as (
            select "user" as id, arg_max(account, (known_at, occurred_at, account)) as account
            from attributed where left_out is null and account is not null group by "user"),
        by_tables as (
            select "user" as id, arg_max(account, (known_at, account)) as account
            from table_members group by "user")
        select (row_number() over (order by id) - 1)::integer as code, id,
               coalesce(a.code, -1)::integer as account,
               case when not list_contains({free}, domain) then domain end as domain
        from ids left join by_events e using (id) left join by_tables t using (id)
        left join accounts a on a.id = coalesce(e.account, t.account)
        left join user_domains d on d."user" = ids.id""")


def name_account_domains(connection: "duckdb.DuckDBPyConnection") -> None:
    """Add to ``accounts`` the commonest domain of its members; ties go to the first by alphabet.

    Needs ``members`` (account code, user code), every pair once. Accounts are never merged by
    domain.
    """
    connection.execute("""
        create or replace table accounts as
        with counted as (
            select m.account as code, domain, count(*) as n
            from members m join users u on m."user" = u.code
            where domain is not null group by all),
        commonest as (
            select code, arg_min(domain, (-n, domain)) as domain from counted group by code)
        select accounts.*, domain from accounts left join commonest using (code)""")
