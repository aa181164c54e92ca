"""The page of a training: the numbers are the evaluation's, every one has its meaning."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from models.judging.ablation import similarity_verdict
from models.judging.curves import ReliabilityRow
from models.judging.data_quality import DataQuality, Unknown
from models.judging.metric_words import METRIC_MEANINGS, METRIC_NAMES
from models.leakage.finding import Audit, Check, Finding, Planted
from models.leakage.origin import Origin
from models.milestones.experiment import Experiment
from models.milestones.figures import Estimate
from models.milestones.found import REASONS, CountRow, Examined, Milestone, Milestones
from pipeline.report.audit import audit_section
from pipeline.report.milestones import milestones_section
from pipeline.report.quality import quality_section
from pipeline.report.verdict import how_sure, model_is_better, what_to_do
from pipeline.wording import interval, percent, shown
from tests.browser.reader import Reader, read, read_sections


@pytest.fixture(params=["demo", "shop"])
def training(request, demo, shop):
    # Named, so that one worker trains both worlds for all: see the groups in conftest.
    return {"demo": demo, "shop": shop}[request.param].training


@pytest.fixture
def page(training) -> Reader:
    return read(training.report)


def test_every_metric_stands_once_with_the_numbers_of_the_evaluation(training, page):
    table = training.evaluation.table.set_index(["metric", "contender"])
    told = {
        row[0]: row[1:]
        for caption in ("On the same test rows", "The other metrics")
        for row in page.table(caption).rows
    }
    metrics = table.index.unique("metric")
    assert len(told) == len(metrics) >= 8
    for metric in metrics:
        model, card = table.loc[(metric, "model")], table.loc[(metric, "scorecard")]
        assert told[METRIC_NAMES[metric]] == [
            f"{shown(model['value'])} | {interval(model['low'], model['high'])}",
            f"{shown(card['value'])} | {interval(card['low'], card['high'])}",
            f"{shown(card['difference'])} | "
            + interval(card["difference_low"], card["difference_high"]),
        ]


def test_every_metric_is_a_button_that_shows_its_meaning(training, page):
    buttons = {
        attributes["popovertarget"]: attributes["title"]
        for tag, attributes in page.tags
        if tag == "button"
    }
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert set(buttons) <= ids
    meanings = " ".join(buttons.values()).replace("\u00a0", " ").lower()
    for metric in training.evaluation.table["metric"].unique():
        assert METRIC_MEANINGS[metric].lower() in meanings


def test_the_tiers_have_the_sizes_and_rates_of_the_evaluation(training, page):
    rows = page.table("What came of each tier").rows
    assert rows == [
        [
            row.group,
            f"{row.rows:,}",
            percent(row.predicted),
            f"{percent(row.observed)} | {percent(row.low)} to {percent(row.high)}",
        ]
        for row in reversed(training.evaluation.tiers["model"])
    ]


def test_the_matrix_of_fit_and_usage_has_each_cell_in_its_place(demo):
    matrix = read(demo.training.report).table("Share of test rows that converted, by fit and usage")
    cells = demo.training.findings.judged.cells
    assert len(cells) == 4
    for cell in cells:
        told = matrix.row(f"{cell.fit} fit")[f"{cell.usage} usage"]
        assert told.startswith(f"{percent(cell.observed)} | ")
        assert f"{cell.rows:,} rows" in told
        assert cell.meaning in told


def test_no_number_is_missing_and_no_placeholder_is_left(page):
    assert re.findall(r"\bnan\b|\bNaN\b|\bNone\b|\binf\b|[{}]", page.text) == []


def test_every_table_has_a_caption_and_as_many_cells_in_each_row_as_in_its_head(page):
    assert len(page.tables) > 8
    for table in page.tables:
        assert table.caption
        assert {len(row) for row in table.rows} == {len(table.names)}, table.caption


def test_ids_are_unique_and_every_link_has_its_place(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert sorted(set(ids)) == sorted(ids)
    for _, attributes in page.tags:
        for name in ("href", "xlink:href", "aria-labelledby", "popovertarget"):
            if name in attributes:
                assert attributes[name].removeprefix("#") in ids
    assert page.unclosed == []


def test_the_first_heading_is_followed_by_the_verdict_of_the_evaluation(training):
    text = training.report.read_text()
    after = read(text[text.index("<h1>") : text.index("</header>")].replace("</header>", "")).text
    assert training.evaluation.verdict in after
    assert percent(training.evaluation.base_rate) in after


def test_every_part_that_was_looked_at_has_its_section(demo, shop):
    titles = [title for level, title in read(demo.training.report).headings if level == 2]
    wanted = ["Model against scorecard", "Gain, lift", "Tiers", "Who they are", "Folds"]
    wanted += ["Leak audit", "headline", "Segments", "similarity", "Features"]
    wanted += ["conversions allow", "Scorecard rules", "What could be wrong", "words mean"]
    place = [next(at for at, title in enumerate(titles) if want in title) for want in wanted]
    assert place == sorted(place)
    # The shop's users have no fit columns of two kinds: a matrix would have nothing to show.
    judged = shop.training.findings.judged
    told = [title for _, title in read(shop.training.report).headings]
    assert ("Who they are, and what they do" in told) == bool(judged.cells)


def test_pictures_tell_those_who_cannot_see_them_what_they_show(page):
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) >= 5
    assert all(one.get("role") == "img" and one.get("aria-label") for one in pictures)


def test_rules_without_data_say_that_they_never_count(shop):
    table = read(shop.training.report).table("Rules in the settings")
    assert table.row("big budget")["earned by"] == "no data, never counts"
    assert table.row("exports")["points"] == "+60"
    assert table.row("exports")["earned by"].endswith("%")


def test_an_attribute_without_history_is_named_as_a_caution(shop, demo):
    text = read(shop.training.report).text
    assert "plan of the user" in text
    assert "Used as features: plan" in text
    assert "Every attribute has a history" in read(demo.training.report).text


def test_the_worth_of_similarity_is_said_in_one_sentence(demo, shop):
    found = demo.training
    told = similarity_verdict(found.ablation, found.evaluation.converting)
    assert told in read(found.report).text
    assert "Not used: it is switched off" in read(shop.training.report).text


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


def _with_interval(evaluation, low, high):
    table = evaluation.table.copy()
    row = (table["metric"] == "pr_auc") & (table["contender"] == "scorecard")
    table.loc[row, ["difference_low", "difference_high"]] = (low, high)
    return table


def _audit(*, caught=True) -> Audit:
    origin = Origin("event", "charged")
    found = Finding("event time", "fail", origin, "40 of 40 have it.", origin.remedy)
    return Audit((Check("event time", "9 events", (found,), (Planted("ours", caught),)),))


def test_what_to_do_begins_with_the_gravest_reason_not_to_call(demo):
    evaluation = demo.training.evaluation
    tiers, rate = evaluation.tiers["model"], evaluation.base_rate
    better, worse = (_with_interval(evaluation, *ends) for ends in ((0.1, 0.2), (-0.2, -0.1)))
    nulls = demo.training.findings.judged.null_table.copy()
    nulls.loc[nulls["contender"] == "newest first", "difference_high"] = -0.01
    assert what_to_do(better, 30, tiers, rate).startswith("Call critical")
    assert "'newest first'" in what_to_do(better, 30, tiers, rate, nulls=nulls)
    assert "Rank by the scorecard" in what_to_do(worse, 30, tiers, rate, nulls=nulls)
    assert "trial until 30" in what_to_do(worse, 29, tiers, rate)
    assert "leaks first" in what_to_do(worse, 29, tiers, rate, audit=_audit())
    assert model_is_better(better, 30)
    assert not model_is_better(better, 29)


def _came(*tiers: tuple[str, float, float, float, float]) -> list[ReliabilityRow]:
    """Tier, predicted, observed and its interval; lowest tier first."""
    return [ReliabilityRow(name, 100, *figures) for name, *figures in tiers]


def test_whom_to_call_claims_no_more_of_the_tiers_than_they_showed(demo):
    better = _with_interval(demo.training.evaluation, 0.1, 0.2)
    apart = _came(("hot", 0.2, 0.2, 0.15, 0.25), ("critical", 0.5, 0.5, 0.4, 0.6))
    kept = what_to_do(better, 30, apart, 0.02)
    assert kept.startswith("Call critical (100 test rows, 50.0 % converted) and hot")
    assert "promise" not in kept
    assert "not shown" not in kept
    missed = _came(("hot", 0.38, 0.32, 0.2, 0.45), ("critical", 0.44, 0.27, 0.16, 0.43))
    told = what_to_do(better, 30, missed, 0.08)
    assert "The promise of critical was not kept" in told
    assert "Which of the two converts more often is not shown" in told
    vague = _came(("hot", 0.2, 0.1, 0.01, 0.2), ("critical", 0.5, 0.1, 0.05, 0.3))
    assert what_to_do(better, 30, vague, 0.08).startswith("Try the list before you rely on it")
    assert "Nobody is critical or hot" in what_to_do(better, 30, [], 0.08)


def test_nobody_is_told_to_call_a_tier_that_converted_no_more_than_all(demo):
    better = _with_interval(demo.training.evaluation, 0.1, 0.2)
    good, poor = (0.2, 0.19, 0.14, 0.25), (0.5, 0.0, 0.0, 0.06)
    told = what_to_do(better, 30, _came(("hot", *good), ("critical", *poor)), 0.05)
    assert told.startswith("Call hot (100 test rows, 19.0 % converted) first: of all rows 5.0 %")
    assert "Not critical (100 test rows, 0.0 % converted), not shown to convert more" in told
    told = what_to_do(better, 30, _came(("hot", *poor), ("critical", *good)), 0.05)
    assert told.startswith("Call critical (100 test rows, 19.0 % converted) first")
    turned = _came(("hot", 0.4, 0.4, 0.35, 0.5), ("critical", 0.2, 0.2, 0.15, 0.25))
    told = what_to_do(better, 30, turned, 0.05)
    assert told.endswith("More of hot converted than of critical: see the tiers.")


def test_how_sure_names_the_nulls_that_the_model_is_not_shown_to_beat(demo):
    nulls = demo.training.findings.judged.null_table.copy()
    nulls.loc[:, "difference_low"] = 0.1
    said = how_sure(900, 1, "The probabilities add up.", nulls=nulls)
    assert said == "1 converting account among 900 later rows carry this; the probabilities add up."
    nulls.loc[nulls["contender"] == "newest first", "difference_low"] = 0.0
    assert "'newest first'" in how_sure(900, 1, "The probabilities add up.", nulls=nulls)


def test_the_leak_section_shows_alarms_openly_and_what_was_looked_at():
    page = read_sections(audit_section(_audit()))
    assert page.table("What leaks").rows[0][:2] == ["fail", "event 'charged'"]
    accepted = read_sections(audit_section(replace(_audit(), allow=("charged", "chargd"))))
    assert accepted.table("No alarm").rows[0][0] == "fail, accepted"
    assert "'chargd'" in accepted.text


def test_lost_rows_are_told_by_reason_and_by_file():
    quality = DataQuality(
        files=2, rows_read=100, table_rows=0, events_used=80, accounts=3, users=9,
        first_at="2024-01-01", data_end="2024-02-01", duplicates=4,
        quarantined={"time out of range": 9, "<b>": 1}, quarantined_by_source={"a.csv": 10},
        left_out={"excluded user or account": 6}, late=8, late_median_hours=5.0, without_account=4,
        without_user=0, identified_later=2, static_attributes=(), n_rows=40, n_features=7,
        mostly_unknown=(Unknown("seats", "seats of the account", 0.25),),
        attributes_unknown=(Unknown("seats", "seats of the account", 0.25),), constant=(),
        text="Of 100 rows read, 80 are used.",
    )  # fmt: skip
    page = read_sections(quality_section(quality))
    counts = {row[0]: row[1] for row in page.table("What was read").rows}
    assert counts["quarantined"] == "10"
    assert counts["late"] == "8 | 10.0 %"
    assert page.table("Quarantined rows by reason").rows == [
        ["time out of range", "9"],
        ["<b>", "1"],
    ]
    assert page.table("Quarantined rows by file").rows == [["a.csv", "10"]]
    assert page.table("Rows without a value, of 40").rows == [
        ["seats", "25.0 %", "seats of the account"]
    ]


def test_a_milestone_is_told_with_its_ranges_and_the_refused_with_their_reason():
    shares = [Estimate(value, value - 0.05, value + 0.05) for value in (0.2, 0.1, 0.05, 0.4)]
    step = CountRow(0, 2, 90, Estimate(0.02, 0.01, 0.03), reached=False)
    reached = CountRow(3, None, 60, Estimate(0.1, 0.08, 0.12), reached=True)
    found = Milestone(
        1000, 50, *shares, Estimate(2.0, 1.5, 2.5), event="source_added", at_least=3,
        scope="account", within_days=7, effect=Estimate(1.8, 1.2, 2.6), q_value=0.001,
        median_days=12.0, experiment=Experiment(4321, 0.05, 0.06), by_count=(step, reached),
        by_week=(3, 2, 1), follow_up_days=28,
    )  # fmt: skip
    refused = (Examined("clicked", "activity"), Examined("scrolled", "activity"))
    one = Milestones((found,), (), refused, 12, (80, 40), 0, 28, True, "1 milestone.")
    page = read_sections(milestones_section(one))
    (row,) = (table for table in page.tables if table.caption.startswith("Milestones"))
    told = row.row(found.short)
    assert told["effect"] == "1.80 | 1.20 to 2.60"
    assert told["coverage"] == "20.0 % | 15.0 % to 25.0 %"
    assert told["recall"] == "40.0 % | 35.0 % to 45.0 %"
    assert page.table("Events that are no milestone").rows == [[REASONS["activity"], "2"]]
    assert "4,321 in each arm" in page.text
    none = replace(one, found=(), verdict="No milestone is shown.")
    assert "No milestone is shown." in read_sections(milestones_section(none)).text


def test_the_same_findings_write_the_same_bytes(demo, retrained):
    """The second training was another process's work: nothing but its run has another name."""
    again = Path(json.loads(retrained.stdout)["report"])
    assert again != demo.training.report
    assert again.read_bytes() == demo.training.report.read_bytes()
    assert again.stat().st_size < 3_000_000
