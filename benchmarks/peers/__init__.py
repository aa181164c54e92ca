"""The same features by other means, each as its users would write it, each a process."""

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True)
class Peer:
    """One other way.

    Parameters
    ----------
    environment
        Stem of ``requirements-<environment>.txt``; None for the project's own environment.
    largest
        Events beyond which it is not tried, because it takes minutes of CPU or most of the memory.
    """

    module: str
    what: str
    largest: int
    environment: str | None = None


PEERS = {
    "duckdb_filter": Peer("sql_filter", "naive SQL, `count(*) filter`, 26 queries", MILLION),
    "duckdb_case": Peer("sql_case", "naive SQL, `sum(case)`, 26 queries", 10 * MILLION),
    "duckdb_tiles": Peer("sql_tiles", "best hand-written DuckDB SQL", 100 * MILLION),
    "numpy_tiles": Peer("numpy_tiles", "DuckDB tiles, numpy prefix sums", 100 * MILLION),
    "pandas": Peer("pandas_unstack", "groupby and unstack of slices", 10 * MILLION),
    "polars": Peer("polars_tiles", "lazy, streaming tiles, join, pivot", 10 * MILLION, "polars"),
    "temporian": Peer("temporian_windows", "moving counts", 10 * MILLION, "temporian"),
    "featuretools": Peer("featuretools_dfs", "cutoff times, 6 windows", 100_000, "featuretools"),
}
