"""An adversarial log with attributes, cut into many shards, some of them empty."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import build_catalogue
from features.clock import DAY_US
from features.definitions import Feature
from features.events import EventLog, Level
from features.matrix import Snapshots
from features.part import CODE, LogFacts, LogPart
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec
from tests.features.worlds import DATA, SPEC, START, adversarial_events

CATALOGUE = SPEC.model_copy(
    update={
        "attributes": {"size": "fit", "seats": "fit"},
        "member_attributes": ("role",),
    }
)


def sharded_log(store: Path, level: Level, *, events_per_shard: int, seed: int = 1) -> EventLog:
    """`adversarial_events` with attributes of accounts and users, some of whom never act."""
    store.mkdir(parents=True, exist_ok=True)
    events = pd.concat([adversarial_events(seed), payments()], ignore_index=True)
    events.to_parquet(store / "events.parquet", index=False)
    for name, frame in attribute_tables(seed).items():
        frame.to_parquet(store / f"{name}.parquet", index=False)
    columns = {name: f"{name}_id" for name in ("user", "account")}
    columns |= {"event": "event", "time": "time", "known_at": "known_at"}
    tables = [
        {"of": "account", "columns": {"size": "number"}},
        {"of": "user", "columns": {"role": "category"}, "account": "account_id"},
    ]
    tables = [
        {"files": [f"{t['of']}s.parquet"], "id": f"{t['of']}_id", "time": "since", **t}
        for t in tables
    ]
    static = {"of": "account", "files": ["seats.parquet"], "id": "account_id", "static": True}
    settings = {
        **DATA,
        "sources": [{"format": "generic", "files": ["events.parquet"], "columns": columns}],
        "tables": [*tables, {**static, "columns": {"seats": "number"}}],
    }
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, store, store / "logs", level, events_per_shard=events_per_shard)


def payments() -> pd.DataFrame:
    """Two customers: one pays late and is known later still."""
    at = np.array([START + 20 * DAY_US, START + 50 * DAY_US])
    return pd.DataFrame(
        {
            "event": "paid",
            "user_id": ["u3", "u6"],
            "account_id": ["a3", "a1"],
            "time": at.astype("datetime64[us]"),
            "known_at": (at + np.array([0, 3 * DAY_US])).astype("datetime64[us]"),
        }
    )


def attribute_tables(seed: int) -> dict[str, pd.DataFrame]:
    """Histories that begin before, during and after the events; a8 and u30 are in no event."""
    rng = np.random.default_rng(seed)
    n = 80
    since = (START + rng.integers(-5 * DAY_US, 65 * DAY_US, n)).astype("datetime64[us]")
    accounts = pd.DataFrame(
        {
            "account_id": rng.choice(["a0", "a1", "a2", "a3", "a8"], n),
            "since": since,
            "size": rng.integers(1, 500, n).astype(float),
        }
    )
    user = rng.choice([*range(14), 30], n)
    users = pd.DataFrame(
        {
            "user_id": [f"u{number}" for number in user],
            "account_id": [f"a{number % 4}" for number in user],
            "since": since[::-1],
            "role": rng.choice(["admin", "editor", "reader"], n),
        }
    )
    seats = pd.DataFrame({"account_id": ["a0", "a8"], "seats": [3.0, 12.0]})
    return {"accounts": accounts, "users": users, "seats": seats}


def features_of(log: EventLog, level: Level) -> tuple[Feature, ...]:
    catalogue = CATALOGUE
    if level == "user":
        attributes = {**CATALOGUE.attributes, "role": "fit"}
        catalogue = CATALOGUE.model_copy(update={"attributes": attributes})
    return build_catalogue(catalogue, log, level)


def facts_of(log: EventLog) -> LogFacts:
    return LogFacts(log.manifest, log.categories)


def parts_of(log: EventLog) -> list[LogPart]:
    """The log cut into its shards here, in pandas; who has no events goes to shard 0."""
    parts = []
    for shard in range(log.n_shards):
        events = log.shard(shard)
        tables = []
        for level in ("account", "user"):
            table = log.entities(level)
            table = table.append_column(CODE, pa.array(np.arange(len(table)), pa.int32()))
            home = pc.equal(table["shard"], shard)
            if shard == 0:
                home = pc.or_(home, pc.equal(table["shard"], -1))
            seen = pc.is_in(table[CODE], value_set=pc.unique(events[level]))
            tables.append(table.filter(pc.or_(home, seen)))
        parts.append(LogPart(facts_of(log), events, *tables, log.attribute_values))
    return parts


def rows_in(part: LogPart, rows: Snapshots) -> np.ndarray:
    """Which rows belong to the part: those of entities whose events, or home, are there."""
    return np.isin(rows.ids, part.ids(rows.level))
