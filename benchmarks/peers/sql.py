"""What the DuckDB peers share: a connection, the naive query, the sums of a finished table."""

from collections.abc import Callable
from typing import Any

import duckdb

from benchmarks.job import CHECKED, DAY_US, Job, Result, versions


def connect(job: Job) -> Any:
    """A database in memory, on the threads of the job."""
    return duckdb.connect(config={"threads": job.threads})


def naive(job: Job, aggregate: Callable[[str, str], str]) -> Result:
    """A query per as_of over the events before it, one aggregate per column.

    The events are loaded once: 26 queries over Parquet would decode it 26 times.

    Parameters
    ----------
    aggregate
        SQL of ``count``, ``max`` or ``min`` (of ``"at"``) over the rows that meet a condition.
    """
    connection = connect(job)
    connection.execute(f"""
        create temp table log as
        select account, event, "at" from read_parquet('{job.shards}')""")
    for step, as_of in enumerate(job.as_ofs):
        into = "insert into wide" if step else "create temp table wide as"
        columns = ", ".join(_columns(job, as_of, aggregate))
        connection.execute(
            f"{into} select account, {as_of} as as_of, {columns} "
            f'from log where "at" < {as_of} group by account'
        )
    return result(connection, "wide")


def _columns(job: Job, as_of: int, aggregate: Callable[[str, str], str]) -> list[str]:
    columns = []
    for group, code in job.groups:
        which = "true" if code is None else f"event = {code}"
        for days in job.windows:
            inside = f'{which} and "at" >= {as_of - days * DAY_US}'
            columns.append(f"{aggregate('count', inside)}::float as {group}_count_{days}d")
        columns.append(f"{aggregate('count', which)}::float as {group}_count_life")
        for name, extreme in (("last", "max"), ("first", "min")):
            days_since = f"({as_of} - {aggregate(extreme, which)}) / {DAY_US}.0"
            columns.append(f"({days_since})::float as {group}_days_since_{name}")
    return columns


def result(connection: Any, table: str) -> Result:
    """Shape and sums of a table whose columns are called as ours, after two key columns."""
    sums = ", ".join(f"sum({name}::double)" for name in CHECKED)
    n, *values = connection.execute(f"select count(*), {sums} from {table}").fetchall()[0]
    columns = connection.execute(f"select * from {table} limit 0").description
    checks = dict(zip(CHECKED, values, strict=True))
    return Result(n, len(columns) - 2, checks, versions("duckdb"))
