"""DuckDB day tiles and dense prefix sums in numpy: the strongest rival we know, 40 lines.

It needs as_of times at midnight and windows of whole days, and counts and recency are all it can:
members, sessions and maxima don't come from tiles.
"""

import duckdb
import numpy as np

from benchmarks.job import CHECKED, DAY_US, Job, Result, run, versions


def compute(job: Job) -> Result:
    """One row per account and as_of, accounts without a past included."""
    connection = duckdb.connect(config={"threads": job.threads})
    tiles = connection.execute(f"""
        select event, account, (("at" - {job.origin}) // {DAY_US})::int as day,
               count(*)::int as n, min("at") as first_at, max("at") as last_at
        from read_parquet('{job.shards}') group by all order by event""").fetchnumpy()
    as_of = np.array(job.as_ofs, np.int64)
    steps = (as_of - job.origin) // DAY_US
    shape = (int(tiles["account"].max()) + 1, int(steps[-1]) + 1)
    starts = np.searchsorted(tiles["event"], np.arange(job.n_names + 1))
    out: dict[str, np.ndarray] = {}
    for group, code in job.groups:
        part = slice(None) if code is None else slice(starts[code], starts[code + 1])
        cell = tiles["account"][part] * np.int64(shape[1]) + tiles["day"][part] + 1
        _fill(job, group, {name: column[part] for name, column in tiles.items()}, cell, shape, out)
    rows = shape[0] * len(as_of)
    checks = {name: float(np.nansum(out[name], dtype=np.float64)) for name in CHECKED}
    return Result(rows, len(out), checks, versions("duckdb", "numpy"))


def _fill(
    job: Job,
    group: str,
    tiles: dict[str, np.ndarray],
    cell: np.ndarray,
    shape: tuple[int, int],
    out: dict[str, np.ndarray],
) -> None:
    """Columns of one group of events: float32, shape (accounts, as_of times) each."""
    as_of = np.array(job.as_ofs, np.int64)
    steps = (as_of - job.origin) // DAY_US
    counts = np.bincount(cell, tiles["n"], shape[0] * shape[1]).reshape(shape)
    np.cumsum(counts, axis=1, out=counts)
    for days in job.windows:
        before = counts[:, np.maximum(steps - days, 0)]
        out[f"{group}_count_{days}d"] = (counts[:, steps] - before).astype(np.float32)
    out[f"{group}_count_life"] = counts[:, steps].astype(np.float32)
    last = np.zeros(shape[0] * shape[1], np.int64)
    np.maximum.at(last, cell, tiles["last_at"])
    latest = np.maximum.accumulate(last.reshape(shape), axis=1)[:, steps]
    since = np.where(latest > 0, (as_of - latest) / DAY_US, np.nan)
    out[f"{group}_days_since_last"] = since.astype(np.float32)
    first = np.full(shape[0], np.iinfo(np.int64).max)
    np.minimum.at(first, tiles["account"], tiles["first_at"])
    known = first[:, None] < as_of
    since = np.where(known, (as_of - first[:, None]) / DAY_US, np.nan)
    out[f"{group}_days_since_first"] = since.astype(np.float32)


if __name__ == "__main__":
    run(compute)
