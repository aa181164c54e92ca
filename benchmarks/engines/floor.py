"""The least anybody pays: one bare group-by (account, event, day) over the same files."""

import duckdb

from benchmarks.job import DAY_US, Job, Result, run, versions


def compute(job: Job) -> Result:
    """Into a temporary table, by DuckDB on as many threads as the others have."""
    connection = duckdb.connect(config={"threads": job.threads})
    connection.execute(f"""
        create temp table tiles as
        select account, event, "at" // {DAY_US} as day, count(*) as n
        from read_parquet('{job.shards}') group by all""")
    rows = connection.execute("select count(*) from tiles").fetchall()[0][0]
    return Result(rows=rows, columns=4, versions=versions("duckdb"))


if __name__ == "__main__":
    run(compute)
