"""A feed that stops, halves, doubles or is late is noticed; growth and holidays are not."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US, to_us
from features.errors import NotFresh, SettingsError
from models.monitoring.volume import (
    HISTORY_DAYS,
    Recent,
    VolumeSpec,
    forecasts,
    idle,
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


def after(
    counts: np.ndarray, days: slice, nights: Sequence[int], spec: VolumeSpec | None = None
) -> dict:
    """What is refused on the nights that follow `days`, by how many nights after them."""
    found = {}
    for night in nights:
        end = days.stop + night
        seen = counts[:, : counts.shape[1] + end][:, -HISTORY_DAYS:]
        found[night] = {
            odd.event for odd in judged(seen, spec, MONDAY + end * DAY_US) if odd.refused
        }
    return {night: events for night, events in found.items() if events}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("days", "left"), [(11, 0.1), (7, 0.3)])
def test_named_days_say_nothing_about_the_days_after_them(seed, days, left):
    counts = feed(seed, HISTORY_DAYS + 90).copy()
    quiet = slice(-70 - days, -70)
    counts[:, quiet] = counts[:, quiet] * left
    named = tuple(date(2024, 6, 3) - timedelta(back) for back in range(71, 71 + days))
    nights_after = [*range(1, 15), *range(15, 60, 6)]
    assert after(counts, quiet, nights_after, VolumeSpec(holidays=named)) == {}
    broken = counts.copy()
    broken[0, -67] = 0
    found = after(broken, quiet, range(1, 6), VolumeSpec(holidays=named))
    assert found == {4: {"logged_in"}}, "a feed that stops then is noticed all the same"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("days", "times"), [(4, 0), (1, 0), (1, 6), (2, 8)])
def test_an_outage_or_a_bulk_import_does_not_refuse_the_healthy_nights_after_it(seed, days, times):
    counts = feed(seed, HISTORY_DAYS + 40).copy()
    # They end on a Wednesday.
    off = slice(-32 - days, -32)
    counts[:2, off] = counts[:2, off] * times
    while_off = after(counts, off, range(1 - days, 1))
    assert list(while_off) == list(range(1 - days, 1))
    # Of two days that are looked at together, one may still be of them on the first night.
    assert after(counts, off, [*range(2, 15), 20, 27]) == {}


def test_what_came_a_day_late_is_told_and_not_refused():
    weekly = np.zeros((3, 92), np.int64)
    weekly[:, 6::7] = np.random.default_rng(8).poisson(500, (3, 13))
    weekly[0, -1], weekly[0, -2] = weekly[0, -2], 0
    assert refused(weekly[:, :-1]) == {"logged_in"}
    assert [(odd.event, odd.refused) for odd in judged(weekly)] == [("logged_in", False)]


@pytest.mark.parametrize("factor", [0.5, 2, 3])
def test_a_level_that_stays_is_refused_at_first_and_believed_within_a_fortnight(factor):
    counts = feed(9, HISTORY_DAYS + 40).astype(float)
    counts[:, -33:] *= factor
    found = after(counts.astype(np.int64), slice(None, -33), range(1, 34))
    assert min(found) <= 2
    assert max(found) <= 14


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
    found = [values[-1] for values in forecasts(counts, days)]
    np.testing.assert_allclose(found, want, rtol=1e-12)


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
    refused = r"known at 2024-06-01, 54 hours before; .*allows 48.* fit: --as-of 2024-06-02T06:00"
    with pytest.raises(NotFresh, match=refused):
        check_freshness(log, as_of, FreshnessSpec(), told.append, stale_ok=False)
    assert told == []
    check_freshness(log, as_of, FreshnessSpec(), told.append, stale_ok=True)
    assert len(told) == 1
    patient = FreshnessSpec(max_age_hours=54)
    assert doubts(log, as_of, patient) == ([], [])


def resting_at_weekends(gone: int = 0) -> Recent:
    """Events from 8 to 18 o'clock on work days up to the Friday before MONDAY, less `gone` days."""
    counts = np.tile([0, 90, 90, 90, 90, 90, 0], 13)[None, :]
    counts = np.append(counts[:, 1:], [[0]], axis=1)
    counts[:, counts.shape[1] - 2 - gone :] = 0
    return Recent(counts, MONDAY - (2 + gone) * DAY_US - 6 * DAY_US // 24, counts.shape[1])


def test_weekends_without_events_and_named_days_do_not_make_the_data_old():
    found = resting_at_weekends()
    assert idle(found, MONDAY, ()) == 2 * DAY_US
    without_friday = resting_at_weekends(gone=1)
    assert idle(without_friday, MONDAY, ()) == 2 * DAY_US
    assert idle(without_friday, MONDAY, (date(2024, 5, 31),)) == 3 * DAY_US
    assert idle(without_friday, MONDAY, (date(2024, 5, 30),)) == 2 * DAY_US, "the newest came then"
    assert idle(Recent(found.counts, None, found.n_days), MONDAY, ()) == 0


def test_a_feed_that_stopped_long_ago_grows_old_on_every_work_day():
    stopped = resting_at_weekends(gone=33)
    weekends = 10
    assert idle(stopped, MONDAY, ()) == weekends * DAY_US


def test_a_rare_event_may_come_on_any_day_of_the_week():
    counts = np.random.default_rng(10).poisson(0.8, (1, HISTORY_DAYS))
    counts[0, -6:] = 0
    counts[0, -7] = 1
    found = Recent(counts, MONDAY - 7 * DAY_US + 1, HISTORY_DAYS)
    assert idle(found, MONDAY, ()) == 0


def test_a_product_of_work_days_is_fresh_on_monday_and_stale_when_its_feed_stops(log_of):
    days = [day for day in pd.date_range("2024-03-01", "2024-05-31") if day.weekday() < 5]
    lines = [f"u{n} | opened | {day:%Y-%m-%d}T{8 + n}:00" for day in days for n in range(3)]
    log = log_of("\n".join(["who | event | time", *lines]))
    refused_on = [
        f"2024-06-{day:02d}"
        for day in range(1, 7)
        if doubts(log, to_us(f"2024-06-{day:02d}"), FreshnessSpec())[0]
    ]
    # Since Friday 10:00: 38 hours of work days by Tuesday, 62 by Wednesday.
    assert refused_on == ["2024-06-05", "2024-06-06"]
    (reason,), _ = doubts(log, to_us("2024-06-05"), FreshnessSpec())
    assert "110 hours before, 62 of them on days that usually have events;" in reason


def test_an_event_that_the_data_lack_is_a_mistake_in_the_settings(log_of):
    log = log_of("who | event | time\n ann | opened | 2024-06-01")
    for name, said in (("opend", "Did you mean 'opened'?"), ("zebra", "There are 'opened'.")):
        spec = FreshnessSpec(volume=VolumeSpec(events=(name,)))
        with pytest.raises(SettingsError, match=re.escape(f"no {name!r}. {said}")):
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
