"""New files are added to what was imported: the log is that of one import of all, byte for byte."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

START = to_us("2024-01-01")
POSTHOG = {"format": "posthog", "files": ["*.jsonl"]}


def spec_of(**data: object) -> DataSpec:
    given = {
        "sources": [POSTHOG],
        "properties": {"size": "number", "kind": "category"},
        "attributes": {"plan": {"of": "user", "type": "category"}},
        "max_bad_share": 0.5,
        **data,
    }
    return DataSpec.model_validate_json(json.dumps(given))


def imported(
    folder: Path, store: Path | None = None, events_per_shard: int = 25, **data: object
) -> tuple[EventLog, list[str]]:
    lines: list[str] = []
    log = import_log(
        spec_of(**data),
        folder,
        store or folder.parent / "store",
        "account",
        threads=2,
        events_per_shard=events_per_shard,
        report=lines.append,
    )
    return log, lines


def write(folder: Path, name: str, rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(row + "\n" for row in rows))
    return folder / name


def row(event: str, who: str, at: int, **properties: object) -> str:
    time = to_text(START + at * DAY_US)
    return json.dumps(
        {"event": event, "distinct_id": who, "timestamp": time, "properties": properties}
    )


def world(seed: int, n: int = 60) -> list[str]:
    """People, devices, late links and aliases, accounts, attributes, repeated and broken rows."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        person, device = f"user{random.integers(6)}", f"device{random.integers(4)}"
        properties: dict = {"size": str(random.choice(["1", "2.0", "x"])), "kind": f"k{i % 3}"}
        name = str(random.choice(["use", "view", "$identify", "$create_alias", "plan"]))
        if name == "view":
            properties["$device_id"] = person = device
        if name == "$identify":
            properties["$anon_distinct_id"] = device
        if name == "$create_alias":
            properties["alias"] = f"user{random.integers(6)}"
        if random.random() < 0.3:
            properties["$groups"] = {"account": f"org{random.integers(3)}"}
        if name == "plan":
            properties["$set"] = {"plan": str(random.choice(["free", "pro"]))}
        made = json.loads(row(name, person, int(random.integers(40)), **properties))
        # Some rows are sent twice, or say other things under the same id.
        made["uuid"] = str(random.integers(n))
        rows.append(json.dumps(made) if random.random() < 0.97 else "{broken")
    return rows


def bytes_of(log: EventLog) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(log.root.iterdir())}


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)), split=st.data())
def test_files_that_come_one_by_one_give_the_log_of_all_at_once(
    tmp_path_factory, seed, order, split
):
    base = tmp_path_factory.mktemp("files")
    rows = world(seed)
    home = split.draw(st.lists(st.sampled_from(order), min_size=60, max_size=60))
    first = {f"{place}.jsonl" for place in order[:2]}
    for name in order:
        part = [text for text, place in zip(rows, home, strict=True) if place == name]
        # A file may hold nothing of its own.
        write(base / "in", f"{name}.jsonl", [*part, row("use", "user0", 50, file=str(name))])
    later = {path: path.read_bytes() for path in (base / "in").iterdir() if path.name not in first}
    for path in later:
        path.unlink()
    imported(base / "in")
    for name in order[2:]:
        path = base / "in" / f"{name}.jsonl"
        path.write_bytes(later[path])
        log, lines = imported(base / "in")
    assert lines[0] == "files: 1 new, 3 read before, 0 gone"
    whole, _ = imported(base / "in", base / "other")
    assert bytes_of(log) == bytes_of(whole)


def test_a_late_link_and_a_late_event_go_where_they_belong(tmp_path):
    folder = tmp_path / "in"
    write(folder, "1.jsonl", [row("view", "anon", 5, **{"$device_id": "anon"}), row("use", "z", 6)])
    before, _ = imported(folder)
    late = row("$identify", "ann", 7, **{"$anon_distinct_id": "anon"})
    write(folder, "2.jsonl", [late, row("use", "ann", 1)])
    log, _ = imported(folder)
    users = log.ids("user")
    found = [
        (log.event_names[e["event"]].name, users[e["user"]], to_text(e["at"]))
        for shard in range(log.n_shards)
        for e in log.shard(shard).to_pylist()
    ]
    assert (before.n_events, log.n_events) == (1, 4)
    assert sorted(found) == [
        ("$identify", "ann", "2024-01-08"),
        ("use", "ann", "2024-01-02"),
        ("use", "z", "2024-01-07"),
        ("view", "ann", "2024-01-08"),
    ]


def test_a_file_that_was_imported_is_not_read_again(tmp_path):
    folder = tmp_path / "in"
    write(folder, "1.jsonl", [row("use", "ann", 1)])
    imported(folder)
    write(folder, "2.jsonl", [row("use", "bob", 2)])
    log, lines = imported(folder)
    assert log.ids("user").tolist() == ["ann", "bob"]
    assert any("1 new" in line for line in lines), lines


def test_a_change_behind_the_same_size_and_time_is_noticed(tmp_path):
    """As a copy that keeps the time leaves it."""
    folder = tmp_path / "in"
    old = write(folder, "1.jsonl", [row("use", "ann", 1)])
    imported(folder)
    state = old.stat()
    old.write_bytes(old.read_bytes().replace(b"ann", b"eve"))
    os.utime(old, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert imported(folder)[0].ids("user").tolist() == ["eve"]


def test_the_name_place_and_time_of_a_file_do_not_matter(tmp_path):
    folder = tmp_path / "in"
    old = write(folder, "1.jsonl", [row("use", "ann", 1)])
    log, _ = imported(folder)
    reused = [f"nothing changed, reusing the log {log.root.name}"]
    os.utime(old, ns=(0, 10**18))
    assert imported(folder)[1] == reused
    old.rename(folder / "renamed.jsonl")
    folder.rename(tmp_path / "moved")
    assert imported(tmp_path / "moved")[1] == reused


def test_a_copy_of_a_file_counts_once_and_is_told(tmp_path):
    folder = tmp_path / "in"
    old = write(folder, "1.jsonl", [row("use", "ann", 1)])
    imported(folder)
    shutil.copy(old, folder / "2.jsonl")
    log, lines = imported(folder)
    assert log.n_events == 1
    assert lines[0] == ("counted once: 1 file with the content of another ('2.jsonl = 1.jsonl')")


def test_a_changed_file_gives_its_new_rows_and_not_its_old(tmp_path):
    folder = tmp_path / "in"
    write(folder, "1.jsonl", [row("use", "ann", 1)])
    write(folder, "2.jsonl", [row("use", "bob", 2)])
    imported(folder)
    write(folder, "1.jsonl", [row("use", "cid", 1), row("use", "dan", 1)])
    log, lines = imported(folder)
    assert lines[0] == "files: 1 new, 1 read before, 1 gone: '1.jsonl (changed)'"
    assert log.ids("user").tolist() == ["bob", "cid", "dan"]
    (folder / "2.jsonl").unlink()
    log, lines = imported(folder)
    assert lines[0] == "files: 0 new, 1 read before, 1 gone: '2.jsonl'"
    assert log.ids("user").tolist() == ["cid", "dan"]


def test_settings_that_staging_does_not_heed_reuse_what_was_read(tmp_path):
    folder = tmp_path / "in"
    write(folder, "1.jsonl", [row("use", "ann", 1, size=1), row("view", "bob", 9)])
    imported(folder)
    reused = "files: 0 new, 1 read before, 0 gone"
    for data in (
        {"until": "2024-01-05"},
        {"drop_events": ["view"]},
        {"exclude": {"users": ["bob"]}},
        {"properties": {"size": "category", "kind": "category"}},
    ):
        log, lines = imported(folder, **data)
        assert lines[0] == reused
        assert log.n_events == (2 if "properties" in data else 1)
    assert imported(folder, properties={"other": "number"})[1][0].startswith("read 1 file")


def test_parts_live_as_long_as_a_log_that_was_made_of_them(tmp_path):
    folder, parts = tmp_path / "in", tmp_path / "store" / "parts"
    write(folder, "1.jsonl", [row("use", "ann", 1)])
    first, _ = imported(folder)
    (kept,) = first.manifest["parts"]
    write(folder, "1.jsonl", [row("use", "bob", 1)])
    second, _ = imported(folder)
    assert sorted(one.name for one in parts.iterdir() if one.is_dir()) == sorted(
        [kept, *second.manifest["parts"]]
    )
    shutil.rmtree(first.root)
    write(folder, "2.jsonl", [row("use", "cid", 1)])
    third, _ = imported(folder)
    assert kept not in [one.name for one in parts.iterdir()]
    assert set(second.manifest["parts"]) < set(third.manifest["parts"])


@pytest.mark.parametrize("staged", [0, 2])
def test_a_killed_import_leaves_whole_parts_that_the_next_one_uses(tmp_path, staged):
    folder, store = tmp_path / "in", tmp_path / "store"
    for number in range(4):
        write(
            folder, f"{number}.jsonl", [row("use", f"u{number}.{i}", i % 40) for i in range(4000)]
        )
    program = textwrap.dedent(f"""
        from pathlib import Path
        from pipeline.importer.log import import_log
        from pipeline.sources.spec import DataSpec
        spec = DataSpec.model_validate_json({spec_of().model_dump_json()!r})
        import_log(spec, Path({str(folder)!r}), Path({str(store)!r}), "account", threads=1,
                   events_per_shard=9000)
    """)
    child = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = len(list(store.glob("parts/*/part.json")))
        begun = list(store.glob(".*.tmp/parts/*/rows.parquet"))
        if done > staged or (done == staged and begun):
            break
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    whole = len(list(store.glob("parts/*/part.json")))
    assert whole >= staged
    log, lines = imported(folder, store, 9000)
    if whole:
        assert lines[0] == f"files: {4 - whole} new, {whole} read before, 0 gone"
    assert {one.name for one in store.iterdir()} == {log.root.name, "parts"}
    assert bytes_of(log) == bytes_of(imported(folder, tmp_path / "other", 9000)[0])


def test_a_file_that_changes_while_it_is_imported_is_refused_and_kept_under_no_name(tmp_path):
    """The report's first line comes after the contents are taken and before files are read."""
    folder = tmp_path / "in"
    file = write(folder, "1.jsonl", [row("use", "ann", 1)])
    shutil.copy(file, folder / "copy.jsonl")
    whole = file.read_text()

    def write_on(_: str) -> None:
        for name in ("1.jsonl", "copy.jsonl"):
            (folder / name).write_text(whole + row("use", "eve", 2) + "\n")

    store = tmp_path / "store"
    with pytest.raises(EventLogError, match="changed while it was read"):
        import_log(spec_of(), folder, store, "account", report=write_on)
    for name in ("1.jsonl", "copy.jsonl"):
        (folder / name).write_text(whole)
    assert imported(folder, store)[0].ids("user").tolist() == ["ann"]
