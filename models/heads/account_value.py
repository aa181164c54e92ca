"""What an entity is worth once it converts: the number its conversion event carries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from features.clock import DAY_US
from features.errors import SettingsError, few
from features.events import PROPERTY_PREFIX, EventLog, Level
from features.labels import NEVER_US, Conversions
from features.spec import Spec
from models.heads.converters import Target

if TYPE_CHECKING:
    import pyarrow as pa

    from models.dataset import Dataset


class ValueSpec(Spec):
    """The ``heads.value:`` block: where the value of a conversion stands."""

    property: str | None = Field(default=None, min_length=1)
    """A number property of events: the value is that of the entity's first event with one at or
    after its conversion."""
    event: str | None = Field(default=None, min_length=1)
    """The events that carry it, an invoice for example; none: the conversion's own."""
    feature: str | None = Field(default=None, min_length=1)
    """In place of ``property``: a number feature of the row that stands in for the value."""

    @model_validator(mode="after")
    def _check(self) -> "ValueSpec":
        if (self.property is None) == (self.feature is None):
            raise ValueError("give either property (of the conversion event) or feature")
        if self.event is not None and self.property is None:
            raise ValueError("event goes with property, not with feature")
        return self


@dataclass(frozen=True)
class Amounts:
    """What each entity's conversion brought, by entity code; both of shape (n_entities,).

    Parameters
    ----------
    value
        float64, NaN for who did not convert or whose value is unknown.
    known_at
        int64, microseconds UTC; `NEVER_US` where it is unknown.
    """

    value: np.ndarray
    known_at: np.ndarray


def read_amounts(
    log: EventLog,
    level: Level,
    conversions: Conversions,
    conversion_events: tuple[str, ...],
    spec: ValueSpec,
) -> Amounts:
    """The property's value on each entity's first event with one at or after its conversion.

    Raises
    ------
    SettingsError
        When the log has no such event or number property, or a value is negative.
    """
    events = (spec.event,) if spec.event is not None else conversion_events
    _check_names(log, events, str(spec.property))
    codes = np.array([log.event_codes[name] for name in events])
    column = f"{PROPERTY_PREFIX}{spec.property}"
    n = len(conversions.occurred_at)
    value, known_at = np.full(n, np.nan), np.full(n, NEVER_US)
    first = np.full(n, NEVER_US)
    for shard in range(log.n_shards):
        table = log.shard(shard, [level, "event", "occurred_at", "at", column])
        found = _priced(table, level, column, codes)
        entity, occurred, at, amount = (each[found] for each in _arrays(table, level, column))
        after = occurred >= conversions.occurred_at[entity]
        entity, occurred, at, amount = (x[after] for x in (entity, occurred, at, amount))
        order = np.lexsort((at, occurred, entity))
        heads = order[np.r_[True, np.diff(entity[order]) != 0]] if len(order) else order
        # A user's or account's events may lie in several shards.
        heads = heads[occurred[heads] < first[entity[heads]]]
        who = entity[heads]
        first[who], known_at[who], value[who] = occurred[heads], at[heads], amount[heads]
    if negative := int((value < 0).sum()):
        raise SettingsError(
            f"{negative} of {int((~np.isnan(value)).sum())} conversions have a negative "
            f"{spec.property!r}. Name a property that says what a conversion is worth under "
            "heads.value."
        )
    return Amounts(value, known_at)


def value_target(rows: "Dataset", amounts: Amounts, horizon_days: int) -> Target:
    """The value of rows that convert within the horizon; NaN of all others, and where unknown.

    Settled once the horizon is over and the value is known, so a training takes the values that
    it could have had on that day.
    """
    value = np.where(rows.label & rows.mature, amounts.value[rows.entity], np.nan)
    over = rows.as_of + horizon_days * DAY_US
    return Target(value, np.maximum(over, amounts.known_at[rows.entity]))


@dataclass(frozen=True)
class ValueScale:
    """Logarithms of values; forecasts are means, for sums of them are what is asked of value.

    Parameters
    ----------
    offset
        Added before the logarithm: 0, or half the smallest positive value where some are 0.
    least
        No forecast is lower: half the smallest positive value.
    """

    offset: float
    least: float
    objective: str = "regression"

    @classmethod
    def of(cls, value: np.ndarray) -> "ValueScale":
        """The scale of training values; all of them 0 is a scale as well.

        >>> ValueScale.of(np.array([4.0, 10.0])), ValueScale.of(np.array([4.0, 0.0])).offset
        (ValueScale(offset=0.0, least=2.0, objective='regression'), 2.0)
        """
        half = float(value[value > 0].min()) / 2 if (value > 0).any() else 0.5
        return cls(half if (value == 0).any() else 0.0, half)

    def line(self, value: np.ndarray) -> np.ndarray:
        """Logarithms."""
        return np.log(value + self.offset)

    def constant(self, value: np.ndarray) -> float:
        """The mean; 0 without any value."""
        return float(value.mean()) if len(value) else 0.0

    def correction(self, value: np.ndarray, line: np.ndarray) -> float:
        """Ratio of the mean to the mean of the lines taken back (Snowdon 1991).

        The exponential of a mean logarithm is not a mean. Duan's smearing (1983) mends that where
        errors are alike for large and small; the ratio keeps the sum right where they are not.
        """
        return float((value + self.offset).mean() / np.exp(line).mean())

    def forecast(self, line: np.ndarray, correction: float) -> np.ndarray:
        """Values, never below `least`."""
        return np.maximum(np.exp(line) * correction - self.offset, self.least)

    def losses(self, value: np.ndarray, forecast: np.ndarray) -> np.ndarray:
        """Tweedie deviance of power 1.5, 4 (sqrt v - sqrt f)^2 / sqrt f.

        A Bregman loss, so means make it least (Gneiting 2011), and it bears values of 0 and the
        few that are ten times the rest, which squares do not.

        >>> ValueScale(0, 1).losses(np.array([0.0, 9.0]), np.array([4.0, 4.0]))
        array([8., 2.])
        """
        root = np.sqrt(np.maximum(forecast, self.least))
        return 4 * (np.sqrt(value) - root) ** 2 / root


def _check_names(log: EventLog, events: tuple[str, ...], name: str) -> None:
    if unknown := [event for event in events if event not in log.event_codes]:
        raise SettingsError(f"heads.value names {few(unknown)}: no such event in the log.")
    numbers = [item.name for item in log.properties if item.type == "number"]
    if name not in numbers:
        raise SettingsError(
            f"heads.value.property {name!r} is no number property of the imported events; those "
            f"are {few(numbers) or 'none'}. List it under data.properties as a number."
        )


def _arrays(table: "pa.Table", level: Level, column: str) -> tuple[np.ndarray, ...]:
    return tuple(table[name].to_numpy() for name in (level, "occurred_at", "at", column))


def _priced(table: "pa.Table", level: Level, column: str, codes: np.ndarray) -> np.ndarray:
    """Positions of events of these codes that name an entity and have a value."""
    wanted = np.isin(table["event"].to_numpy(), codes) & (table[level].to_numpy() >= 0)
    return np.flatnonzero(wanted & ~np.isnan(table[column].to_numpy()))
