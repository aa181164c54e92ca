"""`monitor`: what became of the scores, and whether tonight still looks like the training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.clock import DAY_US, midnight_at_or_before, to_text
from features.events import EventLog
from features.labels import find_conversions
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
from models.monitoring.realised import ALL, Outcomes, Realised, realised
from models.monitoring.reference import FILE, NIGHTS
from models.monitoring.spec import MonitorSpec
from models.monitoring.verdict import Verdict, judge, judgeable
from models.scoring import TIERS
from pipeline import ledger, registry
from pipeline.champion import Champion, events_for, load_champion
from pipeline.ledger_outcomes import Joined, Said, counted, joined
from pipeline.monitor_reference import (
    cohort,
    make_reference,
    newcomer_rows,
    probability_of,
    read_reference,
    write_reference,
)
from pipeline.predict import instant_of
from pipeline.settings import Run
from pipeline.tables import write_atomically

Say = Callable[[str], None]
PQL = "pql"
"""What `Monitoring.recent` calls the PQL tiers together."""


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
        }


def _plain(one: Drift) -> dict[str, Any]:
    return {key: value for key, value in asdict(one).items() if not isinstance(value, np.ndarray)}


def monitor(run: Run, say: Say, *, as_of: str | None, model: str = registry.CHAMPION) -> Monitoring:
    """Compare what is known before as_of with what the model promised and was trained on.

    Parameters
    ----------
    as_of
        ISO date or time; None for the newest complete day. Only events, conversions and ledger
        entries before it are read, so a date gives later what it gave then.

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
    outcomes, said, quiet = _outcomes(run, champion, log, now)
    spec, draws = run.settings.monitor, run.settings.evaluation.n_bootstrap
    seed, number = run.settings.seed, champion.version.number
    begin = now - (champion.settings.horizon_days + spec.realised_days) * DAY_US
    recent, judged = _recent(outcomes, number, begin, spec, n_bootstrap=draws, seed=seed)
    verdict = judge(
        inputs.scores,
        inputs.features,
        inputs.newcomer_features,
        inputs.gone,
        recent,
        spec,
        about=_told_of(judged, number, begin),
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


def _outcomes(run: Run, champion: Champion, log: EventLog, now: int) -> tuple[Joined, Said, float]:
    """Mature rows, what counts, and days without conversions, if alarmingly many."""
    settings = champion.settings
    conversions = find_conversions(log, settings.entity, settings.conversion, known_before=now)
    said = counted(run.store, champion.version.name, now)
    found = joined(said.rows, log, conversions, settings.horizon_days, now)
    found = replace(found, rows=replace(found.rows, as_of=found.as_of))
    return found, said, conversions.quiet_days(now)


def _recent(
    outcomes: Joined, number: int, begin: int, spec: MonitorSpec, *, n_bootstrap: int, seed: int
) -> tuple[list[Realised], tuple[int, ...]]:
    """What the verdict is on, of as_of in (begin, inf), and the versions that gave those scores.

    Of the version that scores now alone if enough of its own are mature; else of all that were
    champion, which is what sales saw: a champion that changes often has never enough.
    """
    late = outcomes.as_of > begin
    for rows in (late & (outcomes.version == number), late):
        found = _of_all_and_pqls(outcomes.rows.take(rows), spec, n_bootstrap, seed)
        if judgeable(found, spec):
            break
    return found, tuple(np.unique(outcomes.version[rows]).tolist())


def _of_all_and_pqls(
    rows: Outcomes, spec: MonitorSpec, n_bootstrap: int, seed: int
) -> list[Realised]:
    named = np.where(np.isin(rows.tier.astype(str), spec.pql_tiers), PQL, "other").astype(object)
    found = realised(replace(rows, tier=named), (PQL,), n_bootstrap=n_bootstrap, seed=seed)
    return [one for one in found if one.month == ALL]


def _told_of(versions: tuple[int, ...], number: int, begin: int) -> str:
    """Why nothing is judged, or whose scores are, if not only those of the version of now."""
    if not versions:
        return (
            f"Outcomes are not judged: no score after {to_text(begin)} that counts is old enough."
        )
    if versions == (number,):
        return ""
    *most, last = (str(version) for version in versions)
    told = " and ".join([", ".join(most), last] if most else [last])
    return (
        f"These are scores of version{'s' if len(versions) > 1 else ''} {told}, since too few of "
        f"version {number} are mature; if it was made for this, wait."
    )


def report_folder(run: Run, as_of: int) -> Path:
    """Where the page of a date goes."""
    return run.store / "monitor" / to_text(as_of).replace(":", "")
