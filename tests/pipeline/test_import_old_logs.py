"""Each import of new files writes a whole log; those that nobody uses any more go."""

import json
import os
import shutil
from pathlib import Path

from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

SOURCE = {
    "format": "generic",
    "files": ["*.jsonl"],
    "columns": {"event": "event", "user": "user", "time": "time"},
}


def imported(folder: Path) -> tuple[EventLog, list[str]]:
    spec = DataSpec.model_validate_json(json.dumps({"sources": [SOURCE]}))
    lines: list[str] = []
    log = import_log(spec, folder, folder / "store", "user", threads=1, report=lines.append)
    return log, lines


def put(folder: Path, name: str, day: int) -> None:
    row = {"event": "use", "user": "ann", "time": f"2024-01-{day:02d}"}
    (folder / name).write_text(json.dumps(row) + "\n")


def aged(log: EventLog, days: float) -> None:
    """Make a log look as if it had been used last so many days ago."""
    state = log.root.stat()
    os.utime(log.root, (state.st_atime, state.st_mtime - days * 86_400))


def grown(folder: Path, n: int) -> tuple[EventLog, list[str]]:
    """The log after one more file."""
    put(folder, f"{n}.jsonl", n)
    return imported(folder)


def test_logs_not_used_for_a_week_go_with_their_parts_when_a_new_one_is_written(tmp_path):
    logs = []
    for n in range(1, 5):
        put(tmp_path, "0.jsonl", n)  # a file that changes: each log has a part of its own
        logs.append(imported(tmp_path)[0])
    parts = tmp_path / "store" / "parts"
    for log, days in zip(logs, (30, 8, 6, 9), strict=True):
        aged(log, days)
    log, lines = grown(tmp_path, 9)
    assert "removed 3 logs not used for a week" in lines
    left = {one.parent for one in (tmp_path / "store").glob("*/log.json")}
    assert left == {logs[2].root, log.root}
    assert {one.name for one in parts.iterdir() if one.is_dir()} == {
        *logs[2].manifest["parts"],
        *log.manifest["parts"],
    }
    assert not list((tmp_path / "store").glob(".*.tmp"))


def test_the_newest_two_logs_stay_however_old_they_are(tmp_path):
    logs = [grown(tmp_path, n)[0] for n in (1, 2)]
    for log, days in zip(logs, (20, 30), strict=True):
        aged(log, days)
    log, lines = grown(tmp_path, 3)
    assert "removed 1 log not used for a week" in lines
    left = {one.parent for one in (tmp_path / "store").glob("*/log.json")}
    assert left == {logs[0].root, log.root}


def test_a_log_that_is_reused_counts_as_used(tmp_path):
    logs = [grown(tmp_path, n)[0] for n in (1, 2, 3)]
    for log in logs:
        aged(log, 30)
    shutil.move(tmp_path / "3.jsonl", tmp_path / "3.later")
    assert imported(tmp_path)[0].root == logs[1].root
    shutil.move(tmp_path / "3.later", tmp_path / "3.jsonl")
    assert imported(tmp_path)[0].root == logs[2].root
    log, lines = grown(tmp_path, 4)
    left = {one.parent for one in (tmp_path / "store").glob("*/log.json")}
    assert left == {logs[1].root, logs[2].root, log.root}
    assert "removed 1 log not used for a week" in lines


def test_a_folder_that_is_no_log_of_the_store_is_left_alone(tmp_path):
    first, _ = grown(tmp_path, 1)
    mine = tmp_path / "store" / "my copy"
    shutil.copytree(first.root, mine)
    os.utime(mine, (0, 0))
    for n in (2, 3):
        grown(tmp_path, n)
    assert (mine / "log.json").is_file()
