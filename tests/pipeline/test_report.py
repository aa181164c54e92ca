"""The report: every number has its meaning, and what could be wrong is said."""

import re

import pytest

from models.judging.ablation import similarity_verdict
from pipeline.wording import METRIC_MEANINGS, METRIC_NAMES


@pytest.fixture(params=["demo", "shop"])
def page(request):
    return request.getfixturevalue(request.param).training.report


def test_every_metric_is_shown_with_its_meaning(page, demo):
    text = page.read_text()
    metrics = demo.training.evaluation.table["metric"].unique()
    assert len(metrics) >= 8
    for metric in metrics:
        line = next(line for line in text.splitlines() if f"| {METRIC_NAMES[metric]} |" in line)
        assert METRIC_MEANINGS[metric] in line


def test_no_number_is_missing_and_no_placeholder_is_left(page):
    assert re.findall(r"\bnan\b|\bNaN\b|\bNone\b|\binf\b|[{}]", page.read_text()) == []


def test_every_table_row_has_as_many_cells_as_its_header(page):
    width = None
    for line in page.read_text().splitlines():
        cells = line.count("|") if line.startswith("|") else None
        assert width is None or cells is None or cells == width, line
        width = cells


def test_the_pictures_it_shows_exist_and_are_png(page):
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", page.read_text())
    assert len(pictures) == 2
    for name in pictures:
        assert (page.parent / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_verdict_stands_at_the_top(demo):
    assert f"**{demo.training.evaluation.verdict}**" in demo.training.report.read_text()[:400]


def test_rules_without_data_say_that_they_never_count(shop):
    text = shop.training.report.read_text()
    assert re.search(r"\| big budget \| fit \| \+10 \| no data, never counts \|", text)
    assert re.search(r"\| exports \| value \| \+60 \| \d", text)


def test_an_attribute_without_history_is_named_as_a_caution(shop, demo):
    text = shop.training.report.read_text()
    assert "`plan` of the user" in text
    assert "Used as features: `plan`" in text
    assert "Every attribute has a history" in demo.training.report.read_text()


def test_the_worth_of_similarity_is_said_in_one_sentence(demo, shop):
    found = demo.training
    told = similarity_verdict(found.ablation, found.evaluation.converting)
    assert told in found.report.read_text()
    assert "Not used: it is switched off" in shop.training.report.read_text()


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.01, 0.2, "helps"), (-0.2, -0.01, "hurts"), (-0.1, 0.1, "No gain")]
)
def test_the_verdict_on_similarity_follows_its_interval(demo, low, high, said):
    table = demo.training.ablation.copy()
    row = (table["metric"] == "pr_auc") & (table["contender"] == "without")
    assert row.sum() == 1
    table.loc[row, ["difference_low", "difference_high"]] = (low, high)
    assert said in similarity_verdict(table, 30)
    assert "Too few conversions" in similarity_verdict(table, 29)
