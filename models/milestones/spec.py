"""The ``milestones:`` block of the settings."""

from features.spec import Spec


class MilestoneSpec(Spec):
    """The ``milestones:`` block: what is searched, and what counts as found."""
