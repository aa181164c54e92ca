"""The draft of one message, or why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from features.clock import to_text
from features.errors import NotFresh, SettingsError
from features.events import EventLog
from models.actions.wording import (
    FACT_MEANINGS,
    MESSAGE_ACTIONS,
    MESSAGES,
    OWN_MESSAGE,
    Fact,
    message_for,
)
from pipeline.actions import templates_of
from pipeline.actions_messages import Templates
from pipeline.actions_told import Told, advice_on
from pipeline.champion import events_for, load_champion
from pipeline.explain import row_of
from pipeline.freshness import doubts
from pipeline.predict import instant_of
from pipeline.scores import scorable
from pipeline.settings import Run

_WHERE_TO_LOOK = (
    "Templates tell of events in signals.limit, signals.success and actions.milestones; name yours "
    "there, or put your own templates into a folder that actions.templates names (docs/actions.md)."
)


@dataclass(frozen=True)
class Draft:
    """A draft or why there is none, and what it was made from.

    Parameters
    ----------
    told
        None for a customer.
    template
        The one that was asked for, else the one that fits; None where none does.
    draft, why_none
        One of the two is None.
    """

    entity: str
    told: Told | None
    template: str | None
    draft: str | None
    why_none: str | None

    def as_dict(self) -> dict[str, Any]:
        told = self.told
        return {
            "entity": self.entity,
            "contact": told and told.contact,
            "next_action": told and told.advice and told.advice.action,
            "template": self.template,
            "draft": self.draft,
            "why_none": self.why_none,
        }

    @property
    def text(self) -> str:
        """The draft under its address; without one a sentence that says why."""
        if self.told is None or self.draft is None:
            return f"{self.why_none}\n"
        to = f"To: {self.told.contact}\n" if self.told.contact else ""
        return to + self.draft


def draft_for(
    run: Run,
    say: Callable[[str], None],
    *,
    entity: str,
    as_of: str | None,
    model: str,
    template: str | None,
) -> Draft:
    """The draft to one entity as of a date.

    Parameters
    ----------
    as_of
        As for `pipeline.predict.predict`. None is the newest complete day, where it could be
        scored; a day that is named is not asked whether its data are fresh.
    template
        Name of one of `models.actions.wording.MESSAGES`; None for the one that fits.

    Raises
    ------
    EventLogError
        When the entity or the date is not in the data.
    NotFresh
        When no date is named and `predict` would refuse to score the newest one.
    SettingsError
        When there is no such template, or one can't be used.
    """
    if template is not None and template not in MESSAGES:
        raise SettingsError(
            f"There is no template {template!r}; the templates are {', '.join(MESSAGES)}."
        )
    champion = load_champion(run, model)
    log = events_for(run, champion, say)
    instant = instant_of(log, as_of)
    if as_of is None:
        _refuse_stale(run, log, instant)
    row = row_of(log, champion.settings.entity, entity, instant)
    told = advice_on(run, champion, log, scorable(run, champion, log, row), say, alias=model)
    if told is None:
        why = f"{entity} is a customer already: there is no draft."
        return Draft(entity, None, template, None, why)
    templates, facts = templates_of(run), told.facts
    tried = template
    if tried is None and told.advice is not None:
        tried = message_for(told.advice, lambda: facts)
    draft = templates.draft(tried, facts) if tried else None
    if draft is not None:
        return Draft(entity, told, tried, draft, None)
    return Draft(entity, told, tried, None, _why_none(entity, told, tried, templates))


def _refuse_stale(run: Run, log: EventLog, instant: int) -> None:
    reasons, _ = doubts(log, instant, run.settings.freshness)
    if reasons:
        raise NotFresh(
            f"The data are not fit to write from as of {to_text(instant)}, the newest complete "
            f"day. {' '.join(reasons)} Repair the feed, or name the day that was scored with "
            "--as-of."
        )


def _why_none(entity: str, told: Told, tried: str | None, templates: Templates) -> str:
    """Which fact the template lacks, or why none was tried and which could be."""
    facts, one = told.facts, told.advice
    window = "day" if facts["days"] == 1 else f"{facts['days']} days"
    if tried is not None:
        lacking = templates.lacking(tried, facts)
        listed = ", ".join(f"{name} ({FACT_MEANINGS[name]})" for name in lacking)
        why = f"{entity} lacks what the template {tried!r} says: {listed}."
    elif one is None:
        why = f"nothing is to be done about {entity}."
    elif one.action not in MESSAGE_ACTIONS:
        held = f" ({one.why_not_now})" if one.why_not_now else ""
        why = f"the next action for {entity} is {one.action}{held}."
    elif one.trigger in OWN_MESSAGE:
        why = f"{entity} wrote themselves ({one.trigger}) and should get an answer."
    else:
        why = f"no template is about what {entity} did in the last {window}."
    return f"No draft: {why} {_instead(tried, facts, templates)}"


def _instead(tried: str | None, facts: Mapping[str, Fact], templates: Templates) -> str:
    """Which other templates can be filled."""
    others = [name for name in MESSAGES if name != tried]
    fit = [name for name in others if templates.draft(name, facts) is not None]
    if not fit:
        return f"No {'other ' if tried else ''}template can be filled either. {_WHERE_TO_LOOK}"
    return f"There is one with --template {' or '.join(fit)}."
