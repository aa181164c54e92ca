"""What the events carry: numbers, categories, and how near a usage is to its limit."""

import numpy as np

from features.definitions import Feature
from features.events import PROPERTY_PREFIX
from features.kernels import window_maxima
from features.kernels_counts import concentration
from features.kernels_sums import running_sum, window_deviation
from features.selection import Selection
from features.statistics.base import Statistic, at_rows, ratio


def _numbers(s: Selection, name: str) -> np.ndarray:
    return s.values(PROPERTY_PREFIX + name)


def _total(s: Selection, f: Feature, days: int | None) -> np.ndarray:
    return s.sum(("property", f.property), lambda: _numbers(s, str(f.property)), days)


def _present(s: Selection, f: Feature, days: int | None) -> np.ndarray:
    return s.difference(
        ("property", f.property), lambda: ~np.isnan(_numbers(s, str(f.property))), days
    )


def _sum(s: Selection, f: Feature) -> np.ndarray:
    return _total(s, f, f.days)


def _mean(s: Selection, f: Feature) -> np.ndarray:
    return ratio(_total(s, f, f.days), _present(s, f, f.days))


def _std(s: Selection, f: Feature) -> np.ndarray:
    def values() -> np.ndarray:
        return _numbers(s, str(f.property))

    squares = s.once(("squares", f.property), lambda: running_sum(values(), s.start, True))
    return window_deviation(
        *s.running(("property", f.property), values),
        *squares,
        _present(s, f, f.days),
        s.first,
        s.hi,
        s.lo(f.days),
    )


def _maxima(s: Selection, f: Feature, sign: int) -> np.ndarray:
    """Of ``sign * value``; every window that the group asks for is computed with the first."""
    windows = s.windows(f)
    found = s.once(
        ("maxima", f.property, sign, windows),
        lambda: window_maxima(
            sign * _numbers(s, str(f.property)),
            s.rows.start,
            s.hi,
            np.stack([s.lo(days) for days in windows]),
            s.longest,
        ),
    )
    return found[windows.index(f.days)]


def _max(s: Selection, f: Feature) -> np.ndarray:
    return _maxima(s, f, 1)


def _min(s: Selection, f: Feature) -> np.ndarray:
    # 0 - x, not -x: the sign of a zero or of a NaN would show in the bytes.
    return 0 - _maxima(s, f, -1)


def _value_trend(s: Selection, f: Feature) -> np.ndarray:
    if f.days is None:
        raise AssertionError(f"{f.name} passed the check without a window")
    this, both = _total(s, f, f.days), _total(s, f, 2 * f.days)
    return ratio(this - (both - this), np.abs(this) + np.abs(both - this))


def _codes(s: Selection, f: Feature) -> tuple[np.ndarray, int]:
    return s.keys(f"{f.source}.{f.property}")


def _latest(present: np.ndarray, s: Selection, days: int | None) -> np.ndarray:
    """Per row the latest event of the window that carries a value, -1 for none."""
    if not len(present):
        return np.full(len(s.hi), -1)
    place = np.maximum.accumulate(np.where(present, np.arange(len(present)), -1))
    found = np.where(s.hi > s.lo(days), place[s.hi - 1], -1)
    return np.where(found >= s.lo(days), found, -1)


def _earliest(present: np.ndarray, s: Selection, days: int | None) -> np.ndarray:
    """Per row the earliest event of the window that carries a value, -1 for none."""
    n = len(present)
    if not n:
        return np.full(len(s.hi), -1)
    place = np.minimum.accumulate(np.where(present, np.arange(n), n)[::-1])[::-1]
    found = place[s.lo(days).clip(max=n - 1)]
    return np.where((s.hi > s.lo(days)) & (found < s.hi), found, -1)


def _picked(s: Selection, f: Feature, pick) -> np.ndarray:  # type: ignore[no-untyped-def]
    if f.dtype == "category":
        codes, _ = _codes(s, f)
        place = pick(codes >= 0, s, f.days)
        return np.where(place >= 0, codes[place] if len(codes) else -1, -1)
    value = _numbers(s, str(f.property))
    place = pick(~np.isnan(value), s, f.days)
    return at_rows(value, place, place >= 0)


def _last(s: Selection, f: Feature) -> np.ndarray:
    return _picked(s, f, _latest)


def _first(s: Selection, f: Feature) -> np.ndarray:
    return _picked(s, f, _earliest)


def _distinct(s: Selection, f: Feature) -> np.ndarray:
    return s.distinct(f"{f.source}.{f.property}", f.days)


def _top_share(s: Selection, f: Feature) -> np.ndarray:
    codes, n_codes = _codes(s, f)
    top, _ = concentration(codes, n_codes, s.rows.start, s.hi, s.lo(f.days))
    return ratio(top, s.difference((f.source, f.property), lambda: codes >= 0, f.days))


def _limit_share(s: Selection, f: Feature) -> np.ndarray:
    """Usage over its limit: the latest value of the property, or members, over the limit known."""
    limit = f.limit
    if limit is None:
        raise AssertionError(f"{f.name} passed the check without its limit")
    if f.property is None:
        usage = s.distinct("user", f.days).astype(np.float64)
    else:
        value = _numbers(s, f.property)
        place = _latest(~np.isnan(value), s, f.days)
        usage = at_rows(value, place, place >= 0)
    if limit.source == "constant":
        most = np.full(len(usage), float(limit.name))
    elif limit.source == "event":
        value = _numbers(s, limit.name)
        place = _latest(~np.isnan(value), s, None)
        most = at_rows(value, place, place >= 0)
    else:
        rows = s.rows
        most = s.view.shard.number_as_of(
            limit.source, limit.name, rows.codes[rows.entity], rows.as_of
        )
    return ratio(usage, np.where(most > 0, most, 0.0))


STATISTICS = {
    "sum": Statistic(_sum, "", 0, over="number", asked="every"),
    "mean": Statistic(_mean, "", over="number", asked="every"),
    "std": Statistic(_std, "", over="number", asked="every"),
    "max": Statistic(_max, "", over="number", asked="every"),
    "min": Statistic(_min, "", over="number", asked="every"),
    "value_trend": Statistic(
        _value_trend, "-1 to 1", window="bounded", over="number", asked="trend"
    ),
    "last": Statistic(_last, "", over="either"),
    "first": Statistic(_first, "", over="either"),
    "distinct": Statistic(_distinct, "values", 0, over="category", asked="every"),
    "top_share": Statistic(_top_share, "0 to 1", over="category"),
    "limit_share": Statistic(_limit_share, "share of the limit", None, of_usage=True),
}
