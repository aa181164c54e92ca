"""Milestones as scorecard rules: YAML to be put into the settings file."""

import math
from pathlib import Path

from features.catalogue import build_catalogue
from features.definitions import Dimension, Feature, Statistic, slug
from features.events import EventLog
from models.milestones.found import Milestone, Milestones
from models.scorecard import Rule
from pipeline.init.yaml import flow, mapping, text
from pipeline.settings import Run
from pipeline.tables import write_atomically

_HEAD = """\
# Milestones of the run `{name}`, as scorecard rules. Put the rules under scorecard.rules of the
# settings{custom}.
# The points follow the size of the effect and are yours to change; `train` judges the whole card.
"""
_CUSTOM = ", and what stands under features.custom there as well"


_LONGEST = 80
"""Characters of a column's name."""
_MOST_POINTS, _LEAST_POINTS, _STEP = 30, 5, 5


def write_rules(run: Run, log: EventLog, found: Milestones, path: Path) -> Path:
    """Write a rule per milestone; features that the run lacks are defined along with them."""
    settings = run.settings
    catalogue = build_catalogue(settings.features, log, settings.entity, settings.conversion.events)
    rules, custom = [], []
    for one, points in zip(found.found, points_of(found), strict=True):
        dimension = _dimension(one, catalogue)
        feature = feature_of(one, catalogue)
        name = None if feature is None else feature.name
        statistic = _statistic(one)
        if feature is None and statistic is not None:
            name = slug(one.short, _LONGEST)
            custom.append(_custom_line(one, name, statistic, dimension))
        rules.append(_rule_line(_rule(one, dimension, points, name)))
    parts = [_HEAD.format(name=settings.name, custom=_CUSTOM if custom else "")]
    if custom:
        parts.append("features:\n  custom:\n" + "".join(custom))
    parts.append("scorecard:\n  rules:" + ("\n" + "".join(rules) if rules else " []\n"))
    write_atomically(path, lambda target: target.write_text("".join(parts), encoding="utf-8"))
    return path


def points_of(found: Milestones) -> list[int]:
    """30 for the largest effect, others by the logarithm of theirs, in steps of 5."""
    sizes = [max(math.log(max(one.effect.value, 1.0)), 0.0) for one in found.found]
    largest = max(sizes, default=0.0) or 1.0
    raw = [_STEP * round(_MOST_POINTS * size / largest / _STEP) for size in sizes]
    return [max(_LEAST_POINTS, points) for points in raw]


def feature_of(one: Milestone, catalogue: tuple[Feature, ...]) -> Feature | None:
    """The feature that counts what the milestone counts, None where the run has none."""
    wanted = _statistic(one), (one.event,), one.within_days
    return next(
        (
            feature
            for feature in catalogue
            if (feature.statistic, feature.events, feature.days) == wanted
            and feature.scope == "entity"
            and not feature.where
        ),
        None,
    )


def _statistic(one: Milestone) -> Statistic | None:
    """What a column must count; None where no statistic does, as for one member's first days."""
    if one.scope == "member":
        return "top_member_count" if one.within_days is None else None
    return "count" if one.within_days is None else "first_period"


def _dimension(one: Milestone, catalogue: tuple[Feature, ...]) -> Dimension:
    mine = (feature.dimension for feature in catalogue if feature.events == (one.event,))
    return next(mine, "value")


def _rule(one: Milestone, dimension: Dimension, points: int, feature: str | None) -> Rule:
    lacking = "" if feature is not None else " No column counts what one member did at first."
    return Rule(
        dimension=dimension,
        points=points,
        name=one.short,
        feature=feature,
        at_least=None if feature is None else float(one.at_least),
        explanation=f"{one.said}{lacking}",
    )


def _custom_line(one: Milestone, name: str, statistic: Statistic, dimension: Dimension) -> str:
    pairs = {"dimension": dimension, "statistic": statistic, "events": flow([one.event])}
    if one.within_days is not None:
        # Of the engine: its first days begin at the first event of any name.
        pairs["days"] = str(one.within_days)
    return f"    {text(name)}: {mapping(pairs)}\n"


def _rule_line(rule: Rule) -> str:
    pairs = {
        "name": text(rule.name),
        "dimension": rule.dimension,
        "points": str(rule.points),
        "explanation": text(rule.explanation),
    }
    if rule.feature is not None and rule.at_least is not None:
        pairs |= {"feature": text(rule.feature), "at_least": f"{rule.at_least:g}"}
    lines = ",\n       ".join(f"{key}: {value}" for key, value in pairs.items())
    return f"    - {{{lines}}}\n"
