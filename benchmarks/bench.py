"""The runs: worlds made once, engines interleaved, figures as ratios to the floor."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.job import Job
from benchmarks.measure import Run, interleave, machine, measure, median, touch_memory
from benchmarks.versus import AGAIN, Contest, differing, starts_count
from benchmarks.worlds import START_US, as_of_times, world_folder

_WARM_EVENTS = 20_000


@dataclass(frozen=True)
class Bench:
    """One benchmark of one size; the worlds it needs are made when they are missing."""

    data: Path
    n_events: int
    seed: int
    threads: int
    repeats: int
    pythons: dict[str, Path]
    peer_limit: int
    memory_mb: int | None = None

    def folder(self, n_events: int, raw: bool = False) -> Path:
        """The world of a size, made if it is not there yet."""
        folder = world_folder(self.data, n_events, self.seed)
        if not folder.exists() or (raw and not (folder / "raw").exists()):
            _say(f"writing {'raw files' if raw else 'a log'} of {n_events:,} events in {folder}")
            arguments = [str(folder), str(n_events), "--seed", str(self.seed)]
            self.start("logs", *arguments, *(["--raw"] if raw else []))
        return folder

    def job(self, kind: str = "core", *, n_events: int | None = None, **more: Any) -> Job:
        """A job on the log of a world: all accounts at 26 weekly as_of times unless told."""
        log = self.folder(n_events or self.n_events) / "log"
        job = Job(str(log), as_of_times(), START_US, self.threads, kind)
        return replace(job, memory_mb=self.memory_mb, **more)

    def try_start(self, module: str, *arguments: str) -> Run:
        """Run a module of this package in a process of its own, whatever becomes of it."""
        return measure([sys.executable, "-m", f"benchmarks.{module}", *arguments])

    def start(self, module: str, *arguments: str) -> Run:
        """Run a module of this package in a process of its own.

        Raises
        ------
        RuntimeError
            When it fails, with its last words.
        """
        run = self.try_start(module, *arguments)
        if run.failure:
            raise RuntimeError(f"benchmarks.{module} failed: {run.failure}")
        return run

    def runner(self, engine: str, job: Job, may_fail: bool = False) -> Callable[[], Run]:
        """A measured engine, to be run any number of times, each on memory just touched."""
        start = self.try_start if may_fail else self.start

        def run() -> Run:
            touch_memory(job.to_text())
            return start(f"engines.{engine}", job.to_text())

        return run

    def engines(self, with_full: bool = True) -> dict[str, Any]:
        """CORE, FULL and the floor, interleaved; CORE's sums held against an independent count."""
        told = machine()
        for kind in ("core", "full"):
            # Compiles what is not in numba's cache yet; a user pays that once, not per run.
            self.start("engines.ours", self.job(kind, n_events=_WARM_EVENTS).to_text())
        judge = self.start("peers.numpy_tiles", self.job().to_text())
        _say(f"CORE, FULL and floor, {self.repeats} times")
        jobs = {
            "core": self.runner("ours", self.job("core")),
            # At a hundred million events its output alone may be more than the machine has.
            "full": self.runner("ours", self.job("full"), may_fail=True),
            "floor": self.runner("floor", self.job()),
        }
        if not with_full:
            jobs["full"] = lambda: Run(0, 0, 0, {}, "not asked for")
        runs = interleave(jobs, self.repeats)
        core, full, floor = (median(runs[name]) for name in ("core", "full", "floor"))
        if starts_count(self.n_events):
            for one, engine, kind in (
                (core, "ours", "core"),
                (full, "ours", "full"),
                (floor, "floor", "core"),
            ):
                again = self.start(f"engines.{engine}", self.job(kind, again=AGAIN).to_text())
                one["again_cpu"] = again.told["again_cpu"]
        wrong = differing(core["checks"], judge.told["checks"])
        return {
            "events": self.n_events,
            "date": date.today().isoformat(),
            "machine": told,
            "threads": self.threads,
            "memory_mb": self.memory_mb,
            "core_over_floor_cpu": core["cpu"] / floor["cpu"],
            "core_over_floor_wall": core["wall"] / floor["wall"],
            "full_over_floor_cpu": None if full["failure"] else full["cpu"] / floor["cpu"],
            "full_over_floor_wall": None if full["failure"] else full["wall"] / floor["wall"],
            "peak_mb": max(core["peak_mb"], full["peak_mb"]),
            "core": core,
            "full": full,
            "floor": floor,
            "disagreements": {"an independent count": wrong} if wrong else {},
        }

    def imports(self) -> list[dict[str, Any]]:
        """Import of the raw files against DuckDB's own reading of the same."""
        raw = self.folder(self.n_events, raw=True) / "raw"
        rows = []
        for path in (raw / "events.jsonl", raw / "events.parquet"):
            _say(f"import of {path.name}")
            plain = Job(str(path), [], START_US, self.threads, "plain", memory_mb=self.memory_mb)
            extract = replace(plain, kind="extract")
            jobs = {
                "import": partial(self.start, "engines.importing", plain.to_text()),
                "read": partial(self.start, "engines.reading", plain.to_text()),
                "extract": partial(self.start, "engines.reading", extract.to_text()),
            }
            runs = interleave(jobs, self.repeats)
            found: dict[str, Any] = {name: median(some) for name, some in runs.items()}
            found |= {
                "file": path.name,
                "mb": path.stat().st_size / 1e6,
                "cpu_ratio_over_read": found["import"]["cpu"] / found["read"]["cpu"],
                "cpu_ratio_over_extract": found["import"]["cpu"] / found["extract"]["cpu"],
            }
            rows.append(found)
        return rows

    def peers(self, names: list[str], core: dict[str, Any]) -> dict[str, Any]:
        """``peers``: CPU ratios over CORE; ``peer_runs``: everything about them."""
        contest = Contest(
            job=lambda n_events: self.job(n_events=n_events),
            environments=self.data / "environments",
            pythons=self.pythons,
            repeats=self.repeats,
            cpu_limit=self.peer_limit,
            core_runs={self.n_events: core},
        )
        found = {}
        for name in names:
            _say(f"peer {name}")
            found[name] = contest.run(name, self.n_events)
        ratios = {
            name: one["cpu_ratio_over_core"]
            for name, one in found.items()
            if "cpu_ratio_over_core" in one
        }
        wrong = {name: one["differs"] for name, one in found.items() if one.get("differs")}
        return {"peers": ratios, "peer_runs": found, "disagreements": wrong}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
