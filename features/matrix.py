"""Snapshots and the feature matrix: row i of everything is snapshot i."""

import hashlib
import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from features.arrow import numbers, texts
from features.definitions import Feature
from features.errors import EventLogError, SchemaMismatch, few
from features.events import Level

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Snapshots:
    """Unique (entity, as_of) rows, sorted by entity code, then as_of.

    Parameters
    ----------
    entity
        int32, shape (n,): codes of the log's entities at `level`.
    as_of
        int64, shape (n,): microseconds UTC. Events with known_at < as_of exist for the row.
    ids
        object array of str, shape (n,): the entity's own id.

    Raises
    ------
    EventLogError
        When rows are not sorted or not unique.
    """

    level: Level
    entity: np.ndarray
    as_of: np.ndarray
    ids: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.entity) == len(self.as_of) == len(self.ids):
            raise EventLogError("Snapshots need as many entities as as_of times and ids.")
        same = self.entity[1:] == self.entity[:-1]
        ordered = (self.entity[1:] > self.entity[:-1]) | (same & (self.as_of[1:] > self.as_of[:-1]))
        if not ordered.all():
            at = int(np.flatnonzero(~ordered)[0])
            raise EventLogError(
                f"Snapshots must be sorted by entity, then as_of, and unique; rows {at} and "
                f"{at + 1} ({self.ids[at]!r}) are not. Use Snapshots.of() to sort."
            )

    @classmethod
    def of(
        cls, level: Level, entity: np.ndarray, as_of: np.ndarray, ids: np.ndarray
    ) -> "Snapshots":
        """Sort rows and drop repeated ones; `ids` is indexed by entity code.

        `as_of` is in whole microseconds UTC; `features.snapshots.own_rows` takes datetimes.
        """
        if np.asarray(as_of).dtype.kind in "Mm":
            raise EventLogError("as_of must be int64 microseconds UTC here; use own_rows().")
        entity = np.asarray(entity, np.int32)
        as_of = np.asarray(as_of, np.int64)
        order = np.lexsort((as_of, entity))
        entity, as_of = entity[order], as_of[order]
        keep = np.ones(len(entity), bool)
        keep[1:] = (entity[1:] != entity[:-1]) | (as_of[1:] != as_of[:-1])
        return cls(level, entity[keep], as_of[keep], np.asarray(ids, object)[entity[keep]])

    def __len__(self) -> int:
        return len(self.entity)

    def take(self, rows: np.ndarray) -> "Snapshots":
        """The rows of an increasing index or a boolean mask."""
        return Snapshots(self.level, self.entity[rows], self.as_of[rows], self.ids[rows])


@dataclass(frozen=True)
class FeatureMatrix:
    """Feature columns for snapshots.

    Parameters
    ----------
    table
        One column per feature, in the order of `features`: float32 (NaN for unknown) or string
        (null for unknown) for a categorical one. Row i is snapshot i.
    """

    snapshots: Snapshots
    features: tuple[Feature, ...]
    table: "pa.Table"

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.features]
        if self.table.column_names != names:
            missing = [name for name in names if name not in self.table.column_names]
            raise SchemaMismatch(f"The matrix lacks or misplaces columns: {few(missing or names)}.")
        if self.table.num_rows != len(self.snapshots):
            raise SchemaMismatch(
                f"{self.table.num_rows} feature rows for {len(self.snapshots)} snapshots."
            )

    def __len__(self) -> int:
        return len(self.snapshots)

    def column(self, name: str) -> np.ndarray:
        """float32 array, or object array of str and None, shape (n,).

        Raises
        ------
        SchemaMismatch
            When there is no such feature.
        """
        import pyarrow as pa

        # By place: the list of names would be made anew for every column.
        place = self.table.schema.get_field_index(name)
        if place < 0:
            near = get_close_matches(name, self.table.column_names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise SchemaMismatch(f"The matrix has no feature {name!r}.{hint}")
        column = self.table.column(place)
        text = column.type in (pa.string(), pa.large_string())
        return texts(column) if text else numbers(column)

    def take(self, rows: np.ndarray) -> "FeatureMatrix":
        """The rows of an increasing index or a boolean mask."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return FeatureMatrix(self.snapshots.take(rows), self.features, self.table.take(index))

    def fingerprint(self) -> str:
        """sha256 of names, rows and values: equal for byte-equal matrices."""
        digest = hashlib.sha256()
        for part in (self.snapshots.entity, self.snapshots.as_of):
            digest.update(part.tobytes())
        for feature in self.features:
            values = self.column(feature.name)
            digest.update(feature.name.encode())
            text = feature.dtype == "category"
            digest.update(json.dumps(values.tolist()).encode() if text else values.tobytes())
        return digest.hexdigest()

    def _repr_html_(self) -> str:
        """What notebooks show: rows, period, and examples of each dimension, all escaped."""
        from features.matrix_html import matrix_html

        return matrix_html(self)

    def frame(self) -> "pd.DataFrame":
        """pandas view with ``entity_id`` and ``as_of`` in front, in the order of the snapshots."""
        frame = self.table.to_pandas()
        frame.insert(0, "entity_id", self.snapshots.ids)
        frame.insert(1, "as_of", self.snapshots.as_of.astype("datetime64[us]"))
        return frame
