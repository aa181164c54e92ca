"""`predict`: score every eligible entity with a registered model and write whom to call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import DAY_US, midnight_at_or_before, to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from features.labels import Conversions, find_conversions
from features.matrix import FeatureMatrix, Snapshots
from features.snapshots import eligible
from pipeline import ledger, registry
from pipeline.account_scores import account_table, write_account_scores
from pipeline.champion import Champion, events_for, load_champion
from pipeline.dataset import compute, display_names, kinship
from pipeline.freshness import check_freshness
from pipeline.heads import with_heads
from pipeline.run_lock import run_lock
from pipeline.settings import Run, Settings
from pipeline.tables import remove_abandoned, write_atomically
from pipeline.tier_history import scores_stem, settled_tiers, unrecorded

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]
LOOK_ALIKES = 3
REASONS = 3


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
            "files": [str(path) for path in self.files],
        }


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
        log = events_for(run, champion, say)
        instant = instant_of(log, as_of)
        check_freshness(log, instant, run.settings.freshness, say, stale_ok=stale_ok)
        if told := unrecorded(run, champion.version):
            say(told)
        rows, scores = scores_as_of(run, champion, log, instant, say, now=now)
        files: tuple[Path, ...] = ()
        if len(scores):
            scores = written_down(run, champion.version, log, scores, instant, alias=model)
            files = _write(run, champion, log, rows, scores, instant)
    cutoffs = champion.model.scorer.tiers["cutoffs"]
    return Prediction(scores, instant, champion.version, files, cutoffs, run.path)


def scores_as_of(
    run: Run, champion: Champion, log: EventLog, as_of: int, say: Say, *, now: datetime | None
) -> "tuple[Snapshots, pd.DataFrame]":
    """The cohort of one as_of and its scores table; nothing is written.

    Only what was known before as_of is read: of the events, of conversions, and of earlier scores.
    """
    settings = champion.settings
    rows = eligible(
        log,
        settings.entity,
        settings.cohort,
        np.array([as_of]),
        known_conversions(log, settings, as_of),
        threads=run.settings.compute.threads,
        memory_mb=run.settings.compute.memory_mb,
    ).snapshots
    say(
        f"Scoring {len(rows):,} {settings.entity}s as of {to_text(as_of)} with "
        f"{champion.version.name} version {champion.version.number}"
    )
    matrix = compute(log, rows, champion.model.features, run.settings, "Features")
    scores = score(champion, log, matrix, now)
    scores = settled(run, champion, log, matrix, scores)
    return rows, with_heads(champion.heads, matrix, scores)


def written_down(
    run: Run,
    version: registry.Version,
    log: EventLog,
    scores: "pd.DataFrame",
    as_of: int,
    *,
    alias: str,
    backfill: bool = False,
) -> "pd.DataFrame":
    """The scores, appended to the ledger; ``scored_at`` is when the ledger had them first."""
    entry = ledger.append(
        run.store,
        scores,
        model=version.name,
        version=version.number,
        as_of=as_of,
        alias=alias,
        backfill=backfill,
        data_end=log.data_end,
        log_fingerprint=log.fingerprint,
    )
    return scores.assign(scored_at=ledger.read_entries([entry], ["scored_at"])["scored_at"])


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
            f"--as-of {to_text(instant)} lies outside the data, which run from "
            f"{to_text(log.first_at)} to {to_text(log.data_end)}. The newest complete day ends at "
            f"{to_text(newest)}."
        )
    return instant


def known_conversions(log: EventLog, settings: Settings, as_of: int) -> Conversions:
    """Conversions that were known before as_of: later ones do not exist for the scoring run."""
    return find_conversions(log, settings.entity, settings.conversion, known_before=as_of)


def score(
    champion: Champion, log: EventLog, matrix: FeatureMatrix, now: datetime | None
) -> "pd.DataFrame":
    """The scores table: one row per snapshot, highest probability first, ties by entity."""
    model = champion.model
    kin = kinship(log, matrix.snapshots)
    frame = model.predict(matrix, *kin)
    snapshots: Snapshots = matrix.snapshots
    frame.insert(0, "entity_id", snapshots.ids.astype(str))
    names = display_names(log, snapshots.level, int(snapshots.as_of.max(initial=0)))
    frame.insert(1, "name", names[snapshots.entity].astype(str))
    frame.insert(2, "as_of", snapshots.as_of.astype("datetime64[us]"))
    frame.insert(3, "model_version", champion.version.number)
    frame["reasons"] = model.raising(matrix, *kin, most=REASONS)
    frame["look_alikes"] = [
        [name for name, _ in like] for like in model.look_alikes(matrix, *kin, k=LOOK_ALIKES)
    ]
    frame["scored_at"] = np.datetime64(now.replace(tzinfo=None) if now else "NaT", "us")
    order = np.lexsort((snapshots.entity, -frame["raw_score"].to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def settled(
    run: Run, champion: Champion, log: EventLog, matrix: FeatureMatrix, scores: "pd.DataFrame"
) -> "pd.DataFrame":
    """With the tier that each entity keeps or changes to, and the one it had at the date before."""
    at = {name: place for place, name in enumerate(matrix.snapshots.ids)}
    back = scores["entity_id"].map(at).to_numpy(np.int64)
    place = np.argsort(back)
    tier, before = settled_tiers(
        run,
        champion,
        log,
        matrix,
        scores["probability"].to_numpy()[place],
        scores["tier"].to_numpy(object)[place],
        champion.settings.model.hysteresis,
    )
    scores = scores.assign(tier=tier[back])
    scores.insert(scores.columns.get_loc("tier") + 1, "tier_before", before[back])
    return scores


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
    flat = scores.assign(
        reasons=scores["reasons"].map("; ".join), look_alikes=scores["look_alikes"].map("; ".join)
    )
    write_atomically(csv, lambda path: flat.to_csv(path, index=False))
    write_atomically(parquet, lambda path: scores.to_parquet(path, index=False))
    return parquet, csv, *accounts
