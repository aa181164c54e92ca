"""The card that travels with a model: every section, every number that of the findings."""

import hashlib
import json
import re
from importlib import metadata

import mlflow
import pandas as pd
import pytest

from models.judging.evaluation import MIN_CONVERTING
from models.judging.metric_words import METRIC_MEANINGS, METRIC_NAMES
from pipeline import registry
from pipeline.card_text import DESCRIPTION_LENGTH, description_of, recalibrated_card
from pipeline.model_card_parts import HEADLINES
from pipeline.recalibrate import recalibrate
from pipeline.wording import percent, shown

# Mitchell et al. 2019, table 1.
SECTIONS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
    "How to reproduce",
]


def card_of(run, number: str) -> str:
    bundle = registry.fetch(run, registry.find(run, number))
    return (bundle / "model_card.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def card(demo) -> str:
    return card_of(demo.run, "1")


def section(card: str, name: str) -> str:
    return card.split(f"\n## {name}\n")[1].split("\n## ")[0]


def cells(text: str) -> list[list[str]]:
    """Rows of the Markdown tables in a text, without headers."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for at, row in enumerate(rows) if not _is_header(rows, at)]


def _is_header(rows, at):
    ruled = [set("".join(row)) == {"-"} for row in rows]
    return ruled[at] or (at + 1 < len(rows) and ruled[at + 1])


def test_the_card_has_the_sections_of_the_paper_in_its_order(card):
    assert re.findall(r"^## (.*)$", card, re.M) == SECTIONS
    assert card.startswith("# Model card: pql-demo\n")


def test_the_metrics_are_those_of_the_evaluation_each_with_its_definition(card, demo):
    table = demo.training.evaluation.table.set_index(["metric", "contender"])
    rows = {row[0]: row[1:] for row in cells(section(card, "Quantitative analyses"))}
    for metric in HEADLINES:
        model, scorecard, difference = rows[METRIC_NAMES[metric]]
        assert model.split()[0] == shown(table.loc[(metric, "model"), "value"])
        assert scorecard.split()[0] == shown(table.loc[(metric, "scorecard"), "value"])
        gap = table.loc[(metric, "scorecard")]
        low, high = (shown(gap[f"difference_{end}"]) for end in ("low", "high"))
        assert difference == f"{shown(gap['difference'])} ({low} to {high})"
        assert f"- {METRIC_NAMES[metric]}: {METRIC_MEANINGS[metric]}." in section(card, "Metrics")


def test_the_card_says_what_was_concluded(card, demo):
    judged = demo.training.findings.judged
    text = section(card, "Quantitative analyses")
    for sentence in (
        judged.evaluation.verdict,
        judged.evaluation.calibration,
        judged.null_verdict,
        judged.segment_verdict,
    ):
        assert sentence in text
    assert demo.training.findings.audit.verdict in section(card, "Caveats and recommendations")
    assert demo.training.findings.ladder.verdict in section(card, "Model details")


def test_rows_conversions_and_periods_are_those_of_the_folds(card, demo):
    found = {
        row[0]: row
        for name in ("Evaluation data", "Training data")
        for row in cells(section(card, name))
    }
    for fold in demo.training.split.describe():
        told = found[fold["fold"]]
        assert told[1:3] == [fold["from"], fold["to"]]
        numbers = [int(cell.replace(",", "")) for cell in told[3:]]
        assert numbers == [fold[key] for key in ("rows", "positives", "entities", "purged")]


def test_each_tier_stands_with_its_cut_off_and_what_came_of_it(card, demo):
    bundle = registry.fetch(demo.run, registry.find(demo.run, "1"))
    cutoffs = json.loads((bundle / "tiers.json").read_text())["cutoffs"]
    rows = {row[0]: row for row in cells(section(card, "Quantitative analyses"))}
    for tier in demo.training.evaluation.tiers["model"]:
        told = rows[tier.group]
        assert told[2:5] == [f"{tier.rows:,}", percent(tier.predicted), percent(tier.observed)]
        if tier.group != "cold":
            assert told[1] == percent(cutoffs[tier.group])
    assert "about 40 a week are hot or better" in section(card, "Quantitative analyses")


def test_what_it_takes_to_reproduce_the_model_is_named(card, demo):
    text = section(card, "How to reproduce")
    bundle = registry.fetch(demo.run, registry.find(demo.run, "1"))
    settings = (bundle / "settings.yaml").read_bytes()
    assert f"sha256 `{hashlib.sha256(settings).hexdigest()}`" in text
    assert json.loads((bundle / "bundle.json").read_text())["info"]["log"] in text
    assert f"seed {demo.run.settings.seed}" in text
    assert ["lightgbm", metadata.version("lightgbm")] in cells(text)
    assert "python -m pipeline train --settings settings.yaml" in text


def test_two_trainings_alike_have_equal_cards(card, demo, retrained):
    assert retrained.exit_code == 0
    assert card_of(demo.run, str(json.loads(retrained.stdout)["version"])) == card


def test_few_conversions_are_named_as_a_limit(shop, demo, card):
    converting = shop.training.evaluation.converting
    assert converting < MIN_CONVERTING <= demo.training.evaluation.converting
    told = f"Only {converting} converting accounts"
    assert told in section(card_of(shop.run, "1"), "Caveats and recommendations")
    assert "Only" not in section(card, "Caveats and recommendations")


def test_an_attribute_without_history_is_named_as_a_limit(shop):
    text = section(card_of(shop.run, "1"), "Caveats and recommendations")
    assert "Taken as known at every time, for want of a history: plan." in text


def test_the_card_lies_beside_the_bundle_too_and_is_the_versions_description(card, demo):
    client = registry.connect(demo.run)
    version = client.get_model_version("pql-demo", "1")
    beside = registry.fetch(demo.run, registry.find(demo.run, "1")).parent / "model_card.md"
    assert beside.read_text(encoding="utf-8") == card
    assert len(version.description) <= DESCRIPTION_LENGTH
    assert version.description == description_of(card)
    assert demo.training.evaluation.verdict in version.description


@pytest.mark.parametrize("most", [120, 400, 2000, 10**6])
def test_a_description_ends_with_a_whole_section_and_fits(card, most):
    text = description_of(card, most)
    assert len(text) <= most
    kept = text.removesuffix("\n\nThe whole card is `model_card.md` in the artefact.")
    assert card.startswith(kept)
    if most == 2000:
        assert card[len(kept) :].startswith("\n\n## ")


def test_a_recalibrated_version_says_what_moved_and_that_nothing_was_judged(demo, card):
    result = recalibrate(demo.run, lambda _: None, model="1", rate=0.3)
    number = str(result.version.number)
    text = card_of(demo.run, number)
    assert text.startswith(
        "# Model card: pql-demo\n\n## Recalibrated from version 1\n\nAll odds x "
    )
    told = section(text, "Recalibrated from version 1")
    assert f"critical from {percent(result.cutoffs['critical'])}" in told.split("Cut-offs now")[1]
    assert "Not judged" in told
    before = card.split("\n\n", 1)[1]
    assert text.endswith(f"\n\n## As it was before\n\n{before}")
    inputs = registry.connect(demo.run).get_run(result.version.run_id).inputs.dataset_inputs
    assert [one.dataset.name for one in inputs] == ["recalibrate"]


def test_a_version_without_a_card_is_recalibrated_all_the_same():
    text = recalibrated_card(
        None,
        name="pql-x",
        number=3,
        note="All odds x 2.",
        cutoffs_before={"hot": 0.2},
        cutoffs={"hot": 0.4},
    )
    assert "Version 3 has no card." in text
    assert "- Cut-offs now: hot from 40.0 %." in text


def test_the_lineage_names_the_rows_of_every_fold_and_the_log_they_come_from(demo):
    run = registry.connect(demo.run).get_run(demo.training.version.run_id)
    found = {one.dataset.name: one.dataset for one in run.inputs.dataset_inputs}
    assert set(found) == {"train", "calibrate", "test"}
    for fold in demo.training.split.folds:
        dataset = found[fold.name]
        assert json.loads(dataset.profile)["num_rows"] == fold.rows
        assert run.data.tags["log_fingerprint"]
        assert "/logs/" in json.loads(dataset.source)["uri"]


def test_the_input_example_loads_and_scores(demo):
    folder = registry.fetch(demo.run, registry.find(demo.run, "1")).parents[1]
    model = mlflow.pyfunc.load_model(str(folder))
    example = model.input_example
    assert isinstance(example, pd.DataFrame)
    scores = model.predict(example)
    assert len(scores) == len(example) == 3
    assert scores["probability"].between(0, 1).all()
