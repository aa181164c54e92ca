"""A zoo of broken input: a row in quarantine or one clear sentence, never a crash."""

import gzip
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import EventLogError
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

COLUMNS = {"event": "event", "user": "user", "time": "time"}
GOOD = '{"event": "e", "user": "u", "time": "2024-01-01"}'


def imported(folder: Path, files: dict[str, bytes], **data: object) -> EventLog:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    source = {"format": "generic", "files": list(files), "columns": COLUMNS}
    settings = {"sources": [source], "max_bad_share": 1.0, **data}
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, folder, folder / "store", "user", threads=1)


def logs(store: Path) -> list[str]:
    """Everything in a store but the parts: logs, and what an import should have removed."""
    return sorted(one.name for one in store.glob("*") if one.name != "parts")


def quarantine(log: EventLog) -> list[tuple]:
    rows = pq.read_table(log.root / "quarantine.parquet").to_pylist()
    return sorted((Path(row["file"]).name, row["line"], row["reason"]) for row in rows)


def test_broken_json_lines_are_quarantined_with_their_line_and_reason(tmp_path):
    def row(**changes: object) -> str:
        return json.dumps({**json.loads(GOOD), **changes})

    lines = [
        GOOD,
        '{"event": "e", ',
        "",
        "[1, 2]",
        row(event=None),
        row(user=""),
        row(time="soon"),
        row(time="9999-01-01"),
        row(time=0),
        row(user="x" * 501),
        row(user="nu\x00l"),
        '{"event": "raw nul \x00"}',
        '{"event": "control \x01"}',
        row(user={"not": "text"}, event=3),
        GOOD,
    ]
    log = imported(tmp_path, {"e.jsonl": "\n".join(lines).encode()})
    assert log.n_events == 3
    assert quarantine(log) == [
        ("e.jsonl", 2, "not JSON"),
        ("e.jsonl", 4, "event name is missing"),
        ("e.jsonl", 5, "event name is missing"),
        ("e.jsonl", 6, "no user and no account"),
        ("e.jsonl", 7, "time is missing or can't be read"),
        ("e.jsonl", 8, "time out of range"),
        ("e.jsonl", 9, "time out of range"),
        ("e.jsonl", 10, "id or event name is too long"),
        ("e.jsonl", 11, "NUL byte in an id or event name"),
        ("e.jsonl", 12, "not JSON"),
        ("e.jsonl", 13, "not JSON"),
    ]


def test_bytes_that_are_no_text_are_quarantined(tmp_path):
    log = imported(tmp_path, {"e.jsonl": GOOD.encode() + b'\n{"event": "\xff\xfe"}\n'})
    assert quarantine(log) == [("e.jsonl", 2, "broken row: invalid encoding")]


def test_broken_csv_rows_are_quarantined(tmp_path):
    content = (
        b"event,user,time\ne,u,2024-01-01\ne,u\n"
        b'e,"u, Inc",2024-01-02\ne,u,2024-01-03,more\ne,u,soon\ne,u\x00,2024-01-01\n'
    )
    log = imported(tmp_path, {"e.csv": content})
    assert log.ids("user").tolist() == ["u", "u, Inc"]
    assert quarantine(log) == [
        ("e.csv", 3, "broken row: missing columns"),
        ("e.csv", 5, "broken row: too many columns"),
        ("e.csv", 6, "time is missing or can't be read"),
        ("e.csv", 7, "NUL byte in an id or event name"),
    ]


def test_what_can_be_read_of_a_cut_off_gzip_is_used_where_that_is_accepted(tmp_path):
    rows = [GOOD.replace('"e"', f'"{i:x}-{i * 7919 % 104729}"') for i in range(5000)]
    whole = gzip.compress("\n".join(rows).encode())
    files = {"cut.jsonl.gz": whole[: len(whole) // 2], "ok.jsonl": GOOD.encode()}
    log = imported(tmp_path, files, accept_cut_files=True)
    (row,) = quarantine(log)
    assert row[0] == "cut.jsonl.gz"
    assert row[2] == "file is cut off (gzip ends early)"
    assert row[1] == log.n_events  # the line after the last that was read; one event is ok.jsonl's
    assert 1000 < log.n_events < 4999
    assert not list(log.root.glob("salvaged*"))


def test_a_gzip_of_several_members_is_read_to_its_end(tmp_path):
    member = gzip.compress(GOOD.encode() + b"\n")
    assert imported(tmp_path, {"e.jsonl.gz": member + member}).n_events == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.jsonl", b"", "nothing to import: 1 file is empty: 'empty.jsonl'"),
        ("empty.csv.gz", gzip.compress(b"\n\n", mtime=0), "1 file is empty: 'empty.csv.gz'"),
        (
            "plain.jsonl.gz",
            b'{"event": 1}',
            "The file 'plain.jsonl.gz' is not gzipped; name it 'plain.jsonl', or compress it.",
        ),
        ("e.csv", "event,user,time\n".encode("utf-16"), "'e.csv' is UTF-16; save it as UTF-8"),
        ("e.csv", "event,user,time\n".encode("utf-16-be"), "'e.csv' is UTF-16; save it as UTF-8"),
        ("e.jsonl", GOOD.encode("utf-16-le"), "'e.jsonl' is UTF-16; save it as UTF-8"),
        ("array.json", b'[{"event": "e"}]', "one object per line"),
        ("e.xlsx", b"PK", "Can't tell the format of 'e.xlsx'"),
        (
            "e.csv",
            b"event,usr,time\n",
            "no column 'user'; it has 'event', 'usr', 'time'. Did you mean 'usr'",
        ),
        ("e.csv", b"event,user,time,user\n", "repeated columns: 'user'"),
        ("e.parquet", b"not parquet", "e.parquet"),
        ("e.csv", b"event,user,time\n", "1 file is empty: 'e.csv'"),
    ],
)
def test_a_file_that_is_no_use_is_one_sentence(tmp_path, name, content, sentence):
    with pytest.raises(EventLogError) as caught:
        imported(tmp_path, {name: content})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert logs(tmp_path / "store") == []


def test_a_file_that_is_not_there_is_refused_with_the_nearest_name(tmp_path):
    (tmp_path / "events.jsonl").write_text(GOOD)
    spec = DataSpec.model_validate_json(
        json.dumps({"sources": [{"format": "posthog", "files": ["event.jsonl"]}]})
    )
    with pytest.raises(
        EventLogError, match=r"No file matches 'event.jsonl' .* mean 'events.jsonl'"
    ):
        import_log(spec, tmp_path, tmp_path / "store", "user")


def test_too_many_bad_rows_are_an_error_with_reasons_and_an_example(tmp_path):
    content = f"{GOOD}\n{{broken\n{GOOD}\n".encode()
    with pytest.raises(
        EventLogError, match=r"1 of 3 rows .* 1 x not JSON.*e.jsonl line 2: '{broken'"
    ):
        imported(tmp_path, {"e.jsonl": content}, max_bad_share=0.3)


def test_a_killed_import_leaves_no_log_and_the_next_one_cleans_up(tmp_path):
    rows = "".join(GOOD.replace('"u"', f'"{i}"') + "\n" for i in range(60_000))
    (tmp_path / "e.jsonl").write_text(rows)
    program = textwrap.dedent(f"""
        import json, sys
        from pathlib import Path
        from pipeline.importer.log import import_log
        from pipeline.sources.spec import DataSpec
        spec = DataSpec.model_validate_json(json.dumps({{"sources": [
            {{"format": "generic", "files": ["e.jsonl"], "columns": {COLUMNS!r}}}]}}))
        base = Path({str(tmp_path)!r})
        import_log(spec, base, base / "store", "user", threads=1)
    """)
    child = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    store = tmp_path / "store"
    deadline = time.monotonic() + 60
    while not list(store.glob(".*.tmp/parts/*/rows.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    (abandoned,) = logs(store)
    assert abandoned.endswith(".tmp")
    (tmp_path / "e.jsonl").write_text(GOOD)
    log = imported(tmp_path, {"f.jsonl": GOOD.encode()})
    assert logs(store) == [log.root.name]
