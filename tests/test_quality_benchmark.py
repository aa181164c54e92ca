"""The quality benchmark says who wins, also where that is the scorecard, a null or nobody."""

import json
from argparse import Namespace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks import quality
from benchmarks.quality_report import METRICS, NULLS, PIECES, Company, Record, sentences, write
from models.judging.parts import PART_METRICS

CONTENDERS = tuple(
    dict.fromkeys(["scorecard", *NULLS, *(who for _, *pair in PIECES for who in pair)])
)
ABOUT = {"seeds": [1, 2], "accounts": 10, "trials": 1, "draws": 40, "minutes": 0.1, "skipped": []}
ABOUT |= {"folds": 2, "test_days": 56, "tuning_folds": 2}
SMALLER = {
    "windows_days: [1, 7, 14, 28, 90]": "windows_days: [28]",
    "trend_days: [7, 28]": "trend_days: []",
    "\nmodel:\n": "\nmodel:\n  booster: {seeds: 1, max_rounds: 20}\n",
}
FOLD = {"ladder": "logistic", "tuned_kept": False, "converting_to_learn_from": 50}


def record(seed: int, lead: dict[str, float], noise: float = 0.001, converting: int = 80) -> Record:
    """All contenders at 0.2, but for a lead, and noise that all share in part."""
    rng = np.random.default_rng(seed)
    centre = 0.2 + np.array([lead.get(who, 0.0) for who in CONTENDERS])
    values = np.repeat(centre[:, None], len(PART_METRICS), axis=1)
    shared = rng.normal(0, 0.1, (40, 1, 1))
    draws = values + shared + rng.normal(0, noise, (40, *values.shape))
    return Record(
        "demo", seed, CONTENDERS, values, draws, 1_000, 90, converting, ({**FOLD}, {**FOLD})
    )


def told(lead: dict[str, float], converting: int = 80) -> str:
    return "\n".join(
        sentences(Company([record(seed, lead, converting=converting) for seed in (1, 2)]))
    )


def test_who_is_above_the_scorecard_and_who_is_below_is_said_of_each() -> None:
    text = told({"pool": 0.05, "logistic": -0.05})
    assert "above it: pool;" in text
    assert "below it: logistic." in text
    assert "trees, beside the regression helps" in text


def test_a_null_that_wins_is_named_with_all_that_are_not_shown_to_be_above_it() -> None:
    text = told({"most active first": 0.05})
    assert "best single number is 'most active first'" in text
    assert "not shown to be above it: scorecard, pool" in text


def test_differences_are_paired_so_that_what_all_share_does_not_hide_them() -> None:
    company = Company([record(1, {"pool": 0.02})])
    _, low, high = company.difference("pool", "scorecard", "pr_auc")
    assert 0.01 < low < high < 0.03
    assert company.value("pool", "pr_auc")[1] < 0.1


def test_the_mean_over_seeds_has_a_narrower_interval_where_seeds_are_other_companies() -> None:
    records = [record(seed, {}, noise=0.05) for seed in range(8)]
    widths = [
        np.ptp(Company(some).difference("pool", "scorecard", "pr_auc")[1:])
        for some in (records[:1], records)
    ]
    assert widths[1] < 0.6 * widths[0]


def test_with_few_converting_accounts_nobody_wins() -> None:
    assert told({"pool": 0.05}, converting=29).count("\n") == 0
    assert "too few to compare: 29 converting accounts" in told({"pool": 0.05}, converting=29)


def test_the_page_its_figures_and_its_picture_are_written(tmp_path: Path) -> None:
    records = [record(seed, {"pool": 0.05}) for seed in (1, 2)]
    page = write(records, ABOUT, tmp_path)
    assert (tmp_path / "quality.md").read_text() == page
    found = json.loads((tmp_path / "quality.json").read_text())["worlds"]["demo"]
    value, low, high = found["contenders"]["pool"]["pr_auc"]["minus_scorecard"]
    assert value == pytest.approx(0.05)
    assert f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" in page
    assert (tmp_path / "quality.png").stat().st_size > 10_000


def test_files_of_recorded_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    text = quality.RECORDED["complete journey"].read_text()
    nowhere = tmp_path / "settings.yaml"
    nowhere.write_text(text.replace("../../data/complete_journey/", "nowhere/"))
    assert quality.missing_files(nowhere)[0] == "nowhere/purchases.parquet"


def test_a_tiny_company_is_measured_whole(tmp_path: Path) -> None:
    args = Namespace(data=tmp_path, accounts=500, days=365, seeds=[1])
    [world], skipped = quality.find_worlds(["demo"], args)
    # An existing settings file is kept: less to compute and to fit.
    text = (resources.files("pipeline") / "demo.yaml").read_text()
    for whole, less in SMALLER.items():
        assert whole in text
        text = text.replace(whole, less)
    world.folder.mkdir()
    (world.folder / "settings.yaml").write_text(text)
    quality.prepare(world)
    with threadpool_limits(1):
        found = quality.measure(world, trials=1, draws=5)
    assert not skipped
    assert set(found.contenders) == {*CONTENDERS, "points"}
    assert found.draws.shape == (5, len(found.contenders), len(PART_METRICS))
    assert np.isfinite(found.values).all()
    company = Company([found])
    assert company.value("scorecard", "pr_auc")[0] > company.value("newest first", "pr_auc")[0]
    assert all(company.difference("tuned", "pool", metric)[0] == 0 for metric in METRICS)
