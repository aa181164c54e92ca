"""A feed that stops, halves, doubles or is late is noticed; growth and holidays are not."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US, to_us
from features.errors import NotFresh, SettingsError
from models.monitoring.volume import (
    HISTORY_DAYS,
    Recent,
    VolumeSpec,
    forecast,
    judge_volumes,
    recent,
)
from pipeline.freshness import FreshnessSpec, check_freshness, doubts

MONDAY = to_us("2024-06-03")
NAMES = ["logged_in", "exported", "invited"]


def feed(seed: int, days: int = HISTORY_DAYS, growth: float = 0.004) -> np.ndarray:
    """A company that grows and rests at weekends, noisier than chance; shape (3, days).

    The last day is a Sunday.
    """
    rng = np.random.default_rng(seed)
    at = np.arange(days)
    weekday = np.where((days - 1 - at) % 7 < 2, 0.3, 1.0)
    rate = np.array([400.0, 150.0, 60.0])[:, None] * weekday * np.exp(growth * at)
    return rng.poisson(rate * rng.gamma(200, 1 / 200, rate.shape))


def judged(counts: np.ndarray, spec: VolumeSpec | None = None, as_of: int = MONDAY):
    found = Recent(counts, as_of - 1, counts.shape[1])
    return judge_volumes(NAMES, found, as_of, spec or VolumeSpec())


def refused(counts: np.ndarray, spec: VolumeSpec | None = None) -> set[str]:
    return {odd.event for odd in judged(counts, spec) if odd.refused}


def nights(seed: int, first: int) -> list[np.ndarray]:
    """What a run sees on each of the last `first` nights of a longer feed."""
    counts = feed(seed, HISTORY_DAYS + first)
    return [counts[:, night : night + HISTORY_DAYS] for night in range(1, first + 1)]


@pytest.mark.parametrize("seed", range(5))
def test_sixty_clean_nights_raise_no_alarm(seed):
    assert [judged(night) for night in nights(seed, 60) if refused(night)] == []


@pytest.mark.parametrize("factor", [0, 0.5, 2])
@pytest.mark.parametrize("seed", range(3))
def test_a_feed_that_stops_halves_or_doubles_is_refused_by_the_second_night(seed, factor):
    # The nights that end on Thursday and Friday: work days, as most are.
    for back in (3, 4):
        counts = feed(seed)[:, :-back].copy()
        counts[0, -2:] = counts[0, -2:] * factor
        assert refused(counts) == {"logged_in"}
    counts[0, -1] = 0
    assert refused(counts[:, 1:]) == {"logged_in"}


def test_a_feed_that_stops_is_refused_on_the_first_night_with_what_was_expected():
    counts = feed(1).copy()
    usual = counts[1, -8]
    counts[1, -1] = 0
    (odd,) = judged(counts)
    assert (odd.event, odd.days, odd.seen, odd.refused) == ("exported", 1, 0, True)
    assert 0.6 * usual < odd.expected < 1.6 * usual


def test_one_holiday_passes_and_the_nights_after_it_too():
    counts = feed(2)
    holiday = counts.copy()
    holiday[:, -4] = holiday[:, -4] * 0.35
    for back in range(3, -1, -1):
        night = holiday[:, : holiday.shape[1] - back]
        assert refused(night) == set(), f"{3 - back} nights after the holiday"
    assert {odd.event for odd in judged(holiday[:, :-3])} >= {"logged_in"}, "but it is told"


def test_days_that_the_settings_call_holidays_are_not_judged():
    counts = feed(3).copy()
    counts[:, -1] = 0
    assert refused(counts) == set(NAMES)
    assert judged(counts, VolumeSpec(holidays=(date(2024, 6, 2),))) == []
    assert judged(counts, VolumeSpec(holidays=(date(2024, 6, 3),))), "the day of as_of is not seen"
    day_before = VolumeSpec(holidays=(date(2024, 6, 1),))
    assert {odd.days for odd in judged(counts, day_before)} == {1}


def test_too_little_history_is_no_ground_to_refuse():
    counts = feed(4)[:, -20:].copy()
    counts[:, -1] = 0
    assert judged(counts) == []


def test_a_rare_event_is_not_refused_for_a_day_without_it():
    counts = feed(5).copy()
    counts[2] = np.random.default_rng(0).poisson(1.5, counts.shape[1])
    counts[2, -2:] = 0
    assert refused(counts) == set()


def test_only_as_many_events_are_judged_as_asked_and_named_ones_in_their_place():
    counts = feed(6).copy()
    counts[:, -1] = 0
    assert refused(counts, VolumeSpec(main_events=2)) == {"logged_in", "exported"}
    assert refused(counts, VolumeSpec(main_events=0)) == set()
    assert refused(counts, VolumeSpec(events=("invited",))) == {"invited"}


@pytest.mark.parametrize("days", [1, 2])
def test_the_forecast_is_that_of_a_loop_over_the_weeks(days):
    """Oracle: plain sums day by day."""
    counts = feed(7)[0]
    n = len(counts)

    def share(end: int) -> float:
        return sum(counts[end - days : end]) / sum(counts[end - days - 7 : end - days])

    def expected(end: int) -> float:
        weeks = [share(end - 7 * k) for k in range(1, 9) if end - 7 * k - days - 7 >= 0]
        return float(np.median(weeks)) * sum(counts[end - days - 7 : end - days])

    past = [n - back for back in range(days, 28 + days)]
    seen = [sum(counts[end - days : end]) for end in past]
    away = [
        abs((x + 3 / 8) ** 0.5 - (expected(end) + 3 / 8) ** 0.5) * 2
        for x, end in zip(seen, past, strict=True)
    ]
    want = expected(n), max(1.0, 1.4826 * np.median(away))
    np.testing.assert_allclose(forecast(counts, days), want, rtol=1e-12)


def test_counts_are_those_of_a_loop_and_what_is_known_later_never_matters(log_of):
    table = """
        who | event  | time             | known
        ann | opened | 2024-06-01T00:00 | 2024-06-01T00:00
        bob | opened | 2024-06-02T12:00 | 2024-06-02T12:00
        bob | paid   | 2024-06-01T12:00 | 2024-06-02T23:59
        ann | paid   | 2024-06-02T12:00 | 2024-06-03T00:00
    """
    log = log_of(table)
    found = recent(log, MONDAY, days=3)
    assert [event.name for event in log.event_names] == ["opened", "paid"]
    # Friday is not in the data; what is known exactly at as_of is the future.
    assert found.counts.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert (found.n_days, found.newest_at) == (2, to_us("2024-06-02T23:59"))
    assert recent(log, to_us("2024-06-01"), days=3).newest_at is None


def test_an_old_newest_event_is_refused_with_its_age_and_the_limit(log_of):
    log = log_of("who | event | time\n ann | opened | 2024-06-01\n ann | opened | 2024-06-09")
    as_of = to_us("2024-06-03T06:00")
    told: list[str] = []
    with pytest.raises(NotFresh, match=r"known at 2024-06-01, 54 hours before; .*allows 48"):
        check_freshness(log, as_of, FreshnessSpec(), told.append, stale_ok=False)
    assert told == []
    check_freshness(log, as_of, FreshnessSpec(), told.append, stale_ok=True)
    assert len(told) == 1
    patient = FreshnessSpec(max_age_hours=54)
    assert doubts(log, as_of, patient) == ([], [])


def test_an_event_that_the_data_lack_is_a_mistake_in_the_settings(log_of):
    log = log_of("who | event | time\n ann | opened | 2024-06-01")
    spec = FreshnessSpec(volume=VolumeSpec(events=("opend",)))
    with pytest.raises(SettingsError, match=r"no 'opend'\. There are 'opened'"):
        doubts(log, MONDAY, spec)


def test_a_refusal_names_the_event_how_many_and_how_many_were_expected(log_of):
    days = pd.date_range("2024-03-01", "2024-06-02", freq="D")
    lines = [
        f"u{n} | opened | {day:%Y-%m-%d}T{n % 24:02d}:00" for day in days[:-1] for n in range(50)
    ]
    lines.append("u1 | opened | 2024-06-02T12:00")
    log = log_of("\n".join(["who | event | time", *lines]))
    reasons, _ = doubts(log, MONDAY, FreshnessSpec())
    assert reasons == [
        "'opened' is far off: 1 in the day before 2024-06-03, and 50 were expected from the weeks "
        "before."
    ]
    assert doubts(log, MONDAY - DAY_US, FreshnessSpec()) == ([], [])
