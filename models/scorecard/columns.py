"""Which column each rule reads: found in the catalogue by its definition, or brought along."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from features.catalogue_asked import joined
from features.catalogue_checks import refuse_slips
from features.definitions import Feature
from features.errors import SettingsError, few
from features.events import EventLog, Level
from features.signals import SignalSpec
from models.scorecard.rules import Rule
from models.scorecard.spec import ScorecardSpec


def column_of(rule: Rule, features: Iterable[Feature]) -> Feature | None:
    """The feature that a rule reads; None where there is none."""
    if rule.measure is not None:
        return next((one for one in features if rule.measure.is_read_by(one)), None)
    return next((one for one in features if one.name == rule.feature), None)


def resolved(
    spec: ScorecardSpec, signals: SignalSpec, features: Sequence[Feature]
) -> ScorecardSpec:
    """All rules of a run on its columns: preset, own, and the hand-raises nobody counts yet.

    Doing it twice changes nothing.

    Parameters
    ----------
    features
        The run's catalogue, or a model's.
    """
    written = spec.written
    counted: set[str] = set()
    for rule in written:
        if rule.dimension == "upgrade":
            column = column_of(rule, features)
            counted |= set(column.events if column else rule.measure.events if rule.measure else ())
    rules = (*written, *spec.raised(signals, tuple(counted)))
    return ScorecardSpec(
        rules=tuple(_on(rule, features) for rule in rules),
        hand_raises=False,
        thresholds=spec.thresholds,
    )


def _on(rule: Rule, features: Iterable[Feature]) -> Rule:
    if rule.measure is None:
        return rule
    column = column_of(rule, features)
    return rule.model_copy(update={"feature": column.name if column else None})


def with_rule_features(
    features: tuple[Feature, ...],
    spec: ScorecardSpec,
    signals: SignalSpec,
    log: EventLog,
    level: Level,
) -> tuple[Feature, ...]:
    """A catalogue with the columns that rules ask for; one with the same definition serves.

    Raises
    ------
    SettingsError
        When a rule names an attribute that the log does not have or that is of the other type,
        or an event that must be a slip of the pen.
    """
    rules = resolved(spec, signals, features).rules
    for rule in rules:
        _check(rule, log, level)
    lacking = [rule for rule in rules if rule.measure is not None and rule.feature is None]
    asked = [rule.measure.define(rule.dimension, level, log) for rule in lacking if rule.measure]
    return joined(features, asked)


def not_in_log(rules: Iterable[Rule], log: EventLog, level: Level) -> list[str]:
    """A sentence for each event or attribute that rules read and the log does not have.

    Training refuses what must be a slip of the pen; here everything unknown is told.
    """
    attributes = {item.name for item in log.attributes if item.of in (level, "account")}
    known = {"event": sorted(log.event_codes), "attribute": sorted(attributes)}
    readers: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        measure = rule.measure
        asked = [("event", name) for name in (measure.events if measure else ())]
        if measure and measure.attribute is not None:
            asked.append(("attribute", measure.attribute))
        for kind, name in asked:
            if name not in known[kind]:
                readers.setdefault((kind, name), []).append(rule.name)
    return [_missing(kind, name, names, known[kind]) for (kind, name), names in readers.items()]


def _missing(kind: str, name: str, readers: Sequence[str], known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    who = f"rule {few(readers)} reads" if len(readers) == 1 else f"rules {few(readers)} read"
    return f"The data have no {kind} {name!r}, which the {who}.{hint}"


def _check(rule: Rule, log: EventLog, level: Level) -> None:
    if rule.measure is None:
        return
    refuse_slips(f"The scorecard rule {rule.name!r} counts", rule.measure.events, log)
    if rule.measure.attribute is not None:
        _check_attribute(rule, rule.measure.attribute, log, level)


def _check_attribute(rule: Rule, name: str, log: EventLog, level: Level) -> None:
    types = {item.name: item.type for item in log.attributes if item.of in (level, "account")}
    if name not in types:
        near = get_close_matches(name, types, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are {few(sorted(types))}."
        if name in log.event_codes:
            hint = f" It is an event: write `{name} >= 1 time in 28 days`."
        raise SettingsError(
            f"The scorecard rule {rule.name!r} reads {name!r}, which is no attribute of the "
            f"{level}s.{hint}"
        )
    if (types[name] == "number") != rule.reads_numbers:
        way = f"{name} >= 1" if types[name] == "number" else f'{name} is "a" or "b"'
        raise SettingsError(
            f"The scorecard rule {rule.name!r} reads {name!r}, which is a {types[name]}: write "
            f"`{way}`."
        )
