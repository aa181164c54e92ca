"""A disk that is full: one sentence, and nothing half-written."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

SETTINGS = json.dumps(
    {
        "sources": [
            {
                "format": "generic",
                "files": ["e.jsonl"],
                "columns": {"event": "event", "user": "user", "time": "time", "event_id": "id"},
            }
        ]
    }
)


@pytest.mark.parametrize("most_bytes", [0, 60_000, 200_000])
def test_no_room_is_one_sentence_and_leaves_nothing_half_written(tmp_path, most_bytes):
    rows = [
        json.dumps({"event": "e", "user": f"user {i * 7919}", "time": 1_700_000_000 + i, "id": i})
        for i in range(60_000)
    ]
    (tmp_path / "e.jsonl").write_text("\n".join(rows))
    program = textwrap.dedent(f"""
        import resource, signal
        from pathlib import Path
        from features.errors import EventLogError
        from pipeline.importer.log import import_log
        from pipeline.sources.spec import DataSpec
        # A file that grows beyond the limit fails to be written, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes}, {most_bytes}))
        spec = DataSpec.model_validate_json({SETTINGS!r})
        try:
            import_log(spec, Path({str(tmp_path)!r}), Path({str(tmp_path / "store")!r}), "user")
        except EventLogError as error:
            print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    (sentence,) = done.stdout.splitlines()
    assert "full" in sentence or "File too large" in sentence
    store = tmp_path / "store"
    assert [one.name for one in store.iterdir()] == ["parts"]
    assert all((one / "part.json").is_file() for one in store.glob("parts/*/"))
    spec = DataSpec.model_validate_json(SETTINGS)
    assert import_log(spec, tmp_path, store, "user").n_events == 60_000
