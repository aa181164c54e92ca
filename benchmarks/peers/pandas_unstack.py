"""Vectorised pandas: per as_of and window one groupby of the slice, unstacked to columns."""

from glob import glob

import numpy as np
import pandas as pd

from benchmarks.job import CHECKED, DAY_US, Job, Result, run, versions


def compute(job: Job) -> Result:
    """One row per account with a past, per as_of."""
    columns = ["account", "event", "at"]
    parts = [pd.read_parquet(path, columns=columns) for path in sorted(glob(job.shards))]
    events = pd.concat(parts).sort_values("at", kind="stable", ignore_index=True)
    at = events["at"].to_numpy()
    wide = pd.concat([_one(job, events, at, as_of) for as_of in job.as_ofs])
    checks = {name: float(np.nansum(wide[name], dtype=np.float64)) for name in CHECKED}
    return Result(len(wide), wide.shape[1], checks, versions("pandas", "numpy"))


def _one(job: Job, events: pd.DataFrame, at: np.ndarray, as_of: int) -> pd.DataFrame:
    """Every column at one as_of, accounts as index."""
    end = np.searchsorted(at, as_of)
    past = events[:end]
    names = {code: group for group, code in job.groups if code is not None}
    by_event = past.groupby(["account", "event"])["at"]
    parts = []
    accounts = None
    for days in (None, *job.windows):
        begin = 0 if days is None else np.searchsorted(at, as_of - days * DAY_US)
        label = "life" if days is None else f"{days}d"
        counts = events[begin:end].groupby(["account", "event"]).size().unstack(fill_value=0)
        accounts = counts.index if accounts is None else accounts
        counts = counts.reindex(index=accounts, columns=list(names), fill_value=0)
        counts.columns = [f"{names[code]}_count_{label}" for code in counts.columns]
        counts[f"any_count_{label}"] = counts.sum(axis=1)
        parts.append(counts.astype(np.float32))
    for label, times in (("last", by_event.max()), ("first", by_event.min())):
        known = times.unstack().reindex(index=accounts, columns=list(names))
        since = (as_of - known) / DAY_US
        since.columns = [f"{names[code]}_days_since_{label}" for code in since.columns]
        any_event = since.min(axis=1) if label == "last" else since.max(axis=1)
        since[f"any_days_since_{label}"] = any_event
        parts.append(since.astype(np.float32))
    return pd.concat(parts, axis=1)


if __name__ == "__main__":
    run(compute)
