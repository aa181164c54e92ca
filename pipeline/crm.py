"""Stages of opportunities from a CRM: entity, stage, time, amount."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from features.clock import FIRST_US, LAST_US
from features.errors import SettingsError
from features.spec import Spec
from pipeline.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

Stage = Literal["opportunity", "won", "lost"]


class CrmSpec(Spec):
    """The ``crm:`` block: an optional table of the stages that deals went through."""

    file: str
    """CSV or Parquet, from the settings file's folder."""
    entity: str = "entity_id"
    """Its column of account or user ids."""
    stage: str = "stage"
    """Its column of stages."""
    time: str = "time"
    """ISO texts or datetimes; without a zone UTC."""
    amount: str | None = None
    """What was won; None for no amounts."""
    stages: dict[str, Stage | None] = Field(
        default={"opportunity": "opportunity", "won": "won", "lost": "lost"}, min_length=1
    )
    """What the CRM's own stage names mean; null for one that means nothing here."""

    @model_validator(mode="after")
    def _somebody_wins(self) -> "CrmSpec":
        if "won" not in self.stages.values():
            raise ValueError("crm.stages must name a stage that means won")
        return self


@dataclass(frozen=True)
class Stages:
    """Readable rows of the table, and the others.

    Parameters
    ----------
    entity
        object array of str, shape (n,).
    stage
        object array of `Stage`, shape (n,).
    at
        int64, shape (n,): microseconds UTC.
    amount
        float64, shape (n,): NaN for none.
    quarantine
        Rows that can't be used or stand there twice: ``line, reason`` and the row as it was.
    ignored
        Rows of stages that the settings say mean nothing.
    """

    entity: np.ndarray
    stage: np.ndarray
    at: np.ndarray
    amount: np.ndarray
    quarantine: "pd.DataFrame"
    ignored: int

    @property
    def reasons(self) -> dict[str, int]:
        """Rows in quarantine by reason."""
        counts = self.quarantine["reason"].value_counts()
        return {str(name): int(n) for name, n in sorted(counts.items())}


def read_stages(spec: CrmSpec, base: Path, known: set[str], before: int) -> Stages:
    """The table's rows with time in (-inf, before); unreadable ones go to quarantine.

    Parameters
    ----------
    base
        Folder that `spec.file` starts at.
    known
        Ids of the log's entities.
    before
        Microseconds UTC: later rows do not exist, not even as unknown ones.

    Raises
    ------
    SettingsError
        When there is no such file, or it lacks a column.
    """
    import pandas as pd

    raw = read_table(base / spec.file)
    columns = [spec.entity, spec.stage, spec.time, *([spec.amount] if spec.amount else [])]
    if missing := [name for name in columns if name not in raw.columns]:
        raise SettingsError(
            f"crm.file {spec.file!r} has no column {missing[0]!r}; it has {list(raw.columns)}."
        )
    at, readable = _times(raw[spec.time])
    later = readable & (at >= before)
    raw, at, readable = raw[~later], at[~later], readable[~later]
    entity = raw[spec.entity].astype(str).to_numpy(object)
    named = raw[spec.stage].astype(str).to_numpy(object)
    amount, countable = _amounts(raw[spec.amount] if spec.amount else None, len(raw))
    meaning = np.array([spec.stages.get(name) for name in named], object)
    means = np.array([one is not None for one in meaning], bool)
    reason = np.full(len(raw), None, object)
    # The last one that applies is told, so the gravest comes last.
    reason[means & raw.astype(str).duplicated().to_numpy()] = "the same row again"
    reason[countable & (amount < 0)] = "amount is negative"
    reason[~countable] = "amount is no number"
    reason[[name not in spec.stages for name in named]] = "unknown stage"
    reason[[name not in known for name in entity]] = "unknown entity"
    reason[~readable] = "time can't be read"
    bad = np.array([one is not None for one in reason], bool)
    nothing, good = ~bad & ~means, ~bad & means
    quarantine = raw[bad].astype(str)
    quarantine.insert(0, "reason", pd.Series(reason[bad], quarantine.index, dtype=str))
    # As an editor counts: line 1 holds the names.
    quarantine.insert(0, "line", quarantine.index + 2)
    return Stages(
        entity[good],
        meaning[good],
        at[good],
        amount[good],
        quarantine.reset_index(drop=True),
        int(nothing.sum()),
    )


def _times(column: "pd.Series") -> tuple[np.ndarray, np.ndarray]:
    """Microseconds UTC, and which rows have a time that can be."""
    import pandas as pd

    # Whole numbers would be read as nanoseconds.
    given = column.astype(str) if column.dtype.kind in "iuf" else column
    parsed = pd.to_datetime(given, utc=True, errors="coerce", format="ISO8601")
    missing = parsed.isna().to_numpy()
    at = parsed.dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64)
    readable = ~missing & (at >= FIRST_US) & (at < LAST_US)
    return np.where(readable, at, 0), readable


def _amounts(column: "pd.Series | None", n: int) -> tuple[np.ndarray, np.ndarray]:
    """Amounts, NaN where there is none, and which rows are fine."""
    import pandas as pd

    if column is None:
        return np.full(n, np.nan), np.ones(n, bool)
    amount = pd.to_numeric(column, errors="coerce").to_numpy(float)
    empty = column.isna().to_numpy() | (column.astype(str).str.strip() == "").to_numpy()
    return amount, empty | np.isfinite(amount)


def first_reached(
    stages: Stages, entity: np.ndarray, stage: Stage, not_before: np.ndarray, never: int
) -> np.ndarray:
    """When each entity first reached a stage in [not_before, inf): int64, shape (n,).

    Parameters
    ----------
    entity
        object array of ids, shape (n,).
    not_before
        int64, shape (n,): stages before it belong to an earlier story.
    """
    place = {name: at for at, name in enumerate(entity)}
    rows = np.flatnonzero(stages.stage == stage)
    code = np.array([place.get(name, -1) for name in stages.entity[rows]], np.int64)
    rows, code = rows[code >= 0], code[code >= 0]
    late_enough = stages.at[rows] >= not_before[code]
    found = np.full(len(entity), never, np.int64)
    np.minimum.at(found, code[late_enough], stages.at[rows][late_enough])
    return found


def amounts_won(stages: Stages, entity: np.ndarray, not_before: np.ndarray) -> np.ndarray:
    """Sum of the amounts that each entity's won rows in [not_before, inf) carry: float64, (n,)."""
    place = {name: at for at, name in enumerate(entity)}
    found = np.zeros(len(entity))
    rows = np.flatnonzero((stages.stage == "won") & np.isfinite(stages.amount))
    for row in rows:
        at = place.get(stages.entity[row], -1)
        if at >= 0 and stages.at[row] >= not_before[at]:
            found[at] += stages.amount[row]
    return found
