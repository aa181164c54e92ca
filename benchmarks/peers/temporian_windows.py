"""Temporian: moving counts and time since the last event, sampled at the as_of times.

Its windows are (t - w, t]. Times are seconds since the first midnight, exact to a nanosecond in
float64, and sampling half a microsecond before as_of makes them [as_of - w, as_of) for events in
whole microseconds. With numpy 2 it returns zeros without an error: its environment pins numpy 1.
"""

from glob import glob

import numpy as np
import pandas as pd
import temporian as tp

from benchmarks.job import CHECKED, Job, Result, run, versions

_BEFORE_S = 0.5e-6


def compute(job: Job) -> Result:
    """One row per account and as_of; days since the first event are not among its operators."""
    columns = ["account", "event", "at"]
    events = pd.concat([pd.read_parquet(path, columns=columns) for path in glob(job.shards)])
    accounts = np.sort(events["account"].unique())
    log = _event_set(events["account"], events["at"], job, event=events["event"].astype("int64"))
    log = log.set_index("account")
    rows = pd.DataFrame(
        {
            "account": np.repeat(accounts, len(job.as_ofs)),
            "at": np.tile(np.array(job.as_ofs, np.int64), len(accounts)),
        }
    )
    sampling = _event_set(rows["account"], rows["at"], job, shift=-_BEFORE_S).set_index("account")
    wide: dict[str, np.ndarray] = {}
    for group, code in job.groups:
        chosen = log if code is None else log.filter(log["event"].equal(code))
        for days in (None, *job.windows):
            span = np.inf if days is None else tp.duration.days(days)
            label = "life" if days is None else f"{days}d"
            moving = chosen["event"].moving_count(span, sampling=sampling)
            wide[f"{group}_count_{label}"] = _values(moving)
        since = _values(chosen.since_last(sampling=sampling))
        wide[f"{group}_days_since_last"] = ((since - _BEFORE_S) / 86_400).astype(np.float32)
    checks = {
        name: float(np.nansum(wide[name], dtype=np.float64)) for name in CHECKED if name in wide
    }
    return Result(
        len(rows),
        len(wide),
        checks,
        versions("temporian", "pandas", "numpy"),
        left_out="days since the first event",
    )


def _event_set(
    account: pd.Series, at: pd.Series, job: Job, shift: float = 0.0, **features: pd.Series
) -> tp.EventSet:
    return tp.event_set(
        timestamps=(at.to_numpy() - job.origin) / 1e6 + shift,
        features={"account": account.to_numpy().astype("int64"), **features},
        indexes=None,
    )


def _values(result: tp.EventSet) -> np.ndarray:
    """The only feature of an event set, one account after the other: shape (n_rows,)."""
    parts = [index.features[0] for index in result.data.values()]
    return np.concatenate(parts).astype(np.float32)


if __name__ == "__main__":
    run(compute)
