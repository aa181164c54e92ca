"""The demo world, judged from its files alone: SQL over the Parquet is the oracle."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.errors import SettingsError
from pipeline.demo import demo_of, make_demo
from pipeline.simulate import SimulationSummary, simulate
from pipeline.simulate.accounts import draw_accounts
from pipeline.simulate.hazard import NOT_CONVERTED, HazardPath, truth_columns
from pipeline.simulate.world import EFFECTS, SimulateSpec

SMALL = SimulateSpec(accounts=512, days=150, seed=3)


@dataclass(frozen=True)
class World:
    folder: Path
    summary: SimulationSummary
    sql: duckdb.DuckDBPyConnection

    def rows(self, query: str) -> list[tuple]:
        return self.sql.sql(query).fetchall()

    def columns(self, query: str) -> dict[str, np.ndarray]:
        return self.sql.sql(query).fetchnumpy()


def open_world(spec: SimulateSpec, folder: Path) -> World:
    """Simulate, and name the tables: `raw` as written, `events` without duplicates and dirt."""
    summary = simulate(spec, folder)
    sql = duckdb.connect(config={"threads": 1})
    sql.execute("load icu; set TimeZone = 'UTC'")
    sql.sql(f"create view raw as from '{folder}/events/*.parquet'")
    sql.sql(
        "create table events as select distinct * from raw "
        "where event is not null and time < '2100-01-01'"
    )
    sql.sql(f"create view accounts as from '{folder}/accounts.parquet'")
    sql.sql(f"create view users as from '{folder}/users.parquet'")
    sql.sql(f"create table truth as from '{folder}/truth/snapshots.parquet'")
    sql.sql(
        "create table lives as select account_id, min(time) filter (event = 'signed_up') as born, "
        "min(time) filter (event = 'subscription_started') as converted "
        "from events where account_id is not null group by account_id"
    )
    return World(folder, summary, sql)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    opened = open_world(SMALL, tmp_path_factory.mktemp("small") / "world")
    yield opened
    opened.sql.close()


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Large enough for rates: the default world with half its accounts."""
    folder = tmp_path_factory.mktemp("year") / "world"
    opened = open_world(SimulateSpec(accounts=3_072), folder)
    yield opened
    opened.sql.close()


def files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def written_events(folder: Path) -> pa.Table:
    parts = sorted((folder / "events").iterdir())
    return pa.concat_tables([pq.read_table(part) for part in parts]).combine_chunks()


def test_one_seed_gives_the_same_bytes_and_another_seed_other_events(
    world: World, tmp_path: Path
) -> None:
    simulate(SMALL, tmp_path / "again")
    assert files(tmp_path / "again") == files(world.folder)
    simulate(SMALL.model_copy(update={"seed": 4}), tmp_path / "other")
    assert not written_events(tmp_path / "other").equals(written_events(world.folder))


def test_the_size_of_part_files_is_bounded_and_changes_nothing_else(
    world: World, tmp_path: Path
) -> None:
    summary = simulate(SMALL.model_copy(update={"events_per_file": 7_000}), tmp_path / "cut")
    parts = sorted((tmp_path / "cut" / "events").iterdir())
    sizes = [pq.read_metadata(part).num_rows for part in parts]
    assert sizes[:-1] == [7_000] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= 7_000
    assert summary.event_files == len(sizes) > 2
    assert written_events(tmp_path / "cut").equals(written_events(world.folder))


def test_more_accounts_leave_the_first_ones_as_they_were(world: World, tmp_path: Path) -> None:
    simulate(SMALL.model_copy(update={"accounts": 256}), tmp_path / "half")
    half, whole = written_events(tmp_path / "half"), written_events(world.folder)
    assert half.equals(whole.slice(0, half.num_rows))


def test_a_world_already_there_is_reused_and_another_one_replaces_it(tmp_path: Path) -> None:
    folder, spec = tmp_path / "world", SimulateSpec(accounts=40, days=60)
    made = simulate(spec, folder)
    before = files(folder)
    found = simulate(spec, folder, progress=lambda done, total: pytest.fail("simulated again"))
    assert (made.reused, found.reused) == (False, True)
    assert (found.events, found.base_rate) == (made.events, made.base_rate)
    assert files(folder) == before
    assert simulate(spec.model_copy(update={"seed": 8}), folder).reused is False
    assert files(folder) != before
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_a_folder_that_is_not_a_world_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SettingsError, match="not a simulated world"):
        simulate(SimulateSpec(accounts=1, days=60), tmp_path)
    assert files(tmp_path) == {"thesis.txt": b"years of work"}


def test_what_a_killed_run_left_behind_does_not_reach_the_world(tmp_path: Path) -> None:
    (tmp_path / "world.partial" / "events").mkdir(parents=True)
    (tmp_path / "world.partial" / "events" / "part-00099.parquet").write_text("torn")
    simulate(SimulateSpec(accounts=40, days=60), tmp_path / "world")
    assert "events/part-00099.parquet" not in files(tmp_path / "world")
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_progress_is_told_once_per_block(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    spec = SimulateSpec(accounts=300, days=60)
    simulate(spec, tmp_path / "world", lambda done, total: told.append((done, total)))
    assert told == [(256, 300), (300, 300)]


def test_the_summary_counts_what_the_files_hold(world: World) -> None:
    counted = world.rows(
        "select (select count(*) from raw), (select count(distinct account_id) from accounts), "
        "(select count(distinct user_id) from users), (select count(*) from truth), "
        "(select count(*) from events where event = 'subscription_started')"
    )[0]
    summary = world.summary
    assert counted == (
        summary.events,
        summary.accounts,
        summary.users,
        summary.snapshots,
        summary.conversions,
    )


def test_an_account_begins_with_its_sign_up_except_for_visits_known_only_then(
    world: World,
) -> None:
    before = world.rows(
        "select event, received_at = born, count(*) from events join lives using (account_id) "
        "where time < born group by all"
    )
    assert [row[:2] for row in before] == [("visited_site", True)]
    assert before[0][2] > 300
    assert world.rows("select count(*) from lives where born is null") == [(0,)]


def test_no_event_is_known_before_it_happens_and_some_are_late(year: World) -> None:
    early, late, latest, after_end = year.rows(
        "select count(*) filter (received_at < time), "
        "avg((received_at - time > interval 1 hour)::int) filter (event != 'visited_site'), "
        "max(received_at - time) filter (event != 'visited_site') <= interval 72 hours, "
        "count(*) filter (received_at >= '2024-12-31' or time >= '2024-12-31') from events"
    )[0]
    assert (early, latest, after_end) == (0, True, 0)
    assert late == pytest.approx(0.02, abs=0.002)


def test_dirt_is_there_for_quarantine_and_deduplication(world: World) -> None:
    nameless, far, copies, other_copies = world.rows(
        "with ids as (select event_id, count(*) n, count(distinct raw) kinds from raw group by 1) "
        "select (select count(*) from raw where event is null), "
        "(select count(*) from raw where year(time) = 9999), "
        "sum(n - 1), count(*) filter (kinds > 1) from ids"
    )[0]
    assert (nameless, far, other_copies) == (2, 2, 0)
    assert 0.0005 < copies / world.summary.events < 0.002


def test_an_account_converts_once_with_a_checkout_before_and_an_invoice_after(
    world: World,
) -> None:
    converted, most, checked_out, paid = world.rows(
        "with of_account as (select converted, "
        "count(*) filter (event = 'subscription_started') as n, "
        "max(time) filter (event = 'checkout_started') as checkout, "
        "min(time) filter (event = 'invoice_paid') as invoice "
        "from lives join events using (account_id) where converted is not null group by all) "
        "select count(*), max(n), "
        "bool_and(checkout between converted - interval 3 minute and converted), "
        "bool_and(invoice between converted and converted + interval 10 second) from of_account"
    )[0]
    assert (most, checked_out, paid) == (1, True, True)
    assert converted > 20


def test_a_customer_meets_nothing_of_the_free_plan_any_more(world: World) -> None:
    after = world.rows(
        "select count(*) filter (event in ('limit_reached', 'upgrade_prompt_shown', "
        "'paid_feature_tried', 'pricing_viewed', 'checkout_started')), count(*) "
        "from events join lives using (account_id) where time >= converted"
    )[0]
    assert after[0] == 0 < after[1]


def test_a_conversion_follows_the_last_session_of_its_day(world: World) -> None:
    same_day, others = world.rows(
        "with last as (select account_id, converted, max(time) as seen from events "
        "join lives using (account_id) where time < converted and event != 'checkout_started' "
        "and event != 'visited_site' group by all) "
        "select count(*) filter (seen >= converted - interval 26 minute), "
        "count(*) filter (seen < converted - interval 26 minute "
        "and time_bucket(interval 1 day, seen) = time_bucket(interval 1 day, converted)) from last"
    )[0]
    assert others == 0 < same_day


def test_teams_grow_by_invitations_and_limits_are_reached_beyond_the_allowance(
    world: World,
) -> None:
    uninvited = world.rows(
        "select count(*) from (select event, row_number() over w as n, "
        "count(*) filter (event = 'invite_sent') over w as invited, "
        "count(*) filter (event = 'member_joined') over w as joined from events "
        "where event in ('invite_sent', 'member_joined') "
        "window w as (partition by account_id order by time)) where joined > invited"
    )
    limits = world.rows(
        "select \"limit\", min(used - allowed) from events where event = 'limit_reached' "
        "group by 1 order by 1"
    )
    assert uninvited == [(0,)]
    assert [kind for kind, _ in limits] == ["data_sources", "members", "reports"]
    assert min(beyond for _, beyond in limits) == 1


def test_firmographics_arrive_days_after_the_sign_up(world: World) -> None:
    rows = world.rows(
        "select bool_and(valid_from = born) filter (place = 1), "
        "count(employees) filter (place = 1), count(distinct account_id) filter (employees > 0), "
        "min(valid_from - born) filter (employees is not null) > interval 11 hour "
        "from (select *, row_number() over (partition by account_id order by valid_from) as place "
        "from accounts) join lives using (account_id)"
    )[0]
    assert rows[0] is True
    assert rows[1] == 0
    assert 0.7 < rows[2] / SMALL.accounts < 0.95
    assert rows[3] is True


def test_staff_use_their_own_domain_and_have_no_truth(world: World) -> None:
    staff = world.rows(
        "select distinct account_id from users where email like '%@tessera.example' order by 1"
    )
    assert staff == [("acc_0000000",), ("acc_0000256",)]
    assert world.rows(
        "select count(*) from truth where account_id in ('acc_0000000', 'acc_0000256')"
    ) == [(0,)]


def test_truth_covers_every_free_account_each_week_and_nobody_else(world: World) -> None:
    difference = world.rows(
        "with weeks as (select unnest(generate_series(timestamptz '2024-01-08', "
        "timestamptz '2024-05-16', interval 7 day)) as as_of), "
        "staff as (select account_id from users where email like '%@tessera.example'), "
        "wanted as (select account_id, as_of from lives, weeks where born < as_of "
        "and (converted is null or converted >= as_of) and account_id not in (from staff)), "
        "given as (select account_id, as_of from truth) "
        "select (select count(*) from ((from wanted) except (from given))), "
        "(select count(*) from ((from given) except (from wanted)))"
    )
    assert difference == [(0, 0)]


HAZARD_TERMS = """
    select account_id, as_of,
        coalesce(max((event = 'limit_reached' and age <= 14)::int), 0) as limit_hit,
        coalesce(max((event = 'pricing_viewed' and age <= 3)::int), 0) as pricing_viewed,
        (count(*) filter (age <= 7) = 0)::int as dormant,
        (count(*) filter (age <= 28) > 0) as active_28d,
        ln(greatest(count(distinct user_id) filter (age <= 7), 1)) as active_members
    from (select *, epoch(as_of - time) / 86400 as age from truth join events using (account_id)
        where time < as_of and event != 'visited_site')
    group by account_id, as_of order by account_id, as_of
"""


def test_terms_of_the_hazard_are_what_sql_counts_before_as_of(world: World) -> None:
    counted = world.columns(HAZARD_TERMS)
    given = world.columns("from truth order by account_id, as_of")
    assert len(counted["as_of"]) == world.summary.snapshots
    for name in ("limit_hit", "pricing_viewed", "dormant", "active_28d", "active_members"):
        np.testing.assert_allclose(counted[name], given[name].astype(float), atol=1e-6)
        assert np.ptp(given[name].astype(float)) > 0


def test_each_milestone_stands_in_the_events_and_raises_the_probability(year: World) -> None:
    milestones = json.loads((year.folder / "world.json").read_text())["milestones"]
    assert len(milestones) >= 2
    assert {milestone["by"] for milestone in milestones} == {"one member", "the whole team"}
    for milestone in milestones:
        who = "user_id" if milestone["by"] == "one member" else "account_id"
        year.sql.sql(
            "create or replace temp table reached as select account_id, min(time) as moment from ("
            f"select account_id, time, row_number() over (partition by {who} order by time) as n "
            f"from events where event = '{milestone['event']}') "
            f"where n = {milestone['at_least']} group by 1"
        )
        differing, ratio = year.rows(
            f"select count(*) filter (behind != ({milestone['name']} = 1)), "
            "avg(converts_within_14d) filter (behind and dormant = 0) "
            "/ avg(converts_within_14d) filter (not behind and dormant = 0) "
            "from (select *, coalesce(moment < as_of, false) as behind "
            "from truth left join reached using (account_id))"
        )[0]
        assert differing == 0
        assert ratio > 1.5


def test_the_price_change_lowers_the_probability(year: World) -> None:
    described = json.loads((year.folder / "world.json").read_text())
    assert date.fromisoformat(described["price_change"]) == date(2024, 7, 19)
    before, after = year.rows(
        "select avg(converts_within_14d) filter (after_price_change = 0), "
        "avg(converts_within_14d) filter (after_price_change = 1) from truth "
        "where dormant = 0 and as_of >= '2024-03-01'"
    )[0]
    assert after < before


OUTCOMES = (
    "select converts_within_14d as p, active_28d, "
    "(converted is not null and converted < as_of + interval 14 day)::int as y "
    "from truth join lives using (account_id)"
)


def test_base_rate_and_converting_share_are_believable(year: World) -> None:
    converting, everyone = year.rows("select count(converted), count(*) from lives")[0]
    assert 0.06 <= converting / everyone <= 0.105
    assert 0.0225 <= year.summary.base_rate <= 0.04
    assert year.rows(f"select avg(p) from ({OUTCOMES}) where active_28d")[0][0] == pytest.approx(
        year.summary.base_rate
    )


def test_the_true_probability_ranks_conversions_well_but_not_perfectly(year: World) -> None:
    rows = year.columns(f"{OUTCOMES} where active_28d")
    order = np.argsort(rows["p"], kind="stable")
    y = rows["y"][order]
    below = np.cumsum(1 - y)
    auc = (y * below).sum() / (y.sum() * (1 - y).sum())
    assert 0.85 <= auc <= 0.93


def test_conversions_per_decile_agree_with_the_true_probabilities(year: World) -> None:
    # Horizons that do not overlap, so that each account counts once per draw of its fate.
    rows = year.columns(
        f"{OUTCOMES} where epoch(as_of - timestamptz '2024-01-08')::int % (14 * 86400) = 0"
    )
    order = np.argsort(rows["p"], kind="stable")
    for decile in np.array_split(order, 10):
        p, y = rows["p"][decile], rows["y"][decile]
        spread = np.sqrt((p * (1 - p)).sum())
        assert abs(y.sum() - p.sum()) <= 4 * spread + 1


@settings(deadline=None, derandomize=True, max_examples=25)
@given(intensity=arrays(float, (1, 60), elements=st.floats(0, 0.2)))
def test_the_probability_is_one_minus_the_product_of_the_days_without_conversion(
    intensity: np.ndarray,
) -> None:
    spec = SimulateSpec(accounts=1, days=60)
    accounts = draw_accounts(spec, np.array([0, 1]), spec.rng(0))
    accounts = replace(accounts, signed_up=np.full(2, spec.start_us))
    both = np.repeat(intensity, 2, axis=0)
    terms = {effect.name: np.zeros_like(both) for effect in EFFECTS}
    path = HazardPath(terms, np.cumsum(both, axis=1), both > 0)
    rows = truth_columns(spec, accounts, path, np.array([NOT_CONVERTED, NOT_CONVERTED]))
    assert rows["account_id"].tolist() == [1] * 6  # the first account of a block is staff
    hazard = 1 - np.exp(-intensity[0])
    expected = [1 - np.prod(1 - hazard[day : day + 14]) for day in range(7, 47, 7)]
    np.testing.assert_allclose(rows["converts_within_14d"], expected, atol=1e-12)


def test_one_account_alone_is_a_world(tmp_path: Path) -> None:
    summary = simulate(SimulateSpec(accounts=1, days=60), tmp_path / "world")
    assert (summary.accounts, summary.snapshots, summary.base_rate) == (1, 0, None)
    assert summary.events > 2


def test_the_demo_company_is_the_one_that_was_simulated_there(tmp_path):
    told: list[str] = []
    made = make_demo(tmp_path, accounts=60, days=120, seed=5, say=told.append)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "world").rglob("*")}
    assert demo_of(tmp_path, say=told.append) == made
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "world").rglob("*")} == before
