"""Whether the log has the events that signals and actions name, and what follows if not."""

from difflib import get_close_matches

from features.errors import SettingsError, few
from features.events import EventLog
from models.actions.advice import events_read
from models.actions.spec import first_value_of
from pipeline.settings import Settings
from pipeline.wording import did_you_mean

_SLIP = 0.85
"""Likeness of a misspelt event to the right one (`difflib`)."""


def check_signals(settings: Settings, log: EventLog) -> list[str]:
    """A sentence for what the log does not have of the events in `signals` and `actions`.

    Raises
    ------
    SettingsError
        When one is so close to an event of the log that it must be a slip of the pen.
    """
    signals, spec = settings.signals, settings.actions
    unknown = [name for name in events_read(signals, spec)[0] if name not in log.event_codes]
    for event in unknown:
        if near := get_close_matches(event, log.event_codes, n=1, cutoff=_SLIP):
            block = "signals" if event in signals.events() else "actions.milestones"
            raise SettingsError(
                f"{block} names the event {event!r}, which the log does not have. Did you mean "
                f"{near[0]!r}?"
            )
    if not unknown:
        return []
    meant = did_you_mean(unknown, log.event_codes)
    told = [f"signals and actions name events that never happened: {few(unknown)}{meant}"]
    first = first_value_of(signals)
    if first and all(one.event in unknown for one in first):
        kind = "first_value" if signals.first_value else "success"
        told.append(
            f"no event of signals.{kind} is in the log, so nobody counts as having seen value: "
            "nobody is ever called, except who asks (form, support)"
        )
    return told
