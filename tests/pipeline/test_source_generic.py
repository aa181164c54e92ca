"""Generic files: formats agree, times of any spelling, tables, conversions, ids."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.clock import ALWAYS_US, to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from pipeline.importer.frame import import_frame
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

COLUMNS = {"event": "action", "user": "who", "time": "ts"}
CSV = "action,who,org,ts,rows\nopened,7,acme,2024-01-01,1\nsaved,8.0,acme,2024-01-02,\n"


def imported(
    folder: Path, name: str, text: str, level: str = "account", **data: object
) -> EventLog:
    """A log of one file; `source` overrides settings of the source."""
    write(folder / name, text)
    source = {"format": "generic", "files": [name], "columns": COLUMNS} | dict(
        data.pop("source", {})
    )  # type: ignore[call-overload]
    settings = {"sources": [source], **data}
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, folder, folder / "store", level, threads=1)  # type: ignore[arg-type]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def occurred(log: EventLog) -> list[str]:
    return [to_text(us) for us in log.shard(0)["occurred_at"].to_pylist()]


def test_csv_parquet_and_json_lines_give_equal_logs(tmp_path):
    rows = pd.DataFrame(
        {
            "action": ["opened", "saved", "saved"],
            "who": [7, 8, 9],
            "org": ["acme", "acme", None],
            "ts": pd.to_datetime(
                ["2024-01-01 10:00", "2024-01-02", "2024-01-03 00:00:00.000001"], format="ISO8601"
            ),
            "rows": [1.5, None, 3.0],
        }
    )
    rows.to_csv(tmp_path / "events.csv", index=False)
    rows.to_csv(tmp_path / "events.tsv.gz", index=False, sep="\t")
    rows.to_parquet(tmp_path / "events.parquet")
    rows.to_json(
        tmp_path / "events.jsonl", orient="records", lines=True, date_format="iso", date_unit="us"
    )
    prints = set()
    for name in ("events.csv", "events.tsv.gz", "events.parquet", "events.jsonl"):
        settings = {
            "sources": [
                {"format": "generic", "files": [name], "columns": {**COLUMNS, "account": "org"}}
            ],
            "properties": {"rows": "number"},
        }
        spec = DataSpec.model_validate_json(json.dumps(settings))
        log = import_log(spec, tmp_path, tmp_path / "store", "account", threads=1)
        prints.add(log.fingerprint)
        assert log.ids("user").tolist() == ["7", "8", "9"]
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2024-01-01T10:00:00+02:00", "2024-01-01T08:00:00"),
        ("2024-01-01 10:00", "2024-01-01T09:00:00"),  # Berlin in winter
        ("2024-07-01 10:00", "2024-07-01T08:00:00"),  # and in summer
        ("20240102", "2024-01-01T23:00:00"),
        ("1704067200", "2024-01-01"),
        ("1704067200.25", "2024-01-01T00:00:00.250000"),
        ("1704067200123", "2024-01-01T00:00:00.123000"),
        ("1704067200123456", "2024-01-01T00:00:00.123456"),
        ("1970-01-02T00:00:00Z", "1970-01-02"),
        ("2099-12-31T23:59:59Z", "2099-12-31T23:59:59"),
    ],
)
def test_times_of_any_spelling_become_utc(sql, given, meant):
    assert to_text(sql.execute("select us_of(?)", [given]).fetchall()[0][0]) == meant


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    """A connection with the macros, in the zone of Berlin."""
    from pipeline.sources.times import MACROS, set_zone
    from pipeline.storage import connect

    connection = connect(tmp_path_factory.mktemp("sql"), memory_mb=200, threads=1)
    connection.execute(MACROS)
    set_zone(connection, "Europe/Berlin")
    yield connection
    connection.close()


def test_a_day_with_a_clock_change_has_its_own_length(sql):
    us = "us_of('2024-03-31')"
    first, last = sql.execute(f"select day_first_us({us}), day_last_us({us})").fetchall()[0]
    assert (last + 1 - first) / 3_600_000_000 == 23


def test_daily_data_is_known_at_the_end_of_its_day(tmp_path):
    text = "action,who,ts\nbought,7,2024-01-01\nbought,7,2024-01-02\n"
    log = imported(tmp_path, "e.csv", text, source={"daily": True})
    assert occurred(log) == ["2024-01-01", "2024-01-02"]
    assert log.shard(0)["at"].to_pylist() == [to_us("2024-01-02") - 1, to_us("2024-01-03") - 1]
    assert log.data_end == to_us("2024-01-03")


def test_an_unknown_time_zone_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(EventLogError, match="Did you mean 'Europe/Berlin'"):
        imported(tmp_path, "e.csv", CSV, source={"timezone": "Europe/Berln"})


def test_only_rows_that_match_where_are_taken_and_judged(tmp_path):
    text = CSV + "opened,9,acme,never,\n"
    log = imported(tmp_path, "e.csv", text, source={"where": {"action": ["saved", "other"]}})
    assert [event.name for event in log.event_names] == ["saved"]
    assert log.manifest["counts"]["left_out"] == {"not matching where": 2}
    assert log.manifest["counts"]["quarantined"] == {}


def test_a_file_of_one_kind_of_event_names_it_in_the_settings(tmp_path):
    source = {"columns": {"account": "org", "time": "ts"}, "event": "seat_bought"}
    log = imported(tmp_path, "e.csv", CSV, source=source)
    assert [(event.name, event.n_events) for event in log.event_names] == [("seat_bought", 2)]
    assert log.shard(0)["user"].to_pylist() == [-1, -1]


def test_globs_take_files_of_several_layouts(tmp_path):
    write(tmp_path / "in" / "a.csv", CSV)
    write(tmp_path / "in" / "b.csv.gz", "ts;who;action\n2024-01-03;9;opened\n")
    log = imported(
        tmp_path, "in/c.csv", CSV.replace("2024", "2023"), source={"files": ["in/*.csv*"]}
    )
    assert (log.n_events, log.manifest["counts"]["files"]) == (5, 3)


def test_a_table_of_conversions_becomes_events(tmp_path):
    write(tmp_path / "won.csv", "org,at\nacme,2024-01-05\n")
    conversions = {"files": ["won.csv"], "of": "account", "id": "org", "time": "at", "event": "won"}
    log = imported(
        tmp_path,
        "e.csv",
        CSV,
        source={"columns": {**COLUMNS, "account": "org"}},
        conversions=conversions,
    )
    assert [(event.name, event.n_events) for event in log.event_names][-1] == ("won", 1)
    assert log.shard(0)["account"].to_pylist() == [0, 0, 0]


def test_tables_give_attributes_members_and_entities_without_events(tmp_path):
    write(tmp_path / "orgs.csv", "id,employees,since\nacme,50,2024-01-02\nacme,80,2024-02-01\n")
    write(tmp_path / "people.csv", "id,org,email\n7,acme,a@acme.io\n8,acme,b@gmail.com\n99,idle,\n")
    tables = [
        {
            "of": "account",
            "files": ["orgs.csv"],
            "id": "id",
            "time": "since",
            "columns": {"employees": "number"},
        },
        {
            "of": "user",
            "files": ["people.csv"],
            "id": "id",
            "static": True,
            "account": "org",
            "columns": {"email": "category"},
        },
    ]
    log = imported(tmp_path, "e.csv", CSV, tables=tables)
    assert log.ids("account").tolist() == ["acme", "idle"]
    assert log.accounts["shard"].to_pylist() == [0, -1]
    assert log.accounts["domain"].to_pylist() == ["acme.io", None]
    assert log.users["account"].to_pylist() == [0, 0, 1]
    assert log.shard(0)["account"].to_pylist() == [0, 0]
    assert [(a.name, a.of, a.static) for a in log.attributes] == [
        ("employees", "account", False),
        ("email", "user", True),
    ]
    values = log.attribute_values.to_pylist()
    assert [(to_text(v["at"]), v["number"]) for v in values if v["attribute"] == 0] == [
        ("2024-01-02", 50.0),
        ("2024-02-01", 80.0),
    ]
    assert {v["at"] for v in values if v["attribute"] == 1} == {ALWAYS_US}


def test_a_frame_becomes_a_log_and_equal_frames_share_it(tmp_path):
    frame = pd.DataFrame(
        {
            "event": ["a", "b"],
            "user_id": [1, 2],
            "account_id": ["x", "y"],
            "time": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True),
            "size": [1, 2],
            "kind": ["k", None],
        }
    )
    log = import_frame(frame, tmp_path)
    assert [(one.name, one.type) for one in log.properties] == [
        ("size", "number"),
        ("kind", "category"),
    ]
    np.testing.assert_array_equal(log.shard(0)["property.size"].to_numpy(), [1.0, 2.0])
    assert import_frame(frame.copy(), tmp_path).root == log.root
    with pytest.raises(EventLogError, match="no column 'event'"):
        import_frame(frame.rename(columns={"event": "evnt"}), tmp_path)
