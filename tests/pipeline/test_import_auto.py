"""`properties: auto`: what is taken from the data, what is left out and why, always the same."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

COLUMNS = {"event": "event", "user": "user", "time": "time"}


def imported(
    folder: Path, source: dict | None = None, threads: int = 1, **data: object
) -> tuple[EventLog, list[str]]:
    lines: list[str] = []
    given = {
        "sources": [{"format": "generic", "files": ["e*"], "columns": COLUMNS, **(source or {})}],
        "properties": "auto",
        **data,
    }
    spec = DataSpec.model_validate_json(json.dumps(given))
    log = import_log(
        spec, folder, folder.parent / "store", "user", threads=threads, report=lines.append
    )
    return log, lines


def write(folder: Path, name: str, rows: list[dict]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def event(i: int, **properties: object) -> dict:
    return {"event": "e", "user": f"u{i % 7}", "time": f"2024-01-{1 + i % 28:02d}", **properties}


def taken(log: EventLog) -> list[tuple[str, str, int]]:
    return [(one.name, one.type, one.n_events) for one in log.properties]


def test_types_and_reasons_follow_the_values(tmp_path):
    rows = [
        event(
            i,
            amount=i / 2,
            flag=i % 2,
            plan="free" if i % 3 else "pro",
            mostly="x" if i == 1 else i,
            mixed="x" if i < 10 else i % 9,
            same=5,
            session=f"s-{i}",
            order_id=i,
            opened=f"2024-05-01T10:00:{i % 60:02d}Z",
            inner={"a": i},
            empty="",
        )
        for i in range(200)
    ]
    write(tmp_path / "in", "e.jsonl", rows)
    log, lines = imported(tmp_path / "in", max_categories=50)
    assert taken(log) == [
        ("amount", "number", 200),
        ("flag", "category", 200),
        ("mixed", "category", 200),
        ("mostly", "number", 199),
        ("plan", "category", 200),
    ]
    assert lines[1].startswith("took 5 properties from the data: amount (number, on 100% of events")
    for why in (
        "same (constant",
        "session (over 50 values",
        "order_id (id or free text",
        "opened (a time",
        "inner (objects or lists",
    ):
        assert why in lines[2]


def test_the_best_covered_are_taken_and_ties_go_by_name(tmp_path):
    rows = [event(i, b=i % 3, a=i % 3, **({"rare": i % 3} if i % 2 else {})) for i in range(40)]
    write(tmp_path / "in", "e.jsonl", rows)
    assert taken(imported(tmp_path / "in", max_properties=1)[0]) == [("a", "number", 40)]
    log, lines = imported(tmp_path / "in", max_properties=2)
    assert [name for name, _, _ in taken(log)] == ["a", "b"]
    assert "rare (less covered than those taken, on 50% of events)" in "\n".join(lines)


def test_keys_of_posthog_properties_are_found_without_the_internal_ones(tmp_path):
    rows = [
        {
            "event": "e",
            "distinct_id": f"u{i % 5}",
            "timestamp": f"2024-01-{1 + i % 28:02d}",
            "uuid": str(i),
            "properties": {"plan": f"p{i % 3}", "$lib": f"l{i % 3}", "$os": f"o{i % 3}", "Plan": i},
        }
        for i in range(60)
    ]
    rows.append({**rows[0], "properties": json.dumps({"text": 1})})
    rows += [{**rows[i], "uuid": f"t{i}", "properties": json.dumps({"text": i})} for i in range(9)]
    write(tmp_path / "in", "e.jsonl", rows)
    source = {"format": "posthog", "files": ["e*"]}
    given = {"sources": [source], "properties": "auto"}
    spec = DataSpec.model_validate_json(json.dumps(given))
    log = import_log(spec, tmp_path / "in", tmp_path / "store", "user")
    assert taken(log) == [
        ("$os", "category", 60),
        ("Plan", "number", 60),
        ("plan", "category", 60),
        ("text", "number", 9),
    ]


def test_declared_by_hand_they_give_the_same_events(tmp_path):
    rows = [event(i, v=i * 0.5, c=f"c{i % 4}") for i in range(30)]
    write(tmp_path / "in", "e.jsonl", rows)
    log, _ = imported(tmp_path / "in")
    by_hand, _ = imported(tmp_path / "in", properties={name: kind for name, kind, _ in taken(log)})
    assert by_hand.fingerprint == log.fingerprint


def world(seed: int) -> list[dict]:
    """Rows with a few common keys and hundreds of rare ones, some rows sent twice."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(400):
        rare = {f"k{random.integers(260)}": int(random.integers(9)) for _ in range(3)}
        rows.append(event(i, size=i % 5, word=f"w{random.integers(4)}", id=f"x{i}", **rare))
    return rows + rows[:50]


def test_split_order_threads_and_format_change_nothing(tmp_path):
    rows = world(3)
    source = {"columns": {**COLUMNS, "event_id": "id"}}
    write(tmp_path / "one", "e.jsonl", rows)
    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    for number in range(3):
        write(tmp_path / "three", f"e{number}.jsonl", shuffled[number::3])
    (tmp_path / "table").mkdir()
    pd.DataFrame(rows).astype("Int64", errors="ignore").to_parquet(tmp_path / "table" / "e.parquet")
    logs = [
        imported(tmp_path / name, source, threads, max_properties=30)[0]
        for name, threads in (("one", 1), ("three", 2), ("table", 2))
    ]
    counts = pd.DataFrame(rows).drop_duplicates("id").notna().sum()
    best = sorted(
        (name for name in counts.index if name not in ("id", *COLUMNS.values())),
        key=lambda name: (-counts[name], name),
    )
    worth = [name for name, _, n in taken(logs[0])]
    assert [(name, counts[name]) for name in worth] == [(name, n) for name, _, n in taken(logs[0])]
    assert worth == [name for name in best if name in worth]
    assert len(worth) == 30
    assert worth[:2] == ["size", "word"]
    assert len({log.fingerprint for log in logs}) == 1


def test_what_is_left_out_of_the_log_does_not_count(tmp_path):
    rows = [event(i, early=i % 4) if i < 20 else event(i % 5 + 20, late=i % 4) for i in range(60)]
    write(tmp_path / "in", "e.jsonl", rows)
    log, _ = imported(tmp_path / "in", until="2024-01-21")
    assert taken(log) == [("early", "number", 20)]
