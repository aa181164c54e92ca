"""A registered model with the settings it was trained by, and the log that it can read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from features.definitions import Feature
from features.errors import SchemaMismatch, SettingsError, few
from features.events import EventLog, ValueType
from features.needs import Need, filled, listed, needs, unmet
from models.bundle import load_bundle, read_about
from models.heads.heads import Heads, read_heads
from models.propensity import PropensityModel
from pipeline import registry
from pipeline.settings import Run, Settings, parse
from pipeline.texts import speak
from pipeline.train import import_events

Say = Callable[[str], None]
COMMON = 0.01
"""Share of the training log's entities from which on an event can't just happen to be absent."""


@dataclass(frozen=True)
class Champion:
    """A registered model with the settings that it was trained by.

    Parameters
    ----------
    properties
        Names and types of the event properties of the log that it was trained on.
    events
        Of each event that it reads, the share of that log's entities that did it.
    filled
        What had any value in that log, see `features.needs.filled`. Both are empty for a model
        that recorded none.
    """

    model: PropensityModel
    settings: Settings
    version: registry.Version
    properties: dict[str, ValueType]
    heads: Heads
    events: Mapping[str, float] = field(default_factory=dict)
    filled: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def read(cls, folder: Path, version: registry.Version) -> "Champion":
        """From a bundle, checked file by file."""
        model = load_bundle(folder)
        text = (folder / "settings.yaml").read_text(encoding="utf-8")
        settings = parse(text, f"settings of {version.name} version {version.number}")
        info = read_about(folder)["info"]
        return cls(
            model,
            settings,
            version,
            info.get("properties", {}),
            read_heads(folder),
            info.get("events", {}),
            frozenset((of, name) for of, name in info.get("filled", ())),
        )

    @property
    def needs(self) -> set[Need]:
        """What its features read of a log, with the types that it was trained on."""
        return {need for feature in self.model.features for need in self.needs_of(feature)}

    def needs_of(self, feature: Feature) -> set[Need]:
        """What one of its features reads of a log."""
        # A text is not parsed here: whatever it may name must be as it was.
        named = {
            Need("event", name, kind)
            for name, kind in self.properties.items()
            if feature.sql is not None and name in feature.sql
        }
        return needs([feature]) | named


def load_champion(run: Run, model: str) -> Champion:
    """Model and settings from the registry, checked file by file, in the language of the settings.

    Raises
    ------
    SettingsError
        When the model scores another level than the settings' data are sharded for, or their texts
        can't be read.
    SchemaMismatch
        When its files were changed, or this program computes its features otherwise.
    """
    version = registry.find(run, model)
    champion = Champion.read(registry.fetch(run, version), version)
    settings = champion.settings
    if settings.entity != run.settings.entity:
        raise SettingsError(
            f"The settings ask for {run.settings.entity}s, but {version.name} version "
            f"{version.number} scores {settings.entity}s. Train again or change entity."
        )
    speak(run, champion.model)
    return champion


def events_for(run: Run, champion: Champion, say: Say) -> EventLog:
    """The imported log, with the properties that the model reads.

    Where the settings leave the choice of properties to the data (``data.properties: auto``), more
    data may choose others; the model's are then imported by name.

    Raises
    ------
    SchemaMismatch
        As `refuse_other_data`.
    """
    log = import_events(run, say)
    lacking = [need.name for need in unmet(champion.needs, log) if need.of == "event"]
    if lacking and run.settings.data.properties == "auto":
        say(
            f"Import: {champion.version.name} version {champion.version.number} reads "
            f"{few(lacking)}, which these data would not choose any more; importing its properties "
            "by name"
        )
        pinned = run.settings.data.model_copy(update={"properties": champion.properties})
        log = import_events(run, say, pinned)
    refuse_other_data(champion, log, say)
    return log


def refuse_other_data(champion: Champion, log: EventLog, say: Say) -> None:
    """Whether a log has what the model reads, as it was when the model was trained.

    A rare event that never occurs any more is told: its counts are 0, which is what they are.

    Raises
    ------
    SchemaMismatch
        When a property, an attribute, the conversion, or an event that at least 1 % of the training
        log's entities did is gone or empty, or a type is another; with a list of the differences.
    """
    settings = champion.settings
    gone = sorted(champion.events.keys() - log.event_codes.keys())
    ruling = {*settings.conversion.events, *settings.cohort.entered_by} - log.event_codes.keys()
    common = {name for name in gone if champion.events[name] >= COMMON}
    lines = [*unmet(champion.needs, log).values(), *emptied(champion, log).values()]
    lines += [f"- event {name!r}" for name in sorted(ruling | common)]
    who = f"{champion.version.name} version {champion.version.number}"
    if lines:
        raise SchemaMismatch(
            f"These data differ in {len(lines)} things from those that {who} reads (- is missing, "
            f"! is of another type):\n{listed(lines)}\n"
            "Bring them back under `data`, or train again without them."
        )
    if rare := [name for name in gone if name not in ruling]:
        say(f"Warning: {who} counts {few(rare)}, which these data do not have: its counts are 0")


def emptied(champion: Champion, log: EventLog) -> dict[Need, str]:
    """What the model reads, had values when it was trained, and has none in this log."""
    gone = champion.filled - filled(log)
    there = champion.needs - unmet(champion.needs, log).keys()
    return {
        need: f"- {need}: no row has a value"
        for need in sorted(there)
        if (need.of, need.name) in gone
    }
