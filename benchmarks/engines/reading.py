"""DuckDB's own reading of a raw export into a temporary table: what an import is held against."""

import duckdb

from benchmarks.job import Job, Result, run, versions

_EXTRACT = """
    select event, distinct_id, epoch_us("timestamp"::timestamptz) as at,
           json_extract_string(properties, '$."$groups".account') as account,
           json_extract_string(properties, '$.value')::double as value"""


def compute(job: Job) -> Result:
    """`job.log` is the raw file; kind ``plain`` takes the columns as the reader gives them.

    Kind ``extract`` also reads times as times and takes account and value out of the properties,
    the least that any use of the file needs.
    """
    reader = "read_json" if job.log.endswith(".jsonl") else "read_parquet"
    select = "select *" if job.kind == "plain" else _EXTRACT
    connection = duckdb.connect(config={"threads": job.threads})
    connection.execute(f"create temp table raw as {select} from {reader}('{job.log}')")
    rows = connection.execute("select count(*) from raw").fetchall()[0][0]
    columns = connection.execute("select * from raw limit 0").description
    return Result(rows, len(columns), versions=versions("duckdb"))


if __name__ == "__main__":
    run(compute)
