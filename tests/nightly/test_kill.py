"""kill -9 at any moment leaves the former tables whole, and the next run finishes."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import ledger
from pipeline.predict import predict
from pipeline.run_lock import run_lock
from pipeline.settings import Run
from tests.conftest import silent

AS_OF = "2024-06-17"
ROOT = Path(__file__).resolve().parents[2]


def command(run: Run) -> subprocess.Popen:
    words = ["predict", "--settings", str(run.path), "--as-of", AS_OF, "--json"]
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "pipeline", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def tables(run: Run) -> dict[str, list]:
    """Every finished file of scores and ledger, read whole; when they were scored is left out."""
    found = {}
    for path in sorted(run.store.rglob("*")):
        name = path.relative_to(run.store).as_posix()
        if not name.startswith(("scores/", "ledger/")) or path.name.startswith("."):
            continue
        if path.is_file():
            frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
            drop = [c for c in ("scored_at", "month") if c in frame]
            found[name] = frame.drop(columns=drop).astype(str).to_numpy().tolist()
    return found


def leftovers(run: Run) -> list[str]:
    folders = [run.store / "scores", *(run.store / "ledger").rglob("month=*")]
    return [path.name for folder in folders for path in folder.glob(".*")]


@pytest.fixture
def night(shop, sibling):
    """Scores of a date, then events that come late and change them."""
    run = sibling(shop)
    predict(run, silent, as_of=AS_OF, model="champion", now=None)
    before = tables(run)
    events = pd.read_csv(run.base / "events.csv")
    late = events[events["event"] == "opened"].drop_duplicates("user", keep="last")
    late = late.assign(event="exported")
    pd.concat([events, late]).to_csv(run.base / "events.csv", index=False)
    former = run.base / "former"
    for name in ("scores", "ledger"):
        shutil.copytree(run.store / name, former / name)
    predict(run, silent, as_of=AS_OF, model="champion", now=None)
    after = tables(run)
    assert set(before) < set(after)
    assert all(after[name] != before[name] for name in before if name.startswith("scores/"))
    return run, former, before, after


def killed(run: Run, share: float, duration: float, *, while_scoring: bool) -> bool:
    """Start a run and kill it; whether it was still alive.

    Half of the moments lie anywhere in a run, most of which is Python's imports; the other half
    from the first word on the scoring.
    """
    process = command(run)
    if while_scoring:
        for line in process.stderr:
            if line.startswith("Scoring"):
                break
        duration *= 0.3
    time.sleep(share * duration)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def check(night, points: int) -> None:
    run, former, before, after = night
    rng = np.random.default_rng(11)
    started = time.monotonic()
    whole = command(run)
    whole.communicate()
    assert whole.returncode == 0
    duration = time.monotonic() - started
    alive = 0
    for point in range(points):
        for name in ("scores", "ledger"):
            shutil.rmtree(run.store / name)
            shutil.copytree(former / name, run.store / name)
        alive += killed(run, rng.random(), duration, while_scoring=point % 2 == 0)
        found = tables(run)
        assert set(before) <= set(found) <= set(after)
        for name, rows in found.items():
            assert rows in (before.get(name), after[name]), (point, name)
        if (
            found["scores/pql-shop-v1-2024-06-17.parquet"]
            != before["scores/pql-shop-v1-2024-06-17.parquet"]
        ):
            assert found == after, "the Parquet of the scores comes last"
        assert [e.sequence for e in ledger.entries(run.store, run.model_name)] in ([1], [1, 2])
        predict(run, silent, as_of=AS_OF, model="champion", now=None)
        assert tables(run) == after, point
        assert leftovers(run) == [], point
        with run_lock(run.store, run.model_name, now=None):
            pass
    assert alive > points / 2, "most of the moments must lie inside a run"


def test_a_killed_run_leaves_whole_tables_and_the_next_one_finishes(night):
    check(night, points=3)


@pytest.mark.slow
def test_a_run_killed_at_fifty_moments_leaves_whole_tables_each_time(night):
    check(night, points=50)
