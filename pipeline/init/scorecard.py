"""The `scorecard:` block: the default rules, each pointed at the feature that can feed it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from features.definitions import Dimension, slug
from models.scorecard import DEFAULT_RULES, PRESET_NAMES, roles_of
from models.scorecard.presets import PresetName
from pipeline.init.yaml import Page, flow, mapping, shown, text
from pipeline.profile import Profile
from pipeline.profile.events import NEARLY_ALL
from pipeline.profile.values import ValueFacts
from pipeline.profile.words import has_word

_MONTH_DAYS = 28


@dataclass(frozen=True)
class Supply:
    """What the features block gives that a rule can read.

    Parameters
    ----------
    catalogue
        Event names by dimension, as written.
    attributes
        Attributes that became features.
    member_attributes
        Attributes of users of which an account's features count the different values.
    windows_days
        Look-backs, as written.
    """

    profile: Profile
    catalogue: Mapping[Dimension, list[str]]
    attributes: tuple[ValueFacts, ...]
    member_attributes: tuple[str, ...]
    windows_days: tuple[int, ...]

    @property
    def month(self) -> str:
        """The longest window of at most four weeks, as feature names spell it."""
        return f"{max(days for days in self.windows_days if days <= _MONTH_DAYS)}d"

    @property
    def of_account(self) -> str:
        """How features of a user's account begin; those of an account need no such word."""
        return "account_" if self.profile.level == "user" else ""

    def events(self, dimension: Dimension, *groups: tuple[str, ...]) -> list[str]:
        """The events that have a word of every group, those of `dimension` first.

        A slug that two events share names no feature, so neither is one.
        """
        order = sorted(self.catalogue, key=lambda other: other != dimension)
        names = [name for one in order for name in self.catalogue[one]]
        slugs = [slug(name) for name in names]
        return [
            name
            for name in names
            if slugs.count(slug(name)) == 1 and all(has_word(name, group) for group in groups)
        ]


class Reading(NamedTuple):
    """The feature that a rule reads, None where nothing gives it, and the rule's condition.

    `useless` says why the rule would tell nothing, where that is known.
    """

    feature: str | None
    condition: str = ""
    useless: str = ""


Find = Callable[[Supply, Dimension], Reading]


def _events(window: str | None, at_least: int, *groups: tuple[str, ...]) -> Find:
    """Counts of an event; `window` None means the month, as data allow it."""

    def find(supply: Supply, dimension: Dimension) -> Reading:
        once = window == "life" and at_least == 1
        found = [
            Reading(
                f"{slug(name)}_count_{window or supply.month}",
                f"at_least: {at_least}",
                _useless(supply.profile, name, once),
            )
            for name in supply.events(dimension, *groups)
        ]
        useful = [one for one in found if not one.useless]
        return next(iter([*useful, *found]), Reading(None))

    return find


def _useless(profile: Profile, name: str, once: bool) -> str:
    """Why an event tells nothing in a rule, here one for having had it `once`; else empty."""
    if profile.is_early(name):
        share = profile.after_entry[name]
        return f"most of {shown(name)} comes before sign-up ({share:.0%} after it)"
    if once and name in profile.from_entry:
        return f"nearly all {profile.entities} have {shown(name)} from their first day on"
    return ""


def _total(statistic: str, window: str | None, at_least: int) -> Find:
    """A statistic of all events together."""

    def find(supply: Supply, _: Dimension) -> Reading:
        feature = f"any_event_{statistic}_{window or supply.month}"
        return Reading(feature, f"at_least: {at_least}")

    return find


def _attribute(words: tuple[str, ...], condition: str) -> Find:
    """A number that is known of the account or user."""

    def find(supply: Supply, _: Dimension) -> Reading:
        known = [
            slug(fact.name)
            for fact in supply.attributes
            if fact.type == "number" and has_word(fact.name, words)
        ]
        return Reading(next(iter(known), None), condition)

    return find


def _nothing(_supply: Supply, _: Dimension) -> Reading:
    """What only a person can fill in: which industries, which currency."""
    return Reading(None)


def _sessions(supply: Supply, dimension: Dimension) -> Reading:
    # Dates have no time of day, so they have no sessions either.
    if all(source.time_kind == "date" for source in supply.profile.sources):
        return Reading(None)
    return _total("session_minutes", None, 15)(supply, dimension)


def _teammates(supply: Supply, _: Dimension) -> Reading:
    if supply.profile.totals.n_accounts < 2:
        return Reading(None)
    # Three teammates and the user.
    return Reading(f"{supply.of_account}any_event_members_{supply.month}", "at_least: 4")


def _departments(supply: Supply, _: Dimension) -> Reading:
    names = [name for name in supply.member_attributes if has_word(name, ("department",))]
    if not names:
        return Reading(None)
    return Reading(f"{supply.of_account}member_{slug(names[0])}_distinct_life", "at_least: 2")


def _aha(supply: Supply, _: Dimension) -> Reading:
    """The commonest event of value that not everybody has anyway: a guess to be replaced."""
    facts = {event.name: event for event in supply.profile.events}
    most = NEARLY_ALL * supply.profile.totals.n_entities
    some = [
        facts[name]
        for name in supply.catalogue["value"]
        if name in facts
        and facts[name].n_entities < most
        and not _useless(supply.profile, name, once=True)
    ]
    best = min(some, key=lambda event: (-event.n_entities, event.name), default=None)
    return Reading(f"{slug(best.name)}_count_life" if best else None, "at_least: 1")


# fmt: off
_FIND: dict[str, Find] = {
    "active daily": _total("active_days", "7d", 5),
    "uses 5 or more features": _total("breadth", None, 5),
    "uses an advanced feature": _events(None, 1, ("advanced", "api")),
    "sessions of 15 minutes or more": _sessions,
    "3 or more teammates": _teammates,
    "5 or more invites sent": _events("life", 5, ("invit",)),
    "several departments": _departments,
    "workspace set up": _events("life", 1, ("workspace",), ("set", "creat")),
    "aha moment reached": _aha,
    "10 or more workflows completed": _events("life", 10, ("workflow",)),
    "stated goal reached": _events("life", 1, ("goal",)),
    "50 or more items created": _events("life", 50, ("creat", "upload")),
    "limit hit 3 or more times": _events(None, 3, ("limit", "quota")),
    "paid feature tried": _events(None, 1, ("paid", "premium"), ("tried", "try")),
    "pricing page viewed": _events(None, 1, ("pricing", "plans")),
    "upgrade prompt clicked": _events(None, 1, ("upgrad", "paywall"), ("click",)),
    "50 to 500 employees": _attribute(("employee",), "between: [50, 500]"),
    "target industry": _nothing,
    "revenue above $10M": _nothing,
    "integrated tools in use": _attribute(("integrat", "tools"), "at_least: 1"),
}
# fmt: on


# What the events of a role are called, one stem of every group; in the order of the presets.
# fmt: off
_ROLES: dict[PresetName, dict[str, tuple[tuple[str, ...], ...]]] = {
    "collaboration": {
        "message": (("message", "chat"), ("sen", "post", "creat")),
        "channel": (("channel",), ("creat", "add", "open")),
        "integration": (("integrat", "calendar"), ("connect", "enabl", "add", "integrat")),
    },
    "project_management": {
        "project": (("project",), ("creat", "add", "start")),
        "task_done": (("task", "issue", "ticket"), ("complet", "done", "finish", "clos")),
        "workflow": (("workflow",), ("creat", "custom", "add")),
    },
    "analytics": {
        "event": (("track", "ingest", "captur"), ("event",)),
        "dashboard": (("dashboard",), ("creat", "add")),
        "report_shared": (("report", "dashboard"), ("shar",)),
        "limit": (("limit", "quota"),),
    },
    "design": {
        "file": (("file", "canvas", "board"), ("creat", "upload")),
        "share": (("shar",),),
        "comment": (("comment",), ("add", "creat", "post")),
        "advanced": (("prototyp", "component", "plugin"),),
    },
}
# fmt: on
_LEAST_FOUND = 3
"""Roles of a preset that must have an event before it is worth a word."""


def suggested(supply: Supply) -> tuple[PresetName, dict[str, str]] | None:
    """The preset whose roles the events' names fit best, and the event of each role found."""
    names = [name for events in supply.catalogue.values() for name in events]
    best: tuple[PresetName, dict[str, str]] | None = None
    for preset in PRESET_NAMES:
        found = {}
        for role in roles_of(preset):
            groups = _ROLES[preset][role]
            fits = [name for name in names if all(has_word(name, group) for group in groups)]
            if fits:
                found[role] = fits[0]
        if len(found) >= _LEAST_FOUND and (best is None or len(found) > len(best[1])):
            best = preset, found
    return best


def _suggest(page: Page, supply: Supply) -> None:
    found = suggested(supply)
    if found is None:
        return
    preset, events = found
    page.say(
        1,
        f"These events fit the preset `{preset}` (docs/scorecard.md). To have its five rules, take",
        "away the `# ` of both lines; and delete the rules below, else they count as well.",
    )
    roles = mapping({role: flow([name]) for role, name in events.items()})
    page.offer(1, f"preset: {preset}", f"events: {roles}")


def write_scorecard(page: Page, supply: Supply) -> None:
    """All twenty rules; those that no feature can feed stand there without one.

    Those that would tell nothing are comments, with the reason.
    """
    page.say(
        0,
        "The points scorecard is the baseline that the model must beat. A rule without a feature",
        "is listed in the report and never counts: point it at one (`target industry` needs",
        "`feature: industry, one_of: [...]`), or delete it. `aha moment` is a guess.",
    )
    page.add(0, "scorecard:")
    _suggest(page, supply)
    page.add(1, "rules:")
    for rule in DEFAULT_RULES:
        head = f"- {{name: {text(rule.name)}, dimension: {rule.dimension}, points: {rule.points}"
        feature, condition, useless = _FIND[rule.name](supply, rule.dimension)
        if feature is None:
            page.add(2, head + "}")
            continue
        lines = [head + ",", f"   feature: {text(feature)}, {condition}}}"]
        if useless:
            page.say(2, f"left out: {useless}")
            page.offer(2, *lines)
        for line in [] if useless else lines:
            page.add(2, line)
