"""A memory limit changes where a matrix lies, never what is in it; a full disk leaves nothing."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from features.budget import within
from features.catalogue import build_catalogue
from features.engine import build_features
from features.errors import EventLogError
from features.selection import Selection
from features.view import View
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


@pytest.mark.parametrize("threads", [2, 4, 16])
def test_any_thread_count_gives_the_same_bytes(sharded, level, threads):
    """Several shards are written into one matrix at the same time."""
    assert len(sharded.manifest["shards"]) >= (8 if level == "account" else 2)
    features = build_catalogue(SPEC, sharded, level)
    rows = grid(sharded, level)
    one = build_features(sharded, rows, features).fingerprint()
    for _ in range(3):
        assert build_features(sharded, rows, features, threads=threads).fingerprint() == one


def test_a_matrix_larger_than_the_limit_is_not_held_in_memory(tmp_path):
    """160 MB of features; what a process holds at most, as the system counts it."""
    program = f"""
import sys
from pathlib import Path
import numpy as np
from features.engine import build_features
from features.matrix import Snapshots
from features.naming import define
from pipeline.importer.frame import import_frame
from tests.features.worlds import START, adversarial_events

def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000

log = import_frame(adversarial_events(1), Path({str(tmp_path)!r}), "account")
n, times = len(log.accounts), START + np.arange(400_000 // len(log.accounts)) * 7_000_000
rows = Snapshots.of(
    "account", np.repeat(np.arange(n), len(times)), np.tile(times, n), log.ids("account")
)
features = [define("count", "value", "entity", "any_event", (), 1 + i) for i in range(100)]
build_features(log, rows.take(np.arange(9)), features)
before = held()
build_features(
    log, rows, features, memory_mb=int(sys.argv[1]) or None, spill=Path({str(tmp_path)!r})
)
print(held() - before)
"""

    def grown(memory_mb: int) -> float:
        done = subprocess.run(
            [sys.executable, "-c", program, str(memory_mb)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    assert grown(0) > 200
    assert grown(400) < 100


def test_a_matrix_on_disk_is_byte_equal_and_its_folder_is_gone(sharded, level, tmp_path):
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
from features.selection import Selection
from features.view import View
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
    (tmp_path / "file").write_text("")
    features = build_catalogue(SPEC, sharded, level)
    with pytest.raises(EventLogError, match="can't be written into"):
        build_features(
            sharded, grid(sharded, level), features, memory_mb=1, spill=tmp_path / "file" / "x"
        )


def test_what_a_shard_needed_is_free_before_the_next(sharded, level):
    """Not when Python happens to look for circles: a hundred shards would lie there till then."""
    features = build_catalogue(SPEC, sharded, level)
    rows = grid(sharded, level)
    build_features(sharded, rows, features)
    gc.collect()
    gc.disable()
    try:
        build_features(sharded, rows, features)
        held = [one for one in gc.get_objects() if isinstance(one, Selection | View)]
    finally:
        gc.enable()
    assert held == []
