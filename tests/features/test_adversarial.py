"""Logs that break engines: a fixed zoo and drawn ones, every feature against brute force."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalogue import build_catalogue
from features.catalogue_spec import EventStatistic, FeatureSpec, NumberStatistic
from features.clock import DAY_US, to_us
from features.engine import build_features
from features.matrix import Snapshots
from pipeline.importer.frame import import_frame
from tests.features.oracle import APPROXIMATE, oracle

SPEC = FeatureSpec.model_validate(
    {
        "windows_days": (2,),
        "trend_days": (2,),
        "detail_days": (2,),
        "first_days": 3,
        "business_hours": {"timezone": "America/New_York"},
        "event_statistics": get_args(EventStatistic),
        "max_events": 1,
        "limits": {"seats": {"limit": 3.0}},
    }
)
# Brute force compares every event with every other for these.
FEW = SPEC.model_copy(
    update={
        "event_statistics": ("count", "first_use_rank", "share"),
        "activity_statistics": tuple(
            name for name in SPEC.activity_statistics if name not in ("peak_ratio", "member_gini")
        ),
    }
)
VALUES = FeatureSpec.model_validate(
    {
        "windows_days": (2,),
        "trend_days": (2,),
        "detail_days": (2,),
        "activity_statistics": (),
        "max_events": 1,
        "event_statistics": ("count",),
        "properties": {"rows": {"dimension": "value", "statistics": get_args(NumberStatistic)}},
    }
)


def frame(times, events="go", users="ann", accounts="acme", **columns) -> pd.DataFrame:
    times = pd.to_datetime(pd.Series(list(times)), format="ISO8601").astype("datetime64[us]")
    given = {"event": events, "user_id": users, "account_id": accounts, "time": times, **columns}
    return pd.DataFrame(given, index=range(len(times)))


def equal_times() -> pd.DataFrame:
    names, users = ["go", "stop", "go"] * 20, [f"u{i % 7}" for i in range(60)]
    return frame(["2024-03-05"] * 60, names, users, [f"a{i % 2}" for i in range(60)])


def one_giant_account() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    account = np.where(rng.random(900) < 0.3, 0, rng.integers(1, 40, 900))
    minutes = rng.integers(0, 20 * 24 * 60, 900)
    users = [f"u{a}-{u}" for a, u in zip(account, rng.integers(0, 30, 900), strict=True)]
    times = pd.Timestamp("2024-03-01") + pd.to_timedelta(minutes, unit="min")
    return frame(times, rng.choice(["go", "stop"], 900), users, [f"a{a}" for a in account])


def ten_thousand_event_names() -> pd.DataFrame:
    n = 10_200
    seconds = pd.to_timedelta(np.arange(n) * 60, unit="s")
    names = [f"event {i % 10_000}" for i in range(n)]
    return frame(pd.Timestamp("2024-03-01") + seconds, names, [f"u{i % 3}" for i in range(n)])


def strange_names() -> pd.DataFrame:
    names = ["дом ☃", "x" * 200, "a'b\"c;--", "line\nbreak", "-", "NULL", "дом ☃", "🦆" * 40]
    return frame([f"2024-03-0{i + 1}" for i in range(8)], names, ["Zoë", "王", "ann", "\t"] * 2)


def leap_days_and_changing_clocks() -> pd.DataFrame:
    times = ["2024-02-28 23:59:59.999999", "2024-02-29", "2024-02-29 12:00", "2024-03-01"]
    times += [f"2024-03-10 {h:02d}:{m}:00" for h in range(5, 16) for m in ("00", "59")]
    times += [
        "2024-03-08 14:00",
        "2024-03-08 13:59:59.999999",
        "2024-03-11 13:00",
        "2024-11-04 14:00",
    ]
    return frame(times)


def one_event_only() -> pd.DataFrame:
    return frame(["2024-03-05 12:00"])


def far_times() -> pd.DataFrame:
    """The first valid moment, a year of silence, and a clock that runs ahead."""
    return frame(["1970-01-02", "1970-01-02 00:00:00.000001", "2024-03-05", "2099-12-31"])


def mixed_ids() -> pd.DataFrame:
    people = [12, "12", "12.0", "x", None, 7] * 3
    return frame(
        [f"2024-03-{i + 1:02d}" for i in range(18)],
        users=pd.array([None if p is None else str(p) for p in people], dtype="str"),
    )


ZOO = [
    equal_times,
    one_giant_account,
    ten_thousand_event_names,
    strange_names,
    leap_days_and_changing_clocks,
    one_event_only,
    far_times,
    mixed_ids,
]


@pytest.mark.parametrize("build", ZOO, ids=lambda build: build.__name__)
def test_no_log_of_the_zoo_moves_a_feature_from_brute_force(build, tmp_path):
    events = build()
    log = import_frame(events, tmp_path, "account")
    spec = FEW if len(events) > 5000 else SPEC
    moments = pd.to_datetime(events["time"]).to_numpy("datetime64[us]").astype("int64")
    judge(log, spec, np.unique(moments)[:: max(1, len(np.unique(moments)) // 6)])


def judge(log, spec: FeatureSpec, moments: np.ndarray) -> None:
    """Every feature of everyone: at the events' very moments, around them, before and after all."""
    times = np.unique(np.concatenate([moments, moments + 1, moments + DAY_US, [0]]))
    n = len(log.ids("account"))
    rows = Snapshots.of(
        "account", np.repeat(np.arange(n), len(times)), np.tile(times, n), log.ids("account")
    )
    features = build_catalogue(spec, log, "account")
    matrix = build_features(log, rows, features)
    for feature in features:
        got, want = matrix.column(feature.name), oracle(log, rows, feature)
        if feature.statistic in APPROXIMATE:
            np.testing.assert_allclose(got, want, rtol=3e-7, atol=1e-6, err_msg=feature.name)
        else:
            np.testing.assert_array_equal(got, want.astype(np.float32), err_msg=feature.name)


def test_values_that_are_no_numbers_are_missing_and_huge_ones_are_exact(tmp_path):
    values = [1.0, np.nan, np.inf, -np.inf, 1e15, 1.0, -1e15, 0.25]
    log = import_frame(
        frame([f"2024-03-0{i + 1}" for i in range(8)], rows=values), tmp_path, "account"
    )
    moments = np.array([to_us(f"2024-03-0{i + 1}") for i in range(8)])
    judge(log, VALUES, moments)
    row = Snapshots.of("account", [0], [to_us("2024-04-01")], log.ids("account"))
    matrix = build_features(log, row, build_catalogue(VALUES, log, "account"))
    # 1e15 + 1 - 1e15 is 1: a float64 sum in this order keeps it, a float32 one would not.
    assert matrix.column("rows_sum_life") == [2.25]


def test_entities_without_events_have_zero_counts_and_unknown_times(tmp_path):
    tables = [{"of": "account", "files": ["accounts.csv"], "id": "id", "static": True,
               "columns": {"size": "number"}}]  # fmt: skip
    (tmp_path / "accounts.csv").write_text("id,size\nacme,5\nempty,9\n")
    log = import_frame(one_event_only(), tmp_path, "account", data={"tables": tables})
    assert list(log.ids("account")) == ["acme", "empty"]
    rows = Snapshots.of("account", [0, 1], [to_us("2024-04-01")] * 2, log.ids("account"))
    spec = SPEC.model_copy(update={"attributes": {"size": "fit"}})
    table = build_features(log, rows, build_catalogue(spec, log, "account")).frame()
    assert list(table["any_event_count_2d"]) == [0, 0]
    assert list(table["any_event_active_days_2d"]) == [0, 0]
    assert list(table["size"]) == [5, 9]
    assert table["any_event_days_since_last"].notna().tolist() == [True, False]


@given(
    drawn=st.lists(
        st.tuples(
            st.integers(0, 5),  # day
            st.sampled_from([0, 1, DAY_US // 48, DAY_US // 2, DAY_US - 1]),
            st.sampled_from(["go", "stop"]),
            st.sampled_from(["ann", "bob", None]),
            st.sampled_from(["acme", "bcme"]),
            st.sampled_from([0.0, 1.5, -2.0, float("nan")]),
        ),
        min_size=1,
        max_size=25,
    ),
    asked=st.lists(st.integers(0, 8 * 48), min_size=1, max_size=4, unique=True),
)
@settings(
    deadline=None,
    derandomize=True,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_small_log_equals_brute_force_at_any_times(drawn, asked, tmp_path_factory):
    start = to_us("2024-02-27")
    days, offsets, events, users, accounts, rows = zip(*drawn, strict=True)
    times = np.array([start + d * DAY_US + o for d, o in zip(days, offsets, strict=True)])
    table = frame(times.astype("datetime64[us]"), events, users, accounts, rows=rows)
    log = import_frame(table, tmp_path_factory.mktemp("drawn"), "account")
    moments = start + np.array(sorted(asked)) * DAY_US // 48
    spec = VALUES.model_copy(
        update={"activity_statistics": SPEC.activity_statistics, "limits": SPEC.limits}
    )
    judge(log, spec, moments)
