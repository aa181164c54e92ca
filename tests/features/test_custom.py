"""Features of one's own: by definition, SQL or Python; the proof that they see no future."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.catalogue import build_catalogue
from features.catalogue_spec import CustomSpec, FeatureSpec
from features.custom import own_feature
from features.definitions import Condition, Feature, Limit
from features.engine import build_features
from features.errors import FeatureLeak, PQLError, SchemaMismatch, SettingsError
from features.matrix import Snapshots
from features.naming import define
from features.proof import check_point_in_time
from features.snapshots import own_rows
from features.statistics import STATISTICS
from features.statistics.base import Statistic
from pipeline.importer.frame import import_frame
from pipeline.settings import parse


def own(**fields) -> FeatureSpec:
    return FeatureSpec.model_validate({"custom": {"mine": {"dimension": "value", **fields}}})


def column(log, level, snapshots, spec: FeatureSpec) -> np.ndarray:
    feature = next(f for f in build_catalogue(spec, log, level) if f.name == "mine")
    return build_features(log, snapshots, (feature,)).column("mine")


@pytest.mark.parametrize(
    ("sql", "definition"),
    [
        ("count(*)", {"statistic": "count"}),
        ("count(distinct member)", {"statistic": "members"}),
        ("count(distinct plan)", {"statistic": "distinct", "property": "plan"}),
        ("max(rows)", {"statistic": "max", "property": "rows"}),
        ("count(distinct known_at::date)", {"statistic": "active_days"}),
        (
            "epoch(max(as_of) - max(known_at)) / 86400",
            {"statistic": "days_since_last", "days": None},
        ),
        (
            "count(*) filter (event = 'login')",
            {"statistic": "count", "events": ("login",)},
        ),
        (
            "count(*) filter (rows >= 0 and plan = 'pro')",
            {
                "statistic": "count",
                "where": {"rows": {"at_least": 0.0}, "plan": {"one_of": ("pro",)}},
            },
        ),
    ],
)
def test_an_sql_feature_equals_the_statistic_that_says_the_same(
    log, level, snapshots, sql, definition
):
    if level == "user" and definition["statistic"] == "members":
        pytest.skip("a user has no members")
    definition = {"days": 14, **definition}
    by_sql = column(log, level, snapshots, own(sql=sql, days=definition["days"]))
    by_definition = column(log, level, snapshots, own(**definition))
    assert len(np.unique(by_sql)) > 1
    np.testing.assert_array_equal(by_sql, by_definition)


def test_an_sql_feature_filters_events_and_conditions_before_the_expression(log, level, snapshots):
    where = {"plan": {"one_of": ("pro",)}}
    filtered = own(sql="sum(1)", events=("login",), where=where, days=28)
    counted = own(statistic="count", events=("login",), where=where, days=28)
    by_sql = column(log, level, snapshots, filtered)
    np.testing.assert_array_equal(np.nan_to_num(by_sql), column(log, level, snapshots, counted))
    assert np.isnan(by_sql).any(), "the sum of nothing is unknown"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("count(*", "can't be read"),
        ("count(*), sum(rows)", "one aggregate expression"),
        ("count(*) from seen", "one aggregate expression"),
        ("1; drop table seen", "one aggregate expression"),
        ("(select max(known_at) from event_table)", "may not hold a 'subquery'"),
        ("max(known_at) over ()", "may not hold a 'window'"),
        ("random()", "may not use 'random'"),
        ("max(now())", "may not use"),
        ("max(#1)", "one by one"),
        ("max(event)", "must give a number, not a varchar"),
        ("max(known_at)", "must give a number, not a timestamp"),
        ("list(rows)", "must give a number, not a double"),
        ("count(*) + getvariable('x')", "may not use"),
        ("rows", "the sql fails"),
        ("sum(no_such_column)", "no_such_column"),
        ("max(plan)", "must give a number, not a varchar"),
    ],
)
def test_sql_that_could_see_more_than_its_window_is_refused_in_one_sentence(log, level, sql, said):
    catalogue = build_catalogue(own(sql=sql, days=7), log, level)
    with pytest.raises(SettingsError, match="'mine'") as refused:
        build_features(log, _one_row(log, level), catalogue)
    assert said in str(refused.value)


def test_sql_reads_no_file(log, level, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("1\n")
    for sql in (f"(from read_csv('{secret}'))", f"max(read_text('{secret}'))"):
        with pytest.raises(SettingsError, match="'mine'"):
            check_point_in_time(log, level, build_catalogue(own(sql=sql), log, level))


def test_every_feature_of_the_catalogue_is_point_in_time_by_one_line(log, level, catalogue):
    extra = build_catalogue(own(sql="sum(rows) / count(*)", days=7), log, level)
    sql = [feature for feature in extra if feature.name == "mine"]
    assert check_point_in_time(log, level, [*catalogue, *sql]) > 1000


@pytest.mark.parametrize(
    ("leak", "how"),
    [
        (lambda s, f: (s.start[1:] - s.start[:-1])[s.rows.entity], "with another future"),
        (lambda s, f: np.arange(len(s.rows)) + s.count(None), "without the other dates"),
        (lambda s, f: np.diff(s.view.all().start)[s.rows.entity], "without the future"),
        (
            lambda s, f: s.view.all().hi < s.view.all().start[s.rows.entity + 1],
            "without the future",
        ),
    ],
)
def test_a_statistic_that_looks_beyond_its_row_is_caught(log, level, leak, how):
    """A statistic of one's own in Python is an entry of the same table."""
    STATISTICS["leak"] = Statistic(leak, "events", 0)
    try:
        feature = Feature("late", "value", "leak", ("login",), None, 7, "entity", "number", "", "")
        with pytest.raises(FeatureLeak, match=f"they change {how}: 'late'"):
            check_point_in_time(log, level, [feature])
    finally:
        del STATISTICS["leak"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"statistic": "trend"}, "needs a window"),
        ({"statistic": "sum"}, "needs a property"),
        ({"statistic": "sum", "property": "plan"}, "which is a category"),
        ({"statistic": "distinct", "property": "rows"}, "which is a number"),
        ({"statistic": "count", "where": {"plan": {"at_least": 1.0}}}, "which is a|is a category"),
        ({"statistic": "count", "where": {"rows": {"one_of": ("x",)}}}, "is a number"),
    ],
)
def test_a_definition_that_contradicts_itself_is_one_sentence(log, level, fields, said):
    features = build_catalogue(own(**fields), log, level)
    with pytest.raises(SchemaMismatch, match=said) as error:
        build_features(log, _one_row(log, level), features)
    assert "'mine'" in str(error.value)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("{dimension: value}", "give either statistic"),
        ("{dimension: value, statistic: count, sql: count(*)}", "give either statistic"),
        ("{dimension: value, statistic: coutn}", "custom.mine.statistic"),
        ("{dimension: value, statistic: count, where: {plan: {}}}", "give either one_of"),
    ],
)
def test_a_mistake_in_the_settings_names_its_line(block, said):
    text = (
        "name: x\ndata: {sources: [{format: segment, files: [x]}]}\n"
        f"conversion: {{events: [paid]}}\nfeatures:\n  custom:\n    mine: {block}\n"
    )
    with pytest.raises(SettingsError, match=r"settings:\d+") as error:
        parse(text)
    assert said in str(error.value)


def test_a_mapping_makes_a_feature_and_a_slip_in_it_is_one_sentence(log, level):
    fields = {"dimension": "value", "statistic": "count", "days": 7}
    mine = own_feature("my count", fields, log)
    other = own_feature("my count", CustomSpec(**fields), log)
    assert mine == other
    for slip, said in (
        ({"statistic": "coutn"}, "'my count': statistic: "),
        ({"sql": "count(*)"}, "'my count': give either"),
        ({"dayz": 7}, "'my count': dayz: "),
    ):
        with pytest.raises(SettingsError, match=said):
            own_feature("my count", fields | slip, log)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda log, row: build_features(log, row, "any_event_count_7d"), "'a'.* is no Feature"),
        (lambda log, row: build_features(log, row, ["n"]), "'n' is no Feature"),
        (lambda log, row: build_features(log, row, [], threads=0), "threads must be 1 or more"),
        (lambda log, row: own_rows(log, "acount", [], []), "no level 'acount'"),
        (lambda log, row: own_rows(log, "account", ["a0"], [1_718_000_000]), "look like seconds"),
        (
            lambda log, row: own_rows(log, "account", ["a0"], np.array([1_718_000_000_000])),
            "milliseconds",
        ),
        (lambda log, row: check_point_in_time(log, "accounts", _COUNT), "no level 'accounts'"),
        (lambda log, row: check_point_in_time(log, "account", _COUNT, []), "no as_of to check"),
    ],
)
def test_a_slip_in_python_is_one_sentence(log, level, call, said):
    with pytest.raises(PQLError, match=said):
        call(log, _one_row(log, level))


_COUNT = define("count", "value", "entity", "any_event", (), 7)


def test_the_proof_takes_times_of_any_spelling(log, level):
    assert check_point_in_time(log, level, _COUNT, ["2024-03-06T12:00"]) > 0


def test_a_column_that_is_not_there_names_the_nearest(log, level):
    any_event = define("count", "value", "entity", "any_event", (), 7)
    matrix = build_features(log, _one_row(log, level), any_event)
    with pytest.raises(SchemaMismatch, match="Did you mean 'any_event_count_7d'"):
        matrix.column("any_event_count_70d")


def test_an_unknown_property_of_a_custom_feature_is_named(log, level):
    with pytest.raises(SettingsError, match=r"features\.custom names 'rowz'"):
        build_catalogue(own(statistic="sum", property="rowz"), log, level)


def test_conditions_hold_at_their_bounds_and_never_for_a_missing_value(log_of):
    log = log_of(
        "who|event|time|size\nann|go|2024-03-01|1\nann|go|2024-03-02|2\nann|go|2024-03-03|"
    )
    assert [item.type for item in log.properties] == ["category"]
    condition = Condition("size", one_of=("1", ""))
    feature = Feature(
        "n", "value", "count", (), None, None, "entity", "number", "", "", where=(condition,)
    )
    assert build_features(log, _one_row(log, "account"), (feature,)).column("n") == [1]


def _one_row(log, level):
    return Snapshots.of(level, [0], [log.data_end], log.ids(level))


def test_a_statistic_that_gives_other_than_one_value_a_row_is_refused(log, level):
    STATISTICS["crooked"] = Statistic(lambda s, f: s.at, "events", 0)
    try:
        feature = define("crooked", "value", "entity", "any_event", (), 7)
        assert feature.meaning == "crooked of any event in the last 7 days"
        with pytest.raises(SchemaMismatch, match="not one value for each"):
            build_features(log, _one_row(log, level), feature)
    finally:
        del STATISTICS["crooked"]


@pytest.fixture(params=["account", "user"])
def with_tables(request, tmp_path):
    """Three accounts of one user each, whose codes are alike, with a number known of each."""
    (tmp_path / "accounts.csv").write_text("id,seats,plan\na0,10,x\na1,20,x\na2,30,y\n")
    (tmp_path / "users.csv").write_text("id,age,role\nu1,41,x\nu2,42,y\nu3,43,x\n")
    frame = pd.DataFrame(
        {
            "event": "go",
            "user_id": ["u1", "u2", "u3"],
            "account_id": ["a1", "a2", "a0"],
            "time": pd.to_datetime(["2024-03-01"] * 3),
        }
    )
    tables = [
        {
            "of": of,
            "files": [str(tmp_path / f"{of}s.csv")],
            "id": "id",
            "static": True,
            "columns": columns,
        }
        for of, columns in (
            ("account", {"seats": "number", "plan": "category"}),
            ("user", {"age": "number", "role": "category"}),
        )
    ]
    data = {"properties": {}, "tables": tables}
    return import_frame(frame, tmp_path / "log", request.param, data=data), request.param


def test_users_and_accounts_are_not_taken_for_each_other(with_tables):
    """Their codes are numbers alike: a look-up in the other's table would find somebody else."""
    log, level = with_tables
    other = "account" if level == "user" else "user"
    owned = Limit(other, "seats" if other == "account" else "age")
    crossed = define("limit_share", "upgrade", "entity", "s", (), None, limit=owned)
    with pytest.raises(SchemaMismatch, match=f"can't be an attribute of an? {other}"):
        build_features(log, _one_row(log, level), crossed)
    age = Feature("x", "fit", "attribute", (), "age", None, "entity", "number", "", "", "user")
    members = define("members", "team", "entity", "any_event", (), 7)
    if level == "account":
        with pytest.raises(SchemaMismatch, match="no attribute of a user"):
            build_features(log, _one_row(log, level), age)
        with pytest.raises(SettingsError, match=r"features\.attributes\.age: .*member_attributes"):
            build_catalogue(FeatureSpec(attributes={"age": "fit"}), log, level)
    else:
        assert build_features(log, _one_row(log, level), age).column("x") == [41]
        with pytest.raises(SchemaMismatch, match='scope "account"'):
            build_features(log, _one_row(log, level), members)


def test_values_of_a_number_are_not_counted_as_categories(with_tables):
    log, level = with_tables
    with pytest.raises(SettingsError, match=r"member_attributes names 'age'.*it has 'role'"):
        build_catalogue(FeatureSpec(member_attributes=("age",)), log, level)
    ages = define("distinct", "team", "entity", "age", (), None, "age", source="user")
    with pytest.raises(SchemaMismatch, match="'age', which is a number"):
        build_features(log, _one_row(log, level), ages)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"property": "rows"}, "count does not read `property`"),
        ({"against": ("login",)}, "count does not read `against`"),
        ({"days": 0}, "days can't be 0"),
        ({"scope": "entty"}, "scope can't be 'entty'"),
        ({"dimension": "valu"}, "dimension can't be 'valu'"),
        ({"events": "login"}, "events can't be 'login'"),
        ({"where": (Condition("rows"),)}, "where can't be 'an empty condition'"),
        ({"statistic": "coutn"}, "does not know"),
    ],
)
def test_a_definition_written_in_python_is_checked_too(log, level, change, said):
    feature = replace(define("count", "value", "entity", "login", ("login",), 7), **change)
    with pytest.raises(SchemaMismatch, match=said):
        build_features(log, _one_row(log, level), feature)


def test_a_slip_in_define_is_one_sentence():
    with pytest.raises(SchemaMismatch, match=r"'coutn'. Did you mean 'count'"):
        define("coutn", "value", "entity", "login", ("login",), 7)
    with pytest.raises(SchemaMismatch, match="must be a tuple of names"):
        define("count", "value", "entity", "login", "login", 7)


@pytest.mark.parametrize(
    "sql",
    [
        "max(date_diff('day', known_at, current_date::timestamp))",
        "max(epoch(current_timestamp))",
        "max(epoch(localtimestamp))",
        "max(epoch(age(known_at)))",
        "count(distinct current_user)",
        "max(row)",
        "max(columns('rows'))",
        "1 + max(__seq)",
        "known_at",
    ],
)
def test_sql_reads_neither_clock_nor_session_nor_the_engine(log, level, sql):
    with pytest.raises(SettingsError, match="'mine'"):
        build_features(log, _one_row(log, level), build_catalogue(own(sql=sql), log, level))


def test_a_member_is_numbered_by_what_the_entity_did_alone(tmp_path):
    """Not by the log's code, which somebody who joins later would move."""
    times = pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-09"]).astype("datetime64[us]")
    frame = pd.DataFrame({"event": "go", "user_id": ["x", "y", "a"], "account_id": "acme"})
    for n in (2, 3):
        log = import_frame(frame.assign(time=times)[:n], tmp_path / str(n), "account")
        row = own_rows(log, "account", ["acme"], ["2024-03-05"])
        features = build_catalogue(own(sql="sum(1 + 10 * member)"), log, "account")
        mine = [feature for feature in features if feature.name == "mine"]
        assert build_features(log, row, mine).column("mine") == [12]


@pytest.mark.parametrize("name", ["sessions", "joined", "since", "first uses", "gaps squared"])
def test_a_property_may_have_any_name(tmp_path, name):
    """Names of properties are data, and must not meet the engine's own."""
    times = pd.date_range("2024-03-01", periods=5, freq="h").astype("datetime64[us]")
    frame = pd.DataFrame({"event": "go", "user_id": "u", "account_id": "a", "time": times})
    log = import_frame(frame.assign(**{name: [1.0, 2.0, 3.0, 4.0, 10.0]}), tmp_path, "account")
    asked = ("sessions", "slope", "first_uses", "new_members", "burstiness")
    features = [define(one, "value", "entity", "any_event", (), 28) for one in asked]
    features += [define(one, "value", "entity", "p", (), 28, name) for one in ("mean", "sum")]
    row = own_rows(log, "account", ["a"], ["2024-03-10"])
    forward = build_features(log, row, features).frame()
    backward = build_features(log, row, features[::-1]).frame()
    assert forward["p_mean_28d"][0] == 4
    assert forward["p_sum_28d"][0] == 20
    assert forward["any_event_sessions_28d"][0] == 5
    assert forward.equals(backward[forward.columns])


def _measured(tmp_path, values, statistic, times) -> float:
    """A statistic over the last 7 days before 2024-03-20 of values at given times."""
    frame = pd.DataFrame(
        {"event": "go", "user_id": "ann", "account_id": "acme", "time": times, "x": values}
    )
    data = {"properties": {"x": "number"}, "tables": []}
    log = import_frame(frame, tmp_path / statistic, "account", data=data)
    read = "x" if statistic == "std" else None
    feature = define(statistic, "value", "entity", "x", (), 7, read)
    row = own_rows(log, "account", ["acme"], ["2024-03-20"])
    return build_features(log, row, feature).column(feature.name)[0]


@pytest.mark.parametrize("start", [0.0, 5e9, -1e15])
def test_the_deviation_in_a_window_knows_nothing_of_how_far_the_values_were_before(tmp_path, start):
    """A counter that starts at 0 and stands at 5e9 now."""
    values = [start, 5e9 - 10, 5e9, 5e9 + 10]
    times = pd.to_datetime(["2024-01-01", "2024-03-17", "2024-03-18", "2024-03-19"])
    found = _measured(tmp_path, values, "std", times)
    assert found == np.float32(np.std(values[1:]))


def test_the_burstiness_of_a_window_knows_nothing_of_the_silence_before(tmp_path):
    tenths = pd.Timestamp("2024-03-19") + pd.to_timedelta(np.arange(10) * 100, unit="ms")
    times = [pd.Timestamp("2023-03-19"), *tenths]
    assert _measured(tmp_path, np.zeros(11), "burstiness", times) == -1


@pytest.mark.parametrize("n", [2, 5, 30])
def test_burstiness_is_1_where_all_events_but_one_fall_together_however_few(tmp_path, n):
    times = [pd.Timestamp("2024-03-15"), *[pd.Timestamp("2024-03-19")] * n]
    assert _measured(tmp_path, np.zeros(n + 1), "burstiness", times) == pytest.approx(1)


def test_the_deviation_of_large_numbers_keeps_their_digits(tmp_path):
    times = pd.date_range("2024-03-01", periods=5, freq="h").astype("datetime64[us]")
    frame = pd.DataFrame({"event": "go", "user_id": "u", "account_id": "a", "time": times})
    values = 1.7e12 + np.arange(5.0)
    log = import_frame(frame.assign(stamp=values), tmp_path, "account")
    std = define("std", "value", "entity", "stamp", (), 28, "stamp")
    row = own_rows(log, "account", ["a"], ["2024-03-10"])
    assert build_features(log, row, std).column(std.name) == [np.float32(np.sqrt(2))]


def test_a_name_given_twice_counts_once(log, level, snapshots):
    once, twice = (
        column(log, level, snapshots, own(statistic="share", events=("login",), against=against))
        for against in (("login", "limit"), ("login", "limit", "limit"))
    )
    np.testing.assert_array_equal(once, twice)
