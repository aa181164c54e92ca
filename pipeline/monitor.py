"""`monitor`: what became of the scores, and whether tonight still looks like the training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.clock import DAY_US, midnight_at_or_before, to_text
from features.events import EventLog
from models.monitoring.drift import (
    Drift,
    feature_drift,
    new_values,
    newcomer_drift,
    score_drift,
)
from models.monitoring.event_volumes import (
    NewEvent,
    Vanished,
    daily_counts,
    new_events,
    vanished,
)
from models.monitoring.realised import Realised, realised
from models.monitoring.reference import FILE, NIGHTS
from models.monitoring.verdict import Verdict, judge
from models.scoring import TIERS
from pipeline import ledger, registry
from pipeline.champion import Champion, events_for, load_champion
from pipeline.monitor_outcomes import judged_scores, outcomes_by, told_of
from pipeline.monitor_reference import (
    cohort,
    make_reference,
    newcomer_rows,
    probability_of,
    read_reference,
    write_reference,
)
from pipeline.one_thread import in_one_thread
from pipeline.predict import instant_of
from pipeline.settings import Run
from pipeline.tables import write_atomically

Say = Callable[[str], None]


@dataclass(frozen=True)
class Inputs:
    """Tonight's rows against the reference.

    Parameters
    ----------
    rows, newcomers
        How many there are tonight; without any, nothing is compared.
    new_values
        Categories that the reference does not have, by feature.
    """

    rows: int
    newcomers: int
    scores: Drift | None
    features: list[Drift]
    newcomer_features: list[Drift]
    gone: list[Vanished]
    new_events: list[NewEvent]
    new_values: dict[str, list[str]]


@dataclass(frozen=True)
class Monitoring:
    """Everything that one look found.

    Parameters
    ----------
    pinned
        Whether the reference was written at training; else it was made from the log now.
    realised
        By month and tier, of all versions that were champion.
    recent
        What the verdict judges: all rows, and those in the PQL tiers (`PQL`).
    judged
        Versions that gave those scores.
    unknown, immature
        Entities of the ledger that the log does not have, and rows whose horizon has not passed.
    seen, late
        Dates that are left out, as `pipeline.ledger_outcomes.Said` has them.
    """

    as_of: int
    version: registry.Version
    horizon_days: int
    pinned: bool
    reference: tuple[int, int]
    inputs: Inputs
    realised: list[Realised]
    recent: list[Realised]
    judged: tuple[int, ...]
    unknown: int
    immature: int
    seen: int
    late: int
    with_backfilled: bool
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        found = self.inputs
        return {
            "as_of": to_text(self.as_of),
            "model": self.version.name,
            "version": self.version.number,
            "action": self.verdict.action,
            "line": self.verdict.line,
            "crossed": [asdict(one) for one in self.verdict.crossed],
            "reference": {
                "pinned": self.pinned,
                "from": to_text(self.reference[0]),
                "to": to_text(self.reference[1]),
            },
            "rows": found.rows,
            "newcomers": found.newcomers,
            "scores": None if found.scores is None else _plain(found.scores),
            "features": [_plain(one) for one in found.features],
            "newcomer_features": [_plain(one) for one in found.newcomer_features],
            "vanished": [asdict(one) for one in found.gone],
            "new_events": [asdict(one) for one in found.new_events],
            "new_values": found.new_values,
            "realised": [asdict(one) for one in self.realised],
            "recent": [asdict(one) for one in self.recent],
            "judged_versions": list(self.judged),
            "immature_rows": self.immature,
            "unknown_entities": self.unknown,
            "seen_dates": self.seen,
            "late_dates": self.late,
            "with_backfilled": self.with_backfilled,
        }


def _plain(one: Drift) -> dict[str, Any]:
    return {key: value for key, value in asdict(one).items() if not isinstance(value, np.ndarray)}


@in_one_thread
def monitor(
    run: Run,
    say: Say,
    *,
    as_of: str | None,
    model: str = registry.CHAMPION,
    with_backfilled: bool = False,
) -> Monitoring:
    """Compare what is known before as_of with what the model promised and was trained on.

    Parameters
    ----------
    as_of
        ISO date or time; None for the newest complete day. Only events, conversions and ledger
        entries before it are read, so a date gives later what it gave then.
    with_backfilled
        Judge scores too that were made afterwards for dates that have none in time.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory, SchemaMismatch
        With one sentence that says what is wrong and what to do.
    """
    champion = load_champion(run, model)
    log = events_for(run, champion, say)
    now = instant_of(log, as_of)
    known, pinned = _reference(run, champion, log, now, say)
    inputs = look(run, champion, log, known, now)
    outcomes, said, quiet = outcomes_by(run, champion, log, now, with_backfilled=with_backfilled)
    spec, draws = run.settings.monitor, run.settings.evaluation.n_bootstrap
    seed, number = run.settings.seed, champion.version.number
    begin = now - (champion.settings.horizon_days + spec.realised_days) * DAY_US
    recent, judged = judged_scores(outcomes, number, begin, spec, n_bootstrap=draws, seed=seed)
    verdict = judge(
        inputs.scores,
        inputs.features,
        inputs.newcomer_features,
        inputs.gone,
        recent,
        spec,
        about=told_of(judged, number, begin),
        # A whole window without a conversion is no delay any more.
        quiet_days=quiet if now - quiet * DAY_US > begin else 0.0,
    )
    return Monitoring(
        as_of=now,
        version=champion.version,
        horizon_days=champion.settings.horizon_days,
        pinned=pinned,
        reference=(known["first_as_of"], known["last_as_of"]),
        inputs=inputs,
        realised=realised(outcomes.rows, tuple(reversed(TIERS)), n_bootstrap=draws, seed=seed),
        recent=recent,
        judged=judged,
        unknown=outcomes.unknown,
        immature=outcomes.immature,
        seen=said.seen,
        late=said.late,
        with_backfilled=with_backfilled,
        verdict=verdict,
    )


def look(run: Run, champion: Champion, log: EventLog, known: dict[str, Any], now: int) -> Inputs:
    """Scores, features, newcomers and events of one night against the reference."""
    spec = run.settings.monitor
    counts = daily_counts(log, now, NIGHTS)
    gone = vanished(
        known["events"], counts, now, spec.vanished_below, run.settings.freshness.volume.holidays
    )
    added = new_events(known["events"], counts)
    rows = cohort(run, champion.settings, champion.model, log, np.array([now]))
    if not len(rows):
        return Inputs(0, 0, None, [], [], gone, added, {})
    cluster = rows.cluster
    newcomer = newcomer_rows(log, champion.settings, rows, spec.newcomers_days)
    probability = probability_of(champion.model, rows)
    categories = {f.name: rows.matrix.column(f.name) for f in rows.matrix.features
                  if f.dtype == "category" and f.name in known["columns"]}  # fmt: skip
    unseen = {name: new_values(known["columns"][name], v) for name, v in categories.items()}
    return Inputs(
        rows=len(rows),
        newcomers=int(newcomer.sum()),
        scores=score_drift(known, probability, cluster, now, spec),
        features=feature_drift(known, rows.matrix, cluster, now, spec),
        newcomer_features=newcomer_drift(known, rows.matrix, cluster, newcomer, now, spec),
        gone=gone,
        new_events=added,
        new_values={name: values for name, values in unseen.items() if values},
    )


def _reference(
    run: Run, champion: Champion, log: EventLog, now: int, say: Say
) -> tuple[dict[str, Any], bool]:
    """The one pinned at training; else one made from the log, kept for the nights to come."""
    version = champion.version
    if pinned := read_reference(registry.fetch(run, version) / FILE):
        return pinned, True
    first = [
        entry.as_of
        for entry in ledger.entries(run.store, version.name)
        if entry.version == version.number and entry.as_of <= now
    ]
    begin = midnight_at_or_before(min([*first, now]))
    path = run.store / "monitor" / f"reference-v{version.number}-{to_text(begin)}.json"
    if kept := read_reference(path):
        return kept, False
    made = make_reference(run, champion.settings, champion.model, log, begin, say)
    write_atomically(path, lambda target: write_reference(made, target))
    return made, False


def report_folder(run: Run, as_of: int, *, with_backfilled: bool = False) -> Path:
    """Where the page of a date goes; a look with backfilled scores has one of its own."""
    name = to_text(as_of).replace(":", "") + ("-backfilled" if with_backfilled else "")
    return run.store / "monitor" / name
