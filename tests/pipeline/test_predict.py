"""The scores table: who is on it, in which order, in which files; and what a second run does."""

import fcntl
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US, to_text
from features.errors import EventLogError, Locked, NotEnoughHistory, NotFresh, SettingsError
from models.judging.champion import seen_until
from pipeline import ledger
from pipeline.champion import load_champion
from pipeline.predict import predict
from pipeline.run_lock import run_lock
from pipeline.train import import_events, train

COLUMNS = [
    "entity_id",
    "name",
    "as_of",
    "model_version",
    "raw_score",
    "probability",
    "pql_score",
    "tier",
    "tier_before",
    "fit_score",
    "fit_tier",
    "usage_score",
    "usage_tier",
    "engagement_points",
    "team_points",
    "value_points",
    "upgrade_points",
    "fit_points",
    "similarity_points",
    "reasons",
    "reasons_against",
    "look_alikes",
    "look_alikes_share",
    "trigger",
    "trigger_fact",
    "triggered_at",
    "next_action",
    "why_not_now",
    "asked_at",
    "message",
    "action_text",
    "contact",
    "draft",
    "scored_at",
]


def scores_of(run, as_of=None, model="champion"):
    return predict(run, lambda _: None, as_of=as_of, model=model, now=None)


def test_there_is_one_row_per_entity_with_the_columns_of_the_contract(scored):
    table = scored.scores
    assert list(table.columns) == COLUMNS
    assert table["entity_id"].is_unique
    assert len(table) > 100
    assert table["as_of"].nunique() == 1
    assert table["probability"].between(0, 1).all()
    assert table["pql_score"].between(0, 100).all()


def test_the_best_come_first_and_equal_scores_stand_in_the_order_of_their_ids(scored):
    table = scored.scores
    expected = table.sort_values(["raw_score", "entity_id"], ascending=[False, True])
    assert table["entity_id"].tolist() == expected["entity_id"].tolist()


def test_equal_scores_stand_in_the_order_of_their_ids(shop):
    """The shop's small trees give many users the same score."""
    table = scores_of(shop.run).scores
    assert table["raw_score"].duplicated().sum() > 5
    for _, same in table.groupby("raw_score"):
        assert same["entity_id"].is_monotonic_increasing


def test_a_tier_follows_from_the_stored_cutoffs_unless_it_was_another_before(scored):
    cuts = scored.cutoffs
    for row in scored.scores.to_dict("records"):
        reached = [name for name in ("critical", "hot", "warm") if row["probability"] >= cuts[name]]
        # Other tests may have scored this store at earlier dates.
        assert row["tier"] in ((reached or ["cold"])[0], row["tier_before"])
    assert scored.scores["tier"].nunique() > 1


def test_every_row_has_reasons_in_words_and_named_customers(scored):
    best = scored.scores.head(20)
    assert best["reasons"].map(len).between(1, 3).all()
    assert best["look_alikes"].map(len).eq(3).all()
    assert not best["reasons"].explode().str.contains(r"[{}_]").any()


def test_a_model_gets_its_properties_though_more_data_would_choose_others(shop, sibling):
    run = sibling(
        shop,
        ("name: shop", "name: chooser"),
        ("data:\n", "data:\n  properties: auto\n  max_properties: 1\n"),
        ("features:\n", "features:\n  properties: {amount: {dimension: value}}\n"),
        ("allow: [exported]", "allow: [exported, amount]"),
    )
    file = run.base / "events.csv"
    events = pd.read_csv(file)
    amount = events["event"].eq("exported") * np.arange(len(events)) / 2.0
    events.assign(amount=amount.where(amount > 0)).to_csv(file, index=False)
    train(run, lambda _: None)
    assert load_champion(run, "champion").properties == {"amount": "number"}
    before = scores_of(run)
    pd.read_csv(file).assign(seats=np.arange(len(events)) % 9).to_csv(file, index=False)
    told: list[str] = []
    after = predict(run, told.append, as_of=None, model="champion", now=None)
    assert any("'amount', which these data would not choose any more" in line for line in told)
    pd.testing.assert_frame_equal(before.scores, after.scores)


def test_csv_and_parquet_hold_the_same_table(scored):
    parquet, csv = scored.files
    left = pd.read_parquet(parquet)
    right = pd.read_csv(csv, parse_dates=["as_of"], keep_default_na=False)
    assert left["entity_id"].tolist() == right["entity_id"].tolist()
    assert left["tier"].tolist() == right["tier"].tolist()
    assert (left["as_of"] == right["as_of"]).all()
    for name in ("raw_score", "probability", "pql_score"):
        np.testing.assert_allclose(left[name], right[name].astype(float), rtol=1e-12)
    for name in ("reasons", "look_alikes"):
        assert left[name].map("; ".join).tolist() == right[name].tolist()


def test_scoring_twice_writes_the_same_bytes_and_leaves_no_other_file(scored, demo):
    before = [path.read_bytes() for path in scored.files]
    again = scores_of(demo.run, model="1")
    assert again.files == scored.files
    assert [path.read_bytes() for path in again.files] == before
    left = [path.name for path in scored.files[0].parent.iterdir() if path.name.startswith(".")]
    assert left == []


def test_the_default_as_of_is_the_newest_complete_day(scored, demo):
    end = import_events(demo.run, lambda _: None).data_end
    assert scored.as_of % DAY_US == 0
    assert 0 <= end - scored.as_of < DAY_US


def test_nobody_eligible_writes_nothing(shop):
    """On the first day somebody has visited, and nobody has entered."""
    result = scores_of(shop.run, "2024-03-01")
    assert (len(result.scores), result.files) == (0, ())


@pytest.mark.parametrize("as_of", ["2031-01-01", "1999-01-01"])
def test_an_as_of_outside_the_data_is_refused_with_their_range(shop, as_of):
    with pytest.raises(EventLogError, match=r"outside the data, which run from 2024-02-29"):
        scores_of(shop.run, as_of)


def test_an_as_of_that_is_no_date_is_refused(shop):
    with pytest.raises(EventLogError, match=r"'soon' is no date; write it like 2024-06-01"):
        scores_of(shop.run, "soon")


@pytest.mark.parametrize("model", ["99", "nobody", "challengr"])
def test_a_model_that_is_not_registered_is_refused(shop, model):
    with pytest.raises(NotEnoughHistory, match=f"no {model!r} of model 'pql-shop'"):
        scores_of(shop.run, model=model)


def test_the_model_scores_by_its_own_definitions_whatever_the_settings_say_today(shop, sibling):
    changed = sibling(
        shop,
        ("windows_days: [7, 28]", "windows_days: [3]"),
        ("attributes: {plan: fit}", "attributes: {}"),
        ("horizon_days: 7", "horizon_days: 30"),
        ("cohort: {entered_by: [opened]}", "cohort: {min_events: 1000}"),
        ("conversion: {events: [paid]}", "conversion: {events: [opened]}"),
    )
    expected, found = scores_of(shop.run), scores_of(changed)
    assert len(found.scores) > 30
    # The two stores have other dates scored before, hence other tiers to keep and other changes.
    kept = ["tier", "tier_before", "reasons", "reasons_against", "scored_at"]
    assert found.scores.drop(columns=kept).equals(expected.scores.drop(columns=kept))


def test_settings_of_another_level_are_refused(shop, sibling):
    changed = sibling(shop, ("entity: user", "entity: account"))
    with pytest.raises(
        SettingsError, match=r"ask for accounts, but pql-shop version 1 scores users"
    ):
        scores_of(changed)


def test_a_customer_is_not_scored_from_the_moment_the_purchase_is_known(shop):
    events = pd.read_csv(shop.folder / "events.csv", parse_dates=["time"])
    paid = events[events["event"] == "paid"].sort_values("time").iloc[-1]
    at = paid["time"].isoformat()
    just_after = (paid["time"] + pd.Timedelta(microseconds=1)).isoformat()
    assert paid["user"] in set(scores_of(shop.run, at).scores["entity_id"])
    assert paid["user"] not in set(scores_of(shop.run, just_after).scores["entity_id"])


NOW = datetime(2024, 6, 18, 5, 0, tzinfo=UTC)


def nightly(run, as_of="2024-06-17", now=NOW, **more):
    return predict(run, lambda _: None, as_of=as_of, model="champion", now=now, **more)


def store_files(run) -> dict[str, bytes]:
    found = [path for name in ("scores", "ledger") for path in (run.store / name).rglob("*")]
    return {str(path.relative_to(run.store)): path.read_bytes() for path in found if path.is_file()}


def test_a_second_run_changes_no_byte_and_keeps_the_time_of_the_first(shop, sibling):
    run = sibling(shop)
    first = nightly(run)
    before = store_files(run)
    again = nightly(run, now=NOW + timedelta(hours=3))
    assert store_files(run) == before
    assert len(before) == 3
    assert again.scores.equals(first.scores)
    assert set(again.scores["scored_at"]) == {pd.Timestamp("2024-06-18 05:00")}
    written = ledger.read(run.store, "pql-shop")
    assert written["entity_id"].tolist() == first.scores["entity_id"].tolist()
    assert set(written["alias"]) == {"champion"}
    assert not written["backfill"].any()


def test_what_becomes_known_later_changes_no_score_and_adds_nothing_to_the_ledger(shop, sibling):
    run = sibling(shop)
    nightly(run)
    before = store_files(run)
    file = run.base / "events.csv"
    events = pd.read_csv(file, parse_dates=["time"])
    cut = pd.Timestamp("2024-06-17")
    later = events[events["time"] < cut].assign(time=cut, event="exported")
    paid = events[events["time"] < cut].assign(time=cut, event="paid")
    pd.concat([events[events["time"] < cut], later, paid]).to_csv(file, index=False)
    nightly(run, now=NOW + timedelta(days=1))
    assert store_files(run) == before


def test_events_that_come_late_make_a_second_entry_and_a_new_table(shop, sibling):
    run = sibling(shop)
    first = nightly(run)
    before = store_files(run)
    file = run.base / "events.csv"
    events = pd.read_csv(file)
    busy = first.scores["entity_id"].iloc[-1]
    late = events[events["user"] == busy].assign(event="exported", time="2024-06-16 09:00:00")
    pd.concat([events, late]).to_csv(file, index=False)
    nightly(run, now=NOW + timedelta(days=1))
    after = store_files(run)
    assert [entry.sequence for entry in ledger.entries(run.store, "pql-shop")] == [1, 2]
    added = set(after) - set(before)
    assert {name for name in before if before[name] != after[name]} == {
        f"scores/pql-shop-v1-2024-06-17.{end}" for end in ("csv", "parquet")
    }
    assert [name.rpartition("/")[2] for name in added] == ["2024-06-17-v1-2.parquet"]


def test_a_second_run_at_the_same_time_is_told_who_works_and_waits_no_longer_than_asked(
    shop, sibling
):
    run = sibling(shop)
    with (
        run_lock(run.store, run.model_name, now=NOW),
        pytest.raises(Locked, match=r"'pql-shop' in .*: process \d+ on .*, since 2024-06-18T05:00"),
    ):
        nightly(run, wait_seconds=0.4)
    assert store_files(run) == {}
    assert len(nightly(run).scores) > 10


def test_a_lock_file_that_nobody_holds_locks_nothing(tmp_path):
    path = tmp_path / "locks" / "pql-shop.lock"
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": 1, "host": "gone", "since": "2020-01-01T00:00:00"}))
    with run_lock(tmp_path, "pql-shop", now=None), run_lock(tmp_path, "pql-other", now=None):
        assert json.loads(path.read_text())["host"] != "gone"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Locked, match="a process that has just begun"):
            run_lock(tmp_path, "pql-shop", now=None).__enter__()


def test_stale_data_are_refused_unless_said_otherwise_and_nothing_is_written(shop, sibling):
    run = sibling(shop, ("seed: 3", "seed: 3\nfreshness: {max_age_hours: 1}"))
    with pytest.raises(NotFresh, match=r"hours before; freshness\.max_age_hours allows 1\."):
        nightly(run)
    assert store_files(run) == {}
    assert len(nightly(run, stale_ok=True).scores) > 10


def test_scores_of_dates_that_the_model_learnt_from_are_told_and_marked(shop, sibling):
    run = sibling(shop)
    end = seen_until(load_champion(run, "1").model)
    told: list[str] = []
    for as_of, seen in ((end - DAY_US, True), (end, False)):
        told.clear()
        predict(run, told.append, as_of=to_text(as_of), model="champion", now=None)
        assert any("know what became of the accounts" in line for line in told) == seen
        assert ledger.entries(run.store, "pql-shop")[-1].seen == seen
