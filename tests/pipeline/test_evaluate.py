"""The backtest verb: folds before anything is trained, a page where every number has a meaning."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from features.clock import DAY_US
from models.judging.bootstrap import METRICS, Contender
from models.judging.metric_words import METRIC_NAMES
from models.splits import FOLDS
from pipeline import tracking
from pipeline.champion import load_champion
from pipeline.evaluate import evaluate
from pipeline.evaluate_printing import print_backtest
from pipeline.settings import load
from pipeline.wording import interval, shown
from tests.browser.reader import Reader, read

PNG = b"\x89PNG\r\n\x1a\n"
BLOCK = "backtest: {folds: 2, test_days: 14, calibrate_days: 28, min_positives: 5}"
ONE = ("evaluation: {n_bootstrap: 20}", "evaluation: {n_bootstrap: 2, backtest: {folds: 1}}")
SMALLER = ("evaluation: {n_bootstrap: 20}", "evaluation: {n_bootstrap: 20, " + BLOCK + "}")


@pytest.fixture(scope="module")
def backtested(shop, tmp_path_factory):
    """The shop's backtest of two folds, with a null beside it; its champion has version 1."""
    folder = tmp_path_factory.mktemp("backtest")
    for name in ("events.csv", "users.csv"):
        (folder / name).write_bytes((shop.folder / name).read_bytes())
    path = folder / "settings.yaml"
    text = (shop.folder / "settings.yaml").read_text()
    assert text.count(SMALLER[0]) == 1
    path.write_text(text.replace(*SMALLER))
    run = load(path)
    said = []
    return run, evaluate(run, said.append, entrants={"latest first": _latest_first}), said


def _latest_first(fold) -> Contender:
    return Contender(fold.test.as_of.astype(float), np.full(len(fold.test), 0.1))


def _read(result) -> Reader:
    return read(result.report)


def _page(result) -> str:
    return _read(result).text


def _runs(run) -> list:
    client = tracking.connect(run)
    experiment = client.get_experiment_by_name("shop")
    return client.search_runs([experiment.experiment_id])


def test_folds_are_shown_before_anything_is_trained(sibling, shop, capsys) -> None:
    run = sibling(shop, SMALLER)
    runs, said = len(_runs(run)), []
    result = evaluate(run, said.append, show_folds=True)
    assert result.backtest is None
    assert result.picture.read_bytes().startswith(PNG)
    assert [path.name for path in result.picture.parent.iterdir()] == ["folds.png"]
    assert len(_runs(run)) == runs
    print_backtest(result)
    printed = capsys.readouterr().out
    assert "Nothing was trained" in printed
    for split in result.splits:
        for row in split.describe():
            assert str(row["from"]) in printed
    assert not any(line.startswith("Backtest") for line in said)


def test_parts_follow_each_other_with_the_horizon_between(backtested) -> None:
    run, result, _ = backtested
    horizon = run.settings.horizon_days * DAY_US
    assert len(result.splits) == 2
    for split in result.splits:
        assert tuple(fold.name for fold in split.folds) == FOLDS
        for earlier, later in pairwise(split.folds):
            assert earlier.last_as_of + horizon <= later.first_as_of
    older, newer = result.splits
    assert older.folds[-1].last_as_of < newer.folds[-1].first_as_of


def test_the_page_has_every_metric_and_no_number_missing(backtested) -> None:
    _, result, _ = backtested
    page = _read(result)
    table = result.backtest.table.set_index(["metric", "contender"])
    told = {
        row[0]: row[1]
        for caption in ("On the test rows of all folds", "The other metrics")
        for row in page.table(caption).rows
    }
    for metric in METRICS:
        model = table.loc[(metric, "model")]
        within = interval(model["low"], model["high"])
        assert told[METRIC_NAMES[metric]] == f"{shown(model['value'])} | {within}"
    assert re.findall(r"\bnan\b|\bNaN\b|\bNone\b|\binf\b|[{}]", page.text) == []


def test_every_table_row_of_the_page_has_as_many_cells_as_its_header(backtested) -> None:
    for table in _read(backtested[1]).tables:
        assert {len(row) for row in table.rows} == {len(table.names)}, table.caption


def test_verdicts_stand_at_the_top_and_the_folds_in_a_table(backtested) -> None:
    _, result, _ = backtested
    text = _read(result).text
    numbers = text.index("Does it hold over time?", text.index(result.backtest.verdict))
    assert result.champion.verdict in text[:numbers]
    rows = _read(result).table("Parts of each fold").rows
    assert [row[:3] for row in rows] == [
        [f"{number} {row['fold']}", row["from"], row["to"]]
        for number, split in enumerate(result.splits, 1)
        for row in split.describe()
    ]


def test_who_else_was_judged_is_on_the_page(backtested) -> None:
    table = _read(backtested[1]).table("Nulls and others on the same rows")
    assert "latest first" in [row[0] for row in table.rows]


def test_the_champion_is_judged_on_what_it_had_not_seen(backtested) -> None:
    run, result, _ = backtested
    seen = load_champion(run, "champion").model.training.calibrate_period
    first = seen[1] + run.settings.horizon_days * DAY_US
    rows = result.backtest.out_of_fold.rows
    assert result.champion.rows == (rows.as_of >= first).sum()
    assert 0 < result.champion.rows < len(rows)
    assert "champion" in result.champion.verdict


def test_a_champion_with_other_features_is_judged_by_its_own(sibling, shop) -> None:
    run = sibling(
        shop,
        ONE,
        ("windows_days: [7, 28]", "windows_days: [14]"),
        ("feature: exported_count_7d", "feature: exported_count_14d"),
    )
    result = evaluate(run, lambda _: None)
    assert set(result.champion.table["contender"]) == {"model", "champion"}


def test_without_a_champion_that_is_said(sibling, shop) -> None:
    run = sibling(shop, ONE, ("name: shop", "name: unheard"))
    result = evaluate(run, lambda _: None)
    assert result.champion.table is None
    assert "No champion is registered" in _page(result)
    assert json.dumps(result.as_dict()["champion"]) == "null"


def test_two_backtests_with_one_seed_write_equal_bytes(backtested, sibling, shop) -> None:
    run = sibling(shop, SMALLER)
    again = evaluate(run, lambda _: None, entrants={"latest first": _latest_first})
    _, result, _ = backtested
    assert again.report.parent.name == result.report.parent.name
    for name in ("report.html", "folds.png"):
        mine, theirs = (one.report.with_name(name).read_bytes() for one in (result, again))
        assert mine == theirs, name


def test_programs_get_every_number(backtested) -> None:
    _, result, _ = backtested
    told = json.loads(json.dumps(result.as_dict()))
    assert len(told["metrics"]) == len(METRICS) * 6
    assert [len(fold) for fold in told["metrics_by_fold"]] == [len(METRICS) * 6] * 2
    nulls = {"newest first", "most active first", "permuted labels"}
    assert (
        set(told["calibration_error_if_perfect"]) == {"model", "scorecard", "latest first"} | nulls
    )
    assert {row["shortcut"] for row in told["shortcuts"]} >= {"random rows", "random entities"}
    assert [fold[0]["fold"] for fold in told["folds"]] == ["train", "train"]
    assert told["segments"][0]["rows"] == len(result.backtest.out_of_fold.rows)
    assert told["worst_segment"] in _page(result)
    assert told["tier_churn"]["pairs"] > 0
    assert len(told["ladders"]) == 2
    for number, ladder in enumerate(told["ladders"], 1):
        assert f"{number} {ladder['chosen']}" in _page(result)


def test_mlflow_keeps_metrics_settings_and_the_page(backtested) -> None:
    run, result, _ = backtested
    client = tracking.connect(run)
    kept = client.get_run(result.run_id)
    table = result.backtest.table
    row = table[(table["metric"] == "pr_auc") & (table["contender"] == "model")].iloc[0]
    assert kept.data.metrics["pr_auc.model"] == row["value"]
    assert "fold_1.pr_auc.scorecard.difference_low" in kept.data.metrics
    assert kept.data.params["evaluation.backtest.folds"] == "2"
    assert kept.data.tags["verdict"] == result.backtest.verdict
    names = {item.path for item in client.list_artifacts(result.run_id, "report")}
    assert names == {f"report/{name}" for name in ("report.html", "folds.png")}


def test_what_is_printed_names_all_folds_metrics_and_verdicts(backtested, capsys) -> None:
    _, result, said = backtested
    print_backtest(result)
    printed = capsys.readouterr().out
    for metric in METRICS:
        assert METRIC_NAMES[metric] in printed
    assert result.backtest.verdict in " ".join(printed.split())
    assert "nan" not in printed
    assert any(line.startswith("Backtest: 2 folds") for line in said)
