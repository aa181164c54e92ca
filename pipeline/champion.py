"""A registered model with the settings it was trained by, and the log that it can read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from features.errors import SettingsError, few
from features.events import EventLog, ValueType
from features.plan import properties_of
from models.bundle import load_bundle, read_about
from models.heads.heads import Heads, read_heads
from models.propensity import PropensityModel
from pipeline import registry
from pipeline.settings import Run, Settings, parse
from pipeline.train import import_events

Say = Callable[[str], None]


@dataclass(frozen=True)
class Champion:
    """A registered model with the settings that it was trained by.

    Parameters
    ----------
    properties
        Names and types of the event properties of the log that it was trained on.
    """

    model: PropensityModel
    settings: Settings
    version: registry.Version
    properties: dict[str, ValueType]
    heads: Heads

    @classmethod
    def read(cls, folder: Path, version: registry.Version) -> "Champion":
        """From a bundle, checked file by file."""
        model = load_bundle(folder)
        text = (folder / "settings.yaml").read_text(encoding="utf-8")
        settings = parse(text, f"settings of {version.name} version {version.number}")
        properties = read_about(folder)["info"].get("properties", {})
        return cls(model, settings, version, properties, read_heads(folder))


def load_champion(run: Run, model: str) -> Champion:
    """Model and settings from the registry, checked file by file.

    Raises
    ------
    SettingsError
        When the model scores another level than the settings' data are sharded for.
    """
    version = registry.find(run, model)
    champion = Champion.read(registry.fetch(run, version), version)
    settings = champion.settings
    if settings.entity != run.settings.entity:
        raise SettingsError(
            f"The settings ask for {run.settings.entity}s, but {version.name} version "
            f"{version.number} scores {settings.entity}s. Train again or change entity."
        )
    return champion


def events_for(run: Run, champion: Champion, say: Say) -> EventLog:
    """The imported log, with the properties that the model reads.

    Where the settings leave the choice of properties to the data (``data.properties: auto``), more
    data may choose others; the model's are then imported by name.
    """
    log = import_events(run, say)
    if run.settings.data.properties != "auto":
        return log
    there = {item.name: item.type for item in log.properties}
    features = champion.model.features
    read = {name for feature in features for name in properties_of(feature)}
    lacking = [
        name
        for name, kind in champion.properties.items()
        if there.get(name) != kind
        and (name in read or any(name in (f.sql or "") for f in features))
    ]
    if not lacking:
        return log
    say(
        f"Import: {champion.version.name} version {champion.version.number} reads {few(lacking)}, "
        "which these data would not choose any more; importing its properties by name"
    )
    pinned = run.settings.data.model_copy(update={"properties": champion.properties})
    return import_events(run, say, pinned)
