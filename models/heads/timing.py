"""Days to conversion of the rows that convert in time: what they are, and how they are judged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import PositiveInt

from features.clock import DAY_US
from features.errors import SettingsError
from features.labels import Conversions
from features.spec import Spec
from models.heads.converters import Target

if TYPE_CHECKING:
    from models.dataset import Dataset

SHARES = (0.1, 0.9)
"""What shares of the conversions lie below ``days_low`` and ``days_high``."""


class DaysSpec(Spec):
    """The ``heads.days:`` block: days to conversion, given that it comes in time."""

    within_days: PositiveInt | None = None
    """In time is [as_of, as_of + within_days); none: the horizon; never less. A longer one needs a
    history of which as much lies before each fold's end."""


def window_days(spec: DaysSpec, horizon_days: int) -> int:
    """The days within which a conversion is in time.

    >>> window_days(DaysSpec(), horizon_days=14), window_days(DaysSpec(within_days=14), 14)
    (14, 14)

    Raises
    ------
    SettingsError
        When they are fewer than the horizon: the score speaks of rows that the head would not.
    """
    within = spec.within_days or horizon_days
    if within < horizon_days:
        raise SettingsError(
            f"heads.days.within_days is {within}, less than horizon_days = {horizon_days}. Give "
            "at least the horizon, or leave it out."
        )
    return within


def days_target(rows: "Dataset", conversions: Conversions, within_days: int) -> Target:
    """Days from as_of to the conversion, in [0, within_days); NaN where none comes in time.

    A row is settled once its whole window is over. Rows that are still waiting would otherwise
    be left out only if they convert late, and the others would look quick: that is the censoring
    of Kaplan & Meier 1958, met here by restriction, not by a model of the tail. The number says
    nothing about rows that do not convert in time.

    Parameters
    ----------
    conversions
        At the level of the rows, by entity code.
    """
    when = conversions.occurred_at[rows.entity]
    window = within_days * DAY_US
    in_time = (when >= rows.as_of) & (when < rows.as_of + window)
    days = np.where(in_time, when - rows.as_of, 0) / DAY_US
    return Target(np.where(in_time, days, np.nan), rows.as_of + window)


@dataclass(frozen=True)
class DayScale:
    """Days as they are. Forecasts are medians: half of the conversions come sooner."""

    within_days: int
    objective: str = "regression_l1"

    def line(self, value: np.ndarray) -> np.ndarray:
        """The days."""
        return value

    def constant(self, value: np.ndarray) -> float:
        """Their median; the middle of the window without any."""
        return float(np.median(value)) if len(value) else self.within_days / 2

    def correction(self, value: np.ndarray, line: np.ndarray) -> float:
        """Half of the days lie above the line plus this."""
        return float(np.median(value - line))

    def forecast(self, line: np.ndarray, correction: float) -> np.ndarray:
        """Days within the window."""
        return np.clip(line + correction, 0, self.within_days)

    def losses(self, value: np.ndarray, forecast: np.ndarray) -> np.ndarray:
        """Absolute errors, which medians make least."""
        return np.abs(value - forecast)


def residual_range(value: np.ndarray, forecast: np.ndarray | float) -> tuple[float, float]:
    """What to add to a forecast so that 10 % of the numbers lie below, and 90 % below.

    Split conformal ends (Vovk et al. 2005; Lei et al. 2018) of rows that the forecast never saw:
    the order statistics that a further number of the same kind leaves outside at most as often.
    On average over rows, not within each group of them; 0 is always inside.

    >>> residual_range(np.arange(1.0, 10.0), 5.0)
    (-4.0, 4.0)
    """
    gaps, n = np.sort(value - forecast), len(value)
    if not n:
        return 0.0, 0.0
    low = max(int(np.floor(SHARES[0] * (n + 1))), 1) - 1
    high = min(int(np.ceil(SHARES[1] * (n + 1))), n) - 1
    return min(float(gaps[low]), 0.0), max(float(gaps[high]), 0.0)


def day_columns(forecast: np.ndarray, ends: tuple[float, float], within: int) -> dict[str, Any]:
    """``expected_days``, ``days_low`` and ``days_high``, all in [0, within], shape (n,)."""
    low, high = (np.clip(forecast + end, 0, within) for end in ends)
    return {"expected_days": forecast, "days_low": low, "days_high": high}
