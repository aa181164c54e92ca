"""`predict`: score every eligible entity with a registered model and write whom to call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY_US, midnight_at_or_before, to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from features.matrix import Snapshots
from models.judging.champion import seen_until
from pipeline import ledger, registry
from pipeline.account_scores import account_table, write_account_scores
from pipeline.actions import NOT_IN_LEDGER, advised
from pipeline.champion import Champion, events_for, load_champion
from pipeline.freshness import check_freshness
from pipeline.one_thread import in_one_thread
from pipeline.run_lock import run_lock
from pipeline.scores import cohort_at, scorable, scores_table
from pipeline.settings import Run
from pipeline.tables import remove_abandoned, write_atomically, write_csv
from pipeline.tier_history import History, history_of, scores_stem, unrecorded

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prediction:
    """The scores table of one as_of, best first, and where it was written."""

    scores: "pd.DataFrame"
    as_of: int
    version: registry.Version
    files: tuple[Path, ...]
    cutoffs: dict[str, float]
    settings_path: Path

    def as_dict(self) -> dict[str, Any]:
        return {
            "as_of": to_text(self.as_of),
            "model": self.version.name,
            "version": self.version.number,
            "rows": len(self.scores),
            "tiers": self.scores["tier"].value_counts().to_dict(),
            "actions": self.scores["next_action"].value_counts().to_dict(),
            "files": [str(path) for path in self.files],
        }


@in_one_thread
def predict(
    run: Run,
    say: Say,
    *,
    as_of: str | None,
    model: str,
    now: datetime | None,
    stale_ok: bool = False,
    wait_seconds: float = 0,
) -> Prediction:
    """Score the cohort of one as_of, write it into the ledger and then into tables.

    The cohort, the conversion and every feature are the *model's*, whatever the settings file says
    today; only where the events come from, and the threads, are taken from the settings. Run
    again with the same data it changes no byte.

    Parameters
    ----------
    as_of
        ISO date (its midnight UTC) or time; None for the newest complete day.
    now
        Written as ``scored_at`` where these scores have not been given before; None leaves it
        empty.
    stale_ok
        Score although the data are too old or far off their history.
    wait_seconds
        How long to wait for another run of the same store and model.

    Raises
    ------
    EventLogError
        When as_of lies beyond the data.
    NotFresh
        When the data are too old or far off their history.
    Locked
        When another run works with the same store and model.
    """
    with run_lock(run.store, run.model_name, now=now, wait_seconds=wait_seconds):
        for folder in (run.store / "scores", *(run.store / "ledger" / run.model_name).glob("*")):
            remove_abandoned(folder)
        champion = load_champion(run, model)
        version = champion.version
        log = events_for(run, champion, say)
        instant = instant_of(log, as_of)
        check_freshness(log, instant, run.settings.freshness, say, stale_ok=stale_ok)
        for told in (unrecorded(run, version), if_seen(champion, instant)):
            if told:
                say(told)
        rows = cohort_at(run, champion, log, [instant])
        say(
            f"Scoring {len(rows):,} {champion.settings.entity}s as of {to_text(instant)} with "
            f"{version.name} version {version.number}"
        )
        history = history_of(run, version, instant)
        look_back = partial(scorable, run, champion, log)
        scores = scores_table(champion, log, look_back(rows), history, now=now, look_back=look_back)
        scores = advised(run, log, rows, scores, version, model, say).scores
        files: tuple[Path, ...] = ()
        if len(scores):
            scores = written_down(run, champion, log, scores, instant, history, alias=model)
            files = _write(run, champion, log, rows, scores, instant)
    cutoffs = champion.model.scorer.tiers["cutoffs"]
    return Prediction(scores, instant, version, files, cutoffs, run.path)


def if_seen(champion: Champion, as_of: int) -> str | None:
    """A sentence when the model learnt from outcomes of that date, or of dates that overlap it."""
    end, version = seen_until(champion.model), champion.version
    if as_of >= end:
        return None
    return (
        f"{version.name} version {version.number} learnt from outcomes up to {to_text(end)}: its "
        f"scores of {to_text(as_of)} know what became of the accounts, and the ledger marks them "
        "as seen, so that neither monitor nor programme counts them"
    )


def written_down(
    run: Run,
    champion: Champion,
    log: EventLog,
    scores: "pd.DataFrame",
    as_of: int,
    history: History | None,
    *,
    alias: str,
    backfill: bool = False,
) -> "pd.DataFrame":
    """The scores, appended to the ledger; ``scored_at`` is when the ledger had them first."""
    entry = ledger.append(
        run.store,
        scores.drop(columns=list(NOT_IN_LEDGER), errors="ignore"),
        model=champion.version.name,
        version=champion.version.number,
        as_of=as_of,
        alias=alias,
        backfill=backfill,
        seen=as_of < seen_until(champion.model),
        settled_by=None if history is None else (history.as_of, history.sequence),
        data_end=log.data_end,
        log_fingerprint=log.fingerprint,
    )
    given = "NaT" if entry.scored_at is None else entry.scored_at
    return scores.assign(scored_at=np.datetime64(given, "us"))


def instant_of(log: EventLog, as_of: str | None) -> int:
    """as_of in microseconds; the newest complete day when None.

    Raises
    ------
    EventLogError
        When the text is no date, or the day before as_of is not in the data.
    """
    newest = midnight_at_or_before(log.data_end)
    if as_of is None:
        return newest
    try:
        instant = to_us(as_of)
    except ValueError as error:
        raise EventLogError(f"--as-of {as_of!r} is no date; write it like 2024-06-01.") from error
    # The last event of a complete day may lie minutes before its midnight.
    if instant > newest + DAY_US or instant <= log.first_at:
        raise EventLogError(
            f"The date {to_text(instant)} lies outside the data, which run from "
            f"{to_text(log.first_at)} to {to_text(log.data_end)}. The newest complete day ends at "
            f"{to_text(newest)}; the latest date that can be asked for is "
            f"{to_text(newest + DAY_US)}."
        )
    return instant


def _write(
    run: Run,
    champion: Champion,
    log: EventLog,
    rows: Snapshots,
    scores: "pd.DataFrame",
    as_of: int,
) -> tuple[Path, ...]:
    """Parquet for programs and CSV for people, each in place at once or not at all.

    The Parquet of the scores comes last: whoever sees it new finds all else of its run in place.
    """
    stem = scores_stem(champion.version, as_of)
    parquet, csv = (run.store / "scores" / f"{stem}{end}" for end in (".parquet", ".csv"))
    accounts: tuple[Path, ...] = ()
    if champion.heads.accounts is not None:
        table = account_table(
            champion.settings, champion.heads.accounts, log, rows, scores, champion.version
        )
        accounts = write_account_scores(run, table, champion.version, as_of)
    lists = ("reasons", "reasons_against", "look_alikes", "look_alikes_share")
    flat = scores.assign(**{name: scores[name].map("; ".join) for name in lists})
    write_csv(csv, flat)
    write_atomically(parquet, lambda path: scores.to_parquet(path, index=False))
    return parquet, csv, *accounts
