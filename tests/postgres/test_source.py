"""Events in Postgres give the log that the same events in files give."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import EventLogError, SettingsError
from pipeline.importer.log import import_log
from pipeline.sources.copying import open_snapshot, read_rows
from pipeline.sources.fetched import fetch
from pipeline.sources.postgres import PostgresTable
from pipeline.sources.spec import DataSpec

pytestmark = pytest.mark.postgres

EVENTS = """
    create table events (id uuid, event text, "user" bigint, account text, at timestamptz,
                         arrived timestamptz, internal boolean, price numeric(10, 2),
                         "when it was" timestamp, properties jsonb);
    insert into events values
    ('5df8bb4e-0000-4000-8000-000000000001', 'opened', 1, 'Müller "& Co"', '2024-03-01 09:00+01',
     '2024-03-01 08:00:00.000001+00', false, 12.50, null, '{"plan": "pro", "rows": 1e3}'),
    ('5df8bb4e-0000-4000-8000-000000000001', 'opened', 1, 'Müller "& Co"', '2024-03-01 09:00+01',
     '2024-03-02 08:00+00', false, 12.50, null, '{"plan": "pro", "rows": 1e3}'),
    ('5df8bb4e-0000-4000-8000-000000000002', E'exported\\nall', 2, null, '2024-03-31 03:30+02',
     '2024-03-31 03:30+02', false, -0.01, null, '{"plan": "a, b\\n\\"c\\"", "rows": null}'),
    ('5df8bb4e-0000-4000-8000-000000000003', 'opened', 9007199254740993, '', '2024-04-01',
     '2024-04-01', true, null, null, null),
    ('5df8bb4e-0000-4000-8000-000000000004', 'paid', 2, 'b', '2024-04-02', '2024-04-02', false, 7,
     null, '{}'),
    (null, 'opened', null, null, '2024-04-02', '2024-04-02', false, 7, null, '{}'),
    (null, 'opened', 3, 'b', 'infinity', '2024-04-02', false, 7, null, '{}')
"""
# The same rows as another program would export them.
LINES = [
    ("5df8bb4e-0000-4000-8000-000000000001", "opened", 1, 'Müller "& Co"', "2024-03-01T08:00:00Z",
     "2024-03-01T08:00:00.000001Z", False, 12.5, {"plan": "pro", "rows": 1000}),
    ("5df8bb4e-0000-4000-8000-000000000001", "opened", 1, 'Müller "& Co"', "2024-03-01T08:00:00Z",
     "2024-03-02T08:00:00Z", False, 12.5, {"plan": "pro", "rows": 1000}),
    ("5df8bb4e-0000-4000-8000-000000000002", "exported\nall", 2, None, "2024-03-31T01:30:00Z",
     "2024-03-31T01:30:00Z", False, -0.01, {"plan": 'a, b\n"c"', "rows": None}),
    ("5df8bb4e-0000-4000-8000-000000000003", "opened", 9007199254740993, "",
     "2024-04-01T00:00:00Z", "2024-04-01T00:00:00Z", True, None, None),
    ("5df8bb4e-0000-4000-8000-000000000004", "paid", 2, "b", "2024-04-02T00:00:00Z",
     "2024-04-02T00:00:00Z", False, 7, {}),
    (None, "opened", None, None, "2024-04-02T00:00:00Z", "2024-04-02T00:00:00Z", False, 7, {}),
    (None, "opened", 3, "b", "infinity", "2024-04-02T00:00:00Z", False, 7, {}),
]  # fmt: skip
NAMES = ("id", "event", "user", "account", "at", "arrived", "internal", "price", "properties")
SOURCE = {
    "format": "generic",
    "columns": {"event": "event", "user": "user", "account": "account", "time": "at",
                "known_at": "arrived", "event_id": "id"},
    "where": {"internal": False},
}  # fmt: skip
PROPERTIES = {"properties.plan": "category", "properties.rows": "number", "price": "number"}


def spec_of(origin: dict, **more) -> DataSpec:
    """Settings of one source, which takes two rows that can't be used."""
    block = {"sources": [SOURCE | origin], "properties": PROPERTIES, "max_bad_share": 1} | more
    return DataSpec.model_validate_json(json.dumps(block))


def events_of(url: str) -> dict:
    return {"postgres": {"url": url, "table": "events"}}


def import_told(spec, folder):
    """The log, and what was said on the way."""
    told = []
    return import_log(spec, folder, folder / "logs", "user", threads=1, report=told.append), told


def values_of(url: str, **where) -> list[dict]:
    """The rows that a table or query gives, as they would be written."""
    with open_snapshot(url) as connection:
        schema, batches = read_rows(connection, PostgresTable(url=url, **where))
        rows = [row for batch in batches for row in batch.to_pylist()]
        assert all(list(row) == schema.names for row in rows)
        return rows


def test_events_in_postgres_and_in_json_lines_are_one_log(database, tmp_path):
    with (tmp_path / "events.jsonl").open("w") as lines:
        for line in LINES:
            lines.write(json.dumps(dict(zip(NAMES, line, strict=True))) + "\n")
    files, _ = import_told(spec_of({"files": [str(tmp_path / "events.jsonl")]}), tmp_path / "a")
    table, told = import_told(spec_of(events_of(database(EVENTS))), tmp_path / "b")
    assert table.fingerprint == files.fingerprint
    assert table.n_events == 3
    assert told[0].startswith("Postgres: 7 rows of table 'events' of postgresql://pql@/")
    assert any("2 rows" in line and "events-00000.parquet" in line for line in told)


def test_a_value_is_written_in_one_way_whatever_the_server_is_set_to(database):
    url = database(
        "alter role pql set timezone = 'Asia/Kathmandu'",
        "alter role pql set datestyle = 'German'",
        "create type pair as (a int, b text)",
    )
    rows = values_of(
        url,
        query="""select true as b, null::boolean as n, '' as e, '2024-03-01 12:00+05'::timestamptz,
                 '2024-03-01 12:00'::timestamp as "at, local", date '2024-03-01' as d,
                 0.1::float8 as f, 1e16::numeric as big, array[1, null] as list,
                 row(1, 'x')::pair as pair, '\\xff'::bytea as bytes, interval '1 day 2 s' as i
                 -- the end of it;""",
    )
    assert rows == [
        {"b": "true", "n": None, "e": "", "timestamptz": "2024-03-01 07:00:00+00",
         "at, local": "2024-03-01 12:00:00", "d": "2024-03-01", "f": "0.1",
         "big": "10000000000000000", "list": "[1,null]", "pair": '{"a":1,"b":"x"}',
         "bytes": "\\xff", "i": "P1DT2S"}
    ]  # fmt: skip


ANYTHING = (
    st.none()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["", "\\.", "\n", '"', ",", "\\N", "NULL", "\r\n", "\ufeff"])
)


@settings(
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.tuples(ANYTHING), max_size=5) | st.lists(st.tuples(ANYTHING, ANYTHING)))
def test_whatever_stands_in_a_text_comes_over_as_it_is(database, rows):
    import psycopg

    width = len(rows[0]) if rows else 2
    url = database()
    with psycopg.connect(url) as connection:
        connection.execute("drop table if exists texts")
        columns = ", ".join(f'"c {at}" text' for at in range(width))
        connection.execute(f"create table texts ({columns})")
        with connection.cursor() as cursor:
            holders = ", ".join(["%s"] * width)
            cursor.executemany(f"insert into texts values ({holders})", rows)
    assert [tuple(row.values()) for row in values_of(url, table="texts")] == rows


def test_all_tables_are_read_as_of_one_moment(database, tmp_path):
    url = database(
        "create table events (event text, who text, at timestamptz)",
        "insert into events values ('opened', 'ann', '2024-03-01')",
        "create table users (id text, plan text)",
        "insert into users values ('ann', 'free')",
    )
    users = {"of": "user", "id": "id", "static": True, "columns": {"plan": "category"},
             "postgres": {"url": url, "table": "users"}}  # fmt: skip
    columns = {"event": "event", "user": "who", "time": "at"}
    source = {"format": "generic", "columns": columns, **events_of(url)}
    spec = spec_of({}, sources=[source], tables=[users], properties={})

    def disturb(told: str) -> None:
        if "'events'" in told:
            database("insert into users values ('bob', 'pro')")

    filled = fetch(spec, tmp_path, disturb)
    assert pq.read_table(filled.tables[0].files[0]).to_pylist() == [{"id": "ann", "plan": "free"}]
    assert len(values_of(url, table="users")) == 2


def test_an_unchanged_table_is_not_imported_again(database, tmp_path):
    spec = spec_of(events_of(database(EVENTS)))
    first, _ = import_told(spec, tmp_path)
    again, told = import_told(spec, tmp_path)
    assert again.root == first.root
    assert len(told) == 2
    database("insert into events (event, \"user\", at, internal) values ('paid', 1, now(), false)")
    grown, _ = import_told(spec, tmp_path)
    assert grown.n_events == first.n_events + 1
    assert not (tmp_path / "logs/postgres").exists()


def test_what_a_killed_import_has_left_is_cleared_away(database, tmp_path):
    left = tmp_path / "logs/postgres/1-events-00000.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a file")
    log, _ = import_told(spec_of(events_of(database(EVENTS))), tmp_path)
    assert log.n_events == 3
    assert not left.parent.exists()


def test_a_growing_table_keeps_its_first_files(database, tmp_path):
    url = database(
        "create table events as select 'opened' as event, n as \"user\", now() as at "
        "from generate_series(1, 25) n"
    )
    spec = spec_of(events_of(url))

    def files(name):
        (tmp_path / name).mkdir()
        filled = fetch(spec, tmp_path / name, lambda _: None, rows_per_file=10)
        return [Path(path).read_bytes() for path in filled.sources[0].files]

    before = files("before")
    database("insert into events select 'opened', n, now() from generate_series(26, 31) n")
    after = files("after")
    assert [len(before), len(after)] == [3, 4]
    assert after[:2] == before[:2]
    assert len(set(after)) == 4


def test_a_table_without_rows_has_its_columns_still(database, tmp_path):
    url = database("create table events (event text, who text)")
    with pytest.raises(EventLogError, match=r"has no column 'user'; it has 'event', 'who'"):
        import_told(spec_of(events_of(url)), tmp_path)


def test_nothing_can_be_written_through_a_source(database):
    url = database(
        "create table events as select 1 as n",
        "create function wipe() returns int language sql as 'delete from events returning 1'",
    )
    for query in ("select wipe()", "delete from events returning n", "select 1; drop table events"):
        with pytest.raises(EventLogError, match="Postgres refused"):
            values_of(url, query=query)
    assert values_of(url, table="events") == [{"n": "1"}]


def test_the_name_of_a_table_is_only_a_name(database):
    url = database(
        "create table events as select 1 as n",
        'create schema "My ""Own"""',
        'create table "My ""Own"""."a b" as select 2 as n',
    )
    with pytest.raises(EventLogError, match="does not exist"):
        values_of(url, table='events"; drop table events; --')
    assert values_of(url, table='My "Own".a b') == [{"n": "2"}]
    assert values_of(url, table="events") == [{"n": "1"}]


def test_columns_of_one_name_are_refused(database):
    with pytest.raises(EventLogError, match="several columns named 'a'"):
        values_of(database(), query="select 1 as a, 2 as a, 3 as b")


def test_no_error_shows_the_password(database, monkeypatch):
    url = database()
    monkeypatch.setenv("PGPASSWORD", "wrong secret")
    with pytest.raises(EventLogError, match="password authentication failed") as error:
        values_of(url, query="select 1")
    assert "wrong secret" not in str(error.value)
    for address in (
        "postgresql://ann:hidden word@db/shop",
        "postgresql://a:hidden@db/x?nonsense=1",
    ):
        with pytest.raises(SettingsError, match="can't be read") as error, open_snapshot(address):
            pass
        assert "hidden" not in str(error.value)
        assert error.value.__cause__ is None


def test_a_server_that_is_not_there_is_one_sentence(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(EventLogError, match=r"Can't connect to Postgres: .*No such file"):
        values_of(f"postgresql://pql@/shop?host={tmp_path}", query="select 1")
