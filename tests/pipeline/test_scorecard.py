"""The scorecard's verbs, and its SQL against the engine, row by row."""

import json
import re
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from features.clock import DAY_US, to_us
from features.engine import build_features
from features.errors import SettingsError
from features.naming import define
from features.signals import SignalSpec
from features.snapshots import own_rows
from models.scorecard import (
    Rule,
    Scorecard,
    ScorecardSpec,
    Tables,
    resolved,
    to_sql,
    with_rule_features,
)
from pipeline.catalogue import features_of
from pipeline.cli import main
from pipeline.importer.frame import import_frame
from pipeline.scorecard import learn_points, show_rules, tables_of, with_rules
from pipeline.scorecard_yaml import fitted_block
from pipeline.settings import Run, load, parse
from pipeline.train import import_events
from tests.conftest import replaced

AS_OF = to_us("2024-06-03T00:00:00")
HOSTILE = 'O\'Brien "quoted"; drop table events --'
LINES = [
    "+1 upgrade: sold >= 3 times in 28 days",
    "+2 upgrade: sold = 1 time in 7 days",
    "+4 upgrade: sold or shipped 2 to 4 times in 14 days",
    "+8 upgrade: sold >= 4 times ever",
    "-16 engagement: no event in 14 days",
    "+3 engagement: no shipped ever",
    "+5 engagement: any event on >= 4 days in 28 days",
    "+6 engagement: any event on >= 3 days in a row in 28 days",
    "+7 engagement: sold on >= 2 days in a row ever",
    "+9 engagement: any event in >= 3 weeks in 21 days",
    "+10 engagement: any event in 1 to 2 weeks ever",
    "+11 team: >= 3 active members in 28 days",
    "+12 team: sold by >= 2 members ever",
    "+13 engagement: >= 3 different events in 28 days",
    "+14 engagement: >= 15 minutes per session in 28 days",
    "+15 engagement: sold = 0 times ever",
    "+17 engagement: first any event >= 30 days ago",
    "+18 fit: employees 50 to 500",
    "+19 fit: employees >= 0.1",
    '+20 fit: industry is software or "O\'Neil & Söhne"',
    "+21 fit: industry is software",
    f"it's | +22 value: {json.dumps(HOSTILE)} >= 1 time in 28 days",
    "several departments | +23 team: feature member_department_distinct_life >= 2",
    "+24 value: feature amount_sum_28d >= 10",
    "+25 value: feature amount_max_life >= 9",
    "+26 value: feature amount_min_life = 1",
    "+27 engagement: feature any_event_weekdays_28d >= 4",
    "+28 engagement: feature any_event_days_since_last 3 to 9",
    "not tracked | +30 team: no data",
]
OTHERS = (
    define(
        *("distinct", "team", "entity", "member_department"), property="department", source="user"
    ),
    define("sum", "value", "entity", "amount", (), 28, "amount"),
    define("max", "value", "entity", "amount", (), None, "amount"),
    define("min", "value", "entity", "amount", (), None, "amount"),
    define("weekdays", "engagement", "entity", "any_event", (), 28),
    define("days_since_last", "engagement", "entity", "any_event"),
)


def _events(n_accounts: int = 60) -> pd.DataFrame:
    """Events on a grid that hits every window's edge; some arrive late, some after as_of."""
    rng = np.random.default_rng(11)
    pauses = ((0,), (0, 20), (0, 30, 61))  # 30 minutes are the longest pause within a session
    grid = np.r_[np.array([0, 1, 7, 14, 21, 28, 30]) * 24, np.arange(-48, 24 * 60, 6), 0.1, 0.3]
    rows = []
    for account in range(n_accounts):
        for _ in range(int(rng.integers(1, 26))):
            back = float(rng.choice(grid)) * 3_600_000_000
            occurred = AS_OF - int(back)
            late = int(rng.choice([0, 0, 0, 6 * 3_600_000_000, 3 * DAY_US]))
            user = rng.choice(["a", "b", "c", None])
            for minutes in pauses[int(rng.integers(3))]:
                happened = occurred + int(minutes) * 60_000_000
                rows.append(
                    (
                        f"acc {account:02d}",
                        None if user is None else f"{account} {user}",
                        str(rng.choice(["sold", "shipped", "opened", HOSTILE])),
                        pd.Timestamp(happened, unit="us"),
                        pd.Timestamp(happened + late, unit="us"),
                        float(rng.choice([1, 2, 9, np.nan])),
                    )
                )
    names = ["account_id", "user_id", "event", "time", "known_at", "amount"]
    frame = pd.DataFrame(rows, columns=names).drop_duplicates(names[:5])
    frame["event_id"] = [f"e{at}" for at in range(len(frame))]
    return frame


def _attributes(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts and users whose facts change, are missing, or become known exactly at as_of."""
    rng = np.random.default_rng(12)
    times = [AS_OF - 90 * DAY_US, AS_OF - 10 * DAY_US, AS_OF - 1, AS_OF, AS_OF + DAY_US]
    accounts = [
        (
            account,
            pd.Timestamp(at, unit="us"),
            rng.choice([0.1, 49.0, 50.0, 500.0, 501.0, np.nan]),
            rng.choice(["software", "O'Neil & Söhne", "retail", None]),
        )
        for account in sorted(frame["account_id"].unique())[:-5]
        for at in rng.choice(times, int(rng.integers(1, 4)), replace=False)
    ]
    users = [
        (user, pd.Timestamp(at, unit="us"), rng.choice(["sales", "it", None]))
        for user in sorted(frame["user_id"].dropna().unique())
        for at in rng.choice(times[:3], int(rng.integers(1, 3)), replace=False)
    ]
    return (
        pd.DataFrame(accounts, columns=["account_id", "valid_from", "employees", "industry"]),
        pd.DataFrame(users, columns=["user_id", "valid_from", "department"]),
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The same events in an imported log and in tables of a warehouse."""
    folder = tmp_path_factory.mktemp("sql")
    events = _events()
    accounts, users = _attributes(events)
    accounts.to_parquet(folder / "accounts.parquet")
    users.to_parquet(folder / "users.parquet")
    tables = [
        {"of": "account", "files": [str(folder / "accounts.parquet")], "id": "account_id",
         "time": "valid_from", "columns": {"employees": "number", "industry": "category"}},
        {"of": "user", "files": [str(folder / "users.parquet")], "id": "user_id",
         "time": "valid_from", "columns": {"department": "category"}},
    ]  # fmt: skip
    log = import_frame(events, folder / "log", data={"tables": tables})
    warehouse = duckdb.connect(config={"threads": 1})
    for name, frame in (("events", events), ("accounts", accounts), ("users", users)):
        warehouse.register(f"{name}_frame", pa.Table.from_pandas(frame, preserve_index=False))
        warehouse.execute(f"create table {name} as select * from {name}_frame")
    yield log, warehouse
    warehouse.close()


def _differing(result, card, ids, got) -> list:
    """Rows of the query that differ from `Scorecard.score` in any column, both of them."""
    want = {}
    for at, entity in enumerate(ids):
        names = [rule.name for rule, hit in zip(card.rules, result.fired[at], strict=True) if hit]
        dimensions = [int(result.by_dimension[name][at]) for name in result.by_dimension]
        told = "; ".join(names)
        want[entity] = (int(result.points[at]), *dimensions, result.tier[at], told)
    return [(row, want[row[0]]) for row in got if want[row[0]] != tuple(row[2:])]


def test_sql_gives_the_points_of_every_form_of_rule_row_by_row(small):
    log, warehouse = small
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": LINES}))
    features = with_rule_features(OTHERS, spec, SignalSpec(), log, "account")
    card = resolved(spec, SignalSpec(), features)
    ids = log.ids("account")
    rows = own_rows(log, "account", ids, np.full(len(ids), AS_OF))
    result = Scorecard(card).score(build_features(log, rows, features, threads=1))
    got = warehouse.execute(to_sql(card, features, "account", as_of=AS_OF)).fetchall()
    assert len(got) > 50
    assert _differing(result, card, rows.ids.tolist(), got) == []
    # Every rule earns its points somewhere and not everywhere, or it would prove nothing.
    earned = {
        rule.line: float(share)
        for rule, share in zip(card.rules, result.fired.mean(axis=0), strict=True)
    }
    silent = [line for line, share in earned.items() if not 0 < share < 1]
    assert silent == ["not tracked | +30 team: no data"]
    assert result.without_data == ("not tracked",)


@pytest.mark.parametrize("shift", [-DAY_US, -1, 1, 6 * 3_600_000_000])
def test_sql_and_engine_move_together_with_as_of(small, shift):
    log, warehouse = small
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": LINES}))
    features = with_rule_features(OTHERS, spec, SignalSpec(), log, "account")
    card = resolved(spec, SignalSpec(), features)
    ids = log.ids("account")
    rows = own_rows(log, "account", ids, np.full(len(ids), AS_OF + shift))
    result = Scorecard(card).score(build_features(log, rows, features, threads=1))
    got = warehouse.execute(to_sql(card, features, "account", as_of=AS_OF + shift)).fetchall()
    assert _differing(result, card, rows.ids.tolist(), got) == []


def test_the_zone_of_the_session_changes_no_points(small):
    """Times with a zone, as exports have them, in a warehouse that thinks of Los Angeles."""
    log, warehouse = small
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": LINES}))
    features = with_rule_features(OTHERS, spec, SignalSpec(), log, "account")
    query = to_sql(resolved(spec, SignalSpec(), features), features, "account", as_of=AS_OF)
    want = warehouse.execute(query).fetchall()
    with duckdb.connect(config={"threads": 1}) as elsewhere:
        elsewhere.execute("set timezone = 'America/Los_Angeles'")
        for table, column in (
            *(("events", "known_at"), ("accounts", "valid_from"), ("users", "valid_from")),
        ):
            rows = warehouse.sql(f"select * from {table}").to_arrow_table()
            elsewhere.register("given", rows)
            elsewhere.execute(
                f"create table {table} as select * replace "
                f"({column} at time zone 'UTC' as {column}) from given"
            )
        kinds = dict(elsewhere.execute("describe events").fetch_df()[["column_name", "column_type"]]
                     .to_numpy())  # fmt: skip
        assert kinds["known_at"] == "TIMESTAMP WITH TIME ZONE"
        assert elsewhere.execute(query).fetchall() == want


def test_an_event_known_at_as_of_is_the_future_in_sql(tmp_path):
    warehouse = duckdb.connect(config={"threads": 1})
    warehouse.execute(
        "create table events as select * from (values "
        "('a', 'u', 'sold', timestamp '2024-06-03 00:00:00'), "
        "('b', 'u', 'sold', timestamp '2024-06-02 23:59:59.999999'), "
        "('c', 'u', 'sold', timestamp '2024-05-06 00:00:00'), "
        "('d', 'u', 'sold', timestamp '2024-05-05 23:59:59.999999')) "
        "as t(account_id, user_id, event, known_at)"
    )
    rule = Rule.model_validate("+5 upgrade: sold >= 1 time in 28 days")
    column = define("count", "upgrade", "entity", "sold", ("sold",), 28)
    card = resolved(ScorecardSpec(rules=(rule,)), SignalSpec(), (column,))
    rows = warehouse.execute(to_sql(card, (column,), "account", as_of=AS_OF)).fetchall()
    assert {row[0]: row[2] for row in rows} == {"b": 5, "c": 5, "d": 0}


def test_users_are_scored_by_their_own_events(log_of):
    table = """
        who | event | time
        ann | sold | 2024-06-01
        ann | sold | 2024-06-02
        bob | sold | 2024-06-02
    """
    log = log_of(table, "user")
    spec = ScorecardSpec(rules=(Rule.model_validate("+5 value: sold >= 2 times in 7 days"),))
    features = with_rule_features((), spec, SignalSpec(), log, "user")
    query = to_sql(resolved(spec, SignalSpec(), features), features, "user", as_of=AS_OF)
    warehouse = duckdb.connect(config={"threads": 1})
    warehouse.execute(
        "create table events as select * from (values ('ann', 'sold', timestamp '2024-06-01'), "
        "('ann', 'sold', timestamp '2024-06-02'), ('bob', 'sold', timestamp '2024-06-02')) "
        "as t(user_id, event, known_at)"
    )
    assert {row[0]: row[2] for row in warehouse.execute(query).fetchall()} == {"ann": 5, "bob": 0}


@pytest.mark.parametrize(
    "column",
    [
        define("trend", "value", "entity", "sold", ("sold",), 7),
        define("member_gini", "team", "entity", "sold", ("sold",), 28),
        define("members", "team", "account", "any_event", (), 28),
        define("distinct", "team", "entity", "kind", (), 28, "kind"),
    ],
)
def test_rules_that_sql_cannot_say_are_refused_by_name(column):
    rules = (
        Rule(name="steep", dimension="value", points=5, feature=column.name, at_least=0.5),
        Rule.model_validate("+5 fit: no data"),
    )
    with pytest.raises(SettingsError, match="1 of 2 rules can't be said in SQL: 'steep'"):
        to_sql(ScorecardSpec(rules=rules), (column,), "account", as_of=AS_OF)


def test_names_of_tables_and_columns_are_quoted_whatever_they_are():
    rule = Rule.model_validate("a\tb | +5 upgrade: sold >= 1 time in 28 days")
    column = define("count", "upgrade", "entity", "sold", ("sold",), 28)
    card = resolved(ScorecardSpec(rules=(rule,)), SignalSpec(), (column,))
    warehouse = duckdb.connect(config={"threads": 1})
    warehouse.execute('create schema "my data"')
    warehouse.execute(
        'create table "my data"."the ""events""" as select \'a\' as "org id", \'u\' as user_id, '
        "'sold' as \"name;\", timestamp '2024-06-01' as seen"
    )
    tables = Tables(events='my data.the "events"', account="org id", event="name;", known_at="seen")
    query = to_sql(card, (column,), "account", as_of=AS_OF, tables=tables)
    assert warehouse.execute(query).fetchall()[0][:3] == ("a", pd.Timestamp("2024-06-03"), 5)


def test_a_rules_name_can_not_leave_its_comment():
    rule = Rule(name="x\n; drop table events; --", dimension="fit", points=5)
    query = to_sql(ScorecardSpec(rules=(rule,)), (), "account", as_of=None)
    assert not [line for line in query.splitlines() if line.strip().startswith("; drop")]
    warehouse = duckdb.connect(config={"threads": 1})
    warehouse.execute(
        "create table events(account_id varchar, user_id varchar, event varchar, "
        "known_at timestamp)"
    )
    assert warehouse.execute(query).fetchall() == []


def test_the_sql_says_first_whose_it_is_for_when_and_what_it_reads(small):
    log, _ = small
    lines = ["+5 value: feature amount_sum_28d >= 10", "+18 fit: employees 50 to 500", LINES[0]]
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": lines}))
    features = with_rule_features(OTHERS, spec, SignalSpec(), log, "account")
    tables = Tables(events="shop.events", known_at="received_at")
    card, notes = resolved(spec, SignalSpec(), features), ["x\n; drop table events"]
    how = {"tables": tables, "dialect": "postgres", "notes": notes}
    told = to_sql(card, features, "account", as_of=None, **how).split("\nwith\n")[0]
    assert told.splitlines() == [
        "-- Points of a scorecard, made by `python -m pipeline scorecard sql`.",
        "-- Dialect: Postgres.",
        "-- As of: midnight (UTC) of the day on which it runs; --as-of names another.",
        "-- Reads shop.events: account_id, user_id, event, received_at, amount.",
        "-- Reads accounts: account_id, valid_from, employees.",
        "-- x\\n; drop table events",
    ]
    dated = to_sql(card, features, "account", as_of=AS_OF).split("\nwith\n")[0]
    assert "-- Dialect: DuckDB.\n-- As of: 2024-06-03 (UTC).\n-- Reads events: " in dated


DERIVED = """\
name: made
data:
  sources: [{format: generic, files: [events.csv], columns: {event: e, user: u, time: t}}]
  properties: {page: category}
  derived_events:
    - {name: priced, event: viewed, where: {page: [/pricing, /plans]}}
    - {name: billed, event: viewed, where: {page: /billing}}
  drop_events: [left]
conversion: {events: [paid]}
entity: user
features: {events: {engagement: [viewed, priced, billed]}}
scorecard:
  rules: ["+5 upgrade: priced >= 1 time ever"]
"""


def test_the_sql_names_the_events_that_only_the_import_makes(tmp_path):
    done = [("viewed", "/pricing"), ("viewed", "/billing"), ("left", ""), ("paid", "")]
    events = [f"u{n},{e},2024-05-0{n}T00:00,{page}" for n in range(1, 9) for e, page in done]
    (tmp_path / "events.csv").write_text("\n".join(["u,e,t,page", *events]) + "\n")
    path = tmp_path / "settings.yaml"

    def notes(text: str) -> list[str]:
        path.write_text(text)
        done = CliRunner().invoke(main, ["scorecard", "sql", "--settings", str(path)])
        assert done.exit_code == 0, done.stderr
        return [one for one in done.stdout.splitlines() if "import" in one and one[:2] == "--"]

    priced = "-- Only the import makes priced: viewed where page is '/pricing', '/plans'"
    assert notes(DERIVED) == [priced]
    billed = "-- Only the import makes billed: viewed where page is '/billing'"
    every = "priced >= 1 time ever", ">= 2 different events ever"
    assert notes(DERIVED.replace(*every)) == [
        priced,
        billed,
        "-- The import leaves out 'left'; some rules count all the rest",
    ]


def test_unknown_names_of_a_warehouse_are_refused():
    with pytest.raises(SettingsError, match="known are events, accounts"):
        tables_of({"evnts": "x"})
    with pytest.raises(SettingsError, match="empty"):
        tables_of({"events": ""})


# The verbs, on the trained demo company.


def verb(demo, *arguments: str):
    return CliRunner().invoke(main, ["scorecard", *arguments, "--settings", str(demo.run.path)])


def test_the_demos_sql_gives_the_demos_points_row_by_row(demo, tmp_path):
    target = tmp_path / "points.sql"
    done = verb(demo, "sql", "--as-of", "2024-08-01", "--out", str(target))
    assert done.exit_code == 0, done.stderr
    log = import_events(demo.run, lambda _: None)
    features = features_of(demo.run, log)
    card = with_rules(demo.run, features).settings.scorecard
    used = {rule.feature for rule in card.rules}
    ids = log.ids("account")
    rows = own_rows(log, "account", ids, np.full(len(ids), to_us("2024-08-01")))
    wanted = tuple(feature for feature in features if feature.name in used)
    result = Scorecard(card).score(build_features(log, rows, wanted, threads=1))
    with duckdb.connect(config={"threads": 1}) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        warehouse.register("events", _table_of(log))
        for name in ("accounts", "users"):
            path = demo.folder / "world" / f"{name}.parquet"
            warehouse.execute(f"create view {name} as select * from '{path}'")
        got = warehouse.execute(target.read_text()).fetchall()
    assert len(got) > 300
    assert _differing(result, card, rows.ids.tolist(), got) == []
    assert (result.fired.any(axis=0)).sum() >= 18


def _table_of(log) -> pa.Table:
    """The imported events as a warehouse has them: without doubles and our own people."""
    shards = pa.concat_tables([log.shard(at) for at in range(log.n_shards)])

    def named(column: str, names) -> pa.Array:
        codes = shards[column].to_numpy()
        return pa.array(names, pa.string()).take(pa.array(np.maximum(codes, 0), mask=codes < 0))

    return pa.table(
        {
            "account_id": named("account", log.ids("account")),
            "user_id": named("user", log.ids("user")),
            "event": named("event", [event.name for event in log.event_names]),
            "known_at": pc.cast(shards["at"], pa.timestamp("us")),
        }
    )


def test_show_reads_no_event_and_lists_every_rule_with_its_origin(demo, tmp_path):
    path = tmp_path / "elsewhere.yaml"
    path.write_text(demo.run.path.read_text())  # its events are not there
    done = CliRunner().invoke(main, ["scorecard", "show", "--settings", str(path), "--json"])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    own = [rule for rule in told["rules"] if rule["from"] == "own"]
    assert len(own) == len(demo.run.settings.scorecard.rules)
    assert all(Rule.model_validate(rule["line"]).points == rule["points"] for rule in told["rules"])
    shown = CliRunner().invoke(main, ["scorecard", "show", "--settings", str(path)]).stdout
    assert "Warm from 51 points, hot from 76, critical from 101" in shown
    assert told["unknown"] is None
    assert "No data are imported yet" in shown


def test_show_warns_once_of_each_name_that_the_imported_log_does_not_have(demo, tmp_path):
    text = demo.run.path.read_text()
    lines = (
        '    - "+5 fit: industri is software"\n'
        '    - "media | +5 fit: industri is media"\n'
        '    - "+5 fit: industry is media"\n'
        '    - "zzzs | +5 value: zzz or report_created >= 1 time ever"\n'
    )
    text = replaced(text, "  limit: [limit_reached]", "  limit: [limit_hit, limit_reached]")
    text = replaced(text, "scorecard:\n  rules:\n", f"scorecard:\n  rules:\n{lines}")
    path = tmp_path / "settings.yaml"
    root = import_events(demo.run, lambda _: None).root
    shutil.copytree(root, tmp_path / "store" / "logs" / root.name)
    path.write_text(demo.run.path.read_text())
    how = ["scorecard", "show", "--settings", str(path)]
    assert json.loads(CliRunner().invoke(main, [*how, "--json"]).stdout)["unknown"] == []
    path.write_text(text)
    told = json.loads(CliRunner().invoke(main, [*how, "--json"]).stdout)["unknown"]
    assert told == [
        "The data have no attribute 'industri', which the rules 'industri is software', 'media' "
        "read. Did you mean 'industry'?",
        "The data have no event 'zzz', which the rule 'zzzs' reads.",
        "The data have no event 'limit_hit', which the rule 'limit reached' reads. Did you mean "
        "'limit_reached'?",
    ]
    shown = CliRunner().invoke(main, how).stdout
    assert shown.count("Warning: ") == 3


PRESET = """\
name: team-chat
data: {sources: [{format: generic, files: [none.csv], columns: {event: e, user: u, time: t}}]}
conversion: {events: [paid]}
signals: {limit: [quota_hit]}
scorecard:
  preset: collaboration
  events: {message: [message_sent, reply_sent]}
  rules:
    - "admin joined | +10 team: admin_joined >= 1 time ever"
"""


def test_a_preset_names_what_its_roles_still_lack():
    run = load_text(PRESET)
    shown = show_rules(run)
    assert shown.unmapped == ("channel", "integration")
    assert [one.source for one in shown.rules] == ["preset collaboration"] * 5 + [
        "own", "hand-raise",
    ]  # fmt: skip
    earned = {one.rule.name: one.earned_by for one in shown.rules}
    assert earned["2,000 or more messages"] == "message_sent or reply_sent >= 2000 times ever"
    assert earned["3 or more channels"] == "no data, never counts"
    assert earned["limit reached"] == "quota_hit >= 1 time in 14 days"


def load_text(text: str):
    return Run(parse(text), Path("settings.yaml"), text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("admin_joined >= 1 tim ever", "settings:9: scorecard.rules.0: expected times"),
        ("no dimension here", "settings:9: scorecard.rules.0: "),
    ],
)
def test_a_wrong_line_is_an_error_with_its_place_in_the_file(wrong, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse(PRESET.replace("admin_joined >= 1 time ever", wrong))


def test_a_wrong_role_is_an_error_with_the_nearest():
    with pytest.raises(SettingsError, match="no role 'mesage'; did you mean 'message'"):
        parse(PRESET.replace("{message:", "{mesage:"))


def test_init_names_a_preset_that_fits_the_events_and_what_it_says_loads(tmp_path):
    names = ["signed_up", "message_sent", "channel_created", "calendar_connected"]
    rows = [
        (f"u{user}", name, f"2024-03-{day:02d} 10:00")
        for user in range(40)
        for day, name in enumerate(names * 3, 1 + user % 10)
    ]
    rows += [(f"u{user}", "plan_upgraded", "2024-03-28 10:00") for user in range(0, 40, 3)]
    events, out = tmp_path / "chat.csv", tmp_path / "settings.yaml"
    pd.DataFrame(rows, columns=["user_id", "event", "time"]).to_csv(events, index=False)
    done = CliRunner().invoke(main, ["init", "--events", str(events), "--out", str(out)])
    assert done.exit_code == 0, done.output
    head, _, rest = out.read_text().partition("\nscorecard:\n")
    offered = [line.replace("# ", "") for line in rest.splitlines() if line.startswith("  # ")]
    lines = [line for line in offered if line.startswith(("  preset: ", "  events: "))]
    run = parse("\n".join([head, "scorecard:", *lines]))
    assert run.scorecard.preset == "collaboration"
    assert run.scorecard.events == {
        "message": ("message_sent",),
        "channel": ("channel_created",),
        "integration": ("calendar_connected",),
    }
    # Without the comment's advice the shipped rules stand as before.
    assert load(out).settings.scorecard.preset is None


def test_the_block_says_of_a_rule_that_nobody_earned_that_nothing_was_learnt(demo):
    text = replaced(
        demo.run.path.read_text(),
        "scorecard:\n  rules:\n",
        'scorecard:\n  rules:\n    - "unheard of | +35 value: report_created >= 9999 times ever"\n',
    )
    found = learn_points(Run(parse(text), demo.run.path, text), lambda _: None)
    lines = fitted_block(found).splitlines()
    at = next(at for at, line in enumerate(lines) if "unheard of" in line)
    assert lines[at + 1].endswith("#   nobody earned it, so that nothing was learnt of it")
    assert not [line for line in lines if line.endswith("interval")]
    assert lines[2] == f"# {found.tiers_told}"


@pytest.fixture(scope="module")
def fitted(demo, tmp_path_factory):
    target = tmp_path_factory.mktemp("fit") / "card.yaml"
    return verb(demo, "fit", "--json", "--out", str(target)), target


def test_fit_writes_a_block_that_loads_again_as_the_points_it_told(demo, fitted):
    done, target = fitted
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    text = demo.run.path.read_text()
    begin, end = text.index("scorecard:\n"), text.index("evaluation:")
    comment = text.rindex("\n\n", 0, begin)
    pasted = parse(text[:comment] + "\n\n" + target.read_text() + "\n" + text[end:])
    points = {rule.name: rule.points for rule in pasted.scorecard.rules}
    assert points == {one["name"]: one["new"] for one in told["rules"] if one["new"]}
    assert pasted.scorecard.hand_raises is False
    assert pasted.scorecard.thresholds.model_dump() == told["thresholds"]


def test_learnt_points_are_fives_on_the_side_of_the_old_ones_and_inside_their_intervals(fitted):
    told = json.loads(fitted[0].stdout)
    for one in told["rules"]:
        assert one["new"] % 5 == 0
        assert one["new"] * one["old"] >= 0
        assert one["low"] - 5 <= one["new"] <= one["high"] + 5
        assert one["verdict"] == "dropped" or one["new"] != 0
    assert told["verdict"].split("(")[1].startswith("PR-AUC difference")


def test_fit_does_not_overwrite_unless_told(demo, fitted):
    done = verb(demo, "fit", "--out", str(fitted[1]))
    assert done.exit_code == 2
    assert "add --force" in done.stderr


def test_a_rule_that_is_not_there_can_not_be_left_out(demo):
    done = verb(demo, "sql", "--without", "no such rule")
    assert done.exit_code == 2
    assert "'no such rule'" in done.stderr
