"""A small adversarial log, its whole catalogue, and a brute-force oracle in SQL."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from features.catalogue_spec import FeatureSpec
from features.clock import DAY_US, to_us
from features.definitions import Feature
from features.matrix import Snapshots

START = to_us("2024-02-20")  # spans a leap day
EVENTS = ["login", "invite", "report made", "limit"]
DATA = {
    "properties": {"rows": "number", "plan": "category"},
    "tables": [],
}
SPEC = FeatureSpec.model_validate(
    {
        "windows_days": (1, 7, 14, 28),
        "trend_days": (7, 14),
        "events": {
            "engagement": ("login",),
            "team": ("invite",),
            "value": ("report made", "limit"),
        },
        "groups": {"any of two": {"dimension": "upgrade", "events": ("limit", "invite")}},
        "event_statistics": (
            "count",
            "active_days",
            "members",
            "trend",
            "days_since_last",
            "days_since_first",
        ),
        "properties": {
            "rows": {"dimension": "value", "events": ("report made", "limit")},
            "plan": {"dimension": "upgrade"},
        },
    }
)


def adversarial_events(seed: int, n: int = 1500) -> pd.DataFrame:
    """Equal times, events at midnight exactly, a giant account, lone users, late arrivals, gaps."""
    rng = np.random.default_rng(seed)
    at = START + rng.integers(0, 60, n) * DAY_US + rng.choice([0, 1, DAY_US // 2, DAY_US - 1], n)
    bursts = rng.random(n) < 0.5
    at[bursts] = START + rng.integers(0, 60 * 24, bursts.sum()) * (DAY_US // 24)
    user = rng.integers(0, 14, n)
    account = np.where(rng.random(n) < 0.3, 0, user % 5)
    late = np.where(rng.random(n) < 0.1, rng.integers(0, 5 * DAY_US, n), 0)
    return pd.DataFrame(
        {
            "event": rng.choice(EVENTS, n, p=[0.6, 0.1, 0.25, 0.05]),
            "user_id": [f"u{u}" if rng.random() > 0.03 else None for u in user],
            "account_id": [f"a{a}" if a != 4 else None for a in account],
            "time": at.astype("datetime64[us]"),
            "known_at": (at + late).astype("datetime64[us]"),
            "rows": np.where(rng.random(n) < 0.3, np.nan, rng.normal(0, 1e6, n).round(3)),
            "plan": rng.choice(["free", "pro", None], n),
        }
    ).dropna(subset=["user_id", "account_id"], how="all")


def grid(log, level, every_days: int = 5) -> Snapshots:
    """Every entity at many times, before its first and after its last event."""
    times = np.arange(START - DAY_US, START + 75 * DAY_US, every_days * DAY_US)
    times = np.sort(np.concatenate([times, times[::3] + 12_345_678]))
    n = len(log.ids(level))
    return Snapshots.of(
        level, np.repeat(np.arange(n), len(times)), np.tile(times, n), log.ids(level)
    )


def oracle(log, snapshots: Snapshots, feature: Feature) -> np.ndarray:
    """The feature by a join of every snapshot with every event: slow, and another language."""
    con = duckdb.connect()
    folder = Path(log.root).as_posix()
    con.register("snap", pd.DataFrame({"e": snapshots.entity, "as_of": snapshots.as_of}))
    columns = (
        '"at" as ts, occurred_at, account, "user" as usr, event, '
        '"property.rows" as rows_, "property.plan" as plan_'
    )
    con.execute(
        f'create view ev as select {columns}, row_number() over (order by "at", occurred_at, '
        'account, "user", event, rows_, plan_) as seq '
        f"from read_parquet('{folder}/shard-*.parquet')"
    )
    names = {name: code for code, name in enumerate(sorted(EVENTS))}
    wanted = ",".join(str(names[name]) for name in feature.events)
    only = f"and ev.event in ({wanted})" if feature.events else ""
    own = f"ev.{'usr' if snapshots.level == 'user' else 'account'} = snap.e"
    if feature.scope == "account":
        own = (
            "ev.account = (select arg_max(b.account, b.seq) from ev b where b.usr = snap.e "
            "and b.account >= 0 and b.ts < snap.as_of)"
        )
    past = f"from snap left join ev on {own} and ev.ts < snap.as_of {only}"
    w = None if feature.days is None else feature.days * DAY_US
    inside = "true" if w is None else f"ev.ts >= snap.as_of - {w}"
    value = {"rows": "rows_", "plan": "plan_"}.get(feature.property or "", "null")
    has = "not isnan(rows_)" if value == "rows_" else "plan_ >= 0"
    start = (
        "select distinct snap.e, snap.as_of, ev.seq, ev.ts, ev.ts - lag(ev.ts) over "
        f"(partition by snap.e, snap.as_of, usr order by ev.seq) as gap {past}"
    )
    within = inside.replace("ev.", "").replace("snap.", "")
    sessions = (
        f"count(*) filter (ts is not null and {within} and (gap is null or gap > 1800000000))"
    )
    spent = f"coalesce(sum(gap) filter ({within} and gap <= 1800000000), 0) / 60e6"
    expression = {
        "count": f"count(ev.ts) filter ({inside})",
        "active_days": f"count(distinct ev.ts // {DAY_US}) filter ({inside})",
        "members": f"count(distinct usr) filter (usr >= 0 and {inside})",
        "breadth": f"count(distinct ev.event) filter ({inside})",
        "distinct": f"count(distinct plan_) filter (plan_ >= 0 and {inside})",
        "days_since_last": f"(max(as_of) - max(ev.ts)) / {DAY_US}",
        "days_since_first": f"(max(as_of) - min(ev.ts)) / {DAY_US}",
        "sum": f"coalesce(fsum({value}) filter ({has} and {inside}), 0)",
        "mean": f"avg({value}) filter ({has} and {inside})",
        "max": f"max({value}) filter ({has} and {inside})",
        "last": f"arg_max({value}, seq) filter ({has} and {inside})",
        "sessions": sessions,
        "session_minutes": f"case when {sessions} > 0 then {spent} / {sessions} end",
    }
    if feature.statistic == "trend":
        this, both = (
            f"count(ev.ts) filter (ev.ts >= as_of - {w})",
            (f"count(ev.ts) filter (ev.ts >= as_of - {2 * w})"),
        )
        expression["trend"] = (
            f"case when {both} > 0 then ({this} - ({both} - {this})) / {both}::double end"
        )
    source = f"from ({start})" if feature.statistic in ("sessions", "session_minutes") else past
    select = expression[feature.statistic]
    owner = "" if feature.statistic in ("sessions", "session_minutes") else "snap."
    keys = f"{owner}e, {owner}as_of"
    rows = con.execute(f"select {select} as v {source} group by {keys} order by {keys}")
    rows = rows.fetchnumpy()["v"]
    values = np.ma.filled(np.ma.asarray(rows, dtype=np.float64), np.nan)
    if feature.scope == "account":
        # A user who is in no account yet: nothing is known of it, not even that it is idle.
        homeless = con.execute(
            "select count(ts) = 0 as none from snap left join ev on usr = e and account >= 0 "
            "and ts < as_of group by e, as_of order by e, as_of"
        ).fetchnumpy()["none"]
        values[homeless] = np.nan
    return values
