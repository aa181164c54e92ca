"""The import of a raw export, as the pipeline does it, into a store that is thrown away."""

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.catalogue import VALUE
from benchmarks.job import Job, Result, run, versions
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec


def spec_of(name: str) -> DataSpec:
    """The settings that read one of the raw files a world is written as."""
    settings = {
        "sources": [{"format": "posthog", "files": [name]}],
        "properties": {VALUE: "number"},
    }
    return DataSpec.model_validate_json(json.dumps(settings))


def compute(job: Job) -> Result:
    """`job.log` is the raw file."""
    raw = Path(job.log)
    store = Path(tempfile.mkdtemp(prefix="import-", dir=raw.parent))
    try:
        spec = spec_of(raw.name)
        limit = {} if job.memory_mb is None else {"memory_mb": job.memory_mb}
        log = import_log(spec, raw.parent, store, "account", threads=job.threads, **limit)
        return Result(log.n_events, len(log.event_names), versions=versions("duckdb"))
    finally:
        shutil.rmtree(store)


if __name__ == "__main__":
    run(compute)
