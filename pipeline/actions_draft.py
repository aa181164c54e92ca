"""The draft of one message, or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.actions_told import Told, advice_on, draft_of
from pipeline.champion import events_for, load_champion
from pipeline.explain import row_of
from pipeline.predict import instant_of
from pipeline.scores import scorable
from pipeline.settings import Run


@dataclass(frozen=True)
class Draft:
    """A draft, and what it was made from; `told` is None for a customer."""

    entity: str
    told: Told | None
    draft: str | None

    def as_dict(self) -> dict[str, Any]:
        told = self.told
        return {
            "entity": self.entity,
            "contact": told and told.contact,
            "next_action": told and told.advice and told.advice.action,
            "draft": self.draft,
        }

    @property
    def text(self) -> str:
        """The draft under its address; without one a sentence that says why."""
        if self.told is None:
            return f"{self.entity} is a customer already: there is no draft.\n"
        if self.draft is None:
            one = self.told.advice
            doing = "nothing is to be done" if one is None else f"the next action is {one.action}"
            why = f" ({one.why_not_now})" if one and one.why_not_now else ""
            return (
                f"No draft for {self.entity}: {doing}{why}, or a fact is unknown that the message "
                "would say. --template names one all the same.\n"
            )
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
    template
        Name of one of `models.actions.wording.MESSAGES`; None for the one that fits.

    Raises
    ------
    EventLogError
        When the entity or the date is not in the data.
    SettingsError
        When a template can't be used.
    """
    champion = load_champion(run, model)
    log = events_for(run, champion, say)
    row = row_of(log, champion.settings.entity, entity, instant_of(log, as_of))
    told = advice_on(run, champion, log, scorable(run, champion, log, row), say, alias=model)
    return Draft(entity, told, None if told is None else draft_of(run, told, template))
