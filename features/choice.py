"""Which events and properties get features of their own when nobody says: by coverage.

Coverage is how many entities did an event; it knows nothing of labels, so the choice can't leak
them, and it depends on the log alone, so it is the same from run to run.
"""

from dataclasses import dataclass, replace

from features.catalogue_spec import FeatureSpec, PropertySpec
from features.definitions import DIMENSIONS, Dimension
from features.events import EventLog, EventName, Level


@dataclass(frozen=True)
class Choice:
    """Events and properties with features of their own, and what was left out, with why."""

    events: tuple[tuple[str, Dimension], ...]
    properties: dict[str, PropertySpec]
    left_out: tuple[tuple[str, str], ...] = ()
    by_coverage: tuple[str, ...] = ()
    """Events chosen here, widest coverage first; empty where the settings name them."""

    @property
    def may_shrink(self) -> bool:
        return len(self.by_coverage) > 0

    def without_the_rarest(self, n_features: int) -> "Choice":
        """Without the events of least coverage, at least one, at most one per excess feature."""
        n = max(1, min(len(self.by_coverage) // 2, n_features // 20))
        kept, dropped = self.by_coverage[:-n], self.by_coverage[-n:]
        return replace(
            self,
            events=tuple(pair for pair in self.events if pair[0] in kept),
            left_out=self.left_out
            + tuple((f"event {name}", "beyond features.max_features") for name in dropped),
            by_coverage=kept,
        )


def choose(spec: FeatureSpec, log: EventLog, level: Level, conversion: frozenset[str]) -> Choice:
    """What the settings name or, without an event catalogue, what most entities did."""
    if spec.events is not None:
        pairs = [(name, d) for d in DIMENSIONS[:4] for name in getattr(spec.events, d)]
        named = tuple(pair for pair in pairs if pair[0] not in conversion)
        return Choice(named, spec.properties or {})
    n_entities = max(1, len(log.entities(level)))
    covered = {event.name: _coverage(event, level) for event in log.event_names}
    ranked = sorted(covered.keys() - conversion, key=lambda name: (-covered[name], name))
    kept = tuple(ranked[: spec.max_events])
    left_out = [
        (
            f"event {name}",
            f"done by {covered[name] / n_entities:.1%} of {level}s, beyond features.max_events",
        )
        for name in ranked[spec.max_events :]
    ]
    properties = spec.properties
    if properties is None:
        carried = sorted(log.properties, key=lambda item: (-item.n_events, item.name))
        properties = {
            item.name: PropertySpec(dimension="value") for item in carried[: spec.max_properties]
        }
        left_out += [
            (
                f"property {item.name}",
                f"on {item.n_events:,} of {log.n_events:,} events, beyond features.max_properties",
            )
            for item in carried[spec.max_properties :]
        ]
    events: tuple[tuple[str, Dimension], ...] = tuple((name, "engagement") for name in sorted(kept))
    return Choice(events, properties, tuple(left_out), kept)


def _coverage(event: EventName, level: Level) -> int:
    return event.n_accounts if level == "account" else event.n_users
