"""The engine against brute force, and what no engine may do: look into the future."""

import numpy as np
import pandas as pd
import pytest

from features.catalogue import build_catalogue
from features.catalogue_spec import FeatureSpec
from features.clock import DAY_US
from features.engine import build_features
from features.errors import EventLogError
from features.matrix import Snapshots
from pipeline.importer.frame import import_frame
from tests.features.oracle import APPROXIMATE
from tests.features.worlds import DATA, SPEC, START, adversarial_events, grid


def equal(left, right):
    """Column by column, bit for bit, missing equal to missing."""
    return left.fingerprint() == right.fingerprint()


def test_every_feature_equals_brute_force(log, level, catalogue, snapshots, brute_force):
    matrix = build_features(log, snapshots, catalogue)
    assert len(catalogue) > 100
    for feature in catalogue:
        got = matrix.column(feature.name)
        want = brute_force(log, snapshots, feature)
        if feature.dtype == "category":
            values = log.categories[feature.property]
            want = [None if np.isnan(code) else values[int(code)] for code in want]
            assert list(got) == want, feature.name
        elif feature.statistic in APPROXIMATE:
            # The oracle's own rounding: sums of about a hundred values near 1e6.
            np.testing.assert_allclose(got, want, rtol=3e-7, atol=1e-5, err_msg=feature.name)
        else:
            np.testing.assert_array_equal(got, want.astype(np.float32), err_msg=feature.name)


def test_each_feature_varies_somewhere(log, catalogue, snapshots):
    """Guards the oracle test against features that are constant on both sides."""
    matrix = build_features(log, snapshots, catalogue)
    dead = [f.name for f in catalogue if len(pd.unique(matrix.column(f.name))) < 2]
    assert dead == []


@pytest.mark.parametrize("change", ["remove", "rename", "move later", "other values"])
def test_no_event_known_at_or_after_as_of_matters(level, tmp_path, change):
    as_of = START + 30 * DAY_US
    events = adversarial_events(2)
    future = events["known_at"].to_numpy("datetime64[us]").astype("int64") >= as_of
    changed = events.copy()
    if change == "remove":
        changed = changed[~future]
    elif change == "rename":
        changed.loc[future, "event"] = "something new"
    elif change == "move later":
        changed.loc[future, "known_at"] += pd.Timedelta(days=90)
    else:
        changed.loc[future, ["rows", "plan"]] = [1e12, "enterprise"]
    assert not changed.equals(events)
    before, after = (
        import_frame(frame, tmp_path / name, level, data=DATA)
        for name, frame in (("before", events), ("after", changed))
    )
    features = build_catalogue(SPEC, before, level)
    matrices = []
    shared = sorted(set(before.ids(level)) & set(after.ids(level)))
    assert len(shared) > 3
    for log in (before, after):
        code = {name: i for i, name in enumerate(log.ids(level))}
        rows = Snapshots.of(
            level, [code[name] for name in shared], [as_of] * len(shared), log.ids(level)
        )
        matrices.append(build_features(log, rows, features))
    assert matrices[0].frame().equals(matrices[1].frame())


def test_one_date_alone_equals_that_date_in_the_calendar(log, level, catalogue, snapshots):
    whole = build_features(log, snapshots, catalogue)
    for as_of in np.unique(snapshots.as_of)[[3, 7, 12]]:
        here = snapshots.as_of == as_of
        alone = build_features(log, snapshots.take(here), catalogue)
        assert alone.frame().equals(whole.take(here).frame())


def test_the_order_of_the_events_changes_no_byte(level, tmp_path, catalogue):
    events = adversarial_events(3, 4000)
    log = import_frame(events, tmp_path / "a", level, data=DATA)
    shuffled = import_frame(events.sample(frac=1, random_state=1), tmp_path / "b", level, data=DATA)
    rows = grid(log, level)
    one = build_features(log, rows, catalogue)
    assert equal(one, build_features(log, rows, catalogue))
    assert equal(one, build_features(shuffled, rows, catalogue))


def test_an_event_at_as_of_is_the_future_and_one_at_the_window_edge_is_inside(tmp_path):
    when = pd.to_datetime(["2024-03-01", "2024-03-08"])
    frame = pd.DataFrame(
        {
            "event": "login",
            "user_id": "ann",
            "account_id": "acme",
            "time": when.astype("datetime64[us]"),
        }
    )
    log = import_frame(frame, tmp_path, "account")
    without = FeatureSpec.model_validate({"windows_days": (7,)})
    features = build_catalogue(without, log, "account")
    as_of = int(when[1].value // 1000)
    row = Snapshots.of("account", [0], [as_of], log.ids("account"))
    matrix = build_features(log, row, features)
    assert matrix.column("any_event_count_7d") == [1]
    assert matrix.column("any_event_days_since_last") == [7]


def test_own_rows_at_thousands_of_distinct_times_are_exact(log, level, catalogue, brute_force):
    rng = np.random.default_rng(5)
    n = len(log.ids(level))
    rows = Snapshots.of(
        level, rng.integers(0, n, 400), START + rng.integers(0, 60 * DAY_US, 400), log.ids(level)
    )
    matrix = build_features(log, rows, catalogue)
    for feature in catalogue[:: max(1, len(catalogue) // 12)]:
        if feature.dtype == "number" and feature.statistic not in APPROXIMATE:
            want = brute_force(log, rows, feature).astype(np.float32)
            np.testing.assert_array_equal(matrix.column(feature.name), want, err_msg=feature.name)


def test_an_entity_without_past_has_zero_counts_and_unknown_recency(log, level, catalogue):
    row = Snapshots.of(level, [0], [START - 10 * DAY_US], log.ids(level))
    frame = build_features(log, row, catalogue).frame()
    assert frame["any_event_count_life"][0] == 0
    assert np.isnan(frame["any_event_days_since_last"][0])


def test_users_are_refused_on_a_log_that_scatters_their_events(tmp_path):
    log = import_frame(adversarial_events(1), tmp_path, "account", data=DATA)
    rows = Snapshots.of("user", [0], [START], log.ids("user"))
    with pytest.raises(EventLogError, match="imported to score accounts"):
        build_features(log, rows, build_catalogue(SPEC, log, "user"))


def test_no_rows_give_an_empty_matrix(log, level, catalogue):
    none = Snapshots.of(level, [], [], log.ids(level))
    assert len(build_features(log, none, catalogue)) == 0
