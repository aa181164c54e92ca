"""The benchmark measures what it says, on logs that an import would have given."""

import doctest
import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.catalogue import full
from benchmarks.engines.importing import spec_of
from benchmarks.job import Job
from benchmarks.logs import write_raw, write_world
from benchmarks.measure import ROOT, measure
from benchmarks.scaling import plot_all
from benchmarks.versus import Contest, differing
from benchmarks.worlds import (
    DAYS,
    N_NAMES,
    START_US,
    World,
    as_of_times,
    make_events,
    make_sessions,
)
from features.clock import DAY_US
from features.engine import build_features
from features.events import EventLog
from features.matrix import Snapshots
from pipeline.importer.log import import_log

N_EVENTS = 5_000
EVENTS_PER_SHARD = 2_000
PEERS = ("duckdb_tiles", "numpy_tiles", "pandas")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A small world, as an imported log and as raw files."""
    folder = tmp_path_factory.mktemp("worlds") / "world"
    write_world(folder, World(N_EVENTS, seed=3), EVENTS_PER_SHARD)
    write_raw(folder)
    return folder


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> tuple[dict, str, str]:
    """One run of the whole program: its figures, what it printed, what it wrote as Markdown."""
    folder = tmp_path_factory.mktemp("benchmark")
    written = folder / "figures.json", folder / "tables.md"
    command = [sys.executable, "-m", "benchmarks.features", "--events", "5k", "--repeats", "1"]
    command += ["--peers", ",".join((*PEERS, "polars")), "--no-import", "--data", str(folder)]
    command += ["--json", str(written[0]), "--markdown", str(written[1])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(written[0].read_text()), done.stdout, written[1].read_text()


def job_of(folder: Path, **changes: object) -> Job:
    return replace(Job(str(folder / "log"), as_of_times(), START_US), **changes)


def everyone(log: EventLog) -> Snapshots:
    n, times = len(log.accounts), as_of_times(6)
    entity = np.repeat(np.arange(n), len(times))
    return Snapshots.of("account", entity, np.tile(times, n), log.ids("account"))


@pytest.mark.parametrize("file", ["events.jsonl", "events.parquet"])
def test_a_log_written_directly_is_the_imported_one(world, file, tmp_path):
    direct = EventLog(world / "log")
    imported = import_log(
        spec_of(file), world / "raw", tmp_path, "account", events_per_shard=EVENTS_PER_SHARD
    )
    for name in ("event_names", "properties", "first_at", "data_end", "n_events", "n_shards"):
        assert getattr(direct, name) == getattr(imported, name), name
    assert direct.n_shards == 3
    for shard in range(3):
        ours, theirs = direct.shard(shard), imported.shard(shard)
        assert ours.schema == theirs.schema
        assert ours.to_pandas().equals(theirs.to_pandas())
    for level in ("account", "user"):
        ours, theirs = direct.entities(level), imported.entities(level)
        assert ours.to_pandas().equals(theirs.to_pandas()), level


def test_it_gives_the_features_of_the_imported_one(world, tmp_path):
    store = tmp_path / "store"
    logs = (
        EventLog(world / "log"),
        import_log(spec_of("events.parquet"), world / "raw", store, "account"),
    )
    ours, theirs = (build_features(log, everyone(log), full()) for log in logs)
    assert ours.fingerprint() == theirs.fingerprint()


def test_figures_are_ratios_of_what_was_measured(outcome):
    figures, _, _ = outcome
    floor = figures["floor"]
    assert figures["core_over_floor_cpu"] == figures["core"]["cpu"] / floor["cpu"]
    assert figures["core_over_floor_wall"] == figures["core"]["wall"] / floor["wall"]
    assert figures["full_over_floor_cpu"] == figures["full"]["cpu"] / floor["cpu"]
    assert figures["peak_mb"] == max(figures["core"]["peak_mb"], figures["full"]["peak_mb"])
    assert set(figures["peers"]) == set(PEERS)
    for name, ratio in figures["peers"].items():
        run = figures["peer_runs"][name]
        assert ratio == run["cpu"] / run["core_cpu"]
        assert run["events"] == N_EVENTS


def test_core_and_full_have_the_features_they_are_named_for(outcome):
    figures, _, _ = outcome
    assert (figures["core"]["columns"], figures["full"]["columns"]) == (248, 1066)
    shared = figures["core"]["checks"].items()
    assert shared <= figures["full"]["checks"].items()


def test_every_engine_finds_the_same_sums(outcome):
    figures, _, _ = outcome
    assert figures["disagreements"] == {}
    for name in PEERS:
        checks = figures["peer_runs"][name]["checks"]
        assert checks["any_count_life"] == figures["core"]["checks"]["any_count_life"] > N_EVENTS


def test_a_peer_that_is_not_installed_is_reported_with_the_way_to_install_it(outcome):
    figures, _, text = outcome
    told = figures["peer_runs"]["polars"]["failure"]
    assert told.startswith("not installed; python3.11 -m venv ")
    assert told.endswith("pip install -r benchmarks/peers/requirements-polars.txt")
    assert told in text
    assert (ROOT / "benchmarks/peers/requirements-polars.txt").is_file()


def test_the_written_tables_are_the_printed_ones(outcome):
    _, printed, written = outcome
    assert printed.strip() == written.strip()
    assert [line for line in written.splitlines() if line.startswith("| CORE ")]


def test_naive_sql_finds_the_sums_of_ours_at_two_times(world):
    job = job_of(world, as_ofs=as_of_times(2)).to_text()
    modules = ("engines.ours", "peers.sql_filter", "peers.sql_case")
    runs = [measure([sys.executable, "-m", f"benchmarks.{module}", job]) for module in modules]
    assert [run.failure for run in runs] == ["", "", ""]
    ours, *theirs = (run.told["checks"] for run in runs)
    assert [differing(ours, checks) for checks in theirs] == [[], []]


def test_a_wrong_sum_is_named():
    ours = {"any_count_7d": 1e9, "any_days_since_last": 10.0}
    assert differing(ours, {"any_count_7d": 1e9 + 1}) == ["any_count_7d"]
    assert differing(ours, {"any_days_since_last": 10.0001}) == ["any_days_since_last"]
    assert differing(ours, {"any_days_since_last": 10.0000001}) == []


@pytest.mark.parametrize("n_events", [1_000, 1_003, 20_000])
def test_a_world_has_the_events_it_is_asked_for(n_events):
    world = World(n_events, seed=1)
    sessions = make_sessions(world)
    chunks = list(make_events(world, sessions))
    at = np.concatenate([chunk.at for chunk in chunks])
    assert len(at) == n_events
    assert at.min() >= START_US
    assert at.max() < START_US + DAYS * DAY_US
    for name, size in (("account", sessions.n_accounts), ("user", len(sessions.account_of_user))):
        codes = np.concatenate([getattr(chunk, name) for chunk in chunks])
        np.testing.assert_array_equal(np.unique(codes), np.arange(size))
    event = np.concatenate([chunk.event for chunk in chunks])
    value = np.concatenate([chunk.value for chunk in chunks])
    assert len(np.unique(event)) == N_NAMES
    assert len(np.unique(event[~np.isnan(value)])) == 10
    np.testing.assert_array_equal(
        sessions.account_of_user[np.concatenate([chunk.user for chunk in chunks])],
        np.concatenate([chunk.account for chunk in chunks]),
    )


def test_a_seed_makes_one_world_and_another_seed_another():
    def at(seed: int) -> list[int]:
        world = World(1_000, seed)
        return next(make_events(world, make_sessions(world))).at.tolist()

    assert at(1) == at(1) != at(2)


def test_weekly_times_end_with_the_data():
    times = as_of_times()
    assert len(times) == 26
    assert set(np.diff(times)) == {7 * DAY_US}
    assert times[-1] == START_US + DAYS * DAY_US


def test_memory_and_time_of_a_process_are_its_own():
    """Measured from a small process, as the benchmark does: tests need much memory themselves."""
    script = """
import json, sys
from benchmarks.measure import measure
programs = "print('{}')", "x = bytearray(b'1') * 300_000_000; print('{}')", "sum(range(10**7))"
runs = [measure([sys.executable, "-c", program]) for program in programs]
print(json.dumps([[run.peak_mb, run.cpu, run.wall, run.failure] for run in runs]))
"""
    told = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT)
    (idle_mb, *_), (large_mb, *_), (_, cpu, wall, _) = runs = json.loads(told)
    assert idle_mb < 100
    assert large_mb > 300
    assert 0.1 < cpu < wall + 0.1
    assert {run[-1] for run in runs} == {""}


def test_a_process_that_fails_tells_why():
    run = measure([sys.executable, "-c", "raise SystemExit('no such column')"])
    assert run.failure == "no such column"


def test_a_peer_beyond_its_limit_is_reported_and_not_waited_for(world):
    contest = Contest(
        job=lambda _: job_of(world),
        environments=world,
        pythons={"polars": Path(sys.executable)},
        repeats=1,
        cpu_limit=1,
        core_runs={},
    )
    told = contest.run("duckdb_filter", N_EVENTS)
    assert told["failure"] == "at 5,000 events: not done within 1 CPU seconds"
    assert "cpu" not in told


def test_an_unknown_peer_is_refused_with_the_names_there_are():
    command = [sys.executable, "benchmarks/features.py", "--peers", "panda"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such peer: panda" in done.stderr
    assert "pandas" in done.stderr


def test_plots_of_equal_figures_are_equal_files(tmp_path):
    points = [
        {"label": f"{n} times", "cells": n * 10**6, "cpu": 1.0 + n, "fill_cpu": 0.1 * n, "wall": n}
        for n in (4, 8)
    ]
    curves = {"snapshots": points, "windows": points, "threads": points}
    names = plot_all(curves, tmp_path / "a", "5k")
    plot_all(curves, tmp_path / "b", "5k")
    assert names == ["5k-snapshots.png", "5k-windows.png", "5k-threads.png"]
    for name in names:
        drawn = (tmp_path / "a" / name).read_bytes()
        assert drawn.startswith(b"\x89PNG")
        assert drawn == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("module", ["catalogue", "features", "job", "measure", "report", "worlds"])
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(importlib.import_module(f"benchmarks.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
