"""A seeded log of any size: power-law accounts, sessions, Zipf event names, half a year.

Nothing here grows with the number of events but three small columns per session, so that a hundred
million events fit into a gigabyte while they are made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.clock import DAY_US, MINUTE_US, SECOND_US, to_us
from features.events import FORMAT_VERSION

START_US = to_us("2025-01-01")
DAYS = 180
N_NAMES = 30
SESSION_EVENTS = 6
LEAST_EVENTS = 1_000
GENERATOR = 2
"""Changes with the events that a seed gives."""

_EVENTS_PER_ACCOUNT = 500
_LEAST_ACCOUNTS, _MOST_ACCOUNTS = 400, 50_000
_PARETO = 1.3
_ZIPF = 1.1
_USERS_PER_ACCOUNT = 8
_LONGEST_PAUSE_S = 240
_SESSIONS_PER_CHUNK = 400_000


@dataclass(frozen=True)
class World:
    """A log that `n_events` and `seed` determine.

    Parameters
    ----------
    n_events
        At least 1,000. There are n_events / 500 accounts, at least 400 and at most 50,000; those
        without an event are not in the log.
    """

    n_events: int
    seed: int = 0

    @property
    def n_accounts(self) -> int:
        return int(np.clip(self.n_events // _EVENTS_PER_ACCOUNT, _LEAST_ACCOUNTS, _MOST_ACCOUNTS))

    @property
    def n_sessions(self) -> int:
        return -(-self.n_events // SESSION_EVENTS)


@dataclass(frozen=True)
class Sessions:
    """Sessions in no order; codes of accounts and users are dense.

    Parameters
    ----------
    start
        int64, shape (n_sessions,): microseconds UTC of the first event.
    account, user
        int32, shape (n_sessions,).
    account_of_user
        int32, shape (n_users,); ascending.
    """

    start: np.ndarray
    account: np.ndarray
    user: np.ndarray
    account_of_user: np.ndarray
    n_accounts: int


@dataclass(frozen=True)
class Events:
    """A chunk of events in no order, columns of one length.

    ``value`` is NaN for event names that carry none.
    """

    account: np.ndarray
    user: np.ndarray
    event: np.ndarray
    at: np.ndarray
    value: np.ndarray


def world_folder(data: Path, n_events: int, seed: int) -> Path:
    """Where a world is cached; another generator or format of logs is another folder."""
    return data / f"events-{n_events}-seed-{seed}-v{GENERATOR}.{FORMAT_VERSION}"


def event_names() -> tuple[str, ...]:
    """Names in code order, the most frequent first.

    >>> event_names()[0], event_names()[-1]
    ('event_00', 'event_29')
    """
    return tuple(f"event_{code:02d}" for code in range(N_NAMES))


def as_of_times(count: int = 26) -> list[int]:
    """Midnights in microseconds UTC, spread evenly from the fifth day to the end of the data.

    26 of them are a week apart.

    >>> [(at - START_US) // DAY_US for at in as_of_times(26)[:3]]
    [5, 12, 19]
    >>> [(at - START_US) // DAY_US for at in as_of_times(4)]
    [5, 64, 122, 180]
    """
    days = [DAYS - (DAYS - 5) * back // (count - 1) for back in reversed(range(count))]
    return [START_US + day * DAY_US for day in days]


def make_sessions(world: World) -> Sessions:
    """Who had a session when: accounts by a power law, born in the first half of the time."""
    rng = np.random.default_rng([world.seed, world.n_events])
    # The quantiles of the law in random order, not draws from it: with draws the largest account
    # has 3 or 30 % of all events as the seed has it, and worlds of two sizes can't be compared.
    rank = rng.permutation(world.n_accounts) + 0.5
    weight = (rank / world.n_accounts) ** (-1 / _PARETO)
    born = rng.integers(0, DAYS // 2 * DAY_US, world.n_accounts)
    # Larger accounts have more users, but not in proportion: their users are also more active.
    share = np.sqrt(weight) / np.sqrt(weight).mean()
    n_users = 1 + rng.poisson((_USERS_PER_ACCOUNT - 1) * share)
    first_user = np.concatenate([[0], np.cumsum(n_users)[:-1]])
    picked = np.cumsum(weight) / weight.sum()
    account = np.searchsorted(picked, rng.random(world.n_sessions)).astype(np.int32)
    user = (first_user[account] + rng.random(world.n_sessions) * n_users[account]).astype(np.int32)
    # The last session begins an hour before the end, so that no event lies beyond it.
    room = DAYS * DAY_US - 60 * MINUTE_US - born[account]
    start = START_US + born[account] + (rng.random(world.n_sessions) * room).astype(np.int64)
    account_of_user = np.repeat(np.arange(world.n_accounts), n_users)
    account_code, user_code = _dense(account, world.n_accounts), _dense(user, len(account_of_user))
    kept = account_of_user[user_code >= 0]
    return Sessions(
        start,
        account_code[account],
        user_code[user],
        account_code[kept],
        int(account_code.max()) + 1,
    )


def _dense(seen: np.ndarray, size: int) -> np.ndarray:
    """New codes 0, 1, ... for the codes in `seen`, -1 for the others: int32, shape (size,)."""
    present = np.zeros(size, bool)
    present[seen] = True
    return np.where(present, np.cumsum(present) - 1, -1).astype(np.int32)


def make_events(world: World, sessions: Sessions) -> Iterator[Events]:
    """The events of the sessions, a few million at a time.

    Each chunk has a random stream of its own. The first events are one of every name, so that no
    world, however small, lacks a name.
    """
    frequency = 1.0 / np.arange(1, N_NAMES + 1) ** _ZIPF
    picked = np.cumsum(frequency) / frequency.sum()
    left = world.n_events
    for chunk, begin in enumerate(range(0, world.n_sessions, _SESSIONS_PER_CHUNK)):
        rng = np.random.default_rng([world.seed, world.n_events, chunk])
        part = slice(begin, begin + _SESSIONS_PER_CHUNK)
        shape = (len(sessions.start[part]), SESSION_EVENTS)
        pause = rng.integers(SECOND_US, _LONGEST_PAUSE_S * SECOND_US, shape)
        pause[:, 0] = 0
        at = (sessions.start[part, None] + np.cumsum(pause, axis=1)).ravel()[:left]
        event = np.searchsorted(picked, rng.random(at.size)).astype(np.int32)
        if chunk == 0:
            event[:N_NAMES] = np.arange(N_NAMES)
        # Every third name carries a value: 10 of the 30.
        amount = np.round(rng.lognormal(3, 1, at.size), 2)
        value = np.where(event % 3 == 1, amount, np.nan)
        account = np.repeat(sessions.account[part], SESSION_EVENTS)[:left]
        user = np.repeat(sessions.user[part], SESSION_EVENTS)[:left]
        left -= at.size
        yield Events(account, user, event, at, value)
