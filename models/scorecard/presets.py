"""Rules for four kinds of product, as data: roles stand where a product's own events belong.

Thresholds are what practitioners' guides name: rules of thumb, never evidence. Five criteria each,
with points such that any three make an account warm, any four hot and all five critical.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from features.definitions import Dimension
from features.errors import few
from models.scorecard.line_words import nearest, quoted
from models.scorecard.rules import Rule

PresetName = Literal["collaboration", "project_management", "analytics", "design"]


@dataclass(frozen=True)
class Criterion:
    """One rule of a preset.

    Parameters
    ----------
    fact
        As a line says it, with ``{}`` for the events of `role`.
    role
        What the events mean; None: any event counts.
    """

    name: str
    dimension: Dimension
    points: int
    fact: str
    role: str | None = None


PRESETS: dict[PresetName, tuple[Criterion, ...]] = {
    "collaboration": (
        Criterion("2,000 or more messages", "value", 25, "{} >= 2000 times ever", "message"),
        Criterion("10 or more active members", "team", 25, ">= 10 active members in 28 days"),
        Criterion("3 or more channels", "team", 20, "{} >= 3 times ever", "channel"),
        Criterion(
            *("used daily for 7 days or more", "engagement", 20),
            "any event on >= 7 days in a row in 28 days",
        ),
        Criterion("mail or calendar integrated", "value", 20, "{} >= 1 time ever", "integration"),
    ),
    "project_management": (
        Criterion("3 or more projects", "value", 20, "{} >= 3 times ever", "project"),
        Criterion("20 or more tasks done", "value", 25, "{} >= 20 times ever", "task_done"),
        Criterion("5 or more members", "team", 25, ">= 5 active members ever"),
        Criterion(
            "used for 2 weeks or more", "engagement", 20, "any event in >= 2 weeks in 28 days"
        ),
        Criterion("a custom workflow", "value", 20, "{} >= 1 time ever", "workflow"),
    ),
    "analytics": (
        Criterion("10,000 or more events", "value", 25, "{} >= 10000 times ever", "event"),
        Criterion("5 or more dashboards", "value", 20, "{} >= 5 times ever", "dashboard"),
        Criterion("reports shared", "team", 20, "{} >= 1 time ever", "report_shared"),
        Criterion(
            "used weekly for 3 weeks or more",
            *("engagement", 20, "any event in >= 3 weeks in 21 days"),
        ),
        Criterion("volume limit reached", "upgrade", 25, "{} >= 1 time in 28 days", "limit"),
    ),
    "design": (
        Criterion("10 or more files", "value", 25, "{} >= 10 times ever", "file"),
        Criterion("5 or more shares", "team", 25, "{} >= 5 times ever", "share"),
        Criterion("comments by members", "team", 20, "{} by >= 2 members ever", "comment"),
        Criterion("an advanced feature used", "engagement", 20, "{} >= 1 time ever", "advanced"),
        Criterion(
            *("used daily for 2 weeks or more", "engagement", 20),
            "any event on >= 14 days in a row in 28 days",
        ),
    ),
}
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)


def roles_of(preset: PresetName) -> tuple[str, ...]:
    """What the preset needs of the product's own events.

    >>> roles_of("collaboration")
    ('message', 'channel', 'integration')
    """
    return tuple(item.role for item in PRESETS[preset] if item.role is not None)


def check_roles(preset: PresetName | None, events: Mapping[str, tuple[str, ...]]) -> None:
    """Whether every role that the settings map is one of the preset's.

    Raises
    ------
    ValueError
        With the nearest valid role.
    """
    if preset is None:
        if events:
            raise ValueError(f"events maps {few(events)}, but only a preset has roles; name one")
        return
    known = roles_of(preset)
    if unknown := [role for role in events if role not in known]:
        told = nearest(unknown[0], known)
        raise ValueError(f"the preset {preset!r} has no role {unknown[0]!r}; {told}")
    if empty := [role for role, names in events.items() if not names]:
        raise ValueError(f"the role {empty[0]!r} has no event; name one, or leave the role out")


def preset_rules(preset: PresetName, events: Mapping[str, tuple[str, ...]]) -> tuple[Rule, ...]:
    """The preset's rules on a product's events; a role without events makes a rule without data."""
    return tuple(_rule(item, events.get(item.role or "", ())) for item in PRESETS[preset])


def _rule(item: Criterion, events: tuple[str, ...]) -> Rule:
    fact = item.fact if item.role is None else item.fact.format(" or ".join(map(quoted, events)))
    said = fact if item.role is None or events else "no data"
    return Rule.model_validate(f"{item.name} | {item.points:+d} {item.dimension}: {said}")
