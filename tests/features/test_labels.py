"""Who converted when, and what a horizon says of it."""

import numpy as np
import pytest

from features.clock import DAY_US, to_us
from features.errors import SettingsError
from features.labels import (
    NEVER_US,
    Conversions,
    ConversionSpec,
    find_conversions,
    label_snapshots,
)
from features.matrix import Snapshots

PAID = ConversionSpec(events=("paid",))
HORIZON = 7
AS_OF = to_us("2024-03-10")


def label_of(converts: str | None, data_end: str = "2024-12-31") -> tuple[bool, bool]:
    """(label, mature) of one snapshot at `AS_OF`."""
    when = np.array([NEVER_US if converts is None else to_us(converts)])
    rows = Snapshots("account", np.array([0]), np.array([AS_OF]), np.array(["ann"], object))
    labels = label_snapshots(rows, Conversions(when, when), HORIZON, to_us(data_end))
    return bool(labels.label[0]), bool(labels.mature[0])


@pytest.mark.parametrize(
    ("converts", "label"),
    [
        ("2024-03-09T23:59:59.999999", False),
        ("2024-03-10", True),
        ("2024-03-16T23:59:59.999999", True),
        ("2024-03-17", False),
        (None, False),
    ],
)
def test_the_horizon_begins_at_as_of_and_ends_just_before_its_last_instant(converts, label):
    assert label_of(converts) == (label, True)


@pytest.mark.parametrize(
    ("data_end", "mature"), [("2024-03-17", True), ("2024-03-16T23:59:59.999999", False)]
)
def test_a_label_is_mature_when_the_whole_horizon_lies_inside_the_data(data_end, mature):
    assert label_of(None, data_end) == (False, mature)


def test_an_immature_label_is_not_positive_even_when_the_conversion_is_already_seen():
    assert label_of("2024-03-11", data_end="2024-03-12") == (False, False)


@pytest.mark.parametrize("level", ["account", "user"])
def test_the_first_conversion_of_each_entity_counts(log_of, level):
    log = log_of(
        """
        who | event | time
        ann | paid  | 2024-03-05
        ann | paid  | 2024-03-02
        bob | login | 2024-03-01
        """,
        level,
    )
    found = find_conversions(log, level, PAID)
    assert dict(zip(log.ids(level), found.occurred_at, strict=True)) == {
        "ann": to_us("2024-03-02"),
        "bob": NEVER_US,
    }
    assert found.n == 1


def test_a_label_reads_when_a_conversion_happened_not_when_it_became_known(log_of):
    log = log_of(
        """
        who | event | time       | known
        ann | paid  | 2024-03-12 | 2024-04-20
        ann | login | 2024-03-01 | 2024-03-01
        zed | login | 2024-05-01 | 2024-05-01
        """
    )
    found = find_conversions(log, "account", PAID)
    rows = Snapshots.of("account", np.array([0]), np.array([AS_OF]), log.ids("account"))
    labels = label_snapshots(rows, found, HORIZON, log.data_end)
    assert labels.label.tolist() == [True]


LATE = """
who | event | time       | known
ann | paid  | 2024-03-01 | 2024-03-20
ann | paid  | 2024-03-05 | 2024-03-05
bob | paid  | 2024-03-02 | 2024-03-10
"""


@pytest.mark.parametrize(
    ("instant", "known"),
    [
        ("2024-03-05", {}),
        ("2024-03-10", {"ann": "2024-03-05"}),
        ("2024-03-10T00:00:00.000001", {"ann": "2024-03-05", "bob": "2024-03-02"}),
        ("2024-03-21", {"ann": "2024-03-01", "bob": "2024-03-02"}),
    ],
)
def test_a_run_at_as_of_knows_only_conversions_that_were_known_before_it(log_of, instant, known):
    log = log_of(LATE)
    found = find_conversions(log, "account", PAID, known_before=to_us(instant))
    there = found.occurred_at < NEVER_US
    assert dict(zip(log.ids("account")[there], found.occurred_at[there], strict=True)) == {
        name: to_us(when) for name, when in known.items()
    }


def test_an_unknown_conversion_event_is_one_sentence_with_the_nearest_name(log_of):
    log = log_of(LATE)
    with pytest.raises(SettingsError, match=r"conversion\.events names 'piad'.*mean 'paid'\?"):
        find_conversions(log, "account", ConversionSpec(events=("piad",)))


def test_a_long_silence_of_conversions_is_alarming_and_a_usual_one_is_not():
    known = np.arange(20) * 2 * DAY_US
    conversions = Conversions(known, known)
    newest = int(known[-1])
    assert conversions.quiet_days(newest + 10 * DAY_US) == 0
    assert conversions.quiet_days(newest + 25 * DAY_US) == 25
    few = Conversions(known[:5], known[:5])
    assert few.quiet_days(newest + 100 * DAY_US) == 0
