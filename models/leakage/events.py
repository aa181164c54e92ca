"""Event time: events that follow the conversion, or belong to it, by construction."""

from dataclasses import dataclass

import numpy as np

from features.clock import SECOND_US
from features.labels import NEVER_US
from models.judging.curves import wilson
from models.leakage.attribute_values import changes_of
from models.leakage.case import Case
from models.leakage.finding import Check, Finding, Planted, Severity
from models.leakage.occurrences import Around, anchors, around, event_occurrences
from models.leakage.origin import Origin, attributes_read, events_read

NAME = "event time"
_MOST = 0.7
"""Share of a thing's entities, surely (Wilson, 95 %), that had it first where it is suspicious."""
_HALF = 0.5
_TIMES_NULL = 5
PLANTED_EVENTS = {
    "an event a second before every conversion": -SECOND_US,
    "an event a second after every conversion": SECOND_US,
}


@dataclass(frozen=True)
class _Thing:
    """An event name or a value of an attribute, and whether a feature reads it."""

    origin: Origin
    read: bool
    words: str


def check_events(case: Case) -> Check:
    """What lies where around conversions, against what lies around other activity.

    Per event name, and per value of an attribute with history:

    - *one act*: most conversions have it within `together_seconds`, and most entities that ever
      had it had it there first. Either alone is innocent: people open the billing page before they
      buy, and leave again without buying.
    - *only after*: nearly everyone who had it had it first after their conversion.

    The null is the same measured around the middle event of everyone who did not convert.
    Rows end at the conversion, so what follows it can't move them, and what comes seconds before
    moves only a row that lies in these seconds: those fail, the others warn. Conversions that are
    dated late bring what follows them *before* their date; the power of features shows that.
    """
    seen = _collect(case)
    own = {case.log.event_codes[name] for name in case.conversion_events}
    totals = _Totals.of(seen, case)
    if blind := case.too_few(totals.buyers, "conversions"):
        return Check(NAME, "", blind=blind)
    findings = [
        finding
        for code, thing in enumerate(seen.things)
        if code not in own and (finding := _judge(case, code, thing, totals)) is not None
    ]
    names = {thing.origin.name for thing in seen.planted}
    caught = {one.name for one in findings if one.severity != "told"} & names
    return Check(
        NAME,
        f"{seen.n_events:,} events of {len(case.log.event_names)} names around "
        f"{totals.buyers:,} conversions",
        tuple(one for one in findings if one.name not in names),
        tuple(Planted(name, name in caught) for name in sorted(names)),
    )


@dataclass(frozen=True)
class _Seen:
    """Everything that has a time, and how it lies around the anchors; planted leaks come last."""

    things: list[_Thing]
    found: list[Around]
    n_events: int
    n_planted: int

    @property
    def planted(self) -> list[_Thing]:
        return self.things[len(self.things) - self.n_planted :]


def _collect(case: Case) -> _Seen:
    read, read_attributes = events_read(case.features), attributes_read(case.features)
    things = [
        _Thing(Origin("event", name.name), name.name in read, f"`{name.name}`")
        for name in case.log.event_names
    ]
    together = int(case.spec.together_seconds * SECOND_US)
    converted = case.converted_at < NEVER_US
    anchor = np.full(len(converted), NEVER_US)
    found, n_events = [], 0
    for code, entity, time in event_occurrences(case):
        n_events += len(code)
        anchor = anchors(entity, time, case.converted_at, anchor)
        found.append(around(code, entity, time, anchor, converted, together))

    def add(thing: _Thing, entity: np.ndarray, time: np.ndarray) -> None:
        things.append(thing)
        code = np.full(len(entity), len(things) - 1)
        found.append(around(code, entity, time, anchor, converted, together))

    for change in changes_of(case):
        origin = Origin("attribute", change.attribute.name)
        used = (case.level, origin.name) in read_attributes
        words = f"`{origin.name}` = {change.value!r}"
        add(_Thing(origin, used, words), change.entity, change.at)
    buyers = np.flatnonzero(converted & (anchor < NEVER_US))
    for name, shift in PLANTED_EVENTS.items():
        thing = _Thing(Origin("event", name), True, f"`{name}`")
        add(thing, buyers, case.converted_at[buyers] + shift)
    return _Seen(things, found, n_events, len(PLANTED_EVENTS))


@dataclass(frozen=True)
class _Totals:
    """Entities per thing, shape (n_things,): who ever had it, and where it lay.

    `buyers` are the converted entities that were seen, `n_null` the others.
    """

    entities: np.ndarray
    first_after: np.ndarray
    first_together: np.ndarray
    before: np.ndarray
    after: np.ndarray
    last_hour: np.ndarray
    null_before: np.ndarray
    null_last_hour: np.ndarray
    buyers: int
    n_null: int

    @classmethod
    def of(cls, seen: _Seen, case: Case) -> "_Totals":
        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in seen.found])

        together_us, n = int(case.spec.together_seconds * SECOND_US), len(seen.things)
        thing, buyer, first = joined("thing"), joined("converted"), joined("first_gap")

        def count(mask: np.ndarray) -> np.ndarray:
            return np.bincount(thing[mask], minlength=n)

        return cls(
            entities=count(np.ones(len(thing), bool)),
            first_after=count(buyer & (first > 0)),
            first_together=count(buyer & (np.abs(first) <= together_us)),
            before=count(buyer & joined("just_before")),
            after=count(buyer & joined("just_after")),
            last_hour=count(buyer & joined("last_hour")),
            null_before=count(~buyer & joined("just_before")),
            null_last_hour=count(~buyer & joined("last_hour")),
            buyers=len(np.unique(joined("entity")[buyer])),
            n_null=len(np.unique(joined("entity")[~buyer])),
        )


def _judge(case: Case, code: int, thing: _Thing, totals: _Totals) -> Finding | None:
    n, buyers = int(totals.entities[code]), totals.buyers
    if n < case.spec.min_entities:
        return None
    before, after = int(totals.before[code]), int(totals.after[code])
    together, follows = int(totals.first_together[code]), int(totals.first_after[code])
    null = totals.null_before[code] / max(1, totals.n_null)
    if _surely(together, n, _MOST) and _surely(max(before, after), buyers, _HALF):
        side = "before" if before >= after else "after"
        evidence = (
            f"{max(before, after):,} of {buyers:,} conversions have {thing.words} within "
            f"{case.spec.together_seconds:g} seconds {side} them, and {together:,} of the {n:,} "
            "entities that ever had it had it there first"
        )
        if side == "after":
            return _follows(thing, f"{evidence}.")
        if before / buyers > _TIMES_NULL * null:
            evidence += f" (around other activity: {100 * null:.1f} %)"
            return _one_act(case, thing, f"{evidence}: it is part of the conversion.")
    others = (totals.first_after.sum() - follows) / max(1, totals.entities.sum() - n)
    if _surely(follows, n, _MOST) and others < _HALF:
        evidence = (
            f"{follows:,} of the {n:,} entities that had {thing.words} had it only after their "
            f"conversion (other things: {100 * others:.1f} %)."
        )
        return _follows(thing, evidence)
    return _late_signal(case, code, thing, totals)


def _one_act(case: Case, thing: _Thing, evidence: str) -> Finding:
    """Seconds before: rows in these seconds see it, and so does every customer's last moment."""
    if not thing.read:
        return _told(thing, f"{evidence} No feature reads it.")
    gap = case.us_to_conversion
    between = int(((gap >= 0) & (gap < case.spec.together_seconds * SECOND_US)).sum())
    severity: Severity = "fail" if between >= case.spec.min_entities else "warn"
    evidence += (
        f" {between:,} training rows lie in these seconds; every customer that others are compared "
        "with has it."
    )
    return Finding(NAME, severity, thing.origin, evidence, thing.origin.remedy)


def _follows(thing: _Thing, evidence: str) -> Finding:
    """After: no row sees it, unless conversions are dated late."""
    if not thing.read:
        return _told(thing, f"{evidence} No feature reads it.")
    if thing.origin.kind == "attribute":
        return _told(thing, f"{evidence} Its dates keep it from every row before.")
    evidence += " Rows end at the conversion: its columns teach nothing."
    return Finding(NAME, "warn", thing.origin, evidence, thing.origin.remedy)


def _late_signal(case: Case, code: int, thing: _Thing, totals: _Totals) -> Finding | None:
    """Known before the conversion, but hardly before: told, for nobody can call in an hour."""
    buyers, late = totals.buyers, int(totals.last_hour[code])
    null = totals.null_last_hour[code] / max(1, totals.n_null)
    if not thing.read or not _surely(late, buyers, _HALF) or late / buyers < _TIMES_NULL * null:
        return None
    return _told(
        thing,
        f"{late:,} of {buyers:,} conversions have {thing.words} in the hour before them (around "
        f"other activity: {100 * null:.1f} %): known in time, but hardly in time to act.",
    )


def _told(thing: _Thing, evidence: str) -> Finding:
    return Finding(NAME, "told", thing.origin, evidence, "Nothing needs to change.")


def _surely(part: int, whole: int, share: float) -> bool:
    """Whether the 95 % interval of part / whole lies at or above `share`."""
    return bool(whole) and wilson(part, whole)[0] >= share
