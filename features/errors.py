"""The errors a user can cause: what is wrong, how many, where, what to do."""

from collections.abc import Iterable


class PQLError(ValueError):
    """Base of the errors below; the command line prints its text without a traceback."""


class EventLogError(PQLError):
    """The events can't be used as they are."""


class SettingsError(PQLError):
    """The settings can't be used as they are."""


class SchemaMismatch(PQLError):
    """A matrix does not have the columns the model was trained on."""


class NotEnoughHistory(PQLError):
    """There is too little data for what was asked."""


class FeatureLeak(PQLError):
    """A feature changes with what could not be known yet."""


class NotFresh(PQLError):
    """A gate refuses: the newest data are too old, or far off their history."""


class Locked(PQLError):
    """Another run works with the same store and model."""


def few(names: Iterable[object], most: int = 5) -> str:
    """List the first `most` names, and say how many more there are.

    >>> few(["a", "b"])
    "'a', 'b'"
    >>> few(range(7), most=2)
    '0, 1 and 5 more'
    """
    items = list(names)
    text = ", ".join(repr(item) for item in items[:most])
    return text if len(items) <= most else f"{text} and {len(items) - most} more"
