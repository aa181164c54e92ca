"""The ``actions:`` block of the settings."""

from features.spec import Spec


class ActionSpec(Spec):
    """The ``actions:`` block: what to do when what has crossed the line."""
