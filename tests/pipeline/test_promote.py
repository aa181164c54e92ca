"""Who becomes champion, what the record says of it, and the way back."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from features.clock import DAY_US, midnight_at_or_before, to_us
from features.errors import NotEnoughHistory, SettingsError
from features.matrix import Snapshots
from pipeline import registry
from pipeline.champion import load_champion
from pipeline.cli import main
from pipeline.fresh_rows import fresh_rows, in_log
from pipeline.predict import predict
from pipeline.promote import Decision, promote, rollback
from pipeline.promotions import Change, changes, last_change_at, move_champion, reign
from pipeline.recalibrate import recalibrate
from pipeline.settings import Run, load, slug_name
from pipeline.train import import_events, train
from tests.conftest import World, replaced, silent

NOW = datetime(2024, 9, 1, tzinfo=UTC)
# A small shop: thirteen users pay in its fresh weeks.
GATE = """\
promotion:
  min_converting: 10
  pr_auc_margin: 0.9
  log_loss_margin: 0.9
  scorecard_pr_auc_margin: 0.9
  scorecard_log_loss_margin: 0.9
  calibration_factor: 4
  calibration_error: 4
  most_pql_churn: 0.95
  clean_audit: false
"""


@pytest.fixture(scope="module")
def gated(shop, tmp_path_factory) -> World:
    """A shop of its own with a gate that thirteen conversions can pass; version 1 is champion."""
    folder = tmp_path_factory.mktemp("gated")
    for name in ("events.csv", "users.csv"):
        shutil.copyfile(shop.folder / name, folder / name)
    path = folder / "settings.yaml"
    path.write_text(replaced(shop.run.text, "name: shop", "name: gated") + GATE)
    run = load(path)
    return World(run, train(run, silent))


@pytest.fixture(scope="module")
def moved(gated) -> int:
    """A challenger that ranks as version 1 does and claims a little more."""
    return recalibrate(gated.run, silent, model="1", rate=0.06).version.number


@pytest.fixture(scope="module")
def boastful(gated) -> int:
    """One that ranks as version 1 does and claims far too much."""
    return recalibrate(gated.run, silent, model="1", rate=0.9).version.number


@pytest.fixture(scope="module")
def shorter(gated, changed) -> int:
    """A challenger that was trained anew on other features."""
    registry.make_champion(gated.run, registry.find(gated.run, "1"))
    run = changed(("windows_days: [7, 28]", "windows_days: [7, 14]"))
    return train(run, silent).version.number


@pytest.fixture
def first(gated) -> Run:
    """The gated shop with version 1 as its champion."""
    registry.make_champion(gated.run, registry.find(gated.run, "1"))
    return gated.run


@pytest.fixture(scope="module")
def changed(gated) -> Callable[..., Run]:
    """A function to the gated shop with other settings of today."""

    def build(*edits: tuple[str, str]) -> Run:
        path = gated.folder / "other.yaml"
        text = gated.run.text
        for old, new in edits:
            text = replaced(text, old, new)
        path.write_text(text)
        return load(path)

    return build


@pytest.fixture
def bare(shop, tmp_path, request) -> Run:
    """A registry entry of its own with five versions of nothing: enough for aliases."""
    name = slug_name(request.node.name)[:60]
    text = replaced(shop.run.text, "name: shop", f"name: {name}")
    (tmp_path / "settings.yaml").write_text(text)
    run = load(tmp_path / "settings.yaml")
    client = registry.connect(run)
    client.create_registered_model(run.model_name)
    for _ in range(5):
        client.create_model_version(run.model_name, source=str(tmp_path))
    client.set_registered_model_alias(run.model_name, registry.CHAMPION, "1")
    return run


def record(run: Run) -> tuple[Change, ...]:
    return changes(registry.connect(run), run.model_name)


def judged(run: Run, number: int, days: float = 0.0, **how: object) -> Decision:
    # A year later each time, unless it is said: the days between are for a test of their own.
    last = max([to_us(NOW), *(one.at for one in record(run) if one.at is not None)])
    now = datetime.fromtimestamp(last / 1e6, UTC) + timedelta(days=days or 365)
    return promote(run, silent, now=now, model=str(number), **how)


def verdicts(decision: Decision) -> dict[str, str]:
    return {one.rule: one.verdict for one in decision.rulings}


def test_a_challenger_that_passes_every_rule_becomes_the_champion(first, moved):
    decision = judged(first, moved)
    assert decision.outcome == "promoted", decision.rulings
    assert registry.standing(first) == moved
    assert "challenger" not in registry.find(first, str(moved)).aliases
    change = record(first)[-1]
    assert (change.kind, change.version, change.former) == ("promoted", moved, 1)
    assert set(change.rules) == set(verdicts(decision))
    tags = registry.connect(first).get_model_version(first.model_name, str(moved)).tags
    assert (tags["gate"], tags["gate_against"], tags["gate_failed"]) == ("promoted", "1", "")


def test_rolling_back_gives_the_scores_of_before_to_the_byte(first, moved):
    def tables() -> list[bytes]:
        found = predict(first, silent, as_of=None, model="champion", now=None)
        assert found.version.number == 1
        return [path.read_bytes() for path in found.files]

    before = tables()
    judged(first, moved)
    other = predict(first, silent, as_of=None, model="champion", now=None)
    assert other.version.number == moved
    done = rollback(first, now=NOW, reason="sales complained")
    assert (done.change.version, done.change.former) == (1, moved)
    assert tables() == before
    last = record(first)[-1]
    assert (last.kind, last.reason, last.at) == ("rolled back", "sales complained", to_us(NOW))


def test_a_refused_challenger_moves_nothing_and_the_rules_say_why(first, boastful):
    length = len(record(first))
    decision = judged(first, boastful)
    assert decision.outcome == "refused"
    assert "calibration in the large" in decision.failed
    assert verdicts(decision)["PR-AUC, champion"] == "pass"
    assert registry.standing(first) == 1
    assert len(record(first)) == length
    tags = registry.connect(first).get_model_version(first.model_name, str(boastful)).tags
    assert tags["gate"] == "refused"
    assert "calibration in the large" in tags["gate_failed"]


def test_what_is_forced_is_judged_nevertheless_and_recorded_with_its_reason(first, boastful):
    with pytest.raises(SettingsError, match="--force needs --reason"):
        judged(first, boastful, force=True)
    decision = judged(first, boastful, force=True, reason="the board wants it")
    assert (decision.outcome, registry.standing(first)) == ("forced", boastful)
    last = record(first)[-1]
    assert (last.kind, last.reason) == ("forced", "the board wants it")
    assert last.rules["calibration in the large"][0] == "fail"
    tags = registry.connect(first).get_model_version(first.model_name, str(boastful)).tags
    assert tags["gate_reason"] == "the board wants it"


def test_a_reason_longer_than_the_record_is_refused_before_anything_is_judged(first, moved):
    with pytest.raises(SettingsError, match="501 characters"):
        judged(first, moved, force=True, reason="x" * 501)


def test_nobody_is_judged_on_an_outcome_that_either_model_has_seen(first, shorter):
    """Counted with pandas: whole weeks after both calibrations and a horizon, until known."""
    both = [load_champion(first, name) for name in (str(shorter), "1")]
    found = fresh_rows(first, *both, silent)
    end = import_events(first, silent).data_end
    seen = max(one.model.training.calibrate_period[1] for one in both) + 7 * DAY_US
    dates = np.unique(found.rows.as_of)
    assert dates.min() >= seen
    assert dates.max() + 7 * DAY_US <= end
    assert set(np.diff(dates)) == {7 * DAY_US}
    events = pd.read_csv(first.base / "events.csv")
    events["at"] = [to_us(text.replace(" ", "T")) for text in events["time"]]
    paid = events[events["event"] == "paid"].groupby("user")["at"].min()
    when = paid.reindex(found.rows.matrix.snapshots.ids).to_numpy(float)
    within = (when >= found.rows.as_of) & (when < found.rows.as_of + 7 * DAY_US)
    assert (found.rows.label == within).all()
    assert within.sum() > 5
    newest = midnight_at_or_before(end)
    alone = predict(first, silent, as_of=None, model=str(shorter), now=None)
    assert alone.as_of == newest
    assert len(found.tiers["challenger"]) == len(found.tiers["champion"]) == len(alone.scores)


def test_each_model_reads_its_own_features(first, shorter):
    one, other = (load_champion(first, name) for name in (str(shorter), "1"))
    assert one.model.features != other.model.features
    found = fresh_rows(first, one, other, silent)
    backwards = fresh_rows(first, other, one, silent)
    np.testing.assert_array_equal(found.rows.as_of, backwards.rows.as_of)
    for name, twin in (("challenger", "champion"), ("champion", "challenger")):
        np.testing.assert_array_equal(
            found.contenders[name].probability, backwards.contenders[twin].probability
        )


def test_another_question_is_refused_by_name_and_only_the_scorecard_is_compared(changed, first):
    run = changed(("horizon_days: 7", "horizon_days: 6"))
    decision = judged(run, train(run, silent).version.number)
    assert decision.outcome == "refused"
    found = {one.rule: one for one in decision.rulings}
    assert found["same question"].found == "horizon_days is 6, the champion's 7"
    assert "PR-AUC, champion" not in found
    assert found["PR-AUC, scorecard"].verdict in ("pass", "fail")


def test_too_few_conversions_refuse(changed, first, moved):
    run = changed(("min_converting: 10", "min_converting: 5000"))
    decision = judged(run, moved)
    assert decision.outcome == "refused"
    assert "enough evidence" in decision.failed
    assert registry.standing(run) == 1


def test_days_between_count_from_the_last_change(first, moved):
    registry.make_champion(first, registry.find(first, str(moved)), at=to_us(NOW))
    registry.make_champion(first, registry.find(first, "1"), at=to_us(NOW))
    assert "days between" in judged(first, moved, days=6.9).failed
    assert judged(first, moved, days=7.1).outcome == "promoted"


def test_a_champion_that_others_moved_says_nothing_of_when(bare):
    move(bare, 2, expected=1)
    found = Change(2, to_us(NOW) + 9 * DAY_US, "found", 3, 2)
    assert last_change_at((*record(bare), found)) == to_us(NOW)


def test_every_asking_since_the_last_promotion_counts_whoever_asks(first, moved, boastful):
    registry.make_champion(first, registry.find(first, str(moved)))
    registry.make_champion(first, registry.find(first, "1"))
    asked = [judged(first, number).asked for number in (boastful, boastful)]
    assert asked == [1, 1]  # the same rows again tell the same
    other = recalibrate(first, silent, model="1", rate=0.91).version.number
    decision = judged(first, other)
    assert decision.asked == decision.as_dict()["asked"] == 2
    assert "98.333 %" in {one.rule: one.found for one in decision.rulings}["PR-AUC, champion"]
    tags = registry.connect(first).get_model_version(first.model_name, str(other)).tags
    assert tags["gate_asked"] == "2"
    assert judged(first, moved).outcome == "promoted"
    assert judged(first, boastful).asked == 1
    rollback(first, now=NOW)
    assert judged(first, other).asked == 2


def test_the_champion_of_a_year_ago_is_the_anchor_and_once_only_in_the_table(first, shorter, moved):
    rule = "PR-AUC, anchor"
    move(first, shorter, expected=1, at=to_us(NOW) + 20_000 * DAY_US)
    decision = judged(first, moved, days=364)
    assert decision.champion == shorter
    assert verdicts(decision)[rule] in ("pass", "fail")
    move(first, shorter, whoever=True, at=to_us(NOW) + 21_000 * DAY_US)
    assert rule not in verdicts(judged(first, moved, days=366))


def test_without_a_champion_the_scorecard_alone_is_to_be_beaten(first, moved):
    client = registry.connect(first)
    client.delete_registered_model_alias(first.model_name, registry.CHAMPION)
    decision = judged(first, moved)
    assert (decision.outcome, decision.champion) == ("promoted", None)
    assert [rule for rule in verdicts(decision) if "champion" in rule] == []
    assert registry.standing(first) == moved


def test_a_recalibration_can_be_promoted_on_the_rows_that_told_its_odds(first):
    number = recalibrate(first, silent, model="1").version.number
    decision = judged(first, number)
    assert decision.outcome == "promoted", decision.rulings
    told = {one.rule: one for one in decision.rulings}
    assert "told the odds factor" in told["enough evidence"].found
    assert told["PR-AUC, champion"].value == 0


def test_the_same_rows_have_other_places_in_another_import(log_of):
    log = log_of(
        """
        who | event  | time
        b   | opened | 2024-03-01
        a   | opened | 2024-03-02
        c   | opened | 2024-03-03
        """
    )
    ids = np.array(["c", "b", "a"], object)
    rows = Snapshots.of("account", np.array([0, 1, 1, 2]), np.array([9, 7, 8, 5]), ids)
    theirs, place = in_log(log, rows)
    assert theirs.ids[place].tolist() == rows.ids.tolist()
    assert theirs.as_of[place].tolist() == rows.as_of.tolist()
    assert (log.ids("account")[theirs.entity] == theirs.ids).all()


def move(run: Run, version: int, kind: str = "promoted", **how: object) -> Change | None:
    client = registry.connect(run)
    return move_champion(run, client, run.model_name, version, kind, **{"at": to_us(NOW), **how})


def test_rolling_back_twice_goes_back_two_promotions_and_then_no_further(bare):
    move(bare, 2, expected=1)
    move(bare, 3, expected=2)
    assert [rollback(bare, now=NOW).change.version for _ in range(2)] == [2, 1]
    assert registry.standing(bare) == 1
    with pytest.raises(NotEnoughHistory, match=r"No champion of .* came before version 1"):
        rollback(bare, now=NOW)
    move(bare, 4, expected=1)
    assert rollback(bare, now=NOW).change.version == 1
    kinds = ["promoted"] * 2 + ["rolled back"] * 2 + ["promoted", "rolled back"]
    assert [one.kind for one in record(bare)] == kinds
    assert [one.sequence for one in record(bare)] == [1, 2, 3, 4, 5, 6]


def test_of_several_promotions_at_once_one_is_done_and_the_record_names_it(bare):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: move(bare, number, expected=1), [2, 3, 4, 5]))
    won = [one for one in done if one is not None]
    assert len(won) == len(record(bare)) == 1
    assert registry.standing(bare) == won[0].version == record(bare)[-1].version


def test_a_champion_moved_by_other_means_is_noted_and_can_be_taken_back(bare):
    move(bare, 2, expected=1)
    client = registry.connect(bare)
    client.set_registered_model_alias(bare.model_name, registry.CHAMPION, "5")
    assert rollback(bare, now=NOW).change.version == 2
    found = record(bare)[1]
    assert (found.kind, found.version, found.former) == ("found", 5, 2)


def test_a_change_whose_process_died_before_the_alias_moved_is_not_gone_back_to(bare):
    move(bare, 2, expected=1)
    move(bare, 3, expected=2)
    client = registry.connect(bare)
    client.set_registered_model_alias(bare.model_name, registry.CHAMPION, "2")
    assert rollback(bare, now=NOW).change.version == 1
    assert reign(record(bare)) == (1,)


def ask(run: Run, *arguments: str):
    return CliRunner().invoke(main, [*arguments, "--settings", str(run.path)])


def test_exit_codes_and_json_are_for_programs(first, moved, boastful):
    refused = ask(first, "promote", "--model", str(boastful), "--json")
    assert refused.exit_code == 1
    told = json.loads(refused.stdout)
    assert told["outcome"] == "refused"
    assert "calibration in the large" in told["failed"]
    assert {"rule", "found", "limit", "verdict", "meaning"} <= set(told["rules"][0])
    assert ask(first, "promote", "--model", "1").exit_code == 3
    assert ask(first, "promote", "--model", "99").exit_code == 2
    assert ask(first, "promote", "--force").exit_code == 2
    forced = ask(first, "promote", "--model", str(moved), "--force", "--reason", "a test")
    assert forced.exit_code == 0
    assert f"version {moved} is the champion in place of version 1" in " ".join(
        forced.stdout.split()
    )
    back = ask(first, "rollback", "--json")
    assert back.exit_code == 0
    assert json.loads(back.stdout)["version"] == registry.standing(first) == 1


def test_without_a_challenger_there_is_nothing_to_do(first):
    client = registry.connect(first)
    if registry.standing(first, registry.CHALLENGER) is not None:
        client.delete_registered_model_alias(first.model_name, registry.CHALLENGER)
    done = ask(first, "promote")
    assert done.exit_code == 3
    assert "has no challenger" in done.stdout


def test_versions_lists_what_is_registered_and_who_was_champion_when(first, moved):
    registry.make_champion(first, registry.find(first, str(moved)), at=to_us(NOW), reason="tried")
    arguments = ["versions", "--settings", str(first.path)]
    told = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    numbers = [one["number"] for one in told["versions"]]
    assert numbers == sorted(numbers, reverse=True)
    assert {1, moved} <= set(numbers)
    of = {one["number"]: one for one in told["versions"]}
    assert of[moved]["alias"] == "champion"
    assert of[1]["rung"] == "booster"
    assert 0 < of[1]["pr_auc"] <= 1
    assert (told["changes"][-1]["version"], told["changes"][-1]["reason"]) == (moved, "tried")
    printed = CliRunner().invoke(main, arguments).stdout
    assert "2024-09-01 " in printed
    assert printed.index(f"{max(numbers)} ") < printed.index("1 ")


def test_without_a_version_versions_says_how_to_make_one(tmp_path, shop):
    path = tmp_path / "settings.yaml"
    path.write_text(replaced(shop.run.text, "name: shop", "name: nobody"))
    done = CliRunner().invoke(main, ["versions", "--settings", str(path)])
    assert done.exit_code == 2
    assert "no version of 'pql-nobody'" in done.stderr
