"""Known-at time: attributes that were filled in, or took their value, because of the outcome."""

import numpy as np

from features.clock import ALWAYS_US, DAY_US
from features.events import Attribute
from features.labels import NEVER_US
from features.lifespans import NO_EVENT_US, lifespans
from models.leakage.attribute_values import Values, latest_before, values_of
from models.leakage.case import Case
from models.leakage.finding import Check, Finding, Planted
from models.leakage.origin import Origin, attributes_read
from models.leakage.two_by_two import Split, best_split, split_of

NAME = "known-at time"
_MOST_ODDS = 30.0
"""Odds ratio, surely, between a value and the outcome: honest facts stay below ten."""
_MOST_COVERAGE_ODDS = 8.0
_ONE_IN = 20
"""Who does not convert and yet has the planted headcount."""
_STATIC_PRECISION = 0.5
"""Of the entities with the outcome's value some convert only after the rows end."""


def check_attributes(case: Case) -> Check:
    """Facts of entities: does a value, or having one at all, tell who converts?

    Each entity is looked at once, with what was told of it before its conversion (a table without
    history says the same at every time), and with whether it converted before the rows' end:

    - *the outcome itself*: some values hold almost only converters, such as the final plan.
    - *filled in later*: converters have a value far more often than others, although it claims to
      have been known since before the entity's first event, or has no time at all.
    """
    first_at, _ = lifespans(case.log, case.level)
    there = first_at < case.until
    if blind := _blind(case, there):
        return Check(NAME, "", blind=blind)
    read = attributes_read(case.features)
    used = [v for v in values_of(case) if (case.level, v.attribute.name) in read]
    findings = [one for values in used for one in _judge(case, values, first_at, there)]
    findings += [
        _static(one, "it is not of what is scored, so that only its features' power is judged")
        for one in case.log.attributes
        if one.static and one.of != case.level and (one.of, one.name) in read
    ]
    planted = []
    for values in _planted(case, there):
        alarms = [f for f in _judge(case, values, first_at, there) if f.severity != "told"]
        planted.append(Planted(values.attribute.name, bool(alarms)))
    return Check(
        NAME,
        f"{len(used)} attributes that features read, of {int(there.sum()):,} entities",
        tuple(findings),
        tuple(planted),
    )


def _judge(case: Case, values: Values, first_at: np.ndarray, there: np.ndarray) -> list[Finding]:
    """At most one finding of each sort; a table without history is at least told."""
    attribute = values.attribute
    origin = Origin("attribute", attribute.name)
    place = latest_before(values, np.minimum(case.converted_at, case.until))
    outcome = case.converted_at[there] < NEVER_US
    known = place[there] >= 0
    value = values.value[place[there]] if len(values.value) else np.full(len(known), None)
    least = case.spec.min_entities
    found: list[Finding] = []
    wanted = _STATIC_PRECISION if attribute.static else case.spec.most_precision
    split = best_split(value, known, outcome, attribute.type, least)
    if split and split.precision_low >= wanted and split.odds_low >= _MOST_ODDS:
        evidence = (
            f"{_counts(attribute.name, split)}: the value is the outcome.{_undated(attribute)}"
        )
        found.append(Finding(NAME, "fail", origin, evidence, origin.remedy))
        return found
    covered = split_of(known & ~_empty(value), outcome, f"{attribute.name!r} has a value")
    if covered.n_inside >= least and covered.odds_low >= _MOST_COVERAGE_ODDS:
        undated = attribute.static or _before_it_could_be_known(values, first_at)
        evidence = (
            f"{_counts(attribute.name, covered)}: it is filled in for those who convert."
            + (_undated(attribute) or " Most of its dates lie before the entity's first event.")
            * undated
        )
        found.append(Finding(NAME, "fail" if undated else "warn", origin, evidence, origin.remedy))
        return found
    if attribute.static:
        found.append(_static(attribute, "nothing in its values shows that it was filled in later"))
    return found


def _blind(case: Case, there: np.ndarray) -> str:
    """Whether even a value that is the outcome itself would not be told from chance."""
    buyers = int((case.converted_at[there] < NEVER_US).sum())
    if few := case.too_few(buyers, "conversions"):
        return few
    others = int(there.sum()) - buyers
    if Split("", buyers, buyers, 0, others).odds_low >= _MOST_ODDS:
        return ""
    return f"{buyers} entities convert and {others} do not, too few to compare"


def _static(attribute: Attribute, judged: str) -> Finding:
    return Finding(
        NAME,
        "told",
        Origin("attribute", attribute.name),
        f"It has no history, so that it is taken as known at every time; {judged}.",
        "Give its table a `time` column if it has one.",
    )


def _counts(name: str, split: Split) -> str:
    return (
        f"Where {split.words}, {split.hits:,} of {split.n_inside:,} entities convert; elsewhere "
        f"{split.misses:,} of {split.n_outside:,} (odds ratio at least {split.odds_low:,.0f})"
    )


def _undated(attribute: Attribute) -> str:
    return " The table has no history (`static: true`)." if attribute.static else ""


def _empty(value: np.ndarray) -> np.ndarray:
    if value.dtype == object:
        return np.array([one is None for one in value.tolist()], bool)
    return np.isnan(value)


def _before_it_could_be_known(values: Values, first_at: np.ndarray) -> bool:
    """Whether most entities' first value claims a time up to a day after their first event."""
    firsts = np.flatnonzero(np.r_[True, values.entity[1:] != values.entity[:-1]])
    seen = first_at[values.entity[firsts]]
    firsts, seen = firsts[seen < NO_EVENT_US], seen[seen < NO_EVENT_US]
    return bool(len(firsts)) and bool(np.mean(values.at[firsts] <= seen + DAY_US) > 0.5)


def _planted(case: Case, there: np.ndarray) -> list[Values]:
    """A final plan, and a headcount that sales fills in when a deal is won."""
    entity = np.flatnonzero(there)
    outcome = case.converted_at[entity] < NEVER_US
    plan = np.where(outcome, "paid", "free").astype(object)
    filled = outcome | (np.arange(len(entity)) % _ONE_IN == 0)
    at = np.full(len(entity), ALWAYS_US)
    headcount = 1.0 + np.arange(len(entity)) % 97
    return [
        Values(Attribute("a final plan", case.level, "category", True), entity, at, plan),
        Values(
            Attribute("a headcount filled in later", case.level, "number", True),
            entity[filled],
            at[filled],
            headcount[filled],
        ),
    ]
