"""The `features` verb: the list, the search, what was left out, and the generated document."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.catalogue import list_features, markdown
from pipeline.cli import main
from pipeline.settings import load
from pipeline.train import import_events

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def log(demo):
    return import_events(demo.run, lambda _: None)


def features(demo, *options: str):
    return CliRunner().invoke(main, ["features", "--settings", str(demo.run.path), *options])


def test_the_document_is_what_the_program_says(demo, log):
    """`make docs` writes it again."""
    assert (ROOT / "docs" / "features.md").read_text() == markdown(demo.run, log)


def test_a_search_finds_names_and_meanings_whatever_their_case(demo, log):
    found = list_features(demo.run, log, "LIMIT reached 28").features
    assert "limit_reached_count_28d" in {feature.name for feature in found}
    for feature in found:
        text = f"{feature.name} {feature.meaning} {feature.unit} {feature.dimension}".lower()
        assert all(word in text for word in ("limit", "reached", "28"))
    assert len(found) < len(list_features(demo.run, log).features)


def test_every_line_says_name_dimension_window_unit_and_meaning(demo):
    done = features(demo, "--search", "pricing_viewed_days_since_last")
    assert done.exit_code == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "pricing_viewed" in line)
    assert line.split()[:3] == ["pricing_viewed_days_since_last", "upgrade", "days"]
    assert "days since the latest pricing viewed" in line
    assert "1 of " in done.stdout


def test_a_search_without_result_says_so_and_exits_3(demo):
    done = features(demo, "--search", "no such thing")
    assert done.exit_code == 3
    assert "0 of " in done.stdout


def test_features_are_proved_on_ones_own_events_and_the_verdict_is_not_buried_in_a_list(demo):
    done = features(demo, "--search", "limit_reached", "--check")
    assert done.exit_code == 0, done.stderr
    assert "computed again with another future" in done.stdout
    assert " upgrade" in done.stdout
    assert "limit_reached_count_7d" not in done.stdout
    assert len(done.stdout.splitlines()) < 5


def test_programs_get_the_verdict_with_the_features(demo):
    found = json.loads(features(demo, "--json", "--check", "--search", "any_event_count_7d").stdout)
    assert found["point_in_time"].startswith("Point-in-time: 1 feature of up to 2,000 accounts")
    assert len(found["features"]) == 1


def test_nothing_to_prove_exits_3(demo):
    assert features(demo, "--search", "no such thing", "--check").exit_code == 3


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("[paid]", "[piad]", "conversion.events names 'piad'"),
        ("{entered_by: [opened]}", "{entered_by: [opnd]}", "cohort.entered_by names 'opnd'"),
        ("cohort: {entered_by: [opened]}", "rows: {file: none.csv}", "There is no file"),
        (
            "feature: exported_count_7d",
            "feature: exportd_count_7d",
            "nearest is 'exported_count_7d'",
        ),
        ("value: [exported]", "value: [exportd]", "Did you mean 'exported'?"),
        (
            "  attributes: {plan: fit}",
            "  custom: {mine: {dimension: value, sql: event}}",
            "'mine': the sql fails: the expression must be an aggregate of the window's events, "
            "such as count(*); put the column 'event' inside one",
        ),
        (
            "  attributes: {plan: fit}",
            "  custom: {mine: {dimension: value, statistic: slope}}",
            "'mine': slope needs a window",
        ),
    ],
)
def test_the_list_is_refused_for_what_a_training_is_refused_for(shop, sibling, right, wrong, said):
    run = sibling(shop, (right, wrong))
    told = []
    for verb in ("features", "train"):
        done = CliRunner().invoke(main, [verb, "--settings", str(run.path)])
        assert done.exit_code == 2
        told.append(done.stderr.splitlines()[-1])
    assert said in told[0]
    assert told[0] == told[1]


def test_a_document_of_ones_own_names_the_run_that_it_is_of(shop, tmp_path):
    target = tmp_path / "own.md"
    done = features(shop, "--markdown", str(target))
    assert done.exit_code == 0, done.stderr
    begin = target.read_text()[:400]
    assert "settings of the\nrun `shop`" in begin
    assert "demo" not in begin


def test_a_document_leaves_out_the_level_that_the_settings_do_not_fit(shop, tmp_path):
    """The shop's plan is an attribute of users; the demo's catalogue fits both."""
    features(shop, "--markdown", str(tmp_path / "own.md"))
    text = (tmp_path / "own.md").read_text()
    assert " features of users\n" in text
    assert " features of accounts\n" not in text


def test_a_document_is_not_written_into_a_folder_that_is_not_there(shop, tmp_path):
    done = features(shop, "--markdown", str(tmp_path / "nowhere" / "own.md"))
    assert done.exit_code == 2
    assert "nowhere'; make it first, or name another." in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_programs_get_definitions_as_json(demo):
    done = features(demo, "--json", "--search", "any_event_count_7d")
    listing = json.loads(done.stdout)
    assert [one["name"] for one in listing["features"]] == ["any_event_count_7d"]
    assert listing["features"][0]["days"] == 7
    assert listing["left_out"] == []
    assert listing["point_in_time"] is None


def test_without_a_catalogue_the_widest_coverage_wins_and_the_rest_is_named(demo, tmp_path):
    text = demo.run.path.read_text()
    begin, end = text.index("features:"), text.index("model:")
    events = text.index("  events: [subscription_started]")
    assert events < begin
    short = text[:begin] + "features: {max_events: 2, max_properties: 1}\n" + text[end:]
    card = short.index("scorecard:")
    path = demo.run.path.with_name("short.yaml")
    path.write_text(short[:card] + short[short.index("evaluation:") :])
    try:
        run = load(path)
        log = import_events(run, lambda _: None)
        listing = list_features(run, log)
        done = CliRunner().invoke(main, ["features", "--settings", str(path)])
    finally:
        path.unlink()
    ranked = sorted(log.event_names, key=lambda event: (-event.n_accounts, event.name))
    ranked = [event.name for event in ranked if event.name != "subscription_started"]
    assert listing.choice.by_coverage == tuple(ranked[:2])
    left_out = [what for what, _ in listing.choice.left_out]
    assert left_out[: len(ranked) - 2] == [f"event {name}" for name in ranked[2:]]
    assert sum(what.startswith("property ") for what in left_out) == len(log.properties) - 1
    assert {name for f in listing.features for name in f.events} == set(ranked[:2])
    assert "No event catalogue in the settings" in done.stdout
    assert "left out: event" in done.stdout
