"""What an audit may look at: the rows a model learns from, and nothing later than their horizon."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.clock import DAY_US
from features.definitions import Feature
from features.events import EventLog, Level
from features.labels import NEVER_US, Conversions
from models.dataset import Dataset
from models.leakage.spec import AuditSpec


@dataclass(frozen=True)
class Case:
    """A training, before anything is fitted.

    Parameters
    ----------
    conversion_events
        Names of the events that are the conversion itself.
    rows
        Mature rows of the training and calibration folds, never of the test.
    """

    log: EventLog
    level: Level
    features: tuple[Feature, ...]
    conversions: Conversions
    conversion_events: tuple[str, ...]
    rows: Dataset
    horizon_days: int
    spec: AuditSpec
    seed: int

    @property
    def until(self) -> int:
        """End of the last label's horizon: nothing at or after it is looked at."""
        return int(self.rows.as_of.max()) + self.horizon_days * DAY_US

    @cached_property
    def converted_at(self) -> np.ndarray:
        """int64, shape (n_entities,): conversions in (-inf, until); `NEVER_US` for all others."""
        at = self.conversions.occurred_at
        return np.where(at < self.until, at, NEVER_US)

    @cached_property
    def cluster(self) -> np.ndarray:
        """As `Dataset.cluster`."""
        return self.rows.cluster

    @cached_property
    def us_to_conversion(self) -> np.ndarray:
        """int64, shape (n_rows,): from as_of to the conversion, `NEVER_US` where there is none."""
        at = self.converted_at[self.rows.entity]
        return np.where(at < NEVER_US, at - self.rows.as_of, NEVER_US)

    def too_few(self, n: int, what: str) -> str:
        """Why nothing can be concluded from `n` of something; empty where it can."""
        need = self.spec.min_entities
        return "" if n >= need else f"{n} {what}; something can be said from {need} on"
