"""Whether the log has the events that signals and actions name, and what follows if not."""

from features.catalogue_checks import refuse_slips
from features.errors import few
from features.events import EventLog
from models.actions.advice import events_read
from models.actions.spec import first_value_of
from pipeline.settings import Settings
from pipeline.wording import did_you_mean


def check_signals(settings: Settings, log: EventLog) -> list[str]:
    """A sentence for what the log does not have of the events in `signals` and `actions`.

    Raises
    ------
    SettingsError
        When one is so close to an event of the log that it must be a slip of the pen.
    """
    signals, spec = settings.signals, settings.actions
    refuse_slips("signals names", signals.events(), log)
    # All that is read: those of the signals have just passed.
    unknown = refuse_slips("actions.milestones names", events_read(signals, spec)[0], log)
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
