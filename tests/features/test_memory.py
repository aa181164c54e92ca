"""A memory limit changes where a matrix lies, never what is in it; a full disk leaves nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from features.budget import within
from features.engine import build_features
from features.errors import EventLogError
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec
from tests.features.worlds import SPEC, adversarial_events, grid

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory, level):
    """The adversarial log in many small shards."""
    folder = tmp_path_factory.mktemp("sharded")
    adversarial_events(7, 4000).to_parquet(folder / "events.parquet", index=False)
    columns = {"event": "event", "time": "time", "user": "user_id", "account": "account_id"}
    spec = DataSpec.model_validate(
        {
            "sources": (
                {
                    "format": "generic",
                    "files": ("events.parquet",),
                    "columns": columns | {"known_at": "known_at"},
                },
            ),
            "properties": {"rows": "number", "quota": "number", "plan": "category"},
        }
    )
    return import_log(spec, folder, folder / "logs", level, events_per_shard=500)


def test_a_matrix_on_disk_is_byte_equal_and_its_folder_is_gone(sharded, level, tmp_path):
    from features.catalogue import build_catalogue

    assert sharded.n_shards > 3 or level == "user"
    features = build_catalogue(SPEC, sharded, level)
    rows = grid(sharded, level)
    in_memory = build_features(sharded, rows, features)
    steps: list[tuple[int, int]] = []
    on_disk = build_features(
        sharded,
        rows,
        features,
        threads=2,
        memory_mb=1,
        spill=tmp_path / "spill",
        progress=lambda done, total: steps.append((done, total)),
    )
    assert on_disk.fingerprint() == in_memory.fingerprint()
    assert on_disk.table.equals(in_memory.table) or on_disk.frame().equals(in_memory.frame())
    assert list((tmp_path / "spill").iterdir()) == []
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))


@pytest.mark.parametrize(
    ("memory_mb", "threads", "spill"), [(None, 4, False), (100_000, 4, False), (1, 1, True)]
)
def test_the_budget_gives_up_threads_then_memory(sharded, memory_mb, threads, spill):
    sizes = dict.fromkeys(range(sharded.n_shards), 1000)
    budget = within(sharded, sizes, 500, 4, memory_mb)
    assert (budget.threads, budget.spill) == (threads, spill)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(sharded, level, tmp_path):
    """The limit on the size of a file stands in for the end of the disk."""
    spill = tmp_path / "spill"
    program = f"""
import resource, signal, sys
import numpy as np
from features.catalogue import build_catalogue
from features.engine import build_features
from features.errors import EventLogError
from features.events import EventLog
from tests.features.worlds import SPEC, grid
from pathlib import Path
log = EventLog({str(sharded.root)!r})
features = build_catalogue(SPEC, log, {level!r})
rows = grid(log, {level!r})
build_features(log, rows.take(np.arange(2)), features)  # compiles, and may write its cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    build_features(log, rows, features, memory_mb=1, spill=Path({str(spill)!r}))
except EventLogError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "can't be written" in done.stdout, done.stderr
    assert "nothing was left behind" in done.stdout
    assert list(spill.iterdir()) == []


def test_a_spill_folder_that_can_not_be_made_is_one_sentence(sharded, level, tmp_path):
    from features.catalogue import build_catalogue

    (tmp_path / "file").write_text("")
    features = build_catalogue(SPEC, sharded, level)
    with pytest.raises(EventLogError, match="can't be written into"):
        build_features(
            sharded, grid(sharded, level), features, memory_mb=1, spill=tmp_path / "file" / "x"
        )
