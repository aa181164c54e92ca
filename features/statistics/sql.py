"""An aggregate of the user's own in SQL, over the events of each row's window and nothing else.

Slower than every other statistic: each row is joined with its events. The expression sees one
window at a time; it can't reach other rows, other tables, files, the clock or randomness.
"""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.definitions import Feature
from features.errors import SettingsError, few
from features.events import PROPERTY_PREFIX, EventLog, ValueType
from features.selection import Selection
from features.statistics.base import Statistic

if TYPE_CHECKING:
    import duckdb

_OWN = {"event", "member", "known_at", "as_of"}
_OF_THE_MOMENT = {
    *("age", "current_localtime", "current_localtimestamp", "current_date", "current_timestamp"),
    *("version", "today", "now", "get_current_time", "get_current_timestamp"),
}
"""Functions of which some form reads the clock or the machine."""
_NUMBERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    *("UBIGINT", "UHUGEINT", "DECIMAL", "FLOAT", "DOUBLE", "BOOLEAN"),
)
_TYPES: dict[ValueType, pa.DataType] = {"number": pa.float64(), "category": pa.string()}


def check_sql(feature: Feature, log: EventLog) -> None:
    """Whether the expression is one aggregate over the events' own columns.

    Raises
    ------
    SettingsError
        When it can't be parsed, is no aggregate that gives a number, names an unknown column, or
        uses a subquery, a window, or a function that is not a pure one.
    """
    if feature.sql is None:
        raise SettingsError(f"Feature {feature.name!r} has the statistic sql but no expression.")
    connection = _connect()
    try:
        properties = {item.name for item in log.properties}
        if taken := sorted(name for name in properties if name.lower() in _OWN):
            raise SettingsError(
                f"Feature {feature.name!r}: the properties {few(taken)} have the names of columns "
                f"that sql features already have ({few(sorted(_OWN))}); rename them at the source."
            )
        _check_form(connection, feature, properties)
        columns = {item.name: pa.array([], _TYPES[item.type]) for item in log.properties}
        empty = pa.table(
            {
                "__row": pa.array([], pa.int64()),
                "event": pa.array([], pa.string()),
                "member": pa.array([], pa.int32()),
                "known_at": pa.array([], pa.timestamp("us")),
                "as_of": pa.array([], pa.timestamp("us")),
                **columns,
            }
        )
        connection.register("seen", empty)
        _run(connection, feature, f'select ({feature.sql}\n)::double from seen group by "__row"')
        found = _run(connection, feature, f"select ({feature.sql}\n)::double as v from seen")["v"]
        if len(found) != 1:
            raise SettingsError(
                f"Feature {feature.name!r}: sql must be one aggregate, one number of all events of "
                "the window."
            )
        (kind,) = {row[1] for row in connection.execute(f"describe {_bare(feature)}").fetchall()}
        if not kind.startswith(_NUMBERS) or kind.endswith("[]"):
            raise SettingsError(
                f"Feature {feature.name!r}: sql must give a number, not a {kind.lower()}."
            )
    finally:
        connection.close()


def _bare(feature: Feature) -> str:
    return f"select ({feature.sql}\n) as v from seen"


def _check_form(
    connection: "duckdb.DuckDBPyConnection", feature: Feature, properties: set[str]
) -> None:
    text = connection.execute("select json_serialize_sql(?)", [f"select {feature.sql}"]).fetchall()
    tree = json.loads(text[0][0])
    if tree.get("error_type") == "parser":
        raise SettingsError(
            f"Feature {feature.name!r}: the sql can't be read: {tree.get('error_message')}."
        )
    statements = tree.get("statements", ())
    node = statements[0]["node"] if len(statements) == 1 else {}
    plain = (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not node["where_clause"]
        and not node["group_expressions"]
        and not node["having"]
        and not node["qualify"]
        and not node["modifiers"]
        and not node["cte_map"]["map"]
    )
    if not plain:
        raise SettingsError(
            f"Feature {feature.name!r}: sql must be one aggregate expression, such as "
            "count(distinct page); the window and the grouping are added to it."
        )
    parts = list(_nodes(node["select_list"]))
    if wrong := sorted({p["class"] for p in parts if p.get("class") in ("SUBQUERY", "WINDOW")}):
        raise SettingsError(
            f"Feature {feature.name!r}: sql may not hold a {few(wrong).lower()}: it sees the "
            "events of one window only."
        )
    known = {"event", "member", "known_at", "as_of", *(name.lower() for name in properties)}
    named = {".".join(p["column_names"]) for p in parts if p.get("class") == "COLUMN_REF"}
    if strange := sorted(name for name in named if name.lower() not in known):
        raise SettingsError(
            f"Feature {feature.name!r}: sql names {few(strange)}; there are event, member, "
            f"known_at, as_of and the properties of the events ({few(sorted(properties))})."
        )
    if any(p.get("class") in ("STAR", "POSITIONAL_REFERENCE") for p in parts):
        raise SettingsError(f"Feature {feature.name!r}: sql must name its columns one by one.")
    used = {p["function_name"].lower() for p in parts if p.get("class") == "FUNCTION"}
    pure = connection.execute(
        "select distinct lower(function_name) from duckdb_functions() where function_type = "
        "'aggregate' or (function_type = 'scalar' and stability = 'CONSISTENT')"
    ).fetchall()
    if impure := sorted(used - {name for (name,) in pure} | used & _OF_THE_MOMENT):
        raise SettingsError(
            f"Feature {feature.name!r}: sql may not use {few(impure)}: only functions whose result "
            "depends on the events alone."
        )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a parsed statement."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)


def _connect() -> "duckdb.DuckDBPyConnection":
    """A database that reaches no file, network or setting."""
    import duckdb

    connection = duckdb.connect(
        config={
            "threads": 1,
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set lock_configuration = true")
    return connection


def _run(
    connection: "duckdb.DuckDBPyConnection", feature: Feature, query: str
) -> dict[str, np.ndarray]:
    import duckdb

    try:
        return connection.execute(query).fetchnumpy()
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        if bare := re.search('column "([^"]+)" must appear in the GROUP BY', reason):
            reason = (
                "the expression must be an aggregate of the window's events, such as count(*); "
                f"put the column {bare[1]!r} inside one, such as count(distinct {bare[1]})."
            )
        raise SettingsError(f"Feature {feature.name!r}: the sql fails: {reason}") from error


def _sql(s: Selection, f: Feature) -> np.ndarray:
    shard = s.view.shard
    names = np.array([*shard.plan.event_codes], object)
    columns: dict[str, Any] = {
        "__entity": np.repeat(np.arange(len(s.start) - 1), np.diff(s.start)),
        "__seq": np.arange(len(s)),
        "event": pa.array(names, pa.string()).take(pa.array(s.values("event"))),
        "member": _members(s),
        "known_at": pa.array(s.at, pa.timestamp("us")),
    }
    for item in shard.plan.properties.values():
        columns[item.name] = _property(s, item.name, item.type)
    rows = {
        "__row": np.arange(len(s.rows)),
        "__entity": s.rows.entity,
        "__lo": s.lo(f.days),
        "__hi": s.hi,
    }
    rows["as_of"] = pa.array(s.rows.as_of, pa.timestamp("us"))
    connection = _connect()
    try:
        connection.register("event_table", pa.table(columns))
        connection.register("row_table", pa.table(rows))
        nothing = "select * exclude (__entity, __seq), known_at as as_of from event_table limit 0"
        empty = _run(connection, f, f"select ({f.sql}\n)::double as v from ({nothing})")["v"]
        found = _run(
            connection,
            f,
            f"""
            select __row, ({f.sql}
            )::double as v
            from (select __row, as_of, e.* exclude (__entity, __seq)
                  from row_table r join event_table e on r.__entity = e.__entity
                  and e.__seq >= r.__lo and e.__seq < r.__hi order by __row, __seq)
            group by __row""",
        )
    finally:
        connection.close()
    out = np.full(len(s.rows), np.ma.filled(np.ma.asarray(empty, np.float64), np.nan)[0])
    out[found["__row"]] = np.ma.filled(np.ma.asarray(found["v"], np.float64), np.nan)
    return out


def _members(s: Selection) -> pa.Array:
    """A number per user, in the order in which the entity's users first appear: 0, 1, ...

    Not the log's code, which depends on who else is in the log, later users included.
    """
    user = s.values("user")
    entity = np.repeat(np.arange(len(s.start) - 1), np.diff(s.start))
    key = entity * (int(user.max(initial=0)) + 2) + user + 1
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    number = rank[inverse]
    begins = s.start[:-1][np.diff(s.start) > 0]
    sizes = np.diff(s.start)[np.diff(s.start) > 0]
    return pa.array(number - number[begins].repeat(sizes), mask=user < 0)


def _property(s: Selection, name: str, type_: ValueType) -> pa.Array:
    value = s.values(PROPERTY_PREFIX + name)
    if type_ == "number":
        return pa.array(value, mask=np.isnan(value))
    texts = pa.array(s.view.shard.plan.categories[name], pa.string())
    if not len(texts):
        return pa.nulls(len(value), pa.string())
    return texts.take(pa.array(np.maximum(value, 0), mask=value < 0))


STATISTICS = {"sql": Statistic(_sql, "", None, reads_users=True)}
