"""What a measured process is told, and what it tells: JSON in an argument, JSON on stdout.

Nothing but the standard library is imported here: environments of peers import it too.
"""

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

DAY_US = 86_400_000_000
_LONG_CPU = 20

CHECKED = (
    "any_count_life",
    "any_count_28d",
    "event_00_count_7d",
    "event_07_count_90d",
    "any_days_since_last",
    "event_02_days_since_last",
    "any_days_since_first",
)
"""Columns of CORE whose sums every engine reports."""


@dataclass(frozen=True)
class Job:
    """One computation.

    Parameters
    ----------
    log
        Folder of the imported log; its events are in ``shard-*.parquet``.
    as_ofs
        Microseconds UTC, ascending; every account gets a row at each.
    origin
        Microseconds UTC of the midnight at or before the first event.
    kind
        ``core``, ``full``, or ``windows`` (counts in `n_windows` windows).
    again
        How many more times it is computed in the same process, see `run`.
    memory_mb
        Limit that ours is given; None for none.
    """

    log: str
    as_ofs: list[int]
    origin: int
    threads: int = 2
    kind: str = "core"
    n_windows: int = 0
    windows: list[int] = field(default_factory=lambda: [1, 7, 14, 28, 90])
    n_names: int = 30
    again: int = 0
    memory_mb: int | None = None

    @property
    def shards(self) -> str:
        """Glob of the event files."""
        return f"{self.log}/shard-*.parquet"

    @property
    def groups(self) -> list[tuple[str, int | None]]:
        """Name and event code of the groups of events; None is every event.

        >>> Job("", [], 0, n_names=2).groups
        [('any', None), ('event_00', 0), ('event_01', 1)]
        """
        return [("any", None), *((f"event_{code:02d}", code) for code in range(self.n_names))]

    def to_text(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Result:
    """What a process found.

    Parameters
    ----------
    rows, columns
        Shape of the wide table it made.
    checks
        Column name to the sum of its known values.
    left_out
        What of the job it could not do, in words; empty if nothing.
    """

    rows: int
    columns: int
    checks: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: str = ""


def versions(*libraries: str) -> dict[str, str]:
    """Installed versions, without importing anything."""
    return {library: metadata.version(library) for library in libraries}


def run(compute: Any) -> None:
    """Call ``compute(job)`` on the job in the first argument; print its result as the last line.

    ``again_cpu`` is the median CPU time of computing it `Job.again` more times, when everything is
    loaded; the last of them is not begun after 20 CPU seconds. None where it was not asked for.
    """
    job = Job(**json.loads(sys.argv[1]))
    result = compute(job)
    again: list[float] = []
    while len(again) < job.again and sum(again) < _LONG_CPU:
        started = time.process_time()
        compute(job)
        again.append(time.process_time() - started)
    middle = statistics.median(again) if again else None
    print(json.dumps({**asdict(result), "again_cpu": middle}), flush=True)
