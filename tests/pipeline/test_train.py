"""A training is judged and registered; the same settings give the same model, byte for byte."""

import json
from itertools import pairwise

import pytest
from click.testing import CliRunner

from features.errors import NotEnoughHistory, SettingsError
from pipeline import registry
from pipeline.cli import main
from pipeline.predict import predict
from pipeline.train import train


def version_of(retrained) -> str:
    """Its number; other tests register versions of the same model, sooner or later."""
    return str(json.loads(retrained.stdout)["version"])


def test_two_trainings_with_one_seed_write_byte_equal_bundles(demo, retrained):
    first, second = (
        registry.fetch(demo.run, registry.find(demo.run, number))
        for number in ("1", version_of(retrained))
    )
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    trees = {"fit-booster.txt", "usage-booster.txt"}
    assert trees | {"learner.json", "similarity.npz", "calibration.json", "tiers.json"} < set(names)
    for name in set(names) - {"bundle.json"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    left, right = (json.loads((folder / "bundle.json").read_text()) for folder in (first, second))
    assert left["info"].pop("run_id") != right["info"].pop("run_id")
    assert left == right


def test_two_trainings_with_one_seed_score_the_same(demo, retrained, scored):
    number = version_of(retrained)
    again = predict(demo.run, lambda _: None, as_of=None, model=number, now=None)
    assert set(again.scores["model_version"]) == {int(number)}
    plain = [frame.drop(columns="model_version") for frame in (scored.scores, again.scores)]
    assert plain[0].equals(plain[1])


def test_two_trainings_report_the_same_numbers(demo, retrained):
    before, after = demo.training.as_dict(), json.loads(retrained.stdout)
    assert after["folds"] == before["folds"]
    assert after["base_rate"] == before["base_rate"]
    values = [[row["value"] for row in result["metrics"]] for result in (before, after)]
    assert values[0] == values[1]


def test_the_folds_follow_each_other_in_time_with_the_horizon_between(demo):
    folds = demo.training.split.folds
    assert [fold.name for fold in folds] == ["train", "calibrate", "test"]
    horizon = demo.run.settings.horizon_days * 86_400_000_000
    for earlier, later in pairwise(folds):
        assert earlier.last_as_of + horizon <= later.first_as_of


def test_rules_that_point_at_nothing_are_reported(shop):
    assert shop.training.rules_without_data == ("big budget",)


def test_similarity_is_measured_only_where_it_is_used(demo, shop):
    assert shop.training.ablation is None
    assert set(demo.training.ablation["contender"]) == {"with", "without", "shuffled customers"}


def test_the_champion_flag_moves_the_alias_and_leaves_no_challenger(sibling, shop):
    run = sibling(shop, ("name: shop", "name: moved"))
    first = train(run, lambda _: None)
    assert first.version.aliases == ("champion",)
    command = ["train", "--json", "--champion", "--settings", str(run.path)]
    result = json.loads(CliRunner().invoke(main, command).stdout)
    assert (result["version"], result["aliases"]) == (2, ["champion"])
    assert registry.find(run).number == 2
    with pytest.raises(NotEnoughHistory, match="no 'challenger'"):
        registry.find(run, "challenger")


def test_a_conversion_that_the_log_does_not_have_is_refused(sibling, shop):
    run = sibling(shop, ("events: [paid]", "events: [piad]"))
    with pytest.raises(SettingsError, match="Did you mean 'paid'"):
        train(run, lambda _: None)


def test_too_few_conversions_are_refused_with_what_to_do(sibling, shop):
    run = sibling(shop, ("horizon_days: 7", "horizon_days: 90"))
    with pytest.raises(NotEnoughHistory, match="each of the three needs 5"):
        train(run, lambda _: None)
