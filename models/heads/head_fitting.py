"""Fitting days and value on the rows that convert, with nothing that was not known by then."""

from difflib import get_close_matches
from typing import Any

import numpy as np

from features.errors import NotEnoughHistory, SettingsError
from features.labels import Conversions
from models.dataset import Dataset
from models.heads.account_value import Amounts, ValueScale, value_target
from models.heads.converters import Converters, Evidence, Forecast, encoded, fit_forecast
from models.heads.heads import DaysHead, Heads, HeadsSpec, ValueHead
from models.heads.timing import DayScale, days_target, residual_range, window_days

_Z = 1.959963984540054


def fit_heads(
    spec: HeadsSpec,
    columns: list[dict[str, Any]],
    train: Dataset,
    calibrate: Dataset,
    conversions: Conversions,
    amounts: Amounts | None = None,
    *,
    until: int,
    horizon_days: int,
    seed: int,
    threads: int = 1,
) -> Heads:
    """Learn days and value from the rows of `train` that convert; `calibrate` judges.

    A training row is read if its number was settled by the first calibrate row, a calibrate row
    if it was by `until`. Scores of accounts are `models.heads.aggregation.fit_account_scores`.

    Parameters
    ----------
    columns
        The model's: `PropensityModel.scorer.columns`.
    conversions
        At the level of the rows, by entity code.
    amounts
        `models.heads.account_value.read_amounts`; needed where ``heads.value`` names a property.
    until
        First as_of of the rows that nothing may be chosen on, microseconds UTC.

    Raises
    ------
    SettingsError
        When the window of days is shorter than the horizon, or the feature that stands in for
        value is no number.
    NotEnoughHistory
        When no converting row has a value.
    """
    begin = int(calibrate.as_of.min())
    days: DaysHead | None = None
    value: ValueHead | None = None
    if spec.days is not None:
        within = window_days(spec.days, horizon_days)
        first, second = (days_target(rows, conversions, within) for rows in (train, calibrate))
        learn = Converters.settled(train, first, begin)
        judge = Converters.settled(calibrate, second, until)
        days = _days(columns, learn, judge, within, seed, threads)
    if spec.value is not None and spec.value.feature is not None:
        value = _stand_in(spec.value.feature, columns, train)
    elif spec.value is not None:
        assert amounts is not None, "heads.value names a property, so its amounts are needed"
        first, second = (value_target(rows, amounts, horizon_days) for rows in (train, calibrate))
        learn = Converters.settled(train, first, begin)
        judge = Converters.settled(calibrate, second, until)
        value = _value(columns, learn, judge, str(spec.value.property), seed, threads)
    return Heads(_read_columns(columns, days, value), days, value)


def _days(
    columns: list[dict[str, Any]],
    learn: Converters,
    judge: Converters,
    within: int,
    seed: int,
    threads: int,
) -> DaysHead:
    scale = DayScale(within)
    forecast = fit_forecast(columns, learn, judge, scale, seed=seed, threads=threads)
    if forecast.learner is None:
        ends = residual_range(np.r_[learn.value, judge.value], forecast.constant)
        return DaysHead(within, forecast, ends)
    names = [column["name"] for column in columns]
    said = forecast.of(scale, names, encoded(columns, judge.rows))
    return DaysHead(within, forecast, residual_range(judge.value, said))


def _value(
    columns: list[dict[str, Any]],
    learn: Converters,
    judge: Converters,
    name: str,
    seed: int,
    threads: int,
) -> ValueHead:
    both = np.r_[learn.value, judge.value]
    if not len(both):
        raise NotEnoughHistory(
            f"No row that converts before the test fold has a value of {name!r}, so expected "
            "values can't be made. Bring a longer history, or switch heads.value off."
        )
    scale = ValueScale.of(learn.value)
    forecast = fit_forecast(columns, learn, judge, scale, seed=seed, threads=threads)
    return ValueHead(None, forecast, scale, _mean_range(both, learn.accounts + judge.accounts))


def _stand_in(name: str, columns: list[dict[str, Any]], train: Dataset) -> ValueHead:
    """The feature as it is; where it is unknown, its mean over the rows that convert."""
    numbers = [column["name"] for column in columns if column["dtype"] == "number"]
    if name not in numbers:
        near = get_close_matches(name, numbers, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingsError(
            f"heads.value.feature {name!r} is no number feature of the model.{hint} Name one that "
            "says what an account is worth."
        )
    rows = train.take(train.label & train.mature)
    own = rows.matrix.column(name).astype(np.float64)
    known = ~np.isnan(own)
    if not known.any():
        raise NotEnoughHistory(
            f"None of {len(rows)} converting training rows has a value of {name!r}, so expected "
            "values can't be made. Bring the column, or switch heads.value off."
        )
    there = Converters(rows.take(known), own[known])
    evidence = Evidence(None, 0, 0, there.clusters, None, 0.0, 0.0, kept=False)
    forecast = Forecast(None, float(there.value.mean()), 0.0, evidence)
    scale = ValueScale.of(there.value)
    return ValueHead(name, forecast, scale, _mean_range(there.value, there.accounts))


def _mean_range(value: np.ndarray, accounts: list[str]) -> tuple[float, float]:
    """95 % interval of the mean; the deviations of one account are summed before squaring."""
    _, member = np.unique(accounts, return_inverse=True)
    by_account = np.bincount(member, value - value.mean())
    half = _Z * float(np.sqrt((by_account**2).sum())) / len(value)
    return float(value.mean()) - half, float(value.mean()) + half


def _read_columns(
    columns: list[dict[str, Any]], days: DaysHead | None, value: ValueHead | None
) -> tuple[dict[str, Any], ...]:
    """Those that a learner names, or that stand in for value."""
    read: set[str | None] = set() if value is None else {value.feature}
    for head in (days, value):
        learner = None if head is None else head.forecast.learner
        if learner is not None:
            read |= {term["column"] for term in learner.terms}
            read |= {name for tree in learner.boosters for name in tree.feature_name()}
    return tuple(column for column in columns if column["name"] in read)
