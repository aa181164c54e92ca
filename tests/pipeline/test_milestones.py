"""`milestones`: the verb, its files, its rules, and the worlds in which milestones are planted."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from features.catalogue import build_catalogue
from features.errors import SettingsError
from models.milestones import Milestone, Milestones
from models.milestones.experiment import Experiment
from models.milestones.figures import Estimate
from models.milestones.found import CountRow
from models.scorecard import Rule
from pipeline.cli import main
from pipeline.importer.log import import_log
from pipeline.milestones import find_milestones, set_aside, write_milestones
from pipeline.milestones_printing import print_milestones
from pipeline.milestones_rules import write_rules
from pipeline.settings import load
from pipeline.simulate import simulate
from pipeline.simulate.world import EFFECTS, MILESTONES, SimulateSpec, describe


def invoked(run, *arguments):
    return CliRunner().invoke(main, ["milestones", "--settings", str(run.path), *arguments])


def log_of_run(run):
    settings = run.settings
    return import_log(settings.data, run.base, run.store / "logs", settings.entity, threads=1)


def milestone(event="data_source_connected", at_least=3, scope="account", within_days=None, hr=2.0):
    share = Estimate(0.2, 0.1, 0.3)
    bins = (
        CountRow(0, at_least - 1, 900, Estimate(0.05, 0.03, 0.06), False),
        CountRow(at_least, None, 100, Estimate(0.2, 0.15, 0.25), True),
    )
    return Milestone(
        *(1000, 50, share, share, Estimate(0.05, 0.04, 0.06), share, Estimate(4.0, 3.0, 5.0)),
        event=event,
        at_least=at_least,
        scope=scope,
        within_days=within_days,
        effect=Estimate(hr, 1.5, 2.7),
        q_value=0.01,
        median_days=12.0,
        experiment=Experiment(9_000, 0.05, 0.06),
        by_count=bins,
        by_week=(5, 3, 1),
        follow_up_days=28,
    )


def outcome(*found):
    return Milestones(found, (), (), 100, (300, 100), 0, 28, True, f"{len(found)} found.")


@pytest.fixture(scope="module")
def demo_found(demo):
    return find_milestones(demo.run, log_of_run(demo.run), lambda _: None)


def test_the_search_on_the_demo_company_accounts_for_every_event(demo, demo_found):
    names = [name.name for name in log_of_run(demo.run).event_names]
    told = [one.event for one in (*demo_found.found, *demo_found.examined)]
    assert demo_found.searched
    assert sorted(told) == sorted(names)
    assert {"pricing_viewed", "checkout_started"} <= {
        one.event for one in demo_found.examined if one.reason == "upgrade"
    }


def test_the_verb_prints_json_that_is_also_written(demo, demo_found):
    result = invoked(demo.run, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    files = told.pop("files")
    assert files[0].endswith("milestones.json")
    written = json.loads((demo.run.store / "milestones" / "milestones.json").read_text())
    assert told == written == json.loads(json.dumps(demo_found.as_dict()))


def test_too_few_conversions_end_with_nothing_to_do(shop):
    result = invoked(shop.run)
    assert result.exit_code == 3
    assert "No milestone is searched" in result.output


def test_a_misspelt_event_is_told_with_the_nearest_name(demo):
    spec = demo.run.settings.milestones.model_copy(update={"events": ("report_creatd",)})
    settings = demo.run.settings.model_copy(update={"milestones": spec})
    with pytest.raises(SettingsError, match="Did you mean 'report_created'"):
        set_aside(settings, log_of_run(demo.run))


def test_named_events_are_searched_even_if_they_speak_for_an_upgrade(demo):
    spec = demo.run.settings.milestones.model_copy(update={"events": ("pricing_viewed",)})
    settings = demo.run.settings.model_copy(update={"milestones": spec})
    aside = set_aside(settings, log_of_run(demo.run))
    assert "pricing_viewed" not in aside
    assert aside["report_created"] == "not named"
    assert aside["subscription_started"] == "side effect"


def test_pictures_are_written_with_what_is_found_and_go_with_it(shop):
    found = outcome(milestone(), milestone("<$x$> & co", 1, "member", 14))
    paths = write_milestones(shop.run, found)
    assert [path.name for path in paths] == ["milestones.json", "reached.png", "days.png"]
    first = [path.read_bytes() for path in paths]
    assert all(data[:4] == b"\x89PNG" for data in first[1:])
    assert [path.read_bytes() for path in write_milestones(shop.run, found)] == first
    assert [path.name for path in write_milestones(shop.run, outcome())] == ["milestones.json"]
    assert not paths[1].exists()


def test_rules_are_those_that_the_scorecard_accepts(demo, tmp_path):
    found = outcome(
        milestone(hr=3.0),
        milestone("workflow_completed", 10, "member", hr=2.0),
        milestone("report_created", 5, "account", 14, hr=1.2),
        milestone("goal_reached", 2, "member", 7),
    )
    path = write_rules(demo.run, log_of_run(demo.run), found, tmp_path / "rules.yaml")
    page = YAML(typ="safe", pure=True).load(path.read_text())
    rules = [Rule.model_validate(one) for one in page["scorecard"]["rules"]]
    assert rules[0].feature == "data_source_connected_count_life"
    assert [rule.at_least for rule in rules] == [3, 10, 5, None]
    assert rules[0].points == 30 > rules[1].points > rules[2].points >= 5
    custom = page["features"]["custom"]
    assert [rule.feature for rule in rules[1:3]] == list(custom)
    assert [one["statistic"] for one in custom.values()] == ["top_member_count", "first_period"]
    assert rules[3].feature is None


def test_settings_with_the_rules_count_what_the_milestones_count(demo, tmp_path):
    """The file's blocks, put into the settings, give columns with these definitions."""
    log = log_of_run(demo.run)
    found = outcome(milestone("workflow_completed", 10, "member"))
    path = write_rules(demo.run, log, found, tmp_path / "rules.yaml")
    yaml = YAML(typ="safe", pure=True)
    blocks, page = yaml.load(path.read_text()), yaml.load(demo.run.path.read_text())
    page["features"]["custom"] = blocks["features"]["custom"]
    page["scorecard"] = blocks["scorecard"]
    changed = tmp_path / "settings.yaml"
    with changed.open("w") as file:
        YAML().dump(page, file)
    settings = load(changed).settings
    columns = {f.name: f for f in build_catalogue(settings.features, log, "account")}
    (rule,) = settings.scorecard.rules
    column = columns[rule.feature]
    assert (column.statistic, column.events) == ("top_member_count", ("workflow_completed",))


def test_what_is_printed_names_figures_proof_and_experiment(capsys, tmp_path):
    print_milestones(outcome(milestone(at_least=1), milestone("goal_reached")), [tmp_path / "a"])
    told = " ".join(capsys.readouterr().out.split())
    for words in (
        "2.00 (1.50-2.70)",
        "by lot, would tell",
        "9,000",
        "half within",
        "Recall: share",
    ):
        assert words in told


def test_what_the_hold_out_can_not_say_is_null_in_json_and_unknown_in_print(shop, capsys):
    nothing = Estimate(*[float("nan")] * 3)
    found = outcome(replace(milestone(), recall=nothing, lift=nothing, experiment=None))
    path = write_milestones(shop.run, found)[0]
    assert json.loads(path.read_text())["found"][0]["recall"]["value"] is None
    print_milestones(found, [path])
    assert "unknown" in capsys.readouterr().out
    assert "unknown" in found._repr_html_()


def test_a_world_without_milestones_has_the_same_behaviour_and_no_effect_of_them(tmp_path):
    spec = SimulateSpec(accounts=120, days=90, seed=5)
    none = spec.model_copy(update={"milestone_strength": 0.0})
    weights = {effect.name: effect.weight for effect in none.effects}
    planted = {one.name for one in MILESTONES} | {"limit_after_milestone"}
    assert {name for name, weight in weights.items() if weight == 0} == planted
    assert spec.effects == EFFECTS
    truth = []
    for number, world in enumerate((spec, none)):
        simulate(world, tmp_path / str(number))
        table = pq.read_table(tmp_path / str(number) / "truth" / "snapshots.parquet").to_pandas()
        truth.append(table.set_index(["account_id", "as_of"]))
    both = truth[0].join(truth[1].add_suffix("_none"), how="inner")
    assert np.array_equal(both["sources_milestone"], both["sources_milestone_none"])
    reached = both[[one.name for one in MILESTONES]].any(axis=1)
    higher = both["converts_within_14d"] > both["converts_within_14d_none"]
    assert reached.any()
    assert higher[reached].all()


def test_the_demo_world_says_of_itself_what_it_always_said():
    """Worlds on disk are reused by it: a new field with its default must not be in there."""
    assert "milestone_strength" not in describe(SimulateSpec())["spec"]
    strong = describe(SimulateSpec(milestone_strength=2.0))
    assert strong["spec"]["milestone_strength"] == 2.0
    assert {"name": "reports_milestone", "weight": 0.8} in [
        {key: one[key] for key in ("name", "weight")} for one in strong["effects"]
    ]
