"""The two jobs that are measured: CORE, 248 features, and FULL, 1,066."""

from benchmarks.job import CHECKED
from benchmarks.worlds import event_names
from features.definitions import Feature, Statistic

WINDOWS: tuple[int | None, ...] = (1, 7, 14, 28, 90, None)
_TRENDS = (7, 28)
VALUE = "value"

CHECKED_FULL = (
    *CHECKED,
    "any_members_28d",
    "event_00_active_days_life",
    "any_sum_90d",
    "event_01_max_life",
    "any_trend_7d",
    "any_sessions_28d",
    "any_session_minutes_life",
)


def core(windows: tuple[int | None, ...] = WINDOWS) -> tuple[Feature, ...]:
    """Counts in every window, days since the last and the first event, for 31 groups of events.

    >>> len(core())
    248
    """
    return tuple(
        feature
        for group, events in _groups()
        for feature in (
            *(_feature(group, events, "count", days) for days in windows),
            _feature(group, events, "days_since_last", None),
            _feature(group, events, "days_since_first", None),
        )
    )


def full() -> tuple[Feature, ...]:
    """CORE, and members, active days, sums, maxima, trends, and the sessions of all events.

    >>> len(full()), len({feature.name for feature in full()})
    (1066, 1066)
    """
    wide: tuple[Statistic, ...] = ("members", "active_days", "sum", "max")
    more = [
        _feature(group, events, statistic, days)
        for group, events in _groups()
        for statistic in wide
        for days in WINDOWS
    ]
    more += [
        _feature(group, events, "trend", days) for group, events in _groups() for days in _TRENDS
    ]
    spent: tuple[Statistic, ...] = ("sessions", "session_minutes")
    more += [_feature("any", (), statistic, days) for statistic in spent for days in WINDOWS]
    return (*core(), *more)


def counts(n_windows: int, longest: int = 60) -> tuple[Feature, ...]:
    """Counts in `n_windows` windows spread evenly over 1 to `longest` days.

    >>> [feature.days for feature in counts(3)][:3]
    [20, 40, 60]
    """
    windows = [-(-longest * i // n_windows) for i in range(1, n_windows + 1)]
    return tuple(
        _feature(group, events, "count", days) for group, events in _groups() for days in windows
    )


def features_of(kind: str, n_windows: int) -> tuple[Feature, ...]:
    """The features of a job: ``core``, ``full``, or ``windows``, which `n_windows` is for."""
    return counts(n_windows) if kind == "windows" else {"core": core, "full": full}[kind]()


def _groups() -> list[tuple[str, tuple[str, ...]]]:
    return [("any", ()), *((name, (name,)) for name in event_names())]


def _feature(
    group: str, events: tuple[str, ...], statistic: Statistic, days: int | None
) -> Feature:
    recency = statistic in ("days_since_last", "days_since_first")
    window = "life" if days is None else f"{days}d"
    return Feature(
        name=f"{group}_{statistic}" if recency else f"{group}_{statistic}_{window}",
        dimension="engagement",
        statistic=statistic,
        events=events,
        property=VALUE if statistic in ("sum", "max") else None,
        days=days,
        scope="entity",
        dtype="number",
        unit="",
        meaning="",
    )
