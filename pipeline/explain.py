"""`explain`: one entity's way from its events to its tier."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY_US, to_text
from features.errors import EventLogError, few
from features.events import EventLog, Level
from features.labels import NEVER_US, Conversions
from features.matrix import Snapshots
from features.snapshots import eligible
from models.learners.encoding import values_of
from models.scoring import PARTS, LookAlike, Reason, Rest, rest_of
from pipeline import registry
from pipeline.actions_told import Told, advice_on
from pipeline.champion import events_for, load_champion
from pipeline.dataset import display_names, kinship
from pipeline.one_thread import in_one_thread
from pipeline.predict import instant_of
from pipeline.scores import known_conversions, scorable
from pipeline.settings import Run, Settings

RECENT_DAYS = 28
MOST_REASONS = 8
NEIGHBOURS = 5


@dataclass(frozen=True)
class EventCount:
    """How often an event was known before as_of, and when last."""

    event: str
    recent: int
    ever: int
    days_ago: float


@dataclass(frozen=True)
class Explanation:
    """Everything between one entity's events and its tier."""

    entity: str
    as_of: int
    version: registry.Version
    horizon_days: int
    status: str
    events: tuple[EventCount, ...]
    reasons: tuple[Reason, ...]
    rest: Rest
    look_alikes: tuple[LookAlike, ...]
    raw_score: float
    typical: float
    points: dict[str, float]
    labels: dict[str, str]
    """What the parts of the points are called in the model's language."""
    calibration: str
    probability: float
    pql_score: float
    tier: str
    cutoffs: dict[str, float]
    advice: Told | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "entity": self.entity,
            "as_of": to_text(self.as_of),
            "model": self.version.name,
            "version": self.version.number,
            "status": self.status,
            "events": [vars(count) for count in self.events],
            "reasons": [vars(reason) for reason in self.reasons],
            "rest": self.rest._asdict(),
            "look_alikes": [one._asdict() for one in self.look_alikes],
            "raw_score": self.raw_score,
            "typical_probability": self.typical,
            "points": self.points,
            "calibration": self.calibration,
            "probability": self.probability,
            "pql_score": self.pql_score,
            "tier": self.tier,
            "cutoffs": self.cutoffs,
            "advice": self.advice and self.advice.as_dict(),
        }


@in_one_thread
def explain(
    run: Run, say: Callable[[str], None], *, entity: str, as_of: str | None, model: str
) -> Explanation:
    """Score one entity and keep every step.

    Raises
    ------
    EventLogError
        When the entity or the date is not in the data.
    """
    champion = load_champion(run, model)
    log = events_for(run, champion, say)
    settings, level = champion.settings, champion.settings.entity
    instant = instant_of(log, as_of)
    row = row_of(log, level, entity, instant)
    code, found = int(row.entity[0]), scorable(run, champion, log, row)
    matrix = found.matrix
    kin = kinship(log, row)
    scored = champion.model.predict(matrix, *kin).iloc[0]
    told = champion.model.told(matrix, *kin)
    points = {part: float(told[f"{part}_points"][0]) for part in PARTS}
    reasons = tuple(champion.model.explain(matrix, *kin, top=MOST_REASONS)[0])
    raw_score = float(scored["raw_score"])
    return Explanation(
        entity=entity,
        as_of=instant,
        version=champion.version,
        horizon_days=settings.horizon_days,
        status=_status(log, settings, code, instant),
        events=_events(log, level, code, instant),
        reasons=reasons,
        rest=rest_of(reasons, sum(points.values()), raw_score),
        look_alikes=tuple(champion.model.look_alikes(matrix, *kin, k=NEIGHBOURS)[0]),
        raw_score=raw_score,
        typical=champion.model.scorer.typical(values_of(matrix, *kin)),
        points=points,
        labels={part: champion.model.scorer.language.part(part) for part in PARTS},
        calibration=str(champion.model.scorer.calibration["method"]),
        probability=float(scored["probability"]),
        pql_score=float(scored["pql_score"]),
        tier=str(scored["tier"]),
        cutoffs=champion.model.scorer.tiers["cutoffs"],
        advice=advice_on(run, champion, log, found, say, alias=model),
    )


def row_of(log: EventLog, level: Level, entity: str, as_of: int) -> Snapshots:
    """The one row of an entity.

    Raises
    ------
    EventLogError
        When there is no such entity.
    """
    code = _code(log, level, entity, as_of)
    return Snapshots.of(level, np.array([code]), np.array([as_of]), log.ids(level))


def _code(log: EventLog, level: Level, entity: str, as_of: int) -> int:
    ids = log.ids(level)
    found = np.flatnonzero(ids == entity)
    if len(found):
        return int(found[0])
    from difflib import get_close_matches

    named = ids[display_names(log, level, as_of) == entity].tolist()
    near = get_close_matches(entity, ids[:20_000].tolist(), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if named:
        hint = f" That is the name of {few(named)}: give the id."
    raise EventLogError(f"There is no {level} {entity!r} among the {len(ids):,} in the log.{hint}")


def _status(log: EventLog, settings: Settings, code: int, as_of: int) -> str:
    """Whether the entity is in the cohort at as_of, and if not, why."""
    conversions: Conversions = known_conversions(log, settings, as_of)
    when = int(conversions.occurred_at[code])
    if when < NEVER_US:
        return f"a customer since {to_text(when)}; the score is what the model would have said"
    rows = eligible(log, settings.entity, settings.cohort, np.array([as_of]), conversions).snapshots
    if code in rows.entity:
        return "eligible"
    return (
        "not eligible by the cohort settings (entered, active enough, old enough); "
        "the score says what the model would say"
    )


def _events(log: EventLog, level: Level, code: int, as_of: int) -> tuple[EventCount, ...]:
    """Events known before as_of by name, most recent first."""
    shard = int(log.entities(level)["shard"][code].as_py())
    table = log.shard(max(shard, 0), [level, "event", "at"])
    mine = (table[level].to_numpy() == code) & (table["at"].to_numpy() < as_of)
    event, at = table["event"].to_numpy()[mine], table["at"].to_numpy()[mine]
    counts = [
        EventCount(
            event=log.event_names[name].name,
            recent=int((at[event == name] >= as_of - RECENT_DAYS * DAY_US).sum()),
            ever=int((event == name).sum()),
            days_ago=float((as_of - at[event == name].max()) / DAY_US),
        )
        for name in np.unique(event)
    ]
    return tuple(sorted(counts, key=lambda count: (count.days_ago, count.event)))
