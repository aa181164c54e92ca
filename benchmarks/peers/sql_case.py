"""Naive SQL, the quicker way to say it: a query per as_of, ``sum(case when ...)`` per column."""

from benchmarks.job import Job, Result, run
from benchmarks.peers import sql


def compute(job: Job) -> Result:
    """One row per account with a past, per as_of."""
    return sql.naive(job, _aggregate)


def _aggregate(function: str, condition: str) -> str:
    if function == "count":
        return f"sum(case when {condition} then 1 else 0 end)"
    return f'{function}(case when {condition} then "at" end)'


if __name__ == "__main__":
    run(compute)
