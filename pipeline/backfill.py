"""`backfill`: what the model would have said at past dates, into the ledger and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.clock import DAY_US, to_text
from features.errors import SettingsError
from features.events import EventLog
from pipeline import ledger
from pipeline.champion import Champion, events_for, load_champion
from pipeline.predict import instant_of, scores_as_of, written_down
from pipeline.registry import Version
from pipeline.run_lock import run_lock
from pipeline.settings import Run
from pipeline.tables import remove_abandoned

Say = Callable[[str], None]


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
    seen = seen_until(champion)
    if begin < seen and not allow_seen:
        raise SettingsError(
            f"{champion.version.name} version {champion.version.number} learnt from outcomes up to "
            f"{to_text(seen)}, so its scores of {to_text(begin)} would know what became of the "
            f"accounts. Begin with --from {to_text(seen)}, or say --allow-seen if you do not mean "
            "to judge the model by them."
        )
    dates = []
    instants = range(begin, end + 1, every_days * DAY_US)
    for place, as_of in enumerate(instants, 1):
        say(f"Backfill: {place} of {len(instants)}, {to_text(as_of)}")
        with run_lock(run.store, run.model_name, now=now, wait_seconds=wait_seconds):
            dates.append(_fill(run, champion, log, as_of, say, alias=model, now=now))
    return Backfill(champion.version, tuple(dates))


def seen_until(champion: Champion) -> int:
    """End of the last label that the model or its calibration learnt from, microseconds UTC."""
    training = champion.model.training
    return training.calibrate_period[1] + training.horizon_days * DAY_US


def _fill(
    run: Run,
    champion: Champion,
    log: EventLog,
    as_of: int,
    say: Say,
    *,
    alias: str,
    now: datetime | None,
) -> Filled:
    version = champion.version
    for folder in (run.store / "ledger" / version.name).glob("*"):
        remove_abandoned(folder)
    done = [
        entry
        for entry in ledger.entries(run.store, version.name)
        if (entry.version, entry.as_of) == (version.number, as_of)
    ]
    if done:
        rows = len(ledger.read_entries(done[-1:], ["entity_id"]))
        say(f"The ledger has {to_text(as_of)} already")
        return Filled(as_of, rows, done_before=True)
    _, scores = scores_as_of(run, champion, log, as_of, say, now=now)
    if len(scores):
        written_down(run, version, log, scores, as_of, alias=alias, backfill=True)
    return Filled(as_of, len(scores), done_before=False)
