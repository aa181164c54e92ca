"""From behaviour to the hazard of converting, and the true probabilities that follow from it."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from pipeline.simulate.accounts import INDUSTRIES, Accounts
from pipeline.simulate.behaviour import Members
from pipeline.simulate.events import Events
from pipeline.simulate.world import (
    BASE_LOG_HAZARD,
    EFFECTS,
    HORIZON_DAYS,
    MILESTONES,
    SIZE_BAND,
    SNAPSHOT_EVERY_DAYS,
    TARGET_INDUSTRIES,
    Milestone,
    SimulateSpec,
)

NOT_CONVERTED = -1


@dataclass(frozen=True)
class HazardPath:
    """The hazard of each account on each day, as behaviour would run without a conversion.

    Parameters
    ----------
    terms
        Name of an effect -> its values at the end of each day, float32,
        shape (n_accounts, n_days).
    cumulative
        Sum of exp(log hazard) over all days up to and with each, float64,
        shape (n_accounts, n_days); days before the sign-up add nothing. With the complementary
        log-log link, P(no conversion on days a..b) = exp(cumulative[a - 1] - cumulative[b]).
    active
        Whether the account had an event on that day, shape (n_accounts, n_days).
    """

    terms: dict[str, np.ndarray]
    cumulative: np.ndarray
    active: np.ndarray


def last_days(per_day: np.ndarray, days: int) -> np.ndarray:
    """Sum over each day and the `days` - 1 before it, along the last axis.

    >>> last_days(np.array([[1, 0, 0, 2]]), days=3)
    array([[1, 1, 1, 2]])
    """
    total = np.cumsum(per_day, axis=-1)
    total[..., days:] -= total[..., :-days].copy()
    return total


def hazard_path(
    spec: SimulateSpec, accounts: Accounts, members: Members, events: Events
) -> HazardPath:
    """Follow every account of a block through all days."""
    days = _Days(spec, accounts, members, events)
    terms = _behaviour_terms(days) | _standing_terms(spec, accounts)
    shape = (len(accounts), spec.days)
    terms = {name: np.broadcast_to(term, shape).astype(np.float32) for name, term in terms.items()}
    log_hazard = np.full(shape, BASE_LOG_HAZARD)
    for effect in spec.effects:
        log_hazard += effect.weight * terms[effect.name]
    here = np.arange(spec.days) >= _sign_up_day(spec, accounts)
    cumulative = np.cumsum(np.where(here, np.exp(log_hazard), 0.0), axis=1)
    return HazardPath(terms, cumulative, days.active > 0)


def conversion_days(path: HazardPath, rng: np.random.Generator) -> np.ndarray:
    """Day of each account's conversion, `NOT_CONVERTED` for none, shape (n_accounts,).

    The first day on which the cumulative hazard passes a unit exponential draw: the same as a
    draw on every day with probability 1 - exp(-hazard).
    """
    patience = rng.standard_exponential(len(path.cumulative))
    passed = path.cumulative >= patience[:, None]
    return np.where(passed[:, -1], passed.argmax(axis=1), NOT_CONVERTED)


def truth_columns(
    spec: SimulateSpec, accounts: Accounts, path: HazardPath, converted: np.ndarray
) -> dict[str, np.ndarray]:
    """True probability of every weekly snapshot, one entry per column, each of shape (n_rows,).

    Rows: accounts of customers-to-be (not staff) signed up before as_of and not converted before
    it, with the whole horizon [as_of, as_of + 14 days) inside the world. The terms of the hazard
    are those of the day before as_of. `account_id` is still a row of the block.
    """
    first, last = SNAPSHOT_EVERY_DAYS, spec.days - HORIZON_DAYS
    day = np.arange(first, last + 1, SNAPSHOT_EVERY_DAYS)
    as_of = spec.start_us + day * DAY_US
    free = (converted == NOT_CONVERTED)[:, None] | (converted[:, None] >= day)
    rows, column = np.nonzero(
        free & (accounts.signed_up[:, None] < as_of) & ~accounts.staff[:, None]
    )
    known = day[column] - 1
    gathered = path.cumulative[rows, known + HORIZON_DAYS] - path.cumulative[rows, known]
    return {
        "account_id": rows,
        "as_of": as_of[column],
        "converts_within_14d": -np.expm1(-gathered),
        "active_28d": (last_days(path.active.astype(np.int32), 28) > 0)[rows, known],
    } | {effect.name: path.terms[effect.name][rows, known] for effect in EFFECTS}


class _Days:
    """Events of a block counted by day; members are added up to their accounts on request."""

    def __init__(self, spec: SimulateSpec, accounts: Accounts, members: Members, events: Events):
        self._n_days, self._n_accounts, self._n_members = spec.days, len(accounts), len(members)
        self._events = events
        self._day = (events.time - spec.start_us) // DAY_US
        # Every account has a founder, so each segment of this order is non-empty.
        self._order = np.argsort(members.account, kind="stable")
        self._first = np.searchsorted(members.account[self._order], np.arange(len(accounts)))
        self.member_active = self._count(events.user, self._n_members, slice(None)) > 0
        self.active = self.add_up(self.member_active)

    def by_account(self, event: str) -> np.ndarray:
        """Events of that name, int64, shape (n_accounts, n_days)."""
        return self._count(self._events.account, self._n_accounts, self._events.is_named(event))

    def by_member(self, event: str) -> np.ndarray:
        """Events of that name, int64, shape (n_members, n_days)."""
        return self._count(self._events.user, self._n_members, self._events.is_named(event))

    def add_up(self, of_members: np.ndarray) -> np.ndarray:
        """Sum over the members of each account, shape (n_accounts, n_days)."""
        return np.add.reduceat(of_members[self._order].astype(np.int32), self._first, axis=0)

    def _count(self, row: np.ndarray, n_rows: int, mask: np.ndarray | slice) -> np.ndarray:
        cell = row[mask] * self._n_days + self._day[mask]
        return np.bincount(cell, minlength=n_rows * self._n_days).reshape(n_rows, self._n_days)


def _behaviour_terms(days: _Days) -> dict[str, np.ndarray]:
    """Terms that the account's own events show, each of shape (n_accounts, n_days)."""
    milestones = {milestone.name: _reached(milestone, days) for milestone in MILESTONES}
    limit_hit = last_days(days.by_account("limit_reached"), 14) > 0
    recent = last_days(days.member_active.astype(np.int32), 7)
    member_days = days.add_up(recent)
    before = np.zeros_like(member_days)
    before[:, 7:] = member_days[:, :-7]
    return milestones | {
        "limit_hit": limit_hit,
        "limit_after_milestone": limit_hit & np.logical_or.reduce(list(milestones.values())),
        "active_members": np.log(np.maximum(days.add_up(recent > 0), 1)),
        "pricing_viewed": last_days(days.by_account("pricing_viewed"), 3) > 0,
        "trend": (member_days - before) / np.maximum(member_days + before, 1),
        "dormant": member_days == 0,
        "gone": last_days(days.active, 28) == 0,
    }


def _reached(milestone: Milestone, days: _Days) -> np.ndarray:
    """Whether the milestone lies behind, bool, shape (n_accounts, n_days)."""
    if milestone.by_one_member:
        done = np.cumsum(days.by_member(milestone.event), axis=1) >= milestone.at_least
        return days.add_up(done) > 0
    return np.cumsum(days.by_account(milestone.event), axis=1) >= milestone.at_least


def _standing_terms(spec: SimulateSpec, accounts: Accounts) -> dict[str, np.ndarray]:
    """Terms of the company and the calendar; shapes broadcast to (n_accounts, n_days)."""
    day = np.arange(spec.days)
    employees = accounts.employees_at(spec.start_us + (day + 1) * DAY_US)
    sign_up_day = _sign_up_day(spec, accounts)
    targets = [INDUSTRIES.index(name) for name in TARGET_INDUSTRIES]
    return {
        "size_in_band": (employees >= SIZE_BAND[0]) & (employees <= SIZE_BAND[1]),
        "target_industry": np.isin(accounts.industry, targets)[:, None],
        "first_week": day - sign_up_day < 7,
        "weekend": (spec.start.weekday() + day) % 7 >= 5,
        "after_price_change": day >= spec.price_change_day,
        "unobserved": accounts.unobserved[:, None],
    }


def _sign_up_day(spec: SimulateSpec, accounts: Accounts) -> np.ndarray:
    """Days from the start to the sign-up, shape (n_accounts, 1)."""
    return ((accounts.signed_up - spec.start_us) // DAY_US)[:, None]
