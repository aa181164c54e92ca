"""The ledger: every score ever given, in Parquet files that are added and never changed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.clock import DAY_US, to_text
from features.errors import SettingsError
from pipeline.ledger_rows import digest_of, joined, numbered, typed
from pipeline.registry import CHAMPION
from pipeline.tables import write_atomically

if TYPE_CHECKING:
    import pandas as pd

_FACTS = "entry"
"""What the metadata of a file have an `Entry` under."""
_IN_TIME_US = 2 * DAY_US
"""How long after its as_of somebody may still act on a score: a night that failed is run again."""


@dataclass(frozen=True)
class Entry:
    """One file of the ledger: all scores that one version gave for one as_of at one time.

    Parameters
    ----------
    as_of
        Microseconds UTC.
    sequence
        From 1 for each (version, as_of); the last one counts.
    alias
        What was asked for: an alias of the registry or a version number.
    backfill
        Whether the scores were made for a past date, and nothing outward may follow from them.
    seen
        Whether the version had learnt from outcomes of that date: never judge it by them.
    settled_by
        (as_of, sequence) of the entry of this version that its tiers were settled against; None
        for none. Sequence 0: an older ledger kept the date alone.
    scored_at
        When these scores were first given, microseconds UTC; None where nobody said.
    """

    model: str
    version: int
    as_of: int
    sequence: int
    path: Path
    alias: str
    backfill: bool
    seen: bool
    settled_by: tuple[int, int] | None
    scored_at: int | None

    @property
    def written_at(self) -> int:
        """When it was written, microseconds UTC; its as_of where nobody said (simulations)."""
        return self.as_of if self.scored_at is None else self.scored_at

    @property
    def in_time(self) -> bool:
        """Whether somebody could act on it: no backfill, written in (-inf, as_of + 2 days]."""
        return not self.backfill and self.written_at - self.as_of <= _IN_TIME_US


def append(
    store: Path,
    scores: "pd.DataFrame",
    *,
    model: str,
    version: int,
    as_of: int,
    alias: str,
    backfill: bool,
    seen: bool,
    settled_by: tuple[int, int] | None,
    data_end: int,
    log_fingerprint: str,
) -> Entry:
    """Write scores down, unless the last entry of this (version, as_of) says the same.

    Equal scores are written again only where they gain in standing: given by the champion for the
    first time, or given in earnest after a backfill. Hold `pipeline.run_lock.run_lock` meanwhile.

    Parameters
    ----------
    scores
        A scores table of one as_of; ``scored_at`` may be empty, and is the same on every row.
    alias, backfill, seen, settled_by
        As `Entry` has them.
    data_end, log_fingerprint
        Of the log that they were made from.

    Returns
    -------
    Entry
        The one written, or the one that says the same.

    Raises
    ------
    SettingsError
        When the ledger can't be read or written.
    """
    import pyarrow.parquet as pq

    table = typed(
        scores.assign(
            model=model,
            alias=alias,
            backfill=backfill,
            seen=seen,
            data_end=np.datetime64(data_end, "us"),
            log_fingerprint=log_fingerprint,
        )
    )
    digest = digest_of(table)
    folder = _month(store, model, as_of)
    same = [
        (entry, told)
        for entry, told in _with_digests(folder)
        if (entry.version, entry.as_of) == (version, as_of)
    ]
    if same:
        last, told = same[-1]
        promoted = alias == CHAMPION and last.alias != CHAMPION
        in_earnest = last.backfill and not backfill
        if told == digest and not promoted and not in_earnest:
            return last
    sequence = same[-1][0].sequence + 1 if same else 1
    path = folder / f"{to_text(as_of).replace(':', '')}-v{version}-{sequence}.parquet"
    times = table["scored_at"].drop_null() if "scored_at" in table.column_names else []
    entry = Entry(
        model=model,
        version=version,
        as_of=as_of,
        sequence=sequence,
        path=path,
        alias=alias,
        backfill=backfill,
        seen=seen,
        settled_by=settled_by,
        scored_at=times[0].value if len(times) else None,
    )
    facts = {name: value for name, value in asdict(entry).items() if name != "path"}
    table = numbered(table, sequence).replace_schema_metadata(
        {_FACTS: json.dumps(facts), "digest": digest}
    )
    write_atomically(path, lambda target: pq.write_table(table, target, compression="zstd"))
    return entry


def entries(store: Path, model: str) -> list[Entry]:
    """What the ledger holds of a model, sorted by (as_of, version, sequence).

    Raises
    ------
    SettingsError
        When a file of it can't be read.
    """
    found = [
        entry
        for folder in (store / "ledger" / model).glob("month=*")
        for entry, _ in _with_digests(folder)
    ]
    return sorted(found, key=_order)


def read(
    store: Path,
    model: str,
    *,
    first_as_of: int | None = None,
    before: int | None = None,
    version: int | None = None,
    columns: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Scores with as_of in [first_as_of, before), the last sequence of each (version, as_of).

    Rows come in the order of `entries`, and best first within one. A column that an entry lacks
    (a head's, of a version without heads) is empty there.

    Parameters
    ----------
    columns
        None for all.

    Raises
    ------
    SettingsError
        When a file of the ledger can't be read.
    """
    chosen = [
        entry
        for entry in entries(store, model)
        if (version is None or entry.version == version)
        and (first_as_of is None or entry.as_of >= first_as_of)
        and (before is None or entry.as_of < before)
    ]
    last = {(entry.as_of, entry.version): entry for entry in chosen}
    return read_entries(list(last.values()), columns)


def read_entries(
    chosen: Sequence[Entry], columns: Sequence[str] | None = None, *, filled: str | None = None
) -> "pd.DataFrame":
    """The rows of those entries, one after the other; without any, the columns and no rows.

    Parameters
    ----------
    filled
        Only rows in which this one of the columns says something; None for all rows.

    Raises
    ------
    SettingsError
        When a file can't be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = None if columns is None else list(columns)
    tables = []
    for entry in chosen:
        try:
            table = pq.ParquetFile(entry.path).read(columns=wanted)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(entry.path, error) from error
        if filled is not None:
            there = filled in table.column_names
            table = table.filter(pc.is_valid(table[filled])) if there else table.slice(0, 0)
        tables.append(table)
    return joined(tables, wanted).to_pandas()


def _month(store: Path, model: str, as_of: int) -> Path:
    return store / "ledger" / model / f"month={to_text(as_of)[:7]}"


def _with_digests(folder: Path) -> list[tuple[Entry, str]]:
    """Entries of one month in order, each with the digest of its scores."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for path in folder.glob("*.parquet"):
        if path.name.startswith("."):
            continue
        try:
            told = pq.read_metadata(path).metadata or {}
            facts = json.loads(told[_FACTS.encode()])
            facts["settled_by"] = _pair(facts["settled_by"])
            found.append((Entry(**facts, path=path), told[b"digest"].decode()))
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
            raise _unreadable(path, error) from error
    return sorted(found, key=lambda pair: _order(pair[0]))


def _pair(settled_by: list[int] | int | None) -> tuple[int, int] | None:
    if settled_by is None:
        return None
    as_of, sequence = (settled_by, 0) if isinstance(settled_by, int) else settled_by
    return as_of, sequence


def _order(entry: Entry) -> tuple[int, int, int]:
    return entry.as_of, entry.version, entry.sequence


def _unreadable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"Can't read the ledger's {str(path)!r}: {error}. Restore the file from a backup, or move "
        "it away and score its date again."
    )
