"""Ours against the peers: each at the largest size it can do, over CORE at that same size."""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.job import Job
from benchmarks.measure import ROOT, Run, measure, median, touch_memory
from benchmarks.peers import PEERS, Peer

_LEAST = 10_000
_OFTEN_BELOW_CPU = 30
"""A peer that takes longer, in CPU seconds, is measured once: its noise is small beside it."""

AGAIN = 5
"""How often a job is computed once more in the same process."""

_CORE = [sys.executable, "-m", "benchmarks.engines.ours"]

_TOLERANCE = 1e-6
"""Relative; counts must be equal. Days are float32 here and float64 or cut to 16 us elsewhere."""


@dataclass
class Contest:
    """Runs peers, and CORE at the sizes where they run.

    Parameters
    ----------
    job
        From a number of events to the CORE job on that world.
    pythons
        Environment to interpreter, for those that are not in `environments`.
    core_runs
        Medians of CORE by number of events, as far as it has run; added to.
    """

    job: Callable[[int], Job]
    environments: Path
    pythons: dict[str, Path]
    repeats: int
    cpu_limit: int
    core_runs: dict[int, dict[str, Any]]

    def core(self, n_events: int) -> dict[str, Any]:
        """CORE at a size: medians."""
        if n_events not in self.core_runs:
            runs = [self._start(_CORE, self.job(n_events)) for _ in range(self.repeats)]
            self.core_runs[n_events] = median(runs)
            if starts_count(n_events):
                again = self._start(_CORE, self.job(n_events), AGAIN).told["again_cpu"]
                self.core_runs[n_events]["again_cpu"] = again
        return self.core_runs[n_events]

    def run(self, name: str, n_events: int) -> dict[str, Any]:
        """What became of one peer: figures, or why there are none."""
        peer = PEERS[name]
        python = self._python(peer)
        if not python.is_file():
            return {"what": peer.what, "failure": f"not installed; {self._how_to_install(peer)}"}
        size, failure, runs = min(n_events, peer.largest), "", []
        tried = size
        while size >= min(_LEAST, tried):
            runs = self._runs(peer, python, size)
            if not runs[0].failure:
                break
            failure = failure or f"at {size:,} events: {runs[0].failure}"
            size //= 10
        if runs[0].failure:
            return {"what": peer.what, "failure": failure}
        found = {**median(runs), "what": peer.what, "events": size, "failure": failure}
        ours = self.core(size)
        found |= {"core_cpu": ours["cpu"], "cpu_ratio_over_core": found["cpu"] / ours["cpu"]}
        if starts_count(size):
            again = self._start(self._command(peer, python), self.job(size), AGAIN)
            found["again_cpu"] = again.told["again_cpu"]
            found["again_ratio_over_core"] = found["again_cpu"] / ours["again_cpu"]
        found["differs"] = differing(ours["checks"], found["checks"])
        if size < n_events and size // 10 >= _LEAST:
            found |= self._growth(peer, python, size, n_events, found["cpu"])
        return found

    def _runs(self, peer: Peer, python: Path, n_events: int) -> list[Run]:
        command, job = self._command(peer, python), self.job(n_events)
        runs = [self._start(command, job)]
        if not runs[0].failure and runs[0].cpu < _OFTEN_BELOW_CPU:
            runs += [self._start(command, job) for _ in range(self.repeats - 1)]
        return runs

    def _command(self, peer: Peer, python: Path) -> list[str]:
        return [str(python), "-m", f"benchmarks.peers.{peer.module}"]

    def _start(self, command: list[str], job: Job, again: int = 0) -> Run:
        touch_memory(job.to_text())
        # Twice the work may take twice the time.
        limit = self.cpu_limit * (2 if again else 1)
        return measure([*command, replace(job, again=again).to_text()], limit)

    def _growth(
        self, peer: Peer, python: Path, size: int, n_events: int, cpu: float
    ) -> dict[str, Any]:
        """Its cost at the size asked for, on the line through this size and a tenth of it."""
        smaller = self._runs(peer, python, size // 10)
        if smaller[0].failure:
            return {}
        per_event = max(cpu - median(smaller)["cpu"], 0) / (size - size // 10)
        return {
            "cpu_per_million": per_event * 1e6,
            "estimated_cpu": cpu + per_event * (n_events - size),
        }

    def _python(self, peer: Peer) -> Path:
        if peer.environment is None:
            return Path(sys.executable)
        named = self.pythons.get(peer.environment)
        return named or self.environments / peer.environment / "bin" / "python"

    def _how_to_install(self, peer: Peer) -> str:
        folder = os.path.relpath(self.environments / str(peer.environment), ROOT)
        needs = f"benchmarks/peers/requirements-{peer.environment}.txt"
        return f"python3.11 -m venv {folder} && {folder}/bin/pip install -r {needs}"


def starts_count(n_events: int) -> bool:
    """Whether the start of a process is a good part of what it takes in all."""
    return n_events <= 1_000_000


def differing(ours: dict[str, float], theirs: dict[str, float]) -> list[str]:
    """Names of the sums that both have and that are not the same.

    >>> differing({"a_count_7d": 4.0, "b": 1.0}, {"a_count_7d": 5.0, "b": 1.0 + 1e-9})
    ['a_count_7d']
    """
    return [
        name
        for name in theirs
        if not math.isclose(
            ours[name], theirs[name], rel_tol=0 if "_count_" in name else _TOLERANCE
        )
    ]
