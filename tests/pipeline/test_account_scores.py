"""Scores of teams from those of their users, in the shop; and what the report says of heads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.clock import to_us
from features.errors import SettingsError
from features.kinship import accounts_as_of
from features.labels import find_conversions
from features.matrix import Snapshots
from models.dataset import Dataset
from models.heads.account_value import ValueScale
from models.heads.aggregation import AccountSpec
from models.heads.converters import Evidence, Forecast
from models.heads.head_results import ValueResult
from models.heads.heads import Heads, HeadsSpec, ValueHead
from models.propensity import PropensityModel
from models.scoring import Learner
from models.splits import temporal_split
from pipeline.account_scores import account_table, write_account_scores
from pipeline.dataset import Assembled, assemble
from pipeline.heads import HeadFindings, heads_of, with_heads
from pipeline.registry import Version
from pipeline.report.heads import heads_section
from pipeline.settings import Run, load
from pipeline.tables import read_table
from pipeline.tier_history import history_of
from pipeline.train import import_events
from tests.browser.reader import read_sections
from tests.conftest import SHOP, shop_events, silent

VERSION = Version("pql-shop", 1, ("champion",), "run")
AS_OF = to_us("2024-06-17")
SPEC = HeadsSpec.model_validate({"days": {}, "accounts": {}})


@dataclass(frozen=True)
class Teams:
    """The shop with a model of its users, the heads, and the scores of one date."""

    run: Run
    data: Assembled
    folds: dict[str, Dataset]
    model: PropensityModel
    found: HeadFindings
    rows: Snapshots
    scores: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """The table of its teams."""
        accounts, settings = self.found.heads.accounts, self.run.settings
        return account_table(settings, accounts, self.data.log, self.rows, self.scores, VERSION)


def prepare(folder: Path) -> Run:
    events = shop_events()
    events.to_csv(folder / "events.csv", index=False)
    pd.DataFrame({"user": sorted(events["user"].unique()), "plan": "free"}).to_csv(
        folder / "users.csv", index=False
    )
    (folder / "settings.yaml").write_text(SHOP)
    return load(folder / "settings.yaml")


@pytest.fixture(scope="module")
def teams(tmp_path_factory) -> Teams:
    run = prepare(tmp_path_factory.mktemp("teams"))
    data = assemble(run, import_events(run, silent), silent)
    settings, rows = run.settings, data.dataset
    split = temporal_split(rows, settings.horizon_days, settings.evaluation.folds)
    folds = {name: rows.take(getattr(split, name)) for name in ("train", "calibrate", "test")}
    model = PropensityModel.fit(
        folds["train"],
        folds["calibrate"],
        data.customers,
        settings.model,
        horizon_days=settings.horizon_days,
        seed=settings.seed,
    )
    found = heads_of(run, SPEC, model, data, folds, capacity=10)
    today = rows.take(rows.as_of == AS_OF)
    scores = model.predict(today.matrix, today.account, today.domain)
    scores.insert(0, "entity_id", today.matrix.snapshots.ids.astype(str))
    order = ["probability", "entity_id"]
    scores = scores.sort_values(order, ascending=[False, True], ignore_index=True)
    return Teams(run, data, folds, model, found, today.matrix.snapshots, scores)


def test_a_team_is_as_likely_as_its_members_together(teams):
    table = teams.table()
    chances: dict[str, list[float]] = {}
    for name, chance in zip(teams.scores["entity_id"], teams.scores["probability"], strict=True):
        chances.setdefault(f"team {int(name.split()[1]) // 2:02d}", []).append(chance)
    together = {name: 1 - np.prod(1 - np.array(each)) for name, each in chances.items()}
    assert teams.found.heads.accounts.how == "noisy_or"
    order = np.array([together[name] for name in table["account_id"]])
    assert len(order) > 10
    assert (np.diff(order) < 1e-12).all()
    assert table["probability"].is_monotonic_decreasing
    assert table["members"].tolist() == [len(chances[name]) for name in table["account_id"]]
    # The table of users stands in falling order: the first of a team is its likeliest.
    first = {f"team {int(n.split()[1]) // 2:02d}": n for n in teams.scores["entity_id"][::-1]}
    for row in table.to_dict("records"):
        assert row["carried_by"][0].startswith(f"{first[row['account_id']]} (")
        assert len(row["carried_by"]) == row["members"]


def test_a_team_that_has_paid_is_on_no_list(teams):
    log = teams.data.log
    paid = find_conversions(log, "account", teams.run.settings.conversion).occurred_at
    code = accounts_as_of(log, teams.rows)
    customers = paid[code] < AS_OF
    assert customers.any()
    assert set(teams.table()["account_id"]) == set(log.ids("account")[code[~customers]])


def test_the_tables_lie_beside_the_users_scores_and_are_no_history_of_tiers(teams):
    table, folder = teams.table(), teams.run.store / "scores"
    parquet, csv = write_account_scores(teams.run, table, VERSION, AS_OF)
    assert parquet == folder / "pql-shop-v1-2024-06-17-accounts.parquet"
    assert csv == folder / "pql-shop-v1-2024-06-17-accounts.csv"
    read = read_table(parquet)
    assert read["carried_by"].map(list).tolist() == table["carried_by"].tolist()
    pd.testing.assert_frame_equal(read.drop(columns="carried_by"), table.drop(columns="carried_by"))
    assert read_table(csv)["carried_by"].tolist() == table["carried_by"].map("; ".join).tolist()
    first = parquet.read_bytes()
    write_account_scores(teams.run, teams.table(), VERSION, AS_OF)
    assert parquet.read_bytes() == first
    assert history_of(teams.run, VERSION, AS_OF + 1) is None


def test_nobody_to_score_is_an_empty_table(teams):
    none = teams.rows.take(np.zeros(len(teams.rows), bool))
    accounts, settings = teams.found.heads.accounts, teams.run.settings
    table = account_table(settings, accounts, teams.data.log, none, teams.scores, VERSION)
    assert len(table) == 0
    assert list(table.columns) == list(teams.table().columns)


def test_accounts_are_judged_on_those_that_had_not_converted(teams):
    log, test = teams.data.log, teams.folds["test"]
    code = accounts_as_of(log, test.matrix.snapshots)
    paid = find_conversions(log, "account", teams.run.settings.conversion).occurred_at
    chance = teams.model.predict(test.matrix, test.account, test.domain)["probability"]
    rows = teams.found.heads.accounts.score(chance.to_numpy(), code, test.as_of)
    wait = paid[rows.account] - rows.as_of
    gap = rows.probability - (wait < 7 * 86_400_000_000)
    table = teams.found.accounts
    large = table.query("metric == 'calibration_in_the_large' and contender == 'account'")
    assert (wait < 0).any()
    assert large["value"].item() == pytest.approx(gap[wait >= 0].mean())


def test_the_report_says_what_each_head_is_worth(teams):
    found = teams.found
    page = read_sections(heads_section(found.heads, found.days, found.value, found.accounts))
    evidence = found.heads.days.forecast.evidence
    text = page.text
    assert (3, "Expected days to conversion") in page.headings
    assert f"{evidence.converting:,} to judge by are too few" in text
    assert "Expected value" not in text
    assert "1 minus the product of (1 - probability) over all members" in text
    assert f"calibrated on {found.heads.accounts.rows:,} rows of accounts" in text
    ours = found.accounts.query("metric == 'pr_auc' and contender == 'account'")["value"].item()
    assert page.table("Accounts of the test rows").row("PR-AUC")["account"] == f"{ours:.3f}"
    assert heads_section(Heads(), None, None, None) is None


def test_the_report_tells_what_was_kept_from_what_was_not(teams):
    scale, learner = ValueScale(0.0, 1.0), Learner("trees")
    for kept, told in ((True, "Learnt. "), (False, "Every row is told the mean: 20.0 (95 %: 18.0")):
        evidence = Evidence("trees", 217, 123, 250, 5.0, 1.5, 0.5, kept=kept)
        forecast = Forecast(learner if kept else None, 20.0, 1.0, evidence)
        heads = Heads(value=ValueHead(None, forecast, scale, (18.0, 22.0)))
        result = ValueResult(900, 80, 3, 110.0, 100.0, 1.1, 0.9, 1.3, 21.0, 20.5)
        text = read_sections(heads_section(heads, None, result, None)).text
        assert told in text
        assert "trees change the loss of a constant by -30.0 % (standard error 10.0 %)" in text
        assert "Said / came is 1.10 (95 %: 0.900 to 1.30; 1 is best)" in text
        assert "days" not in text
    heads = Heads(value=ValueHead("seats", forecast, scale, (18.0, 22.0)))
    assert "seats stands in for it" in read_sections(heads_section(heads, None, None, None)).text


def test_a_scores_table_gets_the_columns_of_the_heads_row_by_row(teams):
    stand_in = "any_event_count_28d"
    spec = HeadsSpec.model_validate({"days": {}, "value": {"feature": stand_in}})
    heads = heads_of(teams.run, spec, teams.model, teams.data, teams.folds, capacity=10).heads
    today = teams.data.dataset.take(teams.data.dataset.as_of == AS_OF).matrix
    table = with_heads(heads, today, teams.scores.assign(reasons="", scored_at=None))
    assert list(table.columns[-7:]) == [
        "expected_days",
        "days_low",
        "days_high",
        "conversion_value",
        "expected_value",
        "reasons",
        "scored_at",
    ]
    own = dict(zip(today.snapshots.ids, today.column(stand_in).tolist(), strict=True))
    for row in table.to_dict("records"):
        assert row["conversion_value"] == own[row["entity_id"]]
        assert row["expected_value"] == row["probability"] * own[row["entity_id"]]
    assert table["entity_id"].tolist() == teams.scores["entity_id"].tolist()
    assert table["conversion_value"].nunique() > 3


def test_heads_with_accounts_are_saved_whole(teams):
    heads = teams.found.heads
    read = Heads.from_text(heads.text())
    assert read == heads
    test = teams.folds["test"]
    code = accounts_as_of(teams.data.log, test.matrix.snapshots)
    chance = np.linspace(0.01, 0.9, len(test))
    np.testing.assert_array_equal(
        read.accounts.score(chance, code, test.as_of).probability,
        heads.accounts.score(chance, code, test.as_of).probability,
    )


def test_without_heads_nothing_is_fitted_or_said(teams):
    found = heads_of(teams.run, HeadsSpec(), teams.model, teams.data, teams.folds, capacity=10)
    assert found == HeadFindings(Heads(), None, None, None)


def test_scores_of_accounts_from_scores_of_accounts_are_refused(teams, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(SHOP.replace("entity: user", "entity: account"))
    spec = HeadsSpec(accounts=AccountSpec())
    with pytest.raises(SettingsError, match="entity is account"):
        heads_of(load(path), spec, teams.model, teams.data, teams.folds, capacity=10)
