"""The `features` verb: which columns a run has, what they mean, and what was left out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np

from features.catalogue import catalogue_and_choice
from features.catalogue_checks import unknown_events
from features.choice import Choice
from features.definitions import DIMENSIONS, Feature, Limit, Statistic
from features.errors import SettingsError
from features.events import EventLog, Level
from features.labels import find_conversions
from features.plan import compile_plan
from features.proof import check_point_in_time
from features.snapshots import eligible
from features.statistics import STATISTICS
from features.wording import in_language, meaning
from models.scorecard import Scorecard, resolved, with_rule_features
from pipeline.settings import Run, Settings
from pipeline.tables import read_table
from pipeline.texts import texts_of

_DOC = """\
# Features

Made by `python -m pipeline features --markdown FILE`; don't edit. It lists what the settings of the
run `{name}` ask for. `python -m pipeline features` lists your own, and `--search TEXT` looks
through names and meanings.

Every window is `[as_of - days, as_of)` on the time at which an event was known; `life` reaches
back to the first event. "In the user's account" marks what the account of a user did.
A statistic can be asked of any events, with conditions, in any window: see `features.custom` in the
project's `docs/settings.md`.

## Statistics

Said of an event or group X, a property P and 28 days. Under window: any look-back, a number of
days, or none.

| statistic | what it is | unit | window | with no event |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Listing:
    """The features of a run, filtered by a search, and the choices behind them."""

    level: Level
    features: tuple[Feature, ...]
    n_all: int
    choice: Choice
    verdict: str | None = None
    """What `proved` found; None where nobody asked."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "entity": self.level,
            "n_features": self.n_all,
            "features": [asdict(feature) for feature in self.features],
            "left_out": [{"what": what, "why": why} for what, why in self.choice.left_out],
            "point_in_time": self.verdict,
        }


def list_features(run: Run, log: EventLog, search: str | None = None) -> Listing:
    """The catalogue of a run; with `search`, the features whose words hold every word of it.

    Raises
    ------
    SettingsError, SchemaMismatch, EventLogError
        When the settings ask for what the log does not have, as a training would say.
    """
    settings = run.settings
    features, choice = _checked(run, log)
    features = in_language(features, texts_of(run))
    words = (search or "").lower().split()
    found = tuple(f for f in features if all(word in _text(f) for word in words))
    return Listing(settings.entity, found, len(features), choice)


def proved(listing: Listing, log: EventLog) -> Listing:
    """With the verdict of `features.proof.check_point_in_time` on the listed features.

    Raises
    ------
    FeatureLeak
        Naming the features that change with the future, other dates or other entities.
    """
    n = check_point_in_time(log, listing.level, listing.features)
    many = "" if len(listing.features) == 1 else "s"
    verdict = (
        f"Point-in-time: {len(listing.features)} feature{many} of up to 2,000 {listing.level}s at "
        "three dates, computed again with another future, with none, without the other dates and "
        f"without the other {listing.level}s; none of {n:,} values changed"
    )
    return replace(listing, verdict=verdict)


def _checked(run: Run, log: EventLog) -> tuple[tuple[Feature, ...], Choice]:
    """The run's catalogue, once all that `train` reads of the settings is found in the log."""
    settings, level = run.settings, run.settings.entity
    # First: a misspelt conversion would make the true one a feature.
    conversions = find_conversions(log, level, settings.conversion)
    unknown_events(settings.features, log)
    features, choice = _catalogue(settings, log, level)
    compile_plan(log, level, features)
    if settings.rows is not None:
        read_table(run.base / settings.rows.file)
    eligible(log, level, settings.cohort, np.array([], np.int64), conversions)
    card = resolved(settings.scorecard, settings.signals, features)
    Scorecard(card).check(feature.name for feature in features)
    return features, choice


def _catalogue(
    settings: Settings, log: EventLog, level: Level
) -> tuple[tuple[Feature, ...], Choice]:
    features, choice = catalogue_and_choice(
        settings.features, log, level, settings.conversion.events
    )
    card, signals = settings.scorecard, settings.signals
    return with_rule_features(features, card, signals, log, level), choice


def features_of(run: Run, log: EventLog) -> tuple[Feature, ...]:
    """The columns of a run, those that rules of the scorecard bring along included.

    Raises
    ------
    SettingsError
        When the settings ask for what the log does not have.
    """
    return _catalogue(run.settings, log, run.settings.entity)[0]


def _text(feature: Feature) -> str:
    parts = (feature.name, feature.dimension, feature.statistic, feature.unit, feature.meaning)
    return " ".join(parts).lower()


def window(feature: Feature) -> str:
    """The look-back in words a table has room for."""
    if feature.days is not None:
        return f"{feature.days} d"
    windowless = feature.statistic == "attribute" or STATISTICS[feature.statistic].window == "none"
    return "" if windowless else "life"


def markdown(run: Run, log: EventLog) -> str:
    """``docs/features.md``: every statistic, and the run's features at both levels if they fit.

    Raises
    ------
    SettingsError, SchemaMismatch, EventLogError
        As `list_features`.
    """
    _checked(run, log)
    parts = [_DOC.format(name=run.settings.name), *_statistics()]
    levels: tuple[Level, ...] = ("account", "user")
    for level in levels:
        try:
            features, _ = _catalogue(run.settings, log, level)
        except SettingsError:
            continue  # such as a user's attribute asked of accounts: made for the run's level
        parts.append(f"\n## {len(features)} features of {level}s\n")
        for dimension in DIMENSIONS:
            mine = [feature for feature in features if feature.dimension == dimension]
            parts.append(f"\n### {level}: {dimension} ({len(mine)})\n\n")
            parts.append("| feature | window | unit | dtype | meaning |\n|---|---|---|---|---|\n")
            parts += [
                f"| `{f.name}` | {window(f)} | {f.unit} | {f.dtype} | {_cell(f.meaning)} |\n"
                for f in mine
            ]
    return "".join(parts)


def _statistics() -> Iterable[str]:
    windows = {"any": "any", "bounded": "days", "none": ""}
    for name in get_args(Statistic):
        one = STATISTICS.get(name)
        if one is None:
            said = "a fact about the user or account, the latest known"
            yield f"| `{name}` | {said} | as given | | |\n"
            continue
        said = meaning(
            Feature(
                name,
                "engagement",
                name,
                ("X",),
                "P",
                None if one.window == "none" else 28,
                "entity",
                "number",
                "",
                "",
                subject="X" if name != "sql" else "an aggregate of your own",
                limit=Limit("event", "L"),
            )
        )
        empty = "" if one.empty is None else "0" if one.empty == 0 else "unknown"
        row = (f"`{name}`", _cell(said), one.unit or "as given", windows[one.window], empty)
        yield f"| {' | '.join(row)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def by_dimension(features: Iterable[Feature]) -> dict[str, int]:
    """How many features speak for each dimension, in their order."""
    counts = Counter(feature.dimension for feature in features)
    return {dimension: counts[dimension] for dimension in DIMENSIONS}
