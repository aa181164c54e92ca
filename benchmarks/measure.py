"""Processes measured by the operating system: CPU seconds and peak memory, start included."""

import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Run:
    """One finished process.

    Parameters
    ----------
    cpu, wall
        Seconds from start to end; `cpu` is user and system time of all its threads.
    peak_mb
        Largest resident memory, in megabytes (10^6 bytes).
    told
        What it printed as its last line, as JSON; empty when it failed.
    failure
        Why it gave no result, in words; empty when it did.
    """

    cpu: float
    wall: float
    peak_mb: float
    told: dict[str, Any]
    failure: str = ""


def measure(command: Sequence[str], cpu_limit: int | None = None) -> Run:
    """Run a command from the project's root to its end; beyond `cpu_limit` seconds it is killed.

    The system counts the memory of the process that starts another as the other's own, so this
    one must stay small: whatever needs memory runs in a process by itself.
    """

    def limit() -> None:
        if cpu_limit is not None:
            # A second more before it is killed outright: the first signal says what it was.
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_limit, cpu_limit + 1))

    started = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=limit,
        text=True,
    )
    assert process.stdout is not None
    lines = process.stdout.read().strip().splitlines()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    cpu = used.ru_utime + used.ru_stime
    # Linux counts in kibibytes, macOS in bytes.
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    if process.returncode == 0:
        return Run(cpu, wall, peak, json.loads(lines[-1]) if lines else {})
    return Run(cpu, wall, peak, {}, _reason(process.returncode, lines, cpu_limit))


def _reason(code: int, lines: list[str], cpu_limit: int | None) -> str:
    if code == -signal.SIGXCPU:
        return f"not done within {cpu_limit} CPU seconds"
    if code < 0:
        return f"killed by signal {-code}, most likely for want of memory"
    return lines[-1] if lines else f"exit code {code}"


def touch_memory(job_text: str) -> None:
    """Have a process fill as many cells as a job's output, and end, right before the job is run.

    On a virtual machine the first touch of memory that the host has taken back costs up to several
    CPU seconds per GB, now and then; that is no engine's doing.
    """
    measure([sys.executable, "-m", "benchmarks.engines.fill", job_text])


def interleave(jobs: dict[str, Callable[[], Run]], repeats: int) -> dict[str, list[Run]]:
    """Every job once, then every job again: what slows the machine for a while hits all alike."""
    runs: dict[str, list[Run]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            runs[name].append(job())
    return runs


def median(runs: Sequence[Run]) -> dict[str, Any]:
    """Medians of CPU and wall, the largest peak, what the first run told, any failure.

    >>> median([Run(2, 3, 50, {}), Run(1, 2, 60, {}), Run(9, 9, 40, {})])["cpu"]
    2
    """
    told = runs[0].told
    middle = {
        "cpu": statistics.median(run.cpu for run in runs),
        "wall": statistics.median(run.wall for run in runs),
        "peak_mb": max(run.peak_mb for run in runs),
        "repeats": len(runs),
        "failure": next((run.failure for run in runs if run.failure), ""),
        "cpus": [round(run.cpu, 3) for run in runs],
        "walls": [round(run.wall, 3) for run in runs],
    }
    return {**told, **middle}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
