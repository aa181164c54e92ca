"""What the data are like that a model learnt from: lost rows, late events, unknown values."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.arrow import numbers
from features.clock import DAY_US, to_text
from features.errors import few

if TYPE_CHECKING:
    from features.events import EventLog
    from features.matrix import FeatureMatrix

MEANINGS = {
    "rows read": "rows of all event files; rows of tables of users and accounts are apart",
    "quarantined": "rows that could not be used; quarantine.parquet beside the imported log has "
    "each with its file, line and reason",
    "duplicates": "rows whose event id was there before; they count once",
    "left out": "good rows that the settings do not want, or of visitors who never said who they "
    "are",
    "events used": "what is left: what snapshots, labels and features are made of",
    "late": "events that were known more than an hour after they happened; features use them from "
    "when they were known",
    "without an account": "events whose user was in no account when they happened",
    "static": "attributes of a table without history: taken as known at every as_of, which can "
    "leak",
    "unknown": "share of the training and test rows for which a feature has no value",
    "constant": "features with one value on all rows: they can say nothing",
}
_HOUR_US = DAY_US // 24
_MOST = 8
_MOST_DELAYS = 1_000_000


@dataclass(frozen=True)
class Unknown:
    """A feature and the share of rows on which it has no value."""

    feature: str
    meaning: str
    share: float


@dataclass(frozen=True)
class DataQuality:
    """What was read, what was lost and why, and what features know.

    Parameters
    ----------
    first_at, data_end
        ISO 8601, UTC: the events used lie in [first_at, data_end).
    quarantined, left_out
        Rows by reason, the most first.
    quarantined_by_source
        Rows by file, the most first; files in `base` are named from there.
    late
        Events known more than an hour after they happened; `late_median_hours` is their median
        delay, None where none is late.
    without_account, without_user
        Events used that have none.
    identified_later
        Events that were given their user after they happened, once the visitor said who it was.
    static_attributes
        As "account: plan".
    mostly_unknown
        The features with the largest shares of rows without a value, largest first; of several of
        the same events and property only the first.
    attributes_unknown
        The like of all attributes that are features, those of which all is known included.
    constant
        Names of the features with one value on all rows.
    text
        The most important of it in a few sentences.
    """

    files: int
    rows_read: int
    table_rows: int
    events_used: int
    accounts: int
    users: int
    first_at: str
    data_end: str
    duplicates: int
    quarantined: dict[str, int]
    quarantined_by_source: dict[str, int]
    left_out: dict[str, int]
    late: int
    late_median_hours: float | None
    without_account: int
    without_user: int
    identified_later: int
    static_attributes: tuple[str, ...]
    n_rows: int
    n_features: int
    mostly_unknown: tuple[Unknown, ...]
    attributes_unknown: tuple[Unknown, ...]
    constant: tuple[str, ...]
    text: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class _Events:
    late: int
    late_median_hours: float | None
    without_account: int
    without_user: int


def data_quality(log: "EventLog", matrix: "FeatureMatrix", base: Path | None = None) -> DataQuality:
    """Counts of the import, of the log and of the feature columns.

    Parameters
    ----------
    base
        Folder from which files are named; None names them whole.

    Raises
    ------
    EventLogError
        When a file of the log is damaged.
    """
    counts = log.manifest["counts"]
    events = _events(log)
    shares, constant = _columns(matrix)
    quarantined = dict(counts["quarantined"])
    return DataQuality(
        files=counts["files"],
        rows_read=counts["rows"],
        table_rows=counts["table_rows"],
        events_used=log.n_events,
        accounts=counts["accounts"],
        users=counts["users"],
        first_at=to_text(log.first_at),
        data_end=to_text(log.data_end),
        duplicates=counts["duplicates"],
        quarantined=quarantined,
        quarantined_by_source=_by_source(log, base) if quarantined else {},
        left_out=dict(counts["left_out"]),
        late=events.late,
        late_median_hours=events.late_median_hours,
        without_account=events.without_account,
        without_user=events.without_user,
        identified_later=counts["linked"],
        static_attributes=tuple(f"{one.of}: {one.name}" for one in log.attributes if one.static),
        n_rows=len(matrix),
        n_features=len(matrix.features),
        mostly_unknown=_largest(matrix, shares),
        attributes_unknown=tuple(
            Unknown(feature.name, feature.meaning, shares[feature.name])
            for feature in matrix.features
            if feature.statistic == "attribute"
        ),
        constant=constant,
        text=_sentences(log, counts, events, constant, len(matrix.features)),
    )


def _events(log: "EventLog") -> _Events:
    """One pass over the shards; the median is of at most a million delays."""
    late = without_account = without_user = 0
    delays = []
    step = 1 + log.n_events // _MOST_DELAYS
    for index in range(log.n_shards):
        shard = log.shard(index, ["account", "user", "at", "occurred_at"])
        delay = numbers(shard["at"]) - numbers(shard["occurred_at"])
        is_late = delay > _HOUR_US
        late += int(is_late.sum())
        delays.append(delay[is_late][::step])
        without_account += int((numbers(shard["account"]) < 0).sum())
        without_user += int((numbers(shard["user"]) < 0).sum())
    median = float(np.median(np.concatenate(delays)) / _HOUR_US) if late else None
    return _Events(late, median, without_account, without_user)


def _by_source(log: "EventLog", base: Path | None) -> dict[str, int]:
    """Quarantined rows by file, the most first."""
    import pyarrow.parquet as pq

    bad = pq.ParquetFile(log.root / "quarantine.parquet").read(columns=["file"])
    named = Counter(_named(file, base) for file in bad.column("file").to_pylist())
    return dict(sorted(named.items(), key=lambda pair: (-pair[1], pair[0])))


def _named(file: str, base: Path | None) -> str:
    if base is None or not Path(file).is_relative_to(base):
        return file
    return str(Path(file).relative_to(base))


def _columns(matrix: "FeatureMatrix") -> tuple[dict[str, float], tuple[str, ...]]:
    """Share of rows without a value by feature, and the features that never vary."""
    shares, constant = {}, []
    for feature in matrix.features:
        values = matrix.column(feature.name)
        if feature.dtype == "number":
            missing = np.isnan(values)
        else:
            missing = np.array([value is None for value in values], bool)
        known = values[~missing]
        shares[feature.name] = float(missing.mean()) if len(values) else 0.0
        if len(values) and (not len(known) or (not missing.any() and (known == known[0]).all())):
            constant.append(feature.name)
    return shares, tuple(constant)


def _largest(matrix: "FeatureMatrix", shares: dict[str, float]) -> tuple[Unknown, ...]:
    told: dict[tuple, Unknown] = {}
    for feature in sorted(matrix.features, key=lambda one: (-shares[one.name], one.name)):
        # The windows of a rare event are unknown together: once is enough to read.
        about = (feature.events, feature.property, feature.scope, feature.where)
        if 0 < shares[feature.name] < 1 and about not in told:
            told[about] = Unknown(feature.name, feature.meaning, shares[feature.name])
    return tuple(told.values())[:_MOST]


def _sentences(
    log: "EventLog",
    counts: dict[str, Any],
    events: _Events,
    constant: tuple[str, ...],
    n_features: int,
) -> str:
    bad, left_out = sum(counts["quarantined"].values()), sum(counts["left_out"].values())
    told = [
        f"Of {counts['rows']:,} rows read, {log.n_events:,} are used: {bad:,} were quarantined, "
        f"{counts['duplicates']:,} are duplicates and {left_out:,} are left out."
    ]
    if events.late:
        share = 100 * events.late / log.n_events
        told.append(
            f"{share:.1f} % of the events were known more than an hour late, by "
            f"{events.late_median_hours:,.1f} hours in the median; features use them from then on."
        )
    if events.without_account:
        share = 100 * events.without_account / log.n_events
        told.append(f"{share:.1f} % of the events belong to no account.")
    if static := [one.name for one in log.attributes if one.static]:
        told.append(
            f"Without history, so taken as known from the beginning, which can leak: {few(static)}."
        )
    if constant:
        told.append(
            f"One value on all rows, which says nothing: {len(constant):,} of {n_features:,} "
            f"features ({few(constant)})."
        )
    return " ".join(told)
