"""Naive SQL, as most write it: a query per as_of, ``count(*) filter (where ...)`` per column."""

from benchmarks.job import Job, Result, run
from benchmarks.peers import sql


def compute(job: Job) -> Result:
    """One row per account with a past, per as_of."""
    return sql.naive(job, _aggregate)


def _aggregate(function: str, condition: str) -> str:
    value = "*" if function == "count" else '"at"'
    return f"{function}({value}) filter ({condition})"


if __name__ == "__main__":
    run(compute)
