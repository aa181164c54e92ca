"""Past dates into the ledger: in order, as they were known, once, and nowhere else."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from click.testing import CliRunner

from features.clock import DAY_US, to_text, to_us
from features.errors import EventLogError, SettingsError
from models.judging.champion import seen_until
from pipeline import ledger
from pipeline.backfill import backfill
from pipeline.champion import load_champion
from pipeline.cli import main
from pipeline.predict import predict
from tests.conftest import silent

NOW = datetime(2024, 7, 1, 6, 0, tzinfo=UTC)


def fill(run, first: str, last: str, every_days: int = 1, say=silent, **more):
    return backfill(
        run,
        say,
        first=first,
        last=last,
        every_days=every_days,
        model="champion",
        now=NOW,
        **more,
    )


@pytest.fixture
def first(shop) -> str:
    """The first date that the shop's model did not learn from."""
    return to_text(seen_until(load_champion(shop.run, "1").model))


def day(text: str, days: int) -> str:
    return to_text(to_us(text) + days * DAY_US)


def test_it_writes_the_ledger_as_nightly_runs_would_have_and_no_table(shop, sibling, first):
    run = sibling(shop)
    done = fill(run, first, day(first, 2))
    assert done.added == 3
    assert not (run.store / "scores").exists()
    filled = ledger.read(run.store, "pql-shop")
    assert filled["backfill"].all()
    for date in done.dates:
        nightly = predict(run, silent, as_of=to_text(date.as_of), model="champion", now=NOW)
        same = filled[filled["as_of"] == pd.Timestamp(to_text(date.as_of))].reset_index(drop=True)
        assert same["entity_id"].tolist() == nightly.scores["entity_id"].tolist()
        for name in ("probability", "tier", "raw_score"):
            assert same[name].tolist() == nightly.scores[name].tolist()
        before = nightly.scores["tier_before"]
        assert same["tier_before"].dropna().tolist() == before.dropna().tolist()
        assert before.notna().any() == (date is not done.dates[0])
    # Given in earnest now: the mark is gone, and the former entries stay.
    assert not ledger.read(run.store, "pql-shop")["backfill"].any()
    assert [entry.sequence for entry in ledger.entries(run.store, "pql-shop")] == [1, 2] * 3


def test_a_backfill_changes_no_score_that_was_given(shop, sibling, first):
    """Else the nightly run of a date, run again, would find another tier before it."""
    run = sibling(shop)

    def tonight() -> pd.DataFrame:
        return predict(run, silent, as_of=day(first, 3), model="champion", now=NOW).scores

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (run.store / "scores").iterdir()}

    assert tonight()["tier_before"].isna().all()
    before = files()
    assert fill(run, first, day(first, 2)).added == 3
    assert tonight()["tier_before"].isna().all()
    assert files() == before


def test_dates_that_are_done_are_skipped_and_told(shop, sibling, first):
    run = sibling(shop)
    fill(run, first, first)
    before = [entry.path.read_bytes() for entry in ledger.entries(run.store, "pql-shop")]
    told: list[str] = []
    more = fill(run, first, day(first, 5), 4, told.append)
    assert [(date.as_of, date.done_before) for date in more.dates] == [
        (to_us(first), True),
        (to_us(first) + 4 * DAY_US, False),
    ]
    assert f"The ledger has {first} already" in told
    after = ledger.entries(run.store, "pql-shop")
    assert [entry.path.read_bytes() for entry in after][:1] == before
    assert fill(run, first, day(first, 5), 4).added == 0
    assert ledger.entries(run.store, "pql-shop") == after


def test_dates_that_the_model_learnt_from_are_refused_unless_it_is_said(shop, sibling, first):
    run = sibling(shop)
    with pytest.raises(SettingsError, match=rf"Begin with --from {first}, or say --allow-seen"):
        fill(run, day(first, -1), first)
    assert not (run.store / "ledger").exists()
    assert fill(run, day(first, -1), first, allow_seen=True).added == 2
    assert [entry.seen for entry in ledger.entries(run.store, "pql-shop")] == [True, False]


def test_the_model_learnt_from_no_label_that_ends_after_the_first_date(shop, first):
    training = load_champion(shop.run, "1").model.training
    assert to_us(first) == training.calibrate_period[1] + 7 * DAY_US


def test_dates_the_wrong_way_round_or_outside_the_data_are_refused(shop, sibling, first):
    run = sibling(shop)
    with pytest.raises(SettingsError, match="lies before --from"):
        fill(run, day(first, 1), first)
    with pytest.raises(EventLogError, match="outside the data"):
        fill(run, first, "2031-01-01")


def test_the_verb_prints_each_date_and_says_when_there_was_nothing_to_do(shop, sibling, first):
    run = sibling(shop)
    words = ["backfill", "--settings", str(run.path), "--from", first, "--to", first]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "added" in done.output) == (0, True)
    again = CliRunner().invoke(main, [*words, "--json"])
    assert again.exit_code == 3
    assert json.loads(again.stdout)["dates"][0]["done_before"]
    early = CliRunner().invoke(main, [*words[:-4], "--from", "2024-04-01", "--to", first])
    assert (early.exit_code, "--allow-seen" in early.output) == (2, True)
