"""The brute-force judge: every statistic by a join of each snapshot with each event, in SQL.

Slow, and in another language: a few lines per statistic that share nothing with the kernels.
"""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from features.clock import DAY_US
from features.definitions import Feature, Hours
from features.matrix import Snapshots

APPROXIMATE = {
    *("sum", "mean", "std", "slope", "value_trend", "burstiness", "gap_variation", "member_gini"),
    *("session_minutes", "first_period_ratio", "per_active_day", "limit_share"),
}
"""Statistics that round differently in the last bits of float64."""

ZERO = {
    *("count", "active_days", "breadth", "first_uses", "streak", "longest_streak", "weekdays"),
    *("sessions", "members", "new_members", "top_member_count", "sum", "distinct"),
}
"""Statistics that are 0, not unknown, where there is nothing in the window."""


_OPEN: dict[tuple, duckdb.DuckDBPyConnection] = {}
"""The joined tables of the last log and rows, for the next feature."""


def oracle(log, snapshots: Snapshots, feature: Feature) -> np.ndarray:
    """The feature's values, float64 with NaN for unknown; codes for a category."""
    key = (log.fingerprint, snapshots.level, feature.scope, snapshots.as_of.tobytes())
    if key not in _OPEN:
        while len(_OPEN) > 3:
            _OPEN.pop(next(iter(_OPEN))).close()
        _OPEN[key] = duckdb.connect()
        _join(_OPEN[key], log, snapshots, feature.scope)
    con = _OPEN[key]
    con.execute(f"create or replace table mine as from seen where {_wanted(log, feature)}")
    con.execute(f"create or replace table win as from mine where {_inside(feature)}")
    rows, values = _answer(con, log, snapshots.level, feature)
    out = np.full(len(snapshots), 0.0 if feature.statistic in ZERO else np.nan)
    out[rows] = values
    if feature.scope == "account":
        # A user who is in no account yet: nothing is known of it, not even that it is idle.
        homeless = con.execute("select row from snap where owner is null").fetchnumpy()["row"]
        out[homeless] = np.nan
    return out


def _join(con, log, snapshots: Snapshots, scope: str) -> None:
    """``seen``: every row with all of its owner's past, an account's or a user's."""
    quoted = [f'"property.{item.name}"' for item in log.properties]
    columns = "".join(f', {name} as "{name[10:]}' for name in quoted)
    order = ", ".join(['"at"', "occurred_at", "account", '"user"', "e.event", *quoted])
    files = f"read_parquet('{Path(log.root).as_posix()}/shard-*.parquet')"
    names = pd.DataFrame({"code": range(len(log.event_names)), "name": list(log.event_codes)})
    con.register("names", names)
    con.execute(
        f'create table ev as select "at" as ts, account, "user" as usr, names.name as event'
        f"{columns}, row_number() over (order by {order}) as seq "
        f"from {files} e join names on names.code = e.event"
    )
    frame = pd.DataFrame({"e": snapshots.entity, "as_of": snapshots.as_of})
    con.register("given", frame.rename_axis("row").reset_index())
    owner, by = "e", "usr" if snapshots.level == "user" else "account"
    if scope == "account":
        by = "account"
        owner = (
            "(select arg_max(b.account, b.seq) from ev b where b.usr = given.e "
            "and b.account >= 0 and b.ts < given.as_of)"
        )
    con.execute(f"create table snap as select *, {owner} as owner from given")
    con.execute(
        f"create table seen as select row, as_of, owner, ev.*, ts // {DAY_US} as day "
        f"from snap join ev on ev.{by} = owner and ts < as_of"
    )
    con.execute(f"create table everyone as select {by} as owner, ev.* from ev where {by} >= 0")


def _wanted(log, feature: Feature, events=None) -> str:
    events = feature.events if events is None else events
    tests = [f"event in ({', '.join(map(repr, events))})"] if events else []
    for one in feature.where:
        if one.one_of:
            codes = [i for i, v in enumerate(log.categories[one.property]) if v in one.one_of]
            tests.append(f'"{one.property}" in ({", ".join(map(str, [-9, *codes]))})')
        if one.at_least is not None:
            tests.append(f'"{one.property}" >= {one.at_least} and not isnan("{one.property}")')
        if one.at_most is not None:
            tests.append(f'"{one.property}" <= {one.at_most}')
    return " and ".join(tests) or "true"


def _inside(feature: Feature, times: int = 1) -> str:
    return "true" if feature.days is None else f"ts >= as_of - {times * feature.days * DAY_US}"


def _answer(con, log, level: str, feature: Feature) -> tuple[np.ndarray, np.ndarray]:
    if feature.statistic in ("streak", "longest_streak"):
        return _streaks(con, feature)
    query = _query(log, level, feature)
    found = con.execute(f"select row, v from ({query}) where v is not null").fetchnumpy()
    return found["row"].astype(int), np.ma.filled(np.ma.asarray(found["v"], np.float64), np.nan)


def _streaks(con, feature: Feature) -> tuple[np.ndarray, np.ndarray]:
    source = "win" if feature.statistic == "longest_streak" else "mine"
    pairs = con.execute(f"select distinct row, as_of, day from {source} order by all").fetchall()
    best: dict[int, int] = {}
    run = last = None
    for row, as_of, day in pairs:
        run = run + 1 if last == (row, day - 1) else 1
        last = (row, day)
        if feature.statistic == "longest_streak":
            best[row] = max(best.get(row, 0), run)
        else:
            best[row] = run if day >= (as_of - 1) // DAY_US - 1 else 0
    return np.array(list(best), int), np.array(list(best.values()), float)


def _query(log, level: str, feature: Feature) -> str:
    w = None if feature.days is None else feature.days * DAY_US
    x = f'"{feature.property}"'
    has = f"not isnan({x})" if feature.property in ("rows", "quota") else f"{x} >= 0"
    of_row = "group by row"
    against = _wanted(log, feature, feature.against or ())
    against = against if feature.against else "true"
    both = f"(select row, {{}} from seen where {against} and {_inside(feature)} group by row)"
    per = "(select row, {0}, count(*) as n from win where {1} group by row, {0})"
    gaps = (
        "(select row, ts - lag(ts) over (partition by row order by seq) as gap from win) "
        "where gap is not null"
    )
    day_gaps = (
        "(select row, day - lag(day) over (partition by row order by day) as gap from "
        "(select distinct row, day from win)) where gap is not null"
    )
    paused = (
        "(select row, as_of, ts, ts - lag(ts) over (partition by row, usr order by seq) as gap "
        f"from mine) where {_inside(feature)}"
    )
    begun = "count(*) filter (gap is null or gap > 1800000000)"
    spent = "coalesce(sum(gap) filter (gap <= 1800000000), 0) / 60e6"
    joined = "(select row, as_of, usr, min(ts) as ts from mine where usr >= 0 group by all)"
    a, b, c = (f"count(*) filter ({_inside(feature, n)})" if w else "0" for n in (1, 2, 3))
    hours = feature.hours or Hours()
    local = f"(make_timestamptz(ts) at time zone '{hours.zone}')"
    busy = f"isodow({local}) < 6 and hour({local}) between {hours.begin} and {hours.end - 1}"
    began = "(select row, as_of, min(ts) as began from seen group by all)"
    limit = {"event": "arg_max(quota, seq) filter (not isnan(quota))"}
    match feature.statistic:
        case "count":
            return f"select row, count(*) v from win {of_row}"
        case "active_days":
            return f"select row, count(distinct day) v from win {of_row}"
        case "per_active_day":
            return f"select row, count(*) / count(distinct day) v from win {of_row}"
        case "share":
            return (
                f"select row, coalesce(m.n, 0) / b.n v from {both.format('count(*) n')} b "
                "left join (select row, count(*) n from win group by row) m using (row)"
            )
        case "breadth":
            return f"select row, count(distinct event) v from win {of_row}"
        case "first_uses":
            first = "select row, as_of, event, min(ts) as ts from mine group by all"
            return f"select row, count(*) v from ({first}) where {_inside(feature)} {of_row}"
        case "top_event_share":
            return f"select row, max(n) / sum(n) v from {per.format('event', 'true')} {of_row}"
        case "days_since_last":
            return f"select row, (any_value(as_of) - max(ts)) / {DAY_US} v from mine {of_row}"
        case "days_since_first":
            return f"select row, (any_value(as_of) - min(ts)) / {DAY_US} v from mine {of_row}"
        case "days_to_first":
            return (
                f"select row, (min(ts) - any_value(began)) / {DAY_US} v "
                f"from mine join {began} using (row) {of_row}"
            )
        case "first_use_rank":
            firsts = "(select row, event, min(ts) as first from seen group by all)"
            return (
                "select m.row as row, 1 + count(first) v from (select row, min(ts) as own from "
                f"mine group by row) m left join {firsts} f on m.row = f.row and first < own "
                "group by m.row"
            )
        case "first_period":
            return (
                f"select b.row as row, count(mine.ts) v from {began} b left join mine "
                f"on mine.row = b.row and mine.ts < began + {w} group by b.row"
            )
        case "first_period_ratio":
            firsts = "(select owner, min(ts) as f from everyone group by owner)"
            periods = (
                f"(select owner, f + {w} as ends, count(*) filter ({_wanted(log, feature)} and "
                f"ts < f + {w}) as n from {firsts} join everyone using (owner) group by all)"
            )
            mean = f"(select avg(n) from {periods} where ends // {DAY_US} < as_of // {DAY_US})"
            over = f"(select row, began, {mean} as m from {began} where as_of - began >= {w})"
            return (
                f"select b.row as row, count(mine.ts) / any_value(m) v from {over} b "
                f"left join mine on mine.row = b.row and mine.ts < began + {w} "
                "where m > 0 group by b.row"
            )
        case "trend":
            return f"select row, (2 * {a} - {b}) / nullif({b}, 0) v from mine {of_row}"
        case "acceleration":
            return (
                f"select row, ({a} - 2 * ({b} - {a}) + ({c} - {b})) / nullif({c}, 0) v "
                f"from mine {of_row}"
            )
        case "slope":
            moment = f"(ts - as_of) / {DAY_US}::double + {feature.days} / 2.0"
            return (
                f"select row, 12 * coalesce(sum({moment}) filter ({_inside(feature)}), 0) "
                f"/ {feature.days or 1}::double ** 3 v from mine {of_row}"
            )
        case "peak_ratio":
            peaks = (
                "(select l.row, count(*) as n from mine l join mine r on l.row = r.row and "
                f"r.seq <= l.seq and r.ts > l.ts - {w} group by l.row, l.seq)"
            )
            return (
                f"select row, coalesce(any_value(m.n), 0) / max(p.n) v from {peaks} p left join "
                "(select row, count(*) n from win group by row) m using (row) group by row"
            )
        case "weekdays":
            return f"select row, count(distinct day % 7) v from win {of_row}"
        case "business_share":
            return f"select row, count(*) filter ({busy}) / count(*) v from win {of_row}"
        case "gap_days":
            return f"select row, avg(gap) v from {day_gaps} {of_row}"
        case "gap_variation":
            return (
                f"select row, case when count(*) > 1 then stddev_pop(gap) / avg(gap) end v "
                f"from {day_gaps} {of_row}"
            )
        case "burstiness":
            r, n = "stddev_pop(gap) / nullif(avg(gap), 0)", "count(*)"
            return (
                f"select row, case when {n} > 1 then (sqrt({n} + 1) * {r} - sqrt({n} - 1)) / "
                f"((sqrt({n} + 1) - 2) * {r} + sqrt({n} - 1)) end v from {gaps} {of_row}"
            )
        case "sessions":
            return f"select row, {begun} v from {paused} {of_row}"
        case "session_minutes":
            return f"select row, {spent} / nullif({begun}, 0) v from {paused} {of_row}"
        case "events_per_session":
            return f"select row, count(*) / nullif({begun}, 0) v from {paused} {of_row}"
        case "members":
            return f"select row, count(distinct usr) filter (usr >= 0) v from win {of_row}"
        case "new_members":
            return f"select row, count(*) v from {joined} where {_inside(feature)} {of_row}"
        case "member_growth":
            new = f"count(*) filter ({_inside(feature)})"
            return f"select row, {new} / nullif(count(*) - {new}, 0) v from {joined} {of_row}"
        case "active_member_share":
            inside = f"count(distinct usr) filter (usr >= 0 and {_inside(feature)})"
            total = "nullif(count(distinct usr) filter (usr >= 0), 0)"
            return f"select row, {inside} / {total} v from mine {of_row}"
        case "member_share":
            users = "count(distinct usr) filter (usr >= 0)"
            return (
                f"select row, coalesce(m.n, 0) / nullif(b.n, 0) v from "
                f"{both.format(users + ' n')} b left join "
                f"(select row, {users} n from win group by row) m using (row)"
            )
        case "per_member":
            return (
                "select row, count(*) / nullif(count(distinct usr), 0) v from win "
                f"where usr >= 0 {of_row}"
            )
        case "days_per_member":
            return (
                "select row, count(distinct (usr, day)) / count(distinct usr) v from win "
                f"where usr >= 0 {of_row}"
            )
        case "top_member_count":
            return f"select row, max(n) v from {per.format('usr', 'usr >= 0')} {of_row}"
        case "top_member_share":
            return f"select row, max(n) / sum(n) v from {per.format('usr', 'usr >= 0')} {of_row}"
        case "member_gini":
            counts = per.format("usr", "usr >= 0")
            return (
                f"select l.row as row, sum(abs(l.n - r.n)) / (2.0 * count(*) * avg(l.n)) v "
                f"from {counts} l join {counts} r on l.row = r.row group by l.row"
            )
        case "sum":
            return f"select row, fsum({x}) v from win where {has} {of_row}"
        case "mean" | "std" | "min" | "max":
            name = {"mean": "avg", "std": "stddev_pop"}.get(feature.statistic, feature.statistic)
            return f"select row, {name}({x}) v from win where {has} {of_row}"
        case "value_trend":
            this = f"coalesce(fsum({x}) filter ({_inside(feature)}), 0)"
            old = (
                f"coalesce(fsum({x}) filter ({_inside(feature, 2)} and not {_inside(feature)}), 0)"
            )
            return (
                f"select row, ({this} - {old}) / nullif(abs({this}) + abs({old}), 0) v "
                f"from mine where {has} {of_row}"
            )
        case "last":
            return f"select row, arg_max({x}, seq) v from win where {has} {of_row}"
        case "first":
            return f"select row, arg_min({x}, seq) v from win where {has} {of_row}"
        case "distinct":
            return f"select row, count(distinct {x}) v from win where {has} {of_row}"
        case "top_share":
            return f"select row, max(n) / sum(n) v from {per.format(x, has)} {of_row}"
        case "limit_share" if feature.property is None:
            return (
                "select snap.row as row, count(distinct usr) filter (usr >= 0) / "
                f"{feature.limit.name}::double v "
                "from snap left join win on snap.row = win.row group by snap.row"
            )
        case "limit_share":
            usage = f"arg_max({x}, seq) filter ({has})"
            most = limit[feature.limit.source]
            return f"select row, {usage} / nullif({most}, 0) v from win {of_row}"
    raise AssertionError(f"no oracle for {feature.statistic}")
