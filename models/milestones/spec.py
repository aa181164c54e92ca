"""The ``milestones:`` block of the settings."""

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from features.spec import Spec


class MilestoneSpec(Spec):
    """The ``milestones:`` block: what is searched, and what counts as found."""

    enabled: bool = True
    """Whether every training searches; the verb `milestones` searches in any case."""
    events: tuple[str, ...] | None = None
    """Events that are searched; None: all but conversions, what belongs to them, and events that speak for an upgrade."""  # noqa: E501
    windows_days: tuple[PositiveInt | None, ...] = (3, 7, 14, 30, None)
    """First days since the entity entered in which a milestone may have to be reached; None: any time."""  # noqa: E501
    most: PositiveInt = 5
    """Milestones that are shown, at most."""
    follow_up_days: PositiveInt = 28
    """Precision, recall and lift count the conversions of so many days."""
    gap_days: NonNegativeInt = 1
    """What happened in so many days before a conversion is taken for a part of it."""
    false_discovery: float = Field(default=0.05, gt=0, le=0.5)
    """Share of false ones among the milestones of a search (Benjamini-Hochberg)."""
    holdout_share: float = Field(default=0.3, gt=0, lt=1)
    """Share of the conversions, the latest ones, that confirm what the others found."""
    min_conversions: int = Field(default=100, ge=30)
    """With fewer nothing is searched."""
    n_bootstrap: PositiveInt = 500
    """Resamples of accounts behind every interval."""
    max_events: int = Field(default=5_000_000, ge=10_000)
    """Events that are read; of more, whole shards."""

    @field_validator("windows_days")
    @classmethod
    def _some_window(cls, days: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if not days or len(set(days)) < len(days):
            raise ValueError("needs at least one window, and each once")
        return days
