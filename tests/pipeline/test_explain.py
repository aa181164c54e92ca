"""One entity's way from its events to its tier, and what is said of who is not asked about."""

import re

import pandas as pd
import pytest
from click.testing import CliRunner

from features.clock import to_text
from features.errors import EventLogError
from pipeline.cli import main
from pipeline.explain import explain


def explained(world, entity, as_of=None, model="1"):
    return explain(world.run, lambda _: None, entity=entity, as_of=as_of, model=model)


@pytest.fixture(scope="module")
def best(demo, scored):
    """The explanation of the first on the call list, and its row there."""
    row = scored.scores.iloc[0]
    return explained(demo, row["entity_id"], to_text(scored.as_of)), row


def test_an_explanation_ends_at_the_score_of_the_batch(best):
    found, row = best
    assert found.status == "eligible"
    assert found.raw_score == row["raw_score"]
    assert found.probability == row["probability"]
    assert (found.pql_score, found.tier) == (row["pql_score"], row["tier"])


def test_it_gives_the_reasons_and_customers_of_the_batch_first(best):
    found, row = best
    raising = [reason.told for reason in found.reasons if reason.direction == "raises"]
    assert raising[: len(row["reasons"])] == list(row["reasons"])
    assert [one.name for one in found.look_alikes][:3] == list(row["look_alikes"])


def test_reasons_come_strongest_first_and_their_sign_is_their_direction(best):
    found, _ = best
    weights = [reason.contribution for reason in found.reasons]
    assert len(weights) > 3
    assert [abs(weight) for weight in weights] == sorted(map(abs, weights), reverse=True)
    assert all((r.contribution > 0) == (r.direction == "raises") for r in found.reasons)


def test_look_alikes_come_nearest_first(best):
    distances = [one.distance for one in best[0].look_alikes]
    assert distances == sorted(distances)


def test_events_are_counted_from_the_files(demo, best):
    """Read anew, without the importer: once per event id, known before as_of."""
    found, row = best
    files = sorted((demo.folder / "world/events").glob("*.parquet"))
    raw = pd.concat([pd.read_parquet(path) for path in files]).drop_duplicates("event_id")
    known = raw["received_at"].dt.tz_localize(None)
    mine = raw[(raw["account_id"] == row["entity_id"]) & (known < row["as_of"])]
    # Anonymous visits name no account: which account they belong to is the importer's question.
    expected = mine[mine["event"] != "visited_site"]["event"].value_counts().to_dict()
    told = {count.event: count.ever for count in found.events if count.event != "visited_site"}
    assert told == expected


def test_recent_events_are_a_part_of_all_and_the_latest_come_first(best):
    events = best[0].events
    assert all(count.recent <= count.ever for count in events)
    assert any(count.recent < count.ever for count in events)
    assert [count.days_ago for count in events] == sorted(count.days_ago for count in events)


def test_of_a_customer_it_says_since_when(shop):
    events = pd.read_csv(shop.folder / "events.csv")
    paid = events[events["event"] == "paid"].iloc[0]
    when = pd.Timestamp(paid["time"]).isoformat()
    assert explained(shop, paid["user"]).status.startswith(f"a customer since {when}")


def test_before_the_purchase_is_known_a_customer_to_be_is_eligible(shop):
    events = pd.read_csv(shop.folder / "events.csv")
    paid = events[events["event"] == "paid"].iloc[0]
    at = pd.Timestamp(paid["time"]).isoformat()
    assert explained(shop, paid["user"], at).status == "eligible"


def test_of_a_dormant_entity_it_says_why_nobody_asks(shop):
    events = pd.read_csv(shop.folder / "events.csv")
    never_paid = events.groupby("user").filter(lambda rows: "paid" not in set(rows["event"]))
    dormant = never_paid.groupby("user")["time"].max().idxmin()
    found = explained(shop, dormant)
    assert found.status.startswith("not eligible by the cohort settings")
    assert all(count.recent == 0 < count.ever for count in found.events)


def test_of_an_entity_without_a_past_there_is_nothing_to_count(shop):
    events = pd.read_csv(shop.folder / "events.csv")
    latest = events.groupby("user")["time"].min().idxmax()
    assert explained(shop, latest, "2024-03-10").events == ()


def test_an_unknown_entity_is_an_error_with_the_nearest_id(shop):
    with pytest.raises(EventLogError, match=r"no user 'user 7' among the 180.*mean 'user \d+'\?"):
        explained(shop, "user 7")


def test_asked_for_by_name_it_says_the_id(demo, scored, best):
    row = best[1]
    assert row["name"] != row["entity_id"]
    with pytest.raises(EventLogError, match=f"the name of '{row['entity_id']}'"):
        explained(demo, row["name"], to_text(scored.as_of))


def test_the_printed_columns_add_up_to_the_score(demo, best):
    """What is printed is rounded to two digits: a line each may be half a hundredth off."""
    told, _ = best
    arguments = ["--entity", told.entity, "--as-of", to_text(told.as_of), "--model", "1"]
    done = CliRunner().invoke(main, ["explain", "--settings", str(demo.run.path), *arguments])
    lines = done.stdout.splitlines()
    begin = next(at for at, line in enumerate(lines) if "log-odds" in line)
    end = next(at for at, line in enumerate(lines) if "all points, and the raw score" in line)
    added = [float(found) for line in lines[begin:end]
             for found in re.findall(r"^ (?:\S+)? +([+-]\d+\.\d\d) ", line)]  # fmt: skip
    assert len(added) > 3
    assert sum(added) == pytest.approx(told.raw_score, abs=0.005 * (len(added) + 1))
