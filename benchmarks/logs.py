"""A world written to disk: the imported log directly, and raw files for the import."""

import argparse
import hashlib
import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.catalogue import VALUE
from benchmarks.worlds import (
    GENERATOR,
    Sessions,
    World,
    event_names,
    make_events,
    make_sessions,
)
from features.events import FORMAT_VERSION, PROPERTY_PREFIX, EventName, Property
from pipeline.importer.shards import EVENTS_PER_SHARD, n_shards_for

_SHARD_ORDER = '"at", occurred_at, account, "user", event'


def write_world(folder: Path, world: World, events_per_shard: int = EVENTS_PER_SHARD) -> None:
    """Write ``log/`` as the importer would have: same codes, shards, files. Whole or not at all.

    An import of a hundred million texts is a benchmark of its own; that both give the same
    shards is a test.
    """
    fresh = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "log").mkdir(parents=True)
    sessions = make_sessions(world)
    n_shards = n_shards_for(world.n_events, events_per_shard)
    _stage(fresh, world, sessions, n_shards)
    connection = duckdb.connect(
        config={"threads": 2, "memory_limit": "3GB", "temp_directory": str(fresh / "spill")}
    )
    shards = [_write_shard(connection, fresh, shard) for shard in range(n_shards)]
    _write_entities(fresh / "log", sessions, n_shards)
    _write_manifest(connection, fresh / "log", world, shards)
    connection.close()
    shutil.rmtree(fresh / "spill", ignore_errors=True)
    fresh.replace(folder)


def _stage(fresh: Path, world: World, sessions: Sessions, n_shards: int) -> None:
    """Events as they are made, one unsorted file per shard: ``staged-<shard>.parquet``."""
    schema = pa.schema(
        {
            "account": pa.int32(),
            "user": pa.int32(),
            "event": pa.int32(),
            "at": pa.int64(),
            "value": pa.float64(),
        }
    )
    writers = [
        pq.ParquetWriter(fresh / f"staged-{shard}.parquet", schema, compression="none")
        for shard in range(n_shards)
    ]
    for events in make_events(world, sessions):
        shard_of = (events.account % n_shards).astype(np.int16)
        order = np.argsort(shard_of, kind="stable")
        columns = [getattr(events, name)[order] for name in schema.names]
        table = pa.table(columns, schema=schema)
        ends = np.searchsorted(shard_of[order], np.arange(n_shards + 1))
        for shard, writer in enumerate(writers):
            writer.write_table(table.slice(ends[shard], ends[shard + 1] - ends[shard]))
    for writer in writers:
        writer.close()


def _write_shard(connection: Any, fresh: Path, shard: int) -> dict[str, Any]:
    staged = fresh / f"staged-{shard}.parquet"
    file = f"shard-{shard:05d}.parquet"
    connection.execute(f"""
        copy (select account, "user", event, "at", "at" as occurred_at,
                     value as "{PROPERTY_PREFIX}{VALUE}"
              from read_parquet('{staged}') order by {_SHARD_ORDER}, value)
        to '{fresh / "log" / file}' (format parquet, compression zstd)""")
    n_events = pq.ParquetFile(staged).metadata.num_rows
    staged.unlink()
    return {"file": file, "n_events": n_events}


def _write_entities(log: Path, sessions: Sessions, n_shards: int) -> None:
    account_of_user = sessions.account_of_user
    sizes = {"account": sessions.n_accounts, "user": len(account_of_user)}
    for of, unit in (("account", np.arange(sizes["account"])), ("user", account_of_user)):
        columns = {
            "id": [f"{of}-{code:07d}" for code in range(sizes[of])],
            "shard": (unit % n_shards).astype(np.int32),
            "domain": pa.nulls(sizes[of], pa.string()),
            "domain_at": pa.nulls(sizes[of], pa.int64()),
        }
        if of == "user":
            columns["account"] = account_of_user
        pq.write_table(pa.table(columns), log / f"{of}s.parquet", compression="zstd")
    nothing = {
        "attribute": pa.int32(),
        "code": pa.int32(),
        "at": pa.int64(),
        "number": pa.float64(),
        "text": pa.string(),
    }
    pq.write_table(pa.schema(nothing).empty_table(), log / "attributes.parquet")
    rows = {"file": pa.string(), "line": pa.int64(), "reason": pa.string(), "raw": pa.string()}
    pq.write_table(pa.schema(rows).empty_table(), log / "quarantine.parquet")
    (log / "categories.json").write_text("{}")


def _write_manifest(connection: Any, log: Path, world: World, shards: list[dict]) -> None:
    """Write ``log.json``; an `EventName` or `Property` gets every field this version has."""
    names = event_names()
    summary = connection.execute(f"""
        select event, count(*), min("at"), max("at"), count(distinct "user"),
               count(distinct account), count(*) filter (not isnan("{PROPERTY_PREFIX}{VALUE}"))
        from read_parquet('{log}/shard-*.parquet') group by event order by event""").fetchall()
    keys = ("code", "n_events", "first_at", "last_at", "n_users", "n_accounts", "n_values")
    rows = [dict(zip(keys, row, strict=True)) for row in summary]
    told = [{**row, "name": names[row["code"]]} for row in rows]
    value = {"name": VALUE, "type": "number", "n_events": sum(row["n_values"] for row in rows)}
    content = {
        "format_version": FORMAT_VERSION,
        "level": "account",
        "n_events": world.n_events,
        "first_at": min(row["first_at"] for row in rows),
        "data_end": max(row["last_at"] for row in rows) + 1,
        "event_names": [{f.name: row[f.name] for f in fields(EventName)} for row in told],
        "properties": [{f.name: value[f.name] for f in fields(Property)}],
        "attributes": [],
        "shards": shards,
    }
    made_of = json.dumps([GENERATOR, world.n_events, world.seed, content], sort_keys=True)
    manifest = {
        **content,
        "fingerprint": hashlib.sha256(made_of.encode()).hexdigest(),
        "counts": {},
        "statements": [],
    }
    (log / "log.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def write_raw(folder: Path) -> None:
    """Write ``raw/events.jsonl`` and ``raw/events.parquet``: exports with text ids and JSON.

    One event a line as PostHog exports them: uuid, event, distinct_id, timestamp, properties with
    the account among its groups. In Parquet the properties are a JSON text.
    """
    fresh = folder / "raw.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "3GB"})
    connection.execute(f"""
        create view events as
        select md5(concat_ws('-', "at", "user", event, row_number() over ()))::uuid as uuid,
               format('event_{{:02d}}', event) as event,
               format('user-{{:07d}}', "user") as distinct_id,
               strftime(make_timestamp("at"), '%Y-%m-%dT%H:%M:%S.%fZ') as "timestamp",
               {{'$groups': {{'account': format('account-{{:07d}}', account)}},
                 '{VALUE}': case when not isnan(v) then v end,
                 '$lib': 'web'}} as properties
        from (select *, "{PROPERTY_PREFIX}{VALUE}" as v
              from read_parquet('{folder}/log/shard-*.parquet'))
        order by "at", "user", event""")
    connection.execute(f"copy (from events) to '{fresh}/events.jsonl' (format json)")
    connection.execute(f"""
        copy (select * replace (to_json(properties)::varchar as properties) from events)
        to '{fresh}/events.parquet' (format parquet, compression zstd)""")
    connection.close()
    fresh.replace(folder / "raw")


def main() -> None:
    """Write what is missing of one world; a process of its own, so that its memory goes away."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("n_events", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--raw", action="store_true")
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        write_world(arguments.folder, World(arguments.n_events, arguments.seed))
    if arguments.raw and not (arguments.folder / "raw").exists():
        write_raw(arguments.folder)


if __name__ == "__main__":
    main()
