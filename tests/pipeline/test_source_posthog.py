"""PostHog exports as Parquet: the same log as from JSON lines."""

import json
from pathlib import Path

import pandas as pd

from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

ROWS = [
    ("$pageview", "d1", "2024-01-01T10:00:00.000001", {"$device_id": "d1", "$pathname": "/"}),
    ("$identify", "ann", "2024-01-02T00:00:00", {"$anon_distinct_id": "d1"}),
    (
        "$groupidentify",
        "ann",
        "2024-01-02T00:00:01",
        {"$group_type": "account", "$group_key": "acme", "$group_set": {"plan": "free"}},
    ),
    ("used", "ann", "2024-01-03T00:00:00", {"$groups": {"account": "acme"}, "rows": 7}),
]


def imported(folder: Path, name: str) -> EventLog:
    settings = {
        "sources": [{"format": "posthog", "files": [name]}],
        "properties": {"rows": "number", "$pathname": "category"},
        "attributes": {"plan": {"of": "account", "type": "category"}},
    }
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, folder, folder / "store", "account", threads=1)


def test_json_lines_and_parquet_with_text_or_struct_properties_give_equal_logs(tmp_path):
    frame = pd.DataFrame(ROWS, columns=["event", "distinct_id", "timestamp", "properties"])
    frame["uuid"] = [str(i) for i in range(len(frame))]
    frame.to_json(tmp_path / "e.jsonl", orient="records", lines=True)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], format="ISO8601", utc=True)
    frame.to_parquet(tmp_path / "struct.parquet")
    frame["properties"] = frame["properties"].map(json.dumps)
    frame.to_parquet(tmp_path / "text.parquet")
    logs = [imported(tmp_path, name) for name in ("e.jsonl", "struct.parquet", "text.parquet")]
    assert len({log.fingerprint for log in logs}) == 1
    assert logs[0].categories == {"$pathname": ["/"]}
    assert logs[0].attribute_values["text"].to_pylist() == ["free"]
    assert logs[0].shard(0)["account"].to_pylist() == [0, 0, 0, 0]


def test_properties_that_are_no_json_are_quarantined(tmp_path):
    rows = [
        {"event": "e", "distinct_id": "a", "timestamp": "2024-01-01", "properties": text}
        for text in (["{}"] * 199 + ["{broken"])
    ]
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    counts = imported(tmp_path, "e.jsonl").manifest["counts"]
    assert counts["quarantined"] == {"properties are not JSON": 1}
    assert counts["empty_properties"] == ["rows", "$pathname"]
