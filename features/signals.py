"""What events mean to sales: hand-raises, success and first value, named once for all who ask."""

from pydantic import PositiveInt

from features.errors import SettingsError
from features.events import EventLog
from features.spec import Spec


class FirstValue(Spec):
    """An event that says, from its n-th time on, that the entity has got something of value."""

    event: str
    """Name of the event."""
    at_least: PositiveInt = 1
    """How often, by anyone of the entity, ever."""


class SignalSpec(Spec):
    """The ``signals:`` block: which events are hand-raises, success, and first value.

    Hand-raise rules of the scorecard and triggers of the next actions both read it. A kind without
    events does not occur.
    """

    limit: tuple[str, ...] = ()
    """A limit of the free plan was reached."""
    pricing: tuple[str, ...] = ()
    """The pricing page was looked at, or a checkout begun."""
    paid_feature: tuple[str, ...] = ()
    """A feature of a paid plan was tried."""
    upsell: tuple[str, ...] = ()
    """An offer to upgrade was clicked."""
    form: tuple[str, ...] = ()
    """A form to be called, or for a demo, was filled in."""
    support: tuple[str, ...] = ()
    """Support was asked."""
    success: tuple[str, ...] = ()
    """Something worth telling was achieved: a workflow completed, a goal reached."""
    first_value: tuple[FirstValue, ...] = ()
    """Any of these says that the entity has seen value; before it nobody is called."""

    def events(self) -> tuple[str, ...]:
        """All names, in the order of the kinds, each once."""
        kinds = (
            *(self.limit, self.pricing, self.paid_feature, self.upsell, self.form, self.support),
            *(self.success, tuple(one.event for one in self.first_value)),
        )
        return tuple(dict.fromkeys(name for kind in kinds for name in kind))

    def check(self, log: EventLog) -> None:
        """Refuse names that the log does not have.

        Raises
        ------
        SettingsError
            Naming them and the nearest valid name of the first.
        """
        from difflib import get_close_matches

        from features.errors import few

        unknown = [name for name in self.events() if name not in log.event_codes]
        if unknown:
            near = get_close_matches(unknown[0], log.event_codes, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise SettingsError(
                f"signals names {few(unknown)}, but the log has no such event.{hint}"
            )
