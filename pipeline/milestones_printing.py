"""What `milestones` prints: those found, their combinations, what was refused, definitions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from features.errors import few
from models.milestones.experiment import ENCOURAGED
from models.milestones.figures import Estimate
from models.milestones.found import PROOF, REASONS, Milestones
from pipeline.console import show, table
from pipeline.wording import near, percent, shown

_MOST_NAMED = 6
_UNKNOWN = "unknown"
"""No landmark of the hold-out says anything of it."""


def print_milestones(found: Milestones, written: Sequence[Path]) -> None:
    """The milestones with their figures, the verdict, and the definitions."""
    if found.found:
        show(_figures(found))
    if found.combinations:
        show(_combinations(found))
    if found.examined:
        show(_refused(found))
    lines = [found.verdict]
    if found.found:
        lines += [*meanings(found), PROOF, *experiments(found)]
    lines.append(f"Written: {', '.join(near(path) for path in written)}")
    show("\n".join(lines))


def _figures(found: Milestones) -> Any:
    made = table(
        "", "milestone", "effect", "coverage", "precision", "recall", "lift", "half within"
    )
    for number, one in enumerate(found.found, 1):
        days = "" if one.median_days is None else f"{one.median_days:.0f} days"
        made.add_row(
            *(str(number), one.short, _factor(one.effect), _percent(one.coverage)),
            *(_percent(one.precision), _percent(one.recall), _factor(one.lift), days),
        )
    return made


def _combinations(found: Milestones) -> Any:
    made = table("combination", "coverage", "precision", "recall", "lift")
    for one in found.combinations:
        made.add_row(
            *(one.said, _percent(one.coverage), _percent(one.precision)),
            *(_percent(one.recall), _factor(one.lift)),
        )
    return made


def meanings(found: Milestones) -> list[str]:
    """What the figures mean, one line each."""
    days = found.follow_up_days
    return [
        "Effect: how many times as often those convert who have reached it, among equals in age, "
        "date, other activity and the other milestones. In brackets: 95 % intervals.",
        f"Coverage: share that has reached it. Precision: share of these that converts within "
        f"{days} days. Recall: share of those who convert that had reached it before. Lift: "
        "precision over the share of all, activity not held equal.",
        f"All of these are of the hold-out, the {found.conversions[1]} latest conversions; the "
        f"search saw the {found.conversions[0]} before them. Any time: on each seventh midnight. "
        "In the first N days: once per entity, at day N.",
    ]


def experiments(found: Milestones) -> list[str]:
    """How large an experiment on each milestone must be."""
    sized = [
        f"{one.experiment.per_arm:,} for {number} ({percent(one.experiment.control)} against "
        f"{percent(one.experiment.encouraged)})"
        for number, one in enumerate(found.found, 1)
        if one.experiment is not None
    ]
    if not sized:
        return []
    return [
        f"Such an experiment needs, in each of two arms, {', '.join(sized)}: if it leads "
        f"{ENCOURAGED:.0%} more to the milestone and the whole effect is causal (5 % two-sided, "
        "power 80 %)."
    ]


def _refused(found: Milestones) -> Any:
    made = table("no milestone, because the event", "events", "of them")
    for reason, n in found.rejected.items():
        named = few((one.event for one in found.examined if one.reason == reason), _MOST_NAMED)
        made.add_row(REASONS[reason], str(n), named)
    return made


def _percent(one: Estimate) -> str:
    if one.value != one.value:
        return _UNKNOWN
    return f"{percent(one.value)} ({100 * one.low:.1f}-{100 * one.high:.1f})"


def _factor(one: Estimate) -> str:
    if one.value != one.value:
        return _UNKNOWN
    return f"{shown(one.value)} ({one.low:.2f}-{one.high:.2f})"
