"""Events of one block of accounts as arrays, and the events with which the product answers them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from features.clock import DAY_US, SECOND_US
from pipeline.simulate.accounts import Accounts
from pipeline.simulate.world import CODES, SimulateSpec

LIMIT_KINDS = ("reports", "data_sources", "members")
ALLOWED: Mapping[str, int] = MappingProxyType({"reports": 10, "data_sources": 5, "members": 5})
"""The free plan: reports per 30 days, data sources, members. Going beyond is told, not stopped."""


@dataclass(frozen=True)
class Events:
    """Parallel arrays of shape (n_events,), in no particular order.

    Parameters
    ----------
    name
        int8 code, position in `EVENTS`.
    account
        Row of the account in its block, -1 for none.
    user
        Row of the member in its block.
    time
        Microseconds UTC at which it happened.
    limit
        int8 position in `LIMIT_KINDS`, -1 for none.
    used
        What a reached limit counts, 0 for none.
    """

    name: np.ndarray
    account: np.ndarray
    user: np.ndarray
    time: np.ndarray
    limit: np.ndarray
    used: np.ndarray

    def __len__(self) -> int:
        return len(self.name)

    @classmethod
    def of(cls, name: str | np.ndarray, account: np.ndarray, time: np.ndarray) -> "Events":
        """Events without a limit, by the first member (the founder) of each account.

        Founders are the first members of a block, so a founder has the row of the account.
        """
        n = len(account)
        codes = np.full(n, CODES[name], np.int8) if isinstance(name, str) else name
        nothing = np.full(n, -1, np.int8)
        return cls(codes, account, account, time, nothing, np.zeros(n, np.int64))

    @classmethod
    def concat(cls, parts: "list[Events]") -> "Events":
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def take(self, rows: np.ndarray) -> "Events":
        """The rows of an index or a boolean mask."""
        return Events(*(getattr(self, field.name)[rows] for field in fields(self)))

    def named(self, *names: str) -> "Events":
        return self.take(self.is_named(*names))

    def is_named(self, *names: str) -> np.ndarray:
        """Boolean mask of the events with one of these names."""
        return np.isin(self.name, [CODES[name] for name in names])

    def of_users(self, user: np.ndarray) -> "Events":
        """The same events, done by `user`."""
        return replace(self, user=user)

    def shift_users(self, by: int) -> "Events":
        return replace(self, user=self.user + by)

    def then(self, name: str, seconds: np.ndarray) -> "Events":
        """One event `name` by the same user, `seconds` after each of these."""
        time = self.time + (seconds * SECOND_US).astype(np.int64)
        return Events.of(name, self.account, time).of_users(self.user)


def product_answers(
    spec: SimulateSpec, accounts: Accounts, done: Events, rng: np.random.Generator
) -> Events:
    """Limits, prompts, clicks, price views and abandoned checkouts that follow from `done`.

    limit or paid feature -> prompt shown -> prompt clicked -> prices viewed -> checkout begun
    (and, here, given up): each step by chance, the click likelier with the account's intent.
    """

    def followed(cause: Events, name: str, share: float | np.ndarray, seconds: float) -> Events:
        by_chance = cause.take(rng.random(len(cause)) < share)
        return by_chance.then(name, 1 + rng.exponential(seconds, len(by_chance)))

    limits = _limits(spec, done, rng)
    shown = Events.concat(
        [
            followed(limits, "upgrade_prompt_shown", 0.8, 1),
            followed(done.named("paid_feature_tried"), "upgrade_prompt_shown", 0.6, 1),
        ]
    )
    eager = 0.35 / (1 + np.exp(-0.9 * accounts.intent[shown.account]))
    clicked = followed(shown, "upgrade_prompt_clicked", eager, 6)
    priced = followed(clicked, "pricing_viewed", 0.7, 4)
    viewed = Events.concat([priced, done.named("pricing_viewed")])
    abandoned = followed(viewed, "checkout_started", 0.05, 60)
    set_up = _workspaces(accounts, rng)
    answers = Events.concat([limits, shown, clicked, priced, abandoned, set_up])
    return answers.take(answers.time < spec.end_us)


def _workspaces(accounts: Accounts, rng: np.random.Generator) -> Events:
    """Most founders name and colour their workspace within the first hour."""
    founders = np.flatnonzero(rng.random(len(accounts)) < 0.6)
    delay = (rng.uniform(1, 60, len(founders)) * 60 * SECOND_US).astype(np.int64)
    return Events.of("workspace_set_up", founders, accounts.signed_up[founders] + delay)


def _limits(spec: SimulateSpec, done: Events, rng: np.random.Generator) -> Events:
    """`limit_reached` after some of the uses beyond what the free plan allows."""
    period = (done.time - spec.start_us) // (30 * DAY_US)
    whole_life = np.zeros(len(done), np.int64)
    counted = {
        "reports": (done.is_named("report_created"), period, 0.15),
        "data_sources": (done.is_named("data_source_connected"), whole_life, 0.5),
        "members": (done.is_named("member_joined"), whole_life, 0.5),
    }
    found = []
    for kind, (mask, group, share) in counted.items():
        uses = done.take(mask)
        rank = _rank(uses.account, group[mask], uses.time)
        beyond = (rank > ALLOWED[kind]) & (rng.random(len(uses)) < share)
        reached = uses.take(beyond).then("limit_reached", np.full(int(beyond.sum()), 2.0))
        code = np.full(len(reached), LIMIT_KINDS.index(kind), np.int8)
        found.append(replace(reached, limit=code, used=rank[beyond]))
    return Events.concat(found)


def _rank(account: np.ndarray, group: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Position of each event among those of its (account, group) in time order, from 1.

    >>> _rank(np.array([0, 0, 1, 0]), np.array([0, 0, 0, 5]), np.array([20, 10, 10, 30]))
    array([2, 1, 1, 1])
    """
    order = np.lexsort((time, group, account))
    account, group = account[order], group[order]
    n = len(order)
    begins = np.ones(n, bool)
    begins[1:] = (account[1:] != account[:-1]) | (group[1:] != group[:-1])
    first = np.maximum.accumulate(np.where(begins, np.arange(n), 0))
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n) - first + 1
    return rank
