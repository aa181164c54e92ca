"""A stray quote in a CSV file: the lines it swallows are bad rows, told with their place."""

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import EventLogError
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

SOURCE = {
    "format": "generic",
    "files": ["*.csv*"],
    "columns": {"event": "event", "user": "user", "time": "time"},
}
HEAD = "event,user,time,note"
SWALLOWED = "swallowed by a broken row"


def lines_of(n: int, **changed: str) -> list[str]:
    """A header and `n` rows; `changed` are lines by number, as ``l5``."""
    rows = [HEAD, *(f"use,u{i},2024-01-{1 + i % 28:02d},n{i}" for i in range(n))]
    for name, text in changed.items():
        rows[int(name[1:]) - 1] = text
    return rows


def put(folder: Path, rows: list[str], name: str = "e.csv", end: str = "\n") -> None:
    folder.mkdir(exist_ok=True)
    content = "".join(one + end for one in rows).encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def imported(folder: Path, **data: object) -> tuple[EventLog, list[str]]:
    told: list[str] = []
    settings = {"sources": [SOURCE], "max_bad_share": 0.99, **data}
    spec = DataSpec.model_validate_json(json.dumps(settings))
    log = import_log(spec, folder, folder / "store", "user", threads=1, report=told.append)
    return log, told


@pytest.mark.parametrize(("name", "end"), [("e.csv", "\n"), ("e.csv", "\r\n"), ("e.csv.gz", "\n")])
def test_the_lines_after_a_quote_that_nothing_closes_are_bad_rows(tmp_path, name, end):
    put(tmp_path, lines_of(300, l7="use", l100='use,"u98,2024-01-01,n98'), name, end)
    log, told = imported(tmp_path)
    # Of lines 2 to 99 one is cut short, 100 is broken, 101 to 301 are lost with it.
    assert log.n_events == 97
    assert told[0] == "read 1 file, 300 rows"
    assert told[1] == (
        f"quarantined 203 rows: 201 {SWALLOWED}; 1 broken row: missing columns; "
        f"1 broken row: unquoted value, in {name!r} (203)"
    )
    assert told[2] == (
        f"201 lines of {name!r} were swallowed by a broken row that begins at line 100; look there "
        "for a quote that is not closed"
    )
    rows = pq.read_table(log.root / "quarantine.parquet").to_pylist()
    assert [row["line"] for row in rows] == [7] + [100] * 202


def test_a_stray_quote_stops_the_import_with_its_file_and_line(tmp_path):
    put(tmp_path, lines_of(5000), "a.csv")
    put(tmp_path, lines_of(1000, l100='use,"u98,2024-02-01,n98'), "p3.csv")
    with pytest.raises(EventLogError) as caught:
        imported(tmp_path, max_bad_share=0.01)
    assert str(caught.value) == (
        "902 of 6,000 rows can't be used, more than max_bad_share = 0.01 allows, in 'p3.csv' "
        f"(902): 901 x {SWALLOWED}; 1 x broken row: unquoted value. Example ({SWALLOWED}): p3.csv "
        "line 100: 'use,\"u98,2024-02-01,n98'. Look there for a quote that is not closed."
    )


def test_line_breaks_in_sound_values_and_blank_lines_are_no_lost_lines(tmp_path):
    note = '"two\nlines, and\n\none after a blank ""quoted"" one"'
    rows = lines_of(50, l3=f"use,u1,2024-01-02,{note}", l9="", l20="use,u18,2024-01-19,n,more")
    put(tmp_path, rows)
    log, told = imported(tmp_path)
    assert log.n_events == 48
    assert not [line for line in told if "swallowed" in line]
    put(tmp_path, [*rows, 'use,"u,2024-01-01,n', "use,u,2024-01-01,n", f"use,u,2024-01-01,{note}"])
    log, told = imported(tmp_path)
    assert log.n_events == 48
    # Every line but the blank one: what the quote swallowed, and what of it was no row either.
    assert told[2].startswith("quarantined 6 rows: ")
    assert told[3].startswith("2 lines of 'e.csv' were swallowed")


def test_a_quote_that_a_later_one_closes_swallows_what_is_between(tmp_path):
    # Too many columns, and one name as long as the lines between.
    for closing in ('use",u98,2024-01-01,n', 'use,u98",2024-01-15,n'):
        put(tmp_path, lines_of(300, l100='use,"u98,2024-01-01,n', l200=closing))
        log, told = imported(tmp_path)
        assert log.n_events == 300 - 101
        assert any(f"100 {SWALLOWED}" in line for line in told)


def test_what_a_table_loses_to_a_stray_quote_is_told_as_well(tmp_path):
    put(tmp_path, lines_of(300))
    for name, quote in (("a", ""), ("b", '"')):
        people = [f"{name}{i},{quote * (i == 9)}pro" for i in range(100)]
        put(tmp_path / "people", ["user,plan", *people], f"{name}.csv")
    table = {"of": "user", "files": ["people/*.csv"], "id": "user", "static": True}
    table["columns"] = {"plan": "category"}
    _, told = imported(tmp_path, tables=[table])
    assert told[-2] == (
        "90 lines of 'people/b.csv' were swallowed by a broken row that begins at line 11; look "
        "there for a quote that is not closed"
    )
    with pytest.raises(EventLogError, match=r"^91 of .* rows can't be used.*people/b.csv line 11"):
        imported(tmp_path, tables=[table], max_bad_share=0.1)
