"""What is known before as_of of all that triggers and timing ask, in one pass over a log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from features.clock import DAY_US
from features.errors import EventLogError
from features.events import EventLog
from features.labels import NEVER_US
from features.matrix import Snapshots
from features.signals import FirstValue
from models.actions.people import People

NEVER = NEVER_US
WEEK_DAYS = 7


@dataclass(frozen=True)
class Facts:
    """Facts of the rows of one as_of, from events with known_at < as_of.

    Whether there is an event is a matter of known_at; every window and moment, which people read,
    is one of occurred_at, but for `known` and `joined_known`.

    Parameters
    ----------
    as_of
        Microseconds UTC.
    days
        Length of the recent window [as_of - days, as_of).
    count, last
        By event name: int64, shape (n,): events in the recent window; when the last one ever
        happened, `NEVER` for none.
    lately
        By event name: int64, shape (n,): when the last one happened of those that became known in
        the recent window, `NEVER` for none.
    reached
        By milestone: int64, shape (n,): when its n-th event happened, `NEVER` for not yet.
    known
        By event name or milestone: int64, shape (n,): when the event that was known last was
        known, when n events were; `NEVER` for none.
    first_at, last_at
        int64, shape (n,): the entity's first and last event of any name, `NEVER` for none.
    week, week_before
        int64, shape (n,): events in [as_of - 7 days, as_of) and in the 7 days before.
    members, new_members
        int64, shape (n,): users whose latest event is in the row's account, and those of them
        whose first event ever lies in the recent window; 0 for a user in no account.
    joined_at
        int64, shape (n,): first event of the newest of these, `NEVER` for none.
    joined_known
        int64, shape (n,): when the last of these became known, `NEVER` for none.
    contact
        int64, shape (n,): code of the user to write to, -1 for nobody: who is reachable and had
        most events in the last 28 days in the account, ties by code; at user level the user.
    """

    as_of: int
    days: int
    count: Mapping[str, np.ndarray]
    last: Mapping[str, np.ndarray]
    lately: Mapping[str, np.ndarray]
    reached: Mapping[FirstValue, np.ndarray]
    known: Mapping[str | FirstValue, np.ndarray]
    first_at: np.ndarray
    last_at: np.ndarray
    week: np.ndarray
    week_before: np.ndarray
    members: np.ndarray
    new_members: np.ndarray
    joined_at: np.ndarray
    joined_known: np.ndarray
    contact: np.ndarray

    def take(self, rows: np.ndarray) -> "Facts":
        """The facts of an index of rows, in its order."""
        arrays = {
            item.name: getattr(self, item.name)[rows]
            for item in fields(self)
            if isinstance(getattr(self, item.name), np.ndarray)
        }
        return replace(
            self,
            count={name: counts[rows] for name, counts in self.count.items()},
            last={name: times[rows] for name, times in self.last.items()},
            lately={name: times[rows] for name, times in self.lately.items()},
            reached={one: times[rows] for one, times in self.reached.items()},
            known={one: times[rows] for one, times in self.known.items()},
            **arrays,
        )


def read_facts(
    log: EventLog,
    rows: Snapshots,
    *,
    names: Sequence[str],
    milestones: Sequence[FirstValue],
    recent_days: int,
    reachable: np.ndarray | None = None,
) -> Facts:
    """The facts of rows that share an as_of.

    An event that the log does not have never happened.

    Parameters
    ----------
    names
        Events to count.
    reachable
        bool, shape (n_users,): who may be a contact; None for nobody.

    Raises
    ------
    EventLogError
        When the rows have more than one as_of.
    """
    as_ofs = np.unique(rows.as_of)
    if len(as_ofs) > 1:
        raise EventLogError(f"Facts are of one as_of, but the rows have {len(as_ofs)}.")
    as_of = int(as_ofs[0]) if len(as_ofs) else 0
    own = _Own(log, rows, as_of, names, milestones, recent_days)
    people = People(log, as_of, recent_days)
    for shard in range(log.n_shards if len(rows) else 0):
        table = log.shard(shard, ["account", "user", "event", "at", "occurred_at"])
        # A shard is in the order of `at`; an event exactly at as_of is the future.
        end = int(np.searchsorted(table["at"].to_numpy(), as_of, side="left"))
        columns = {name: table[name].to_numpy()[:end] for name in table.column_names}
        own.add(columns)
        people.add(columns)
    account = people.accounts_of(rows)
    members, new, joined_at, joined_known = people.teams(account)
    contact = people.contacts(rows, account, reachable)
    return Facts(
        as_of=as_of,
        days=recent_days,
        count=own.count,
        last=own.last,
        lately=own.lately,
        reached=own.reached,
        known=own.known,
        first_at=own.first_at,
        last_at=own.last_at,
        week=own.week,
        week_before=own.week_before,
        members=members,
        new_members=new,
        joined_at=joined_at,
        joined_known=joined_known,
        contact=contact,
    )


class _Own:
    """The rows' own events, a shard at a time; an entity's events all lie in one shard."""

    def __init__(
        self,
        log: EventLog,
        rows: Snapshots,
        as_of: int,
        names: Sequence[str],
        milestones: Sequence[FirstValue],
        recent_days: int,
    ) -> None:
        self._log, self._level, self._n, self._as_of = log, rows.level, len(rows), as_of
        wanted = dict.fromkeys((*names, *(one.event for one in milestones)))
        self._names = {name: log.event_codes[name] for name in wanted if name in log.event_codes}
        self._since = as_of - recent_days * DAY_US
        self._row_of = np.full(len(log.entities(rows.level)), -1, np.int64)
        self._row_of[rows.entity] = np.arange(len(rows))
        self.count = {name: np.zeros(len(rows), np.int64) for name in names}
        self.last = {name: np.full(len(rows), NEVER) for name in names}
        self.lately = {name: np.full(len(rows), NEVER) for name in names}
        self.reached = {one: np.full(len(rows), NEVER) for one in milestones}
        both: tuple[str | FirstValue, ...] = (*names, *milestones)
        self.known = {one: np.full(len(rows), NEVER) for one in both}
        self.first_at, self.last_at = np.full((2, len(rows)), NEVER)
        self.week, self.week_before = np.zeros((2, len(rows)), np.int64)

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Count the events of one shard, which come in the order of `at`."""
        entity = columns[self._level]
        mine = np.flatnonzero(entity >= 0)
        mine = mine[self._row_of[entity[mine]] >= 0]
        row = self._row_of[entity[mine]]
        event, known = columns["event"][mine], columns["at"][mine]
        asked = np.zeros(len(self._log.event_names), bool)
        asked[list(self._names.values())] = True
        # Most events are of no such name: leave them out once, not for every name.
        some = asked[event]
        self._add_known(row[some], event[some], known[some])
        order = np.argsort(columns["occurred_at"][mine], kind="stable")
        row, event, at = row[order], event[order], columns["occurred_at"][mine][order]
        new = (known >= self._since)[order]
        # Of equal positions the last assignment stays: the latest event, or reversed the first.
        self.last_at[row] = at
        self.first_at[row[::-1]] = at[::-1]
        week, before = (self._as_of - days * DAY_US for days in (WEEK_DAYS, 2 * WEEK_DAYS))
        self.week += self._counted(row[at >= week])
        self.week_before += self._counted(row[(at >= before) & (at < week)])
        some = some[order]
        row, event, at, new = row[some], event[some], at[some], new[some]
        for name, code in self._names.items():
            these = np.flatnonzero(event == code)
            self._add_event(name, row[these], at[these], new[these])

    def _add_event(self, name: str, row: np.ndarray, at: np.ndarray, new: np.ndarray) -> None:
        if name in self.count:
            self.last[name][row] = at
            self.lately[name][row[new]] = at[new]
            self.count[name] += self._counted(row[at >= self._since])
        for milestone, reached in self.reached.items():
            if milestone.event == name:
                who, when = _nth(row, at, milestone.at_least)
                reached[who] = when

    def _add_known(self, row: np.ndarray, event: np.ndarray, known: np.ndarray) -> None:
        for one, times in self.known.items():
            name = one if isinstance(one, str) else one.event
            these = np.flatnonzero(event == self._names.get(name, -1))
            if isinstance(one, str):
                times[row[these]] = known[these]
            else:
                who, when = _nth(row[these], known[these], one.at_least)
                times[who] = when

    def _counted(self, row: np.ndarray) -> np.ndarray:
        return np.bincount(row, minlength=self._n)


def _nth(row: np.ndarray, at: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that have n events or more, and the moment of the n-th; `at` ascends."""
    order = np.argsort(row, kind="stable")
    who, start, times = np.unique(row[order], return_index=True, return_counts=True)
    enough = times >= n
    return who[enough], at[order][start[enough] + n - 1]
