"""Properties of whole imports: same content same log, a naive oracle, nothing from the future."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.clock import DAY_US, to_text, to_us
from features.events import EventLog, Level
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

START = to_us("2024-01-01")


def world(seed: int, n: int = 150) -> list[dict]:
    """PostHog rows of a few people, devices and accounts, in random order, times all different."""
    random = np.random.default_rng(seed)
    rows = []
    for i, at in enumerate(START + random.permutation(n) * DAY_US // 7):
        device, person = f"device{random.integers(4)}", f"user{random.integers(5)}"
        kind = random.choice(["use", "view", "identify", "plan"], p=[0.5, 0.3, 0.1, 0.1])
        properties: dict = {"size": int(random.integers(9)), "kind": str(random.integers(3))}
        who = person
        if kind == "view":
            who, properties["$device_id"] = device, device
        if kind == "identify":
            properties["$anon_distinct_id"] = device
        if (kind == "use" and random.random() < 0.4) or kind == "plan":
            properties["$groups"] = {"account": f"org{int(person[-1]) // 2 + random.integers(2)}"}
        if kind == "plan":
            properties["$set"] = {"plan": str(random.choice(["free", "pro"]))}
        name = "$identify" if kind == "identify" else str(kind)
        time = to_text(int(at)) + ("" if "T" in to_text(int(at)) else "T00:00:00") + "Z"
        rows.append(
            {
                "event": name,
                "distinct_id": who,
                "timestamp": time,
                "uuid": str(i),
                "properties": properties,
            }
        )
    return rows


def imported(
    folder: Path,
    parts: list[list[dict]],
    level: Level = "account",
    threads: int = 1,
    events_per_shard: int = 2_000_000,
    **data: object,
) -> EventLog:
    folder.mkdir(parents=True, exist_ok=True)
    for i, rows in enumerate(parts):
        (folder / f"part{i}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "sources": [{"format": "posthog", "files": ["part*.jsonl"]}],
        "properties": {"size": "number", "kind": "category"},
        "attributes": {"plan": {"of": "user", "type": "category"}},
        **data,
    }
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(
        spec, folder, folder / "store", level, threads=threads, events_per_shard=events_per_shard
    )


def told(log: EventLog) -> list[tuple]:
    """(at, occurred_at, event, user, account), sorted."""
    users, accounts = [*log.ids("user"), ""], [*log.ids("account"), ""]
    return sorted(
        (
            row["at"],
            row["occurred_at"],
            log.event_names[row["event"]].name,
            users[row["user"]],
            accounts[row["account"]],
        )
        for i in range(log.n_shards)
        for row in log.shard(i).to_pylist()
    )


@pytest.mark.parametrize("level", ["account", "user"])
def test_row_order_file_split_and_threads_change_nothing(tmp_path, level):
    rows = world(1)
    whole = imported(tmp_path / "a", [rows], level)
    shuffled = [rows[i] for i in np.random.default_rng(2).permutation(len(rows))]
    split = imported(
        tmp_path / "b", [shuffled[:40], shuffled[40:], shuffled[:20]], level, threads=2
    )
    assert split.manifest["counts"]["duplicates"] == 20
    assert split.fingerprint == whole.fingerprint
    for file in ("shard-00000.parquet", "users.parquet", "accounts.parquet", "attributes.parquet"):
        assert (split.root / file).read_bytes() == (whole.root / file).read_bytes()


def test_other_content_has_another_fingerprint(tmp_path):
    rows = world(1)
    other = [{**rows[0], "event": "other"}, *rows[1:]]
    prints = {
        imported(tmp_path / name, [part]).fingerprint for name, part in (("a", rows), ("b", other))
    }
    assert len(prints) == 2


def naive(rows: list[dict]) -> list[tuple]:
    """What an account-level log of `world` rows must hold, one event at a time."""
    rows = sorted(rows, key=lambda row: to_us(row["timestamp"]))
    links = [
        (to_us(row["timestamp"]), row["properties"]["$anon_distinct_id"], row["distinct_id"])
        for row in rows
        if row["event"] == "$identify"
    ]
    events = []
    for row in rows:
        at, who = to_us(row["timestamp"]), row["distinct_id"]
        known, user = at, who
        if "$device_id" in row["properties"]:
            own = [(time, person) for time, device, person in links if device == who]
            past = [person for time, person in own if time <= at]
            if past:
                user = past[-1]
            elif own:
                known, user = own[0]
            else:
                continue
        account = row["properties"].get("$groups", {}).get("account")
        events.append([known, at, row["event"], user, account])
    joined = sorted((at, user, account) for at, _, _, user, account in events if account)
    for event in events:
        if event[4] is None:
            own = [(at, account) for at, user, account in joined if user == event[3]]
            past = [account for at, account in own if at <= event[0]]
            if past:
                event[4] = past[-1]
            elif own:
                event[0], event[4] = own[0]
    return sorted((k, o, e, u, a or "") for k, o, e, u, a in events)


@pytest.mark.parametrize("seed", range(4))
def test_identity_and_accounts_equal_a_naive_loop(tmp_path, seed):
    rows = world(seed)
    assert told(imported(tmp_path, [rows])) == naive(rows)


@pytest.mark.parametrize("seed", range(4))
def test_the_future_changes_nothing_an_account_knew(tmp_path, seed):
    rows = world(seed)
    cut = START + 11 * DAY_US
    everything = told(imported(tmp_path / "all", [rows]))
    then = told(imported(tmp_path / "then", [rows], until=to_text(cut)))
    past = [row for row in rows if to_us(row["timestamp"]) < cut]
    assert then == told(imported(tmp_path / "past", [past]))
    assert [row for row in everything if row[0] < cut and row[4]] == [row for row in then if row[4]]


@pytest.mark.parametrize("level", ["account", "user"])
def test_what_belongs_together_lies_in_one_shard(tmp_path, level):
    log = imported(tmp_path, [world(3)], level, events_per_shard=20)
    assert log.n_shards > 4
    homes: dict[tuple, set] = {}
    for shard in range(log.n_shards):
        for row in log.shard(shard).to_pylist():
            for of in ("account", "user") if level == "user" else ("account",):
                if row[of] >= 0:
                    homes.setdefault((of, row[of]), set()).add(shard)
    assert all(len(shards) == 1 for shards in homes.values())
    written = {("account", i): {s} for i, s in enumerate(log.accounts["shard"].to_pylist())}
    written |= {("user", i): {s} for i, s in enumerate(log.users["shard"].to_pylist())}
    assert all(written[entity] == shards for entity, shards in homes.items())


def test_shards_of_many_row_groups_are_sorted_by_time_though_threads_write_them(tmp_path):
    # DuckDB writes row groups of 122,880 rows, and in parallel unless it is told to keep the order.
    random = np.random.default_rng(6)
    n = 700_000
    table = pa.table(
        {
            "event": pa.array(random.choice(["a", "b"], n)),
            "org": pa.array(random.integers(0, 500, n)),
            "time": pa.array(START + random.integers(0, 10**12, n), pa.timestamp("us")),
        }
    )
    pq.write_table(table, tmp_path / "e.parquet")
    columns = {"event": "event", "account": "org", "time": "time"}
    source = {"format": "generic", "files": ["e.parquet"], "columns": columns}
    spec = DataSpec.model_validate_json(json.dumps({"sources": [source]}))
    shard = import_log(spec, tmp_path, tmp_path / "store", "account", threads=2).shard(0)
    names = ("event", "user", "account", "occurred_at", "at")
    order = np.lexsort([shard[name].to_numpy() for name in names])
    np.testing.assert_array_equal(order, np.arange(n))
