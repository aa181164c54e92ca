"""`backfill`: what the model would have said at past dates, into the ledger and nowhere else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.clock import DAY_US, to_text
from features.errors import SettingsError
from features.events import EventLog
from models.judging.champion import seen_until
from pipeline import ledger
from pipeline.champion import Champion, events_for, load_champion
from pipeline.predict import instant_of, written_down
from pipeline.registry import Version
from pipeline.run_lock import run_lock
from pipeline.scores import Scorable, cohort_at, scorable, scores_table
from pipeline.settings import Run
from pipeline.tables import remove_abandoned
from pipeline.tier_history import history_of

Say = Callable[[str], None]
_MOST_CELLS = 50_000_000
"""Features in memory at a time: 200 MB."""


@dataclass(frozen=True)
class Filled:
    """One date of a backfill.

    Parameters
    ----------
    rows
        Entities scored; 0 where nobody was eligible and nothing was written.
    done_before
        Whether the ledger had the date already.
    """

    as_of: int
    rows: int
    done_before: bool


@dataclass(frozen=True)
class Backfill:
    """The dates of a backfill, in order."""

    version: Version
    dates: tuple[Filled, ...]

    @property
    def added(self) -> int:
        """Dates that the ledger did not have."""
        return sum(1 for date in self.dates if date.rows and not date.done_before)

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.version.name,
            "version": self.version.number,
            "added": self.added,
            "dates": [
                {"as_of": to_text(one.as_of), "rows": one.rows, "done_before": one.done_before}
                for one in self.dates
            ],
        }


def backfill(
    run: Run,
    say: Say,
    *,
    first: str,
    last: str,
    every_days: int,
    model: str,
    now: datetime | None,
    allow_seen: bool = False,
    wait_seconds: float = 0,
) -> Backfill:
    """Score the dates first, first + every_days, ... in [first, last], oldest first.

    Each date is scored from what was known before it, its tiers settled by the dates before. Dates
    that the ledger has of this version are skipped, so a stopped backfill goes on where it was.
    The scores are marked in the ledger and no table is written: nothing outward follows from them.
    Whether the feed was whole on a past night is not asked.

    Raises
    ------
    SettingsError
        When `last` lies before `first`; or when a date lies before the end of what the model's
        labels read, unless `allow_seen`: a score of such a date looks better than it ever was.
    EventLogError
        When a date lies outside the data.
    Locked
        When another run works with the same store and model.
    """
    champion = load_champion(run, model)
    log = events_for(run, champion, say)
    begin, end = instant_of(log, first), instant_of(log, last)
    if end < begin:
        raise SettingsError(f"--to {last} lies before --from {first}.")
    version, seen = champion.version, seen_until(champion.model)
    if begin < seen and not allow_seen:
        raise SettingsError(
            f"{version.name} version {version.number} learnt from outcomes up to "
            f"{to_text(seen)}, so its scores of {to_text(begin)} would know what became of the "
            f"accounts. Begin with --from {to_text(seen)}, or say --allow-seen if you do not mean "
            "to judge the model by them."
        )
    dates = _Dates(run, champion, log, say, alias=model, now=now, wait_seconds=wait_seconds)
    return Backfill(version, tuple(dates.fill(range(begin, end + 1, every_days * DAY_US))))


@dataclass(frozen=True)
class _Dates:
    """What filling a date takes."""

    run: Run
    champion: Champion
    log: EventLog
    say: Say
    alias: str
    now: datetime | None
    wait_seconds: float

    def fill(self, instants: Sequence[int]) -> list[Filled]:
        """All of them in order; features of many dates are computed in one pass over the events."""
        filled = {as_of: self._done(as_of) for as_of in instants}
        to_do = [as_of for as_of in instants if filled[as_of] is None]
        width = len(self.champion.model.features)
        n_dates = 1
        while to_do:
            block, to_do = to_do[:n_dates], to_do[n_dates:]
            rows = cohort_at(self.run, self.champion, self.log, block)
            self.say(
                f"Backfill: {to_text(block[0])} to {to_text(block[-1])}, {len(rows):,} rows; "
                f"{len(to_do):,} dates after these"
            )
            found = scorable(self.run, self.champion, self.log, rows)
            for as_of in block:
                filled[as_of] = self._write(as_of, found.at(as_of))
            largest = int(np.unique(rows.as_of, return_counts=True)[1].max(initial=1))
            n_dates = max(1, _MOST_CELLS // (width * largest))
        return [one for one in filled.values() if one is not None]

    def _write(self, as_of: int, rows: Scorable) -> Filled:
        run, champion = self.run, self.champion
        with run_lock(run.store, run.model_name, now=self.now, wait_seconds=self.wait_seconds):
            for folder in (run.store / "ledger" / champion.version.name).glob("*"):
                remove_abandoned(folder)
            # The nightly run may have been there since.
            if done := self._done(as_of):
                return done
            if not len(rows.matrix):
                return Filled(as_of, 0, done_before=False)
            history = history_of(run, champion.version, as_of)
            scores = scores_table(champion, self.log, rows, history, now=self.now)
            written_down(
                run, champion, self.log, scores, as_of, history, alias=self.alias, backfill=True
            )
        return Filled(as_of, len(scores), done_before=False)

    def _done(self, as_of: int) -> Filled | None:
        version = self.champion.version
        done = [
            entry
            for entry in ledger.entries(self.run.store, version.name)
            if (entry.version, entry.as_of) == (version.number, as_of)
        ]
        if not done:
            return None
        self.say(f"The ledger has {to_text(as_of)} already")
        return Filled(as_of, len(ledger.read_entries(done[-1:], ["entity_id"])), done_before=True)
