"""What an executor does with a shard: the project's own functions on a part of the log."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.definitions import Feature
from features.engine import references
from features.events import Level
from features.labels import find_conversions
from features.matrix import FeatureMatrix, Snapshots
from features.part import LogFacts, LogPart
from features.plan import compile_plan
from features.reference import Reference
from features.shard import compute_shard
from features.snapshots import eligible
from pipeline.spark.rows import CohortRows

# Names of the columns under which Spark brings the tables of a shard, one struct per row.
EVENT, ACCOUNT, USER, VALUE, ROW = "event", "account", "user", "value", "row"
POSITION = "position"
"""Row number in the file: the log's order, which a shuffle loses."""
TIME = pa.timestamp("us")

_ROWS_PER_BATCH = 10_000


class Output(Protocol):
    """Makes a table of a part and of the rows that were given for it, if any were."""

    @property
    def level(self) -> Level: ...

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the table."""

    def __call__(self, part: LogPart, given: pa.Table | None) -> pa.Table: ...


@dataclass(frozen=True)
class ShardJob:
    """Everything that a task needs beside its shard; it travels to the executors."""

    facts: LogFacts
    output: Output

    def __call__(self, events: pa.Table, sides: pa.Table) -> pa.Table:
        """Output of one shard from its events and from everything else that belongs to it."""
        part = LogPart(
            self.facts,
            _in_order(_unpacked(events, EVENT)),
            _unpacked(sides, ACCOUNT),
            _unpacked(sides, USER),
            _in_order(_unpacked(sides, VALUE)),
        )
        given = _unpacked(sides, ROW) if ROW in sides.column_names else None
        table = self.output(part, given).cast(self.output.schema)
        # The JVM takes batches one at a time: small ones keep its memory small.
        return pa.Table.from_batches(table.to_batches(_ROWS_PER_BATCH), self.output.schema)


@dataclass(frozen=True)
class MatrixOutput:
    """The features of a part's rows, with ``entity_id`` and ``as_of`` in front.

    Parameters
    ----------
    cohort
        None where rows are given.
    references
        What features compare with, of the whole log: a part knows only itself.
    """

    level: Level
    cohort: CohortRows | None
    features: tuple[Feature, ...]
    references: dict[Feature, Reference]

    def __call__(self, part: LogPart, given: pa.Table | None) -> pa.Table:
        matrix = self.matrix(part, given)
        ids, as_of = matrix.snapshots.ids, matrix.snapshots.as_of
        keys = [pa.array(ids, pa.string()), pa.array(as_of).cast(TIME)]
        names = ["entity_id", "as_of", *matrix.table.column_names]
        return pa.table([*keys, *matrix.table.columns], names=names)

    def matrix(self, part: LogPart, given: pa.Table | None) -> FeatureMatrix:
        snapshots = self._snapshots(part, given)
        plan = compile_plan(part, self.level, self.features, self.references)
        rows = pa.table({"entity": snapshots.entity, "as_of": snapshots.as_of})
        events = part.shard(0, plan.event_columns)
        table = compute_shard(events, rows, part.attribute_values, plan)
        return FeatureMatrix(snapshots, self.features, table)

    def _snapshots(self, part: LogPart, given: pa.Table | None) -> Snapshots:
        ids = part.ids(self.level)
        if given is not None:
            entity = part.local_codes(self.level, given["entity"].to_numpy())
            return Snapshots.of(self.level, entity, given["as_of"].to_numpy(), ids)
        if self.cohort is None or not len(ids):  # users without account, asked for accounts
            nobody = np.empty(0, np.int64)
            return Snapshots.of(self.level, nobody, nobody, ids)
        conversions = find_conversions(
            part, self.level, self.cohort.conversion, known_before=self.cohort.known_before
        )
        return eligible(
            part, self.level, self.cohort.cohort, np.array(self.cohort.as_ofs), conversions
        ).snapshots

    @property
    def schema(self) -> pa.Schema:
        fields = [pa.field("entity_id", pa.string()), pa.field("as_of", TIME)]
        for feature in self.features:
            kind = pa.float32() if feature.dtype == "number" else pa.string()
            fields.append(pa.field(feature.name, kind))
        return pa.schema(fields)


@dataclass(frozen=True)
class ReferenceOutput:
    """What a part adds to each feature's reference, by UTC day.

    ``feature`` is a position in `features`, ``n`` and ``total`` are those of the day alone.
    """

    level: Level
    features: tuple[Feature, ...]

    def __call__(self, part: LogPart, given: pa.Table | None) -> pa.Table:
        tables = [self.schema.empty_table()]
        for feature, found in references(part, self.level, self.features).items():
            day, n, total = found.by_day()
            which = np.full(len(day), self.features.index(feature), np.int32)
            tables.append(pa.table({"feature": which, "day": day, "n": n, "total": total}))
        return pa.concat_tables(tables).cast(self.schema)

    @property
    def schema(self) -> pa.Schema:
        numbers = [pa.field(name, pa.int64()) for name in ("day", "n", "total")]
        return pa.schema([pa.field("feature", pa.int32()), *numbers])

    def merged(self, sums: pa.Table) -> dict[Feature, Reference]:
        """References of the whole log from the sums over its parts by feature and day."""
        found = {}
        for position, feature in enumerate(self.features):
            mine = sums.filter(pc.equal(sums["feature"], position)).sort_by("day")
            found[feature] = Reference.of_days(
                *(mine[name].to_numpy() for name in ("day", "n", "total"))
            )
        return found


def _unpacked(table: pa.Table, name: str) -> pa.Table:
    """The rows that have the struct `name`, with its fields as columns."""
    return pa.Table.from_struct_array(table[name].drop_null())


def _in_order(table: pa.Table) -> pa.Table:
    return table.sort_by(POSITION).drop_columns([POSITION])
