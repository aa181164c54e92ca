"""The whole line on the demo company: nothing knows the future, and probabilities come true."""

import shutil

import numpy as np
import pandas as pd
import pytest

from models.splits import temporal_split
from pipeline.champion import load_champion
from pipeline.dataset import assemble
from pipeline.predict import predict
from pipeline.settings import load
from pipeline.train import import_events

AS_OF = "2024-07-15"
INSTANT = pd.Timestamp(AS_OF, tz="UTC")


def scores_at(run, stale_ok=False):
    """The scores of version 1 as of `AS_OF`, and the bytes of their Parquet file."""
    result = predict(run, lambda _: None, as_of=AS_OF, model="1", now=None, stale_ok=stale_ok)
    assert len(result.scores) > 100
    return result.scores, result.files[0].read_bytes()


@pytest.fixture(scope="module")
def scores(demo, tmp_path_factory):
    """In a store of its own: other tests' scores of earlier dates would settle the tiers."""
    folder = tmp_path_factory.mktemp("before") / "demo"
    shutil.copytree(demo.folder, folder, ignore=shutil.ignore_patterns("store"))
    return scores_at(load(folder / "settings.yaml"))


def events_of(folder) -> pd.DataFrame:
    return pd.concat(pd.read_parquet(path) for path in sorted(folder.glob("world/events/*")))


def late_and_future_events(events: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """Known at or after `AS_OF`: some happened before, some convert whoever is eligible."""
    rng = np.random.default_rng(11)
    added = events.sample(3000, random_state=11, ignore_index=True)
    added["event_id"] = [f"added_{at}" for at in range(len(added))]
    added["received_at"] = INSTANT + pd.to_timedelta(rng.integers(0, 40, len(added)), unit="D")
    added["time"] = added["received_at"] - pd.to_timedelta(
        rng.integers(0, 60, len(added)), unit="D"
    )
    added.loc[::7, "event"] = "a new kind of event"
    added.loc[::11, "account_id"] = "acc_newcomer"
    bought = events.head(len(ids)).assign(
        event_id=[f"bought_{name}" for name in ids],
        event="subscription_started",
        account_id=ids,
        user_id=[f"{name}_owner" for name in ids],
        anonymous_id=None,
        time=INSTANT - pd.Timedelta(days=3),
        received_at=INSTANT,
    )
    return pd.concat([added, bought], ignore_index=True)


def test_what_becomes_known_at_or_after_as_of_changes_no_byte_of_the_scores(demo, scores, sibling):
    frame, before = scores
    run = sibling(demo)
    added = late_and_future_events(events_of(run.base), frame["entity_id"].tolist())
    added.to_parquet(run.base / "world/events/part-99999.parquet", index=False)
    changes = {
        "accounts": {"industry": "something else", "name": "Renamed"},
        "users": {"department": "something else", "email": "someone@elsewhere.example"},
    }
    for name, columns in changes.items():
        path = run.base / f"world/{name}.parquet"
        table = pd.read_parquet(path)
        later = table.assign(valid_from=INSTANT, **columns)
        pd.concat([table, later], ignore_index=True).to_parquet(path, index=False)
    _, after = scores_at(run)
    assert after == before


def test_an_early_as_of_scores_as_it_did_before_the_later_data_existed(demo, scores, sibling):
    _, with_later_data = scores
    run = sibling(demo)
    for path in (run.base / "world/events").glob("*"):
        events = pd.read_parquet(path)
        events[events["received_at"] < INSTANT].to_parquet(path, index=False)
    for path in run.base.glob("world/*.parquet"):
        table = pd.read_parquet(path)
        table[table["valid_from"] < INSTANT].to_parquet(path, index=False)
    assert import_events(run, lambda _: None).data_end <= INSTANT.value // 1000
    _, without = scores_at(run)
    assert without == with_later_data


def test_one_event_more_in_the_past_does_change_the_scores(demo, scores, sibling):
    """Else the two tests above could not fail."""
    frame, before = scores
    run = sibling(demo)
    added = late_and_future_events(events_of(run.base), frame["entity_id"].tolist())
    added = added[added["event"] != "subscription_started"]
    added["time"] = added["received_at"] = INSTANT - pd.Timedelta(microseconds=1)
    added.to_parquet(run.base / "world/events/part-99999.parquet", index=False)
    # So many at once that the gate for odd volumes would refuse.
    _, after = scores_at(run, stale_ok=True)
    assert after != before


def test_calibrated_probabilities_match_the_true_ones(demo):
    """The simulator knows each snapshot's chance; the model has seen only who bought."""
    run, settings = demo.run, demo.run.settings
    data = assemble(run, import_events(run, lambda _: None), lambda _: None)
    split = temporal_split(data.dataset, settings.horizon_days, settings.evaluation.folds)
    test = data.dataset.take(split.test)
    model = load_champion(run, "1").model
    predicted = model.predict(test.matrix, test.account, test.domain)["probability"]
    frame = test.matrix.frame()[["entity_id", "as_of"]].assign(predicted=predicted)
    truth = pd.read_parquet(demo.folder / "world/truth/snapshots.parquet")
    truth["as_of"] = truth["as_of"].dt.tz_localize(None)
    both = frame.merge(truth, left_on=["entity_id", "as_of"], right_on=["account_id", "as_of"])
    assert len(both) == len(frame) > 500
    decile = pd.qcut(both["predicted"].rank(method="first"), 10, labels=False)
    means = both.groupby(decile)[["predicted", "converts_within_14d"]].mean()
    gap = (means["predicted"] - means["converts_within_14d"]).abs()
    assert gap.mean() < 0.03
    # A constant probability has a gap too; the model must tell the deciles apart as well.
    assert means["converts_within_14d"].iloc[-1] > 3 * means["converts_within_14d"].iloc[:5].mean()


def test_users_are_scored_by_what_was_known_too(shop, sibling):
    run = sibling(shop)
    path = run.base / "events.csv"
    events = pd.read_csv(path)
    at = "2024-05-20T00:00:00"
    before = predict(run, lambda _: None, as_of=at, model="1", now=None)
    written = before.files[0].read_bytes()
    events[events["time"] < at.replace("T", " ")].to_csv(path, index=False)
    after = predict(run, lambda _: None, as_of=at, model="1", now=None)
    assert len(before.scores) > 20
    assert after.files == before.files
    assert after.files[0].read_bytes() == written
