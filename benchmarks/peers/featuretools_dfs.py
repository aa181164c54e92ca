"""featuretools: its own cutoff times, a feature matrix per training window, joined by row.

Accounts carry no time index: with one, `training_window` drops every account whose own time lies
outside the window, without a word.
"""

from glob import glob

import featuretools as ft
import pandas as pd
from featuretools.primitives import Count, TimeSinceFirst, TimeSinceLast

from benchmarks.job import CHECKED, Job, Result, run, versions


def compute(job: Job) -> Result:
    """One row per account with a past, per as_of."""
    events = pd.concat(
        [pd.read_parquet(path, columns=["account", "event", "at"]) for path in glob(job.shards)],
        ignore_index=True,
    )
    cutoffs = _cutoffs(job, events)
    entities = _entities(events)
    parts = []
    for days in (None, *job.windows):
        matrix = ft.calculate_feature_matrix(
            _features(job, entities, days),
            entities,
            cutoff_time=cutoffs,
            training_window=None if days is None else f"{days} days",
            include_cutoff_time=False,
        )
        parts.append(matrix)
    wide = pd.concat(parts, axis=1)
    checks = {name: float(wide[name].astype("float64").sum()) for name in CHECKED}
    return Result(len(wide), wide.shape[1], checks, versions("featuretools", "pandas", "numpy"))


def _cutoffs(job: Job, events: pd.DataFrame) -> pd.DataFrame:
    first = events.groupby("account")["at"].min()
    rows = [(account, as_of) for as_of in job.as_ofs for account in first.index[first < as_of]]
    frame = pd.DataFrame(rows, columns=["account", "time"])
    frame["time"] = pd.to_datetime(frame["time"], unit="us")
    return frame


def _entities(events: pd.DataFrame) -> ft.EntitySet:
    entities = ft.EntitySet("log")
    entities.add_dataframe(
        dataframe_name="events",
        dataframe=pd.DataFrame(
            {
                "event_id": range(len(events)),
                "account": events["account"],
                "event": events["event"],
                "at": pd.to_datetime(events["at"], unit="us"),
            }
        ),
        index="event_id",
        time_index="at",
    )
    accounts = pd.DataFrame({"account": sorted(events["account"].unique())})
    entities.add_dataframe(dataframe_name="accounts", dataframe=accounts, index="account")
    entities.add_relationship("accounts", "account", "events", "account")
    return entities


def _features(job: Job, entities: ft.EntitySet, days: int | None) -> list[ft.Feature]:
    """Counts, and where the window is the whole past also days since the last and first event."""
    event = ft.IdentityFeature(entities["events"].ww["event"])
    label = "life" if days is None else f"{days}d"
    kinds = [(f"count_{label}", "event_id", Count)]
    if days is None:
        kinds.append(("days_since_last", "at", TimeSinceLast))
        kinds.append(("days_since_first", "at", TimeSinceFirst))
    features = []
    for group, code in job.groups:
        where = None if code is None else event == code
        for name, column, primitive in kinds:
            feature = ft.Feature(
                ft.IdentityFeature(entities["events"].ww[column]),
                parent_dataframe_name="accounts",
                where=where,
                primitive=primitive() if primitive is Count else primitive(unit="days"),
            )
            features.append(feature.rename(f"{group}_{name}"))
    return features


if __name__ == "__main__":
    run(compute)
