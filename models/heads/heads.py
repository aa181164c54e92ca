"""What else may be said of a lead: how soon it converts, what that is worth, and its account."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.spec import Spec
from models import scoring
from models.heads.account_value import ValueScale, ValueSpec
from models.heads.aggregation import AccountScores, AccountSpec
from models.heads.converters import Evidence, Forecast
from models.heads.timing import DayScale, DaysSpec, day_columns
from models.scoring import Learner

HEADS_FILE = "heads.json"
_LEARNER = ("rung", "weight", "intercept", "terms")


class HeadsSpec(Spec):
    """The ``heads:`` block: what else may be said of a lead; what is not named is off.

    ``heads: {days: {}}`` switches days on.
    """

    days: DaysSpec | None = None
    value: ValueSpec | None = None
    accounts: AccountSpec | None = None


@dataclass(frozen=True)
class DaysHead:
    """Days to conversion, given that it comes within `within_days`.

    Parameters
    ----------
    ends
        Added to the forecast: the 10th and 90th percentile of what it misses by.
    """

    within_days: int
    forecast: Forecast
    ends: tuple[float, float]

    @property
    def scale(self) -> DayScale:
        return DayScale(self.within_days)


@dataclass(frozen=True)
class ValueHead:
    """What a conversion within the horizon brings.

    Parameters
    ----------
    feature
        The column that stands in for it, as it is; None where it is learnt.
    forecast
        What is learnt; for a feature the constant where the feature is unknown.
    mean_range
        95 % interval of the mean over converting rows, clustered.
    """

    feature: str | None
    forecast: Forecast
    scale: ValueScale
    mean_range: tuple[float, float]


@dataclass(frozen=True)
class Heads:
    """What is said beside the score; everything None says nothing.

    Parameters
    ----------
    columns
        Those that learners read, as `models.learners.encoding.fit_columns` describes them.
    """

    columns: tuple[dict[str, Any], ...] = ()
    days: DaysHead | None = None
    value: ValueHead | None = None
    accounts: AccountScores | None = None

    def predict(self, values: Mapping[str, Any], probability: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of the scores table, each float64 of shape (n,).

        ``expected_days``, ``days_low``, ``days_high``: given that the row converts in time, half
        of such rows do so sooner than the first, and 80 % between the others. They say nothing of
        whether it converts. ``conversion_value``: the mean over such rows if it converts within
        the horizon. ``expected_value``: probability x that.

        Parameters
        ----------
        values
            Columns by name, as `models.learners.encoding.values_of` makes them.
        probability
            Of converting within the horizon, shape (n,).

        Raises
        ------
        SchemaMismatch, ColumnError
            When a column that is read is missing or of another type.
        """
        names = [column["name"] for column in self.columns]
        read = {name: values[name] for name in [*names, "as_of"] if name in values}
        matrix = scoring.encode(list(self.columns), read)
        said: dict[str, np.ndarray] = {}
        if self.days is not None:
            days = self.days.forecast.of(self.days.scale, names, matrix)
            said |= day_columns(days, self.days.ends, self.days.within_days)
        if self.value is not None:
            value = self.value.forecast.of(self.value.scale, names, matrix)
            if self.value.feature is not None:
                own = matrix[:, names.index(self.value.feature)]
                value = np.where(np.isnan(own), value, own)
            said |= {"conversion_value": value, "expected_value": probability * value}
        return said

    def text(self) -> str:
        """``heads.json``: equal heads give equal bytes."""
        days, value = self.days, self.value
        about = {
            "columns": list(self.columns),
            "days": days and {**asdict(days), "forecast": _written(days.forecast)},
            "value": value and {**asdict(value), "forecast": _written(value.forecast)},
            "accounts": self.accounts and asdict(self.accounts),
        }
        return (
            json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
        )

    @classmethod
    def from_text(cls, text: str) -> "Heads":
        """Inverse of `text`."""
        about = json.loads(text)
        days, value, accounts = (about[name] for name in ("days", "value", "accounts"))
        return cls(
            columns=tuple(about["columns"]),
            days=days
            and DaysHead(days["within_days"], _read(days["forecast"]), tuple(days["ends"])),
            value=value
            and ValueHead(
                value["feature"],
                _read(value["forecast"]),
                ValueScale(**value["scale"]),
                tuple(value["mean_range"]),
            ),
            accounts=accounts and AccountScores(**accounts),
        )


def heads_files(heads: Heads) -> dict[str, str]:
    """Texts by file name: what a bundle keeps; nothing without heads."""
    return {} if heads == Heads() else {HEADS_FILE: heads.text()}


def read_heads(folder: Path) -> Heads:
    """The heads of a bundle folder; none where it keeps none."""
    path = folder / HEADS_FILE
    return Heads.from_text(path.read_text(encoding="utf-8")) if path.is_file() else Heads()


def _written(forecast: Forecast) -> dict[str, Any]:
    learner = forecast.learner
    return {
        "learner": learner
        and {name: getattr(learner, name) for name in _LEARNER} | {"boosters": learner.texts},
        "constant": forecast.constant,
        "correction": forecast.correction,
        "evidence": asdict(forecast.evidence),
    }


def _read(about: dict[str, Any]) -> Forecast:
    return Forecast(
        Learner(**about["learner"]) if about["learner"] else None,
        about["constant"],
        about["correction"],
        Evidence(**about["evidence"]),
    )
