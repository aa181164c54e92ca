"""Ids, and what is known about accounts and users at which time: tables with history."""

import numpy as np
import pyarrow as pa

from pipeline.simulate.accounts import COUNTRIES, INDUSTRIES, Accounts
from pipeline.simulate.behaviour import DEPARTMENTS, ROLES, Members
from pipeline.simulate.files import moment, number, text
from pipeline.simulate.world import STAFF_DOMAIN, SimulateSpec

NAMES = ("Alder", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Grove", "Harbor", "Iris", "Juno")
KINDS = ("Analytics", "Labs", "Foods", "Logistics", "Media", "Health", "Studio", "Works")


def account_ids(accounts: Accounts) -> list[str]:
    return [f"acc_{number:07d}" for number in accounts.number]


def user_ids(accounts: Accounts, members: Members) -> list[str]:
    """Account and place in its team, by the order of joining; row i is member i."""
    order = _by_account_and_time(members)
    account = members.account[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.searchsorted(account, account) + 1
    numbers = accounts.number[members.account]
    return [f"usr_{n:07d}_{k:03d}" for n, k in zip(numbers, place, strict=True)]


def user_table(accounts: Accounts, members: Members) -> pa.Table:
    """One row per member, valid from the moment they joined."""
    order = _by_account_and_time(members)
    account = members.account[order]
    unordered = user_ids(accounts, members)
    ids = [unordered[row] for row in order]
    domains = [_domain(accounts, row) for row in range(len(accounts))]
    # No gmail address holds a hyphen, so none of these belongs to a person.
    emails = [f"{i.replace('_', '-')}@{domains[a]}" for i, a in zip(ids, account, strict=True)]
    return pa.table(
        {
            "user_id": pa.array(ids),
            "account_id": text(account, account_ids(accounts)),
            "email": pa.array(emails),
            "role": text(members.role[order], ROLES),
            "department": text(members.department[order], DEPARTMENTS),
            "valid_from": moment(members.joined[order]),
        }
    )


def account_table(spec: SimulateSpec, accounts: Accounts) -> pa.Table:
    """A row per account and change: the whole state known from `valid_from` on.

    At the sign-up only name and country are known; bought-in firmographics follow days later, if
    ever, and change once for some.
    """
    everyone = np.arange(len(accounts))
    enriched = everyone[accounts.enriched < spec.end_us]
    changed = enriched[accounts.changed[enriched] < spec.end_us]
    account = np.concatenate([everyone, enriched, changed])
    time = np.concatenate(
        [accounts.signed_up, accounts.enriched[enriched], accounts.changed[changed]]
    )
    order = np.lexsort((time, account))
    account, time = account[order], time[order]

    known = time >= accounts.enriched[account]
    later = time >= accounts.changed[account]
    employees = np.where(later, accounts.later_employees[account], accounts.employees[account])
    tools = np.where(later, accounts.later_tools[account], accounts.tools[account])

    def if_known(values: np.ndarray) -> pa.Array:
        return number(np.where(known, values, np.nan))

    names = [f"{NAMES[n % 10]} {KINDS[n // 10 % 8]} {n}" for n in accounts.number]
    return pa.table(
        {
            "account_id": text(account, account_ids(accounts)),
            "name": text(account, names),
            "valid_from": moment(time),
            "country": text(accounts.country[account], COUNTRIES),
            "industry": text(np.where(known, accounts.industry[account], -1), INDUSTRIES),
            "employees": if_known(employees),
            "revenue_musd": if_known(np.round(accounts.revenue_musd[account], 2)),
            "integrated_tools": if_known(tools),
        }
    )


def _by_account_and_time(members: Members) -> np.ndarray:
    return np.lexsort((members.joined, members.account))


def _domain(accounts: Accounts, row: int) -> str:
    if accounts.staff[row]:
        return STAFF_DOMAIN
    if accounts.free_mail[row]:
        return "gmail.com"
    return f"company{accounts.number[row]:07d}.example"
