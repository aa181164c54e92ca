"""An imported log as Spark sees it: every table, brought together by shard."""

import json
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from features.definitions import Feature
from features.errors import EventLogError, SettingsError, few
from features.events import PROPERTY_PREFIX, Level
from features.matrix import Snapshots
from features.part import CODE, LogFacts, LogPart
from features.plan import compile_plan
from pipeline.spark.files import literal, read_text, to_uri
from pipeline.spark.rows import CohortRows, OwnRows
from pipeline.spark.session import arrow_only, told_plainly
from pipeline.spark.task import ACCOUNT, EVENT, POSITION, ROW, USER, VALUE, Output, ShardJob

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

Rows = CohortRows | OwnRows | Snapshots

_KEYS = ("account", "user", "event", "at", "occurred_at")
_PART = "part"


class SparkLog:
    """The folder of an imported log, on any storage that the session can read.

    Nothing of it but the manifest and the names of categories comes to the driver.

    Raises
    ------
    EventLogError
        When there is no log of this program's format.
    """

    def __init__(self, session: "SparkSession", place: str):
        self.session, self.uri = session, to_uri(place)
        with told_plainly():
            texts = [
                read_text(session, f"{self.uri}/{name}.json") for name in ("log", "categories")
            ]
        if None in texts:
            raise EventLogError(f"No imported log in {self.uri!r}, as Spark sees it.")
        self.facts = LogFacts(*(json.loads(str(text)) for text in texts))

    @cached_property
    def head(self) -> LogPart:
        """The log without anybody in it: enough to check definitions and to make a catalogue."""
        text, number, code = pa.string(), pa.int64(), pa.int32()
        properties = [
            (PROPERTY_PREFIX + item["name"], pa.float64() if item["type"] == "number" else code)
            for item in self.facts.manifest["properties"]
        ]
        keys = [(name, number if name in ("at", "occurred_at") else code) for name in _KEYS]
        entity = [(CODE, code), ("id", text), ("shard", code), ("domain", text)]
        entity.append(("domain_at", number))
        values = [("attribute", code), (CODE, code), ("at", number), ("number", pa.float64())]
        return LogPart.empty(
            self.facts,
            pa.schema([*keys, *properties]),
            pa.schema(entity),
            pa.schema([*entity, ("account", code)]),
            pa.schema([*values, ("text", text)]),
        )

    def check_level(self, level: Level) -> None:
        """Refuse users of a log that keeps only accounts together.

        Raises
        ------
        SettingsError
        """
        if level == "user" and self.facts.manifest["level"] == "account":
            raise SettingsError(
                f"The log in {self.uri!r} was imported to score accounts, so a user's events lie "
                "in several shards. Import it again with entity: user."
            )

    def apply(self, output: Output, rows: Rows | None, features: Iterable[Feature]) -> "DataFrame":
        """The output of every shard; computed when it is written.

        Parameters
        ----------
        rows
            None where the output needs none.
        features
            What the output computes: decides which columns of the events are read.
        """
        from pyspark.sql.pandas.types import from_arrow_schema

        job = ShardJob(self.facts, output)
        read = set(compile_plan(self.head, output.level, features).event_columns)
        events = self._events([*_KEYS, *sorted(read - set(_KEYS))])

        def run(events: pa.Table, sides: pa.Table) -> pa.Table:
            return job(events, sides)

        with arrow_only():
            together = events.groupBy(_PART).cogroup(self._sides(rows).groupBy(_PART))
            return together.applyInArrow(run, from_arrow_schema(output.schema))

    def _read(self, name: str) -> "DataFrame":
        """A table of one file with its row numbers."""
        from pyspark.sql import functions as sql

        table = self.session.read.parquet(literal(f"{self.uri}/{name}.parquet"))
        return table.select("*", sql.col("_metadata.row_index").alias(POSITION))

    def _events(self, columns: list[str]) -> "DataFrame":
        """Columns ``part`` and ``event``: the events of every shard."""
        from pyspark.sql import functions as sql

        files = [shard["file"] for shard in self.facts.manifest["shards"]]
        numbers = self.session.createDataFrame(list(enumerate(files)), f"{_PART} int, file string")
        table = self.session.read.parquet(*(literal(f"{self.uri}/{file}") for file in files))
        table = table.withColumns(
            {POSITION: sql.col("_metadata.row_index"), "file": sql.col("_metadata.file_name")}
        ).select("file", _struct([*columns, POSITION], EVENT))
        return table.join(sql.broadcast(numbers), "file").select(_PART, EVENT)

    def _entities(self, level: Level) -> "DataFrame":
        """Columns ``code``, ``id``, ``part`` and the whole row as a struct named as the level.

        The part is the shard of the entity's events, or any if there are none.
        """
        from pyspark.sql import functions as sql

        table = self._read(f"{level}s").withColumn(CODE, sql.col(POSITION).cast("int"))
        n = len(self.facts.manifest["shards"])
        part = sql.when(sql.col("shard") >= 0, sql.col("shard")).otherwise(
            sql.pmod(CODE, sql.lit(n))
        )
        row = _struct([*table.drop(POSITION).columns], level)
        return table.select(CODE, "id", part.cast("int").alias(_PART), row)

    def _present(self, users: "DataFrame") -> "DataFrame":
        """Pairs of a part and the code of a user who is at home or has events there."""
        at_home = users.select(_PART, CODE)
        if self.facts.manifest["level"] == "user":
            return at_home
        seen = self._events(["user"]).selectExpr(_PART, f"{EVENT}.user as {CODE}")
        return at_home.union(seen.where(f"{CODE} >= 0")).distinct()

    def _sides(self, rows: Rows | None) -> "DataFrame":
        """Columns ``part`` and a struct per kind of row, one of them not null."""
        accounts, users = self._entities("account"), self._entities("user")
        present = self._present(users)
        values = self._read("attributes")
        values = values.select("attribute", CODE, _struct(values.columns, VALUE))
        sides = [accounts.select(_PART, ACCOUNT), users.drop(_PART).join(present, CODE)]
        for level, places in (("account", accounts.select(_PART, CODE)), ("user", present)):
            kinds = [n for n, a in enumerate(self.head.attributes) if a.of == level]
            sides.append(values.where(values["attribute"].isin(kinds)).join(places, CODE))
        if rows is not None:
            sides += self._given(rows, accounts if rows.level == "account" else users)
        union = sides[0]
        for side, name in zip(sides[1:], (USER, VALUE, VALUE, ROW), strict=False):
            union = union.unionByName(side.select(_PART, name), allowMissingColumns=True)
        return union

    def _given(self, rows: Rows, entities: "DataFrame") -> list["DataFrame"]:
        """Rows that are not for the executors to find, each in its entity's part."""
        from pyspark.sql import functions as sql

        if isinstance(rows, CohortRows):
            return []
        if isinstance(rows, OwnRows):
            known = self._own(rows).join(entities, "id")
        else:
            table = pa.table({CODE: rows.entity, "as_of": rows.as_of})
            with arrow_only():
                known = self.session.createDataFrame(table).join(entities, CODE)
        return [
            known.withColumn("entity", sql.col(CODE)).withColumn(
                ROW, _struct(["entity", "as_of"], ROW)
            )
        ]

    def _own(self, rows: OwnRows) -> "DataFrame":
        """Columns ``id`` and ``as_of`` (microseconds UTC) of a table of the user's own."""
        table = self.session.read.parquet(literal(to_uri(rows.uri)))
        kinds = dict(table.dtypes)
        if missing := [name for name in (rows.entity, rows.as_of) if name not in kinds]:
            raise SettingsError(
                f"The rows in {rows.uri!r} have no column {few(missing)}; they have {few(kinds)}."
            )
        if kinds[rows.as_of] not in ("timestamp", "timestamp_ntz", "date"):
            raise SettingsError(
                f"{rows.as_of!r} of the rows in {rows.uri!r} is {kinds[rows.as_of]}; it must be a "
                "date or a timestamp."
            )
        return table.select(
            _renamed(rows.entity, "id", "string"), _micros(rows.as_of, kinds[rows.as_of])
        )

    def check_rows(self, rows: Rows) -> None:
        """Refuse rows of somebody whom the log does not know.

        Raises
        ------
        EventLogError
        """
        if not isinstance(rows, OwnRows):
            return
        with told_plainly():
            ids = self._own(rows).select("id")
            unknown = ids.join(self._entities(rows.level), "id", "left_anti").cache()
            n, some = unknown.count(), unknown.distinct().sort("id").take(6)
            unknown.unpersist()
        if n:
            raise EventLogError(
                f"{n} of {ids.count()} rows name no {rows.level} of the log: "
                f"{few([row['id'] for row in some])}."
            )


def _renamed(name: str, new: str, kind: str | None = None) -> "Column":
    from pyspark.sql import functions as sql

    column = sql.col(f"`{name}`")
    return (column.cast(kind) if kind else column).alias(new)


def _struct(names: list[str], name: str) -> "Column":
    """One struct of several columns."""
    from pyspark.sql import functions as sql

    return sql.struct(*(sql.col(f"`{name}`") for name in names)).alias(name)


def _micros(name: str, kind: str) -> "Column":
    """Microseconds since 1970, whatever the session's time zone."""
    from pyspark.sql import functions as sql

    if kind == "timestamp":
        instant = sql.unix_micros(sql.col(f"`{name}`"))
    else:
        plain = f"cast(`{name}` as timestamp_ntz)"
        instant = sql.expr(f"timestampdiff(MICROSECOND, timestamp_ntz'1970-01-01', {plain})")
    return cast("Column", instant.alias("as_of"))
