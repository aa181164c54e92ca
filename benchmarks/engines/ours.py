"""What the pipeline itself calls: features of every account at every as_of."""

import numpy as np

from benchmarks.catalogue import CHECKED_FULL, features_of
from benchmarks.job import CHECKED, Job, Result, run, versions
from features.engine import build_features
from features.events import EventLog
from features.matrix import Snapshots

_CHECKED = {"core": CHECKED, "full": CHECKED_FULL, "windows": ()}


def compute(job: Job) -> Result:
    """Rows of accounts without a past count: their values are zeros and unknowns, sums of none."""
    log = EventLog(job.log)
    n = len(log.accounts)
    as_of = np.tile(np.array(job.as_ofs, np.int64), n)
    entity = np.repeat(np.arange(n, dtype=np.int32), len(job.as_ofs))
    snapshots = Snapshots.of("account", entity, as_of, log.ids("account"))
    features = features_of(job.kind, job.n_windows)
    matrix = build_features(
        log,
        snapshots,
        features,
        threads=job.threads,
        memory_mb=job.memory_mb,
        spill=log.root.parent / "spill",
    )
    return Result(
        rows=len(matrix),
        columns=len(features),
        checks={
            name: float(np.nansum(matrix.column(name), dtype=np.float64))
            for name in _CHECKED[job.kind]
        },
        versions=versions("numba", "numpy", "pyarrow"),
    )


if __name__ == "__main__":
    run(compute)
