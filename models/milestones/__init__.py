"""Behaviour thresholds that precede conversion, found by evidence that could also say: none."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.milestones.eligible import Eligible
    from models.milestones.finder import find
    from models.milestones.found import Combination, Milestone, Milestones
    from models.milestones.journeys import Journeys, read_journeys
    from models.milestones.spec import MilestoneSpec

__all__ = [
    "Combination",
    "Eligible",
    "Journeys",
    "Milestone",
    "MilestoneSpec",
    "Milestones",
    "find",
    "read_journeys",
]

_HOME = {
    "Combination": "found",
    "Eligible": "eligible",
    "Journeys": "journeys",
    "Milestone": "found",
    "MilestoneSpec": "spec",
    "Milestones": "found",
    "find": "finder",
    "read_journeys": "journeys",
}


def __getattr__(name: str) -> Any:
    # Settings import the spec from here, and every command reads settings: the compiled engine
    # behind the search loads when somebody searches.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
