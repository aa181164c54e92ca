"""Ours against the peers: each at the largest size it can do, over CORE at that same size."""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Run, measure, median
from benchmarks.peers import PEERS, Peer

_LEAST = 10_000
_OFTEN_BELOW_CPU = 30
"""A peer that takes longer, in CPU seconds, is measured once: its noise is small beside it."""

_TOLERANCE = 1e-6
"""Relative; counts must be equal. Days are float32 here and float64 or cut to 16 us elsewhere."""


@dataclass
class Contest:
    """Runs peers, and CORE at the sizes where they run.

    Parameters
    ----------
    job_text
        From a number of events to the text of the CORE job on that world.
    pythons
        Environment to interpreter, for those that are not in `environments`.
    core_runs
        Medians of CORE by number of events, as far as it has run; added to.
    """

    job_text: Callable[[int], str]
    environments: Path
    pythons: dict[str, Path]
    repeats: int
    cpu_limit: int
    core_runs: dict[int, dict[str, Any]]

    def core(self, n_events: int) -> dict[str, Any]:
        """CORE at a size: medians."""
        if n_events not in self.core_runs:
            command = [sys.executable, "-m", "benchmarks.engines.ours", self.job_text(n_events)]
            self.core_runs[n_events] = median([measure(command) for _ in range(self.repeats)])
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
        found["differs"] = differing(ours["checks"], found["checks"])
        if size < n_events and size // 10 >= _LEAST:
            found |= self._growth(peer, python, size, n_events, found["cpu"])
        return found

    def _runs(self, peer: Peer, python: Path, n_events: int) -> list[Run]:
        command = [str(python), "-m", f"benchmarks.peers.{peer.module}", self.job_text(n_events)]
        runs = [measure(command, self.cpu_limit)]
        if not runs[0].failure and runs[0].cpu < _OFTEN_BELOW_CPU:
            runs += [measure(command, self.cpu_limit) for _ in range(self.repeats - 1)]
        return runs

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
