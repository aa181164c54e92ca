"""What would break an import in silence is told in one line, or is one clear error."""

import gzip
import json
from pathlib import Path

import pytest

from features.clock import to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

COLUMNS = {"event": "event", "user": "user", "time": "time"}


def row(day: int = 1, **changes: object) -> str:
    return json.dumps({"event": "use", "user": "ann", "time": f"2024-01-{day:02d}", **changes})


def put(folder: Path, name: str, *rows: str) -> Path:
    (folder / name).write_text("".join(one + "\n" for one in rows))
    return folder / name


def imported(
    folder: Path, files: str = "*.jsonl*", columns: dict | None = None, **data: object
) -> tuple[EventLog, list[str]]:
    source = {"format": "generic", "files": [files], "columns": columns or COLUMNS}
    spec = DataSpec.model_validate_json(json.dumps({"sources": [source], **data}))
    lines: list[str] = []
    log = import_log(spec, folder, folder / "store", "user", threads=1, report=lines.append)
    return log, lines


def refusal(folder: Path, files: str = "*.jsonl*", **data: object) -> str:
    with pytest.raises(EventLogError) as caught:
        imported(folder, files, **data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_without_a_good_row_is_refused_however_large_the_others_are(tmp_path):
    put(tmp_path, "big.jsonl", *[row(user=f"u{i}") for i in range(2000)])
    put(tmp_path, "new.jsonl", *[row(time="soon")] * 3, "{broken")
    told = refusal(tmp_path)
    assert told.startswith(
        "No row of 'new.jsonl' can be used: 3 x time is missing or can't be read; 1 x not JSON."
    )
    assert "new.jsonl line 1" in told
    assert "take it out of the list of files" in told
    # Whoever lets every row be bad gets what they ask for.
    assert imported(tmp_path, max_bad_share=1.0)[0].n_events == 2000


@pytest.mark.parametrize("name", ["m.jsonl", "m.csv"])
def test_a_gzip_under_the_name_of_a_text_is_refused_with_its_right_name(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(row().encode() * 50, mtime=0))
    assert refusal(tmp_path, "m.*") == f"The file '{name}' is gzipped; name it '{name}.gz'."


def test_quarantined_rows_are_told_with_their_files(tmp_path):
    put(tmp_path, "a.jsonl", *[row(user=f"u{i}") for i in range(500)], "{broken")
    (tmp_path / "sub").mkdir()
    put(tmp_path / "sub", "b.jsonl", row(), "{broken", row(user=""))
    _, lines = imported(tmp_path, "**/*.jsonl")
    assert lines[1] == (
        "quarantined 3 rows: 2 not JSON; 1 no user and no account, in 'sub/b.jsonl' (2), "
        "'a.jsonl' (1)"
    )


def put_gzip(folder: Path, name: str, missing: int | None) -> None:
    """Five thousand rows, gzipped, without the last `missing` bytes or (None) the last half."""
    rows = "\n".join(row(user=f"{i * 7919 % 104_729:x}") for i in range(5000))
    whole = gzip.compress(rows.encode(), mtime=0)
    (folder / name).write_bytes(whole[: len(whole) // 2 if missing is None else -missing])


@pytest.mark.parametrize("missing", [None, 9, 8, 1])
@pytest.mark.parametrize("max_bad_share", [0.01, 1])
def test_a_gzip_that_ends_early_stops_the_import_whatever_share_may_be_bad(
    missing, max_bad_share, tmp_path
):
    put(tmp_path, "whole.jsonl", row())
    put_gzip(tmp_path, "cut.jsonl.gz", missing)
    assert refusal(tmp_path, max_bad_share=max_bad_share) == (
        "The gzip 'cut.jsonl.gz' ends early, so an unknown number of rows is missing. Bring the "
        "whole file, or set data.accept_cut_files: true to do without the missing rows."
    )
    # What the store kept of it is not taken for a whole file later on.
    assert "'cut.jsonl.gz' ends early" in refusal(tmp_path)


def test_several_gzips_that_end_early_are_all_named(tmp_path):
    put_gzip(tmp_path, "a.jsonl.gz", None)
    put_gzip(tmp_path, "b.jsonl.gz", 100)
    assert refusal(tmp_path).startswith(
        "2 gzips end early, so an unknown number of rows is missing: 'a.jsonl.gz', 'b.jsonl.gz'. "
    )


def test_a_text_file_that_is_still_written_to_is_no_cut_file(tmp_path):
    rows = "".join(row(user=f"u{i}") + "\n" for i in range(500))
    (tmp_path / "live.jsonl").write_text(rows + row()[:20])
    log, lines = imported(tmp_path)
    assert log.n_events == 500
    assert "quarantined 1 row: 1 not JSON, in 'live.jsonl' (1)" in lines


def test_a_gzip_that_ends_early_is_named_and_its_loss_is_unknown(tmp_path):
    put_gzip(tmp_path, "cut.jsonl.gz", None)
    _, lines = imported(tmp_path, accept_cut_files=True)
    assert lines[1:3] == [
        "quarantined 1 row: 1 file is cut off (gzip ends early), in 'cut.jsonl.gz' (1)",
        "1 file ends early: 'cut.jsonl.gz'; how many rows are lost is unknown",
    ]


@pytest.mark.parametrize("n_bytes", [3, 30])
def test_a_gzip_cut_off_before_a_whole_line_is_an_error_with_its_name(tmp_path, n_bytes):
    put(tmp_path, "old.jsonl", row())
    whole = gzip.compress(row(note="".join(map(str, range(300)))).encode())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:n_bytes])
    assert "'cut.jsonl.gz'" in refusal(tmp_path, max_bad_share=0.9)


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ("2024-01-09T00:00:00Z", True),
        ("2024-01-08T23:59:59.999999Z", False),
        ("2018-01-01T00:00:00Z", False),
    ],
)
def test_what_occurred_more_than_a_day_after_it_was_known_is_quarantined(tmp_path, known, kept):
    columns = {**COLUMNS, "known_at": "sent"}
    put(tmp_path, "e.jsonl", row(1, sent="2024-01-01"), row(10, sent=known))
    log, lines = imported(tmp_path, columns=columns, max_bad_share=0.5)
    assert log.n_events == (2 if kept else 1)
    assert log.data_end == to_us("2024-01-10" if kept else "2024-01-01") + 1
    assert log.manifest["counts"]["quarantined"] == (
        {} if kept else {"occurred more than a day after it was known": 1}
    )
    early = "1 event was known up to a day before it occurred"
    assert any(line.startswith(early) for line in lines) == kept


def test_days_are_never_ahead_of_their_arrival(tmp_path):
    """A day is known at its end at the earliest, whatever the arrival says."""
    source = {
        "format": "generic",
        "files": ["e.jsonl"],
        "columns": {**COLUMNS, "known_at": "sent"},
        "daily": True,
    }
    put(tmp_path, "e.jsonl", row(10, sent="2024-01-01"))
    spec = DataSpec.model_validate_json(json.dumps({"sources": [source]}))
    log = import_log(spec, tmp_path, tmp_path / "store", "user")
    assert to_text(log.first_at)[:10] == "2024-01-10"


@pytest.mark.parametrize(("role", "key"), [("account", "team"), ("event_id", "id.of")])
def test_a_field_that_no_row_has_is_told_with_those_there_are(tmp_path, role, key):
    put(tmp_path, "e.jsonl", row(id={}), row(2))
    _, lines = imported(tmp_path, columns={**COLUMNS, role: key})
    assert lines[0] == (
        f"no row has '{key}' (columns.{role}); there are 'event', 'user', 'time', 'id'"
    )


def test_an_arrival_that_no_row_has_is_told_and_one_that_equals_the_time_is_not(tmp_path):
    put(tmp_path, "e.jsonl", row(sent="2024-01-01"))
    assert imported(tmp_path, columns={**COLUMNS, "known_at": "arrived"})[1][0] == (
        "no row has 'arrived' (columns.known_at); there are 'event', 'user', 'time', 'sent'"
    )
    assert imported(tmp_path, columns={**COLUMNS, "known_at": "sent"})[1][0] == "read 1 file, 1 row"


@pytest.mark.parametrize("role", ["known_at", "person_key"])
def test_a_field_of_a_posthog_export_that_no_row_has_is_told(tmp_path, role):
    export = {"event": "use", "distinct_id": "ann", "timestamp": "2024-01-01", "arrived": None}
    put(tmp_path, "e.jsonl", json.dumps(export))
    source = {"format": "posthog", "files": ["e.jsonl"], role: "created_at"}
    spec = DataSpec.model_validate_json(json.dumps({"sources": [source]}))
    lines: list[str] = []
    import_log(spec, tmp_path, tmp_path / "store", "user", report=lines.append)
    assert lines[0] == (
        f"no row has 'created_at' (sources.{role}); there are 'event', 'distinct_id', "
        "'timestamp', 'arrived'"
    )


@pytest.mark.parametrize("role", ["event", "time", "user"])
def test_a_field_without_which_no_row_is_an_event_is_an_error(tmp_path, role):
    put(tmp_path, "e.jsonl", row())
    told = refusal(tmp_path, columns={**COLUMNS, role: f"{role}s"})
    assert told == (
        f"No row of 'e.jsonl' has '{role}s' (columns.{role}); there are 'event', 'user', 'time'. "
        f"Did you mean '{role}'?"
    )


def test_a_field_of_some_rows_is_not_missed(tmp_path):
    put(tmp_path, "e.jsonl", *[row(user=f"u{i}") for i in range(600)], row(team="acme"))
    assert imported(tmp_path, columns={**COLUMNS, "account": "team"})[1][0].startswith("read")


def test_names_in_the_settings_that_no_row_has_are_told_with_the_nearest_ones(tmp_path):
    put(tmp_path, "e.jsonl", row(), row(event="login"), row(event="view", page="x", user=7))
    derived = [
        {"name": "seen", "event": "view", "where": {"page": "x"}},
        {"name": "looked", "event": "veiw", "where": {"page": "y"}},
        {"name": "priced", "event": "use", "where": {"page": "pricing"}},
    ]
    told = [
        "data.drop_events names 'lgin', which no row has. Did you mean 'login'?",
        "data.exclude.users names 'bob', which no row has",
        "data.exclude.accounts names 'acme', which no row has",
        "data.derived_events: 'looked' is made of 'veiw', which no row has. Did you mean 'view'?",
        "data.derived_events: 'priced' never occurs, as no 'use' matches its `where`",
    ]
    data = {
        "drop_events": ["lgin", "login", "view"],
        "derived_events": derived,
        "exclude": {"users": ["bob", 7], "accounts": ["acme"]},
    }
    _, lines = imported(tmp_path, **data)
    assert lines[1:6] == told
    # Whoever looks at the second run sees them as well.
    _, lines = imported(tmp_path, **data)
    assert lines[0].startswith("nothing changed, reusing the log")
    assert lines[1:] == told


@pytest.mark.parametrize(
    ("name", "content"),
    [("e.jsonl", b""), ("e.csv", b"event,user,time\n"), ("e.csv.gz", b""), ("e.jsonl", b"\n \n")],
)
def test_an_empty_file_among_others_is_told_and_skipped(tmp_path, name, content):
    put(tmp_path, "old.jsonl", row())
    alone, _ = imported(tmp_path, "*.*")
    (tmp_path / name).write_bytes(content)
    log, lines = imported(tmp_path, "*.*")
    assert lines[1] == f"1 file is empty: '{name}'"
    assert log.fingerprint == alone.fingerprint


def test_a_source_of_empty_files_does_not_stop_the_others(tmp_path):
    put(tmp_path, "old.jsonl", row())
    put(tmp_path, "none.json")
    sources = [
        {"format": "generic", "files": [name], "columns": COLUMNS}
        for name in ("none.json", "old.jsonl")
    ]
    for order in (sources, sources[::-1]):
        for properties in ({"page": "category"}, "auto"):
            spec = DataSpec.model_validate_json(
                json.dumps({"sources": order, "properties": properties})
            )
            assert import_log(spec, tmp_path, tmp_path / "store", "user").n_events == 1


def test_every_empty_file_is_counted_though_they_are_alike(tmp_path):
    for name in ("p0.jsonl", "p1.jsonl", "sub/p2.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        put(tmp_path, name)
    told = "3 files are empty: 'p0.jsonl', 'p1.jsonl', 'sub/p2.jsonl'"
    assert refusal(tmp_path, "**/*.jsonl") == f"There is nothing to import: {told}."
    put(tmp_path, "old.jsonl", row())
    assert told in imported(tmp_path, "**/*.jsonl")[1]


def test_a_folder_among_the_files_is_told_and_one_on_the_way_to_them_is_not(tmp_path):
    (tmp_path / "d.jsonl").mkdir()
    put(tmp_path / "d.jsonl", "part-0", row(2))
    put(tmp_path, "e.jsonl", row())
    log, lines = imported(tmp_path)
    assert log.n_events == 1
    assert lines[0] == (
        "skipped 1 folder that the names of files match: 'd.jsonl'; to read what is in it write "
        "'d.jsonl/*'"
    )
    (tmp_path / "d.jsonl" / "part-0").rename(tmp_path / "d.jsonl" / "part-0.jsonl")
    log, lines = imported(tmp_path, "**/*.jsonl")
    assert log.n_events == 2
    assert not [line for line in lines if "skipped" in line]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for day, time in (("2024-06-01", "2024-06-01"), ("2024-06-02", "soon")):
        (tmp_path / day).mkdir()
        put(tmp_path / day, "events.jsonl", row(time=time))
    dead = refusal(tmp_path, "*/events.jsonl")
    assert dead.startswith("No row of '2024-06-02/events.jsonl' can be used: 1 x time is missing")
    assert "Example (time is missing or can't be read): 2024-06-02/events.jsonl line 1: " in dead
    (tmp_path / "2024-06-02" / "events.jsonl").write_text("[1]")
    assert refusal(tmp_path, "*/events.jsonl").startswith(
        "The file '2024-06-02/events.jsonl' holds one JSON array"
    )
    copy = (tmp_path / "2024-06-01" / "events.jsonl").read_bytes()
    (tmp_path / "2024-06-02" / "events.jsonl").write_bytes(copy)
    assert imported(tmp_path, "*/events.jsonl")[1][0] == (
        "counted once: 1 file with the content of another "
        "('2024-06-02/events.jsonl = 2024-06-01/events.jsonl')"
    )


def test_too_many_bad_rows_are_told_by_file_with_an_example_of_the_commonest_reason(tmp_path):
    # The rarest reason comes first by name and by place.
    put(tmp_path, "a.jsonl", row(user=""), row(time="soon"), row())
    put(tmp_path, "b.jsonl", row(), *[row(time="31/12/2023")] * 3)
    assert refusal(tmp_path).startswith(
        "5 of 7 rows can't be used, more than max_bad_share = 0.01 allows, in 'b.jsonl' (3), "
        "'a.jsonl' (2): 4 x time is missing or can't be read; 1 x no user and no account. "
        "Example (time is missing or can't be read): b.jsonl line 2: "
    )
    assert refusal(tmp_path).endswith(
        "A time is read as 2024-07-15, 2024-07-15 10:00:00, 2024-07-15T10:00:00Z, 20240715, or a "
        "number since 1970 in seconds to nanoseconds."
    )
    formats = ("2024-07-15", "2024-07-15 10:00:00", "2024-07-15T10:00:00Z", "20240715")
    numbers = [1721037600 * 10**power for power in (0, 3, 6, 9)]
    put(tmp_path, "b.jsonl", *[row(time=time) for time in (*formats, *numbers)])
    assert imported(tmp_path, "b.jsonl")[0].n_events == 8


def repeated(folder: Path, n_twice: int, n: int = 200) -> list[str]:
    """The lines of an import of `n` events, `n_twice` of them sent twice."""
    rows = [row(1 + i % 28, user=f"u{i}", page=f"p{i % 3}", id=i) for i in range(n)]
    # Only what is read tells that these differ.
    rows += [row(1, user="x", page=page, id=page) for page in "ab"]
    put(folder, "e.jsonl", *rows, *rows[:n_twice])
    return imported(folder, properties={"page": "category"})[1]


def test_rows_that_were_sent_twice_are_told_where_no_id_tells_them(tmp_path):
    told = (
        "50 of 252 events equal another in all that is read of them, and count again; if rows were "
        "sent twice, name the column of their id (columns.event_id), or leave the repeated rows out"
    )
    assert told in repeated(tmp_path, 50)
    assert not [line for line in repeated(tmp_path, 2) if "equal another" in line]
    repeated(tmp_path, 50)
    with_ids = imported(tmp_path, columns={**COLUMNS, "event_id": "id"})[1]
    assert not [line for line in with_ids if "equal another" in line]


def test_a_log_that_is_reused_after_a_file_went_says_so(tmp_path):
    put(tmp_path, "a.jsonl", row())
    first, _ = imported(tmp_path)
    put(tmp_path, "b.jsonl", row(2))
    imported(tmp_path)
    (tmp_path / "b.jsonl").unlink()
    again, lines = imported(tmp_path)
    assert again.root == first.root
    assert lines == [
        "files since the last import: 0 new, 1 gone: 'b.jsonl'; an earlier one had just these, "
        f"reusing its log {first.root.name}"
    ]
    assert imported(tmp_path)[1] == [f"nothing changed, reusing the log {first.root.name}"]


def test_one_is_singular(tmp_path):
    put(
        tmp_path,
        "e.jsonl",
        *[row(id=i, user=f"u{i}") for i in range(300)],
        row(id=1, user="u1"),
        row(29, id="x", event="far"),
        row(id="y", size="many"),
        "{broken",
    )
    columns = {**COLUMNS, "event_id": "id"}
    _, lines = imported(tmp_path, columns=columns, properties={"size": "number", "kind": "number"})
    assert lines == [
        "read 1 file, 304 rows",
        "quarantined 1 row: 1 not JSON, in 'e.jsonl' (1)",
        "removed 1 duplicate",
        "1 number of events can't be read or is not finite; taken as missing",
        "1 event lies beyond 2024-01-01, the last day with a usual number of them; the data end "
        "there, unless you set data.until",
        "no event has the properties 'size', 'kind'; check their names",
        "kept 302 events of 0 accounts and 301 users in 1 shard to score users",
    ]
