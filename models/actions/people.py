"""The users of all accounts: where each one was last, since when, and how active lately."""

from collections.abc import Mapping

import numpy as np

from features.clock import DAY_US
from features.events import EventLog
from features.labels import NEVER_US as NEVER
from features.matrix import Snapshots

CONTACT_DAYS = 28
"""Who was most active in so many days is whom to write to."""


class People:
    """What one pass over the shards of a log gathers of its users before as_of."""

    def __init__(self, log: EventLog, as_of: int, recent_days: int) -> None:
        n_users = len(log.users)
        self._n_accounts, self._as_of = len(log.accounts), as_of
        self._since = as_of - recent_days * DAY_US
        self._account = np.full(n_users, -1, np.int64)
        self._first_at = np.full(n_users, NEVER)
        self._first_known = np.full(n_users, NEVER)
        self._last_at = np.full(n_users, -NEVER)
        self._events = np.zeros(n_users, np.int64)

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Take in one shard; a user may have events in several."""
        inside = np.flatnonzero((columns["user"] >= 0) & (columns["account"] >= 0))
        names = ("user", "account", "at", "occurred_at")
        user, account, at, happened = (columns[name][inside] for name in names)
        first, last = np.full(len(self._account), NEVER), np.full(len(self._account), -NEVER)
        first[user[::-1]] = at[::-1]
        last[user] = at
        here = np.full(len(self._account), -1, np.int64)
        here[user] = account
        later = last > self._last_at
        self._account[later] = here[later]
        self._last_at[later] = last[later]
        np.minimum(self._first_known, first, out=self._first_known)
        np.minimum.at(self._first_at, user, happened)
        lately = user[at >= self._as_of - CONTACT_DAYS * DAY_US]
        self._events += np.bincount(lately, minlength=len(self._events))

    def accounts_of(self, rows: Snapshots) -> np.ndarray:
        """Code of each row's account, -1 for a user in none."""
        return rows.entity if rows.level == "account" else self._account[rows.entity]

    def teams(self, account: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Members and new members, and when the newest joined and the last of them was known."""
        inside = self._account >= 0
        new = inside & (self._first_at >= self._since) & (self._first_at < self._as_of)
        joined_at, known = np.full((2, self._n_accounts), -NEVER)
        np.maximum.at(joined_at, self._account[new], self._first_at[new])
        np.maximum.at(known, self._account[new], self._first_known[new])
        found = [
            np.bincount(self._account[chosen], minlength=self._n_accounts)
            for chosen in (inside, new)
        ]
        nobody, place = account < 0, np.maximum(account, 0)
        if not self._n_accounts:
            return *np.zeros((2, len(account)), np.int64), *np.full((2, len(account)), NEVER)
        members, fresh = (np.where(nobody, 0, counts[place]) for counts in found)
        there = fresh > 0
        joined_at = np.where(there, joined_at[place], NEVER)
        return members, fresh, joined_at, np.where(there, known[place], NEVER)

    def contacts(
        self, rows: Snapshots, account: np.ndarray, reachable: np.ndarray | None
    ) -> np.ndarray:
        """Code of the user to write to of each row, -1 for nobody."""
        if reachable is None or not len(rows):
            return np.full(len(rows), -1, np.int64)
        if rows.level == "user":
            return np.where(reachable[rows.entity], rows.entity, -1).astype(np.int64)
        users = np.flatnonzero(reachable & (self._account >= 0) & (self._events > 0))
        # The best comes last, and the last assignment stays.
        users = users[np.lexsort((-users, self._events[users]))]
        best = np.full(self._n_accounts, -1, np.int64)
        best[self._account[users]] = users
        return best[account]
