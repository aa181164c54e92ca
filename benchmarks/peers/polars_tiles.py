"""Polars, lazy and streaming: day tiles, an inequality join with the as_of times, a pivot."""

import polars as pl

from benchmarks.job import CHECKED, DAY_US, Job, Result, run, versions


def compute(job: Job) -> Result:
    """One row per account with a past, per as_of; as_of times at midnight."""
    tiles = (
        pl.scan_parquet(job.shards)
        .group_by("account", "event", day=(pl.col("at") // DAY_US).cast(pl.Int32))
        .agg(n=pl.len(), first=pl.col("at").min(), last=pl.col("at").max())
        .collect(engine="streaming")
        .lazy()
    )
    steps = pl.LazyFrame({"as_of": job.as_ofs})
    steps = steps.with_columns(step=(pl.col("as_of") // DAY_US).cast(pl.Int32))
    joined = tiles.join_where(steps, pl.col("day") < pl.col("step"))
    values = [
        *(
            pl.col("n").filter(pl.col("day") >= pl.col("step") - days).sum().alias(f"count_{days}d")
            for days in job.windows
        ),
        pl.col("n").sum().alias("count_life"),
        ((pl.col("as_of").first() - pl.col("last").max()) / DAY_US).alias("days_since_last"),
        ((pl.col("as_of").first() - pl.col("first").min()) / DAY_US).alias("days_since_first"),
    ]
    names = [value.meta.output_name() for value in values]
    keys = ["account", "as_of"]
    long = joined.group_by("account", "event", "step").agg(pl.col("as_of").first(), *values)
    long = long.with_columns(pl.col(names).cast(pl.Float32)).collect(engine="streaming")
    # Any event: sums of the counts, the smallest and largest of the rest, over the same long table.
    any_event = long.group_by(keys).agg(
        *(pl.col(name).sum() for name in names if name.startswith("count")),
        pl.col("days_since_last").min(),
        pl.col("days_since_first").max(),
    )
    any_event = any_event.rename({name: f"any_{name}" for name in names})
    wide = long.pivot("event", index=keys, values=names)
    codes = [(group, code) for group, code in job.groups if code is not None]
    renamed = {f"{name}_{code}": f"{group}_{name}" for name in names for group, code in codes}
    wide = wide.rename(renamed)
    counts = [column for column in wide.columns if "_count_" in column]
    wide = wide.with_columns(pl.col(counts).fill_null(0)).join(any_event, on=keys)
    sums = wide.select(pl.col(list(CHECKED)).cast(pl.Float64).sum()).row(0, named=True)
    return Result(wide.height, wide.width - len(keys), sums, versions("polars"))


if __name__ == "__main__":
    run(compute)
