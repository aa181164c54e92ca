"""Who is eligible when: the cohort's rows on a calendar, or the user's own table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from features.clock import DAY_US, FIRST_US, LAST_US, midnight_at_or_before, to_text
from features.definitions import Feature
from features.errors import EventLogError, NotEnoughHistory, SettingsError, few
from features.events import EventLog, Level
from features.labels import Conversions
from features.lifespans import lifespans
from features.matrix import Snapshots
from features.spec import Spec

if TYPE_CHECKING:
    import pandas as pd


class CohortSpec(Spec):
    """The ``cohort:`` block: which entities are asked about, and how often.

    An entity is eligible at as_of when it has entered (first event, or first of `entered_by`) at
    least `min_age_days` and at most `max_age_days` before, has done at least `min_events` events
    in [as_of - active_within_days, as_of), and has not converted.
    """

    every_days: PositiveInt = 7
    """Distance between the dates of the training calendar."""
    active_within_days: PositiveInt = 28
    """Eligible is who was active in so many days before as_of."""
    min_events: PositiveInt = 1
    """Eligible is who did at least so many events in ``active_within_days``."""
    min_age_days: NonNegativeInt = 0
    """At least so many days since the entity entered."""
    max_age_days: PositiveInt | None = None
    """At most so many days since the entity entered; none: no bound."""
    entered_by: tuple[str, ...] = ()
    """Events that begin an entity's life, such as a sign-up; none: its first event."""


@dataclass(frozen=True)
class Cohort:
    """Eligible snapshots, with what was left out and why."""

    snapshots: Snapshots
    n_entities: int
    n_converted_before: int
    """Entities that converted before their first snapshot: never asked about, reported."""


def calendar(log: EventLog, every_days: int) -> np.ndarray:
    """as_of times every `every_days` days back from the newest midnight: int64, ascending.

    The newest is the last midnight at or before the end of the data, the oldest lies at least one
    step after the first event.

    Raises
    ------
    NotEnoughHistory
        When the data is shorter than one step.
    """
    newest = midnight_at_or_before(log.data_end)
    steps = (newest - log.first_at) // (every_days * DAY_US)
    if steps < 1:
        raise NotEnoughHistory(
            f"The events span {to_text(log.first_at)} to {to_text(log.data_end)}, less than one "
            f"step of cohort.every_days = {every_days}."
        )
    return newest - np.arange(steps)[::-1] * every_days * DAY_US


def eligible(
    log: EventLog,
    level: Level,
    spec: CohortSpec,
    as_ofs: np.ndarray,
    conversions: Conversions,
    *,
    threads: int = 1,
    memory_mb: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cohort:
    """Snapshots of the cohort at the given times: training asks for many, prediction for one.

    Raises
    ------
    SettingsError
        When `entered_by` names an event that the log does not have.
    """
    # The compiled engine loads slowly, and every command imports this module for its settings.
    from features.engine import build_features

    if unknown := [name for name in spec.entered_by if name not in log.event_codes]:
        raise SettingsError(f"cohort.entered_by names {few(unknown)}: no such event in the log.")
    first, last = lifespans(log, level)
    entered = lifespans(log, level, spec.entered_by)[0] if spec.entered_by else first
    as_ofs = np.sort(np.asarray(as_ofs, np.int64))
    # Candidates: from an entity's first event to its last plus the activity window.
    begin = np.searchsorted(as_ofs, first, side="right")
    end = np.searchsorted(as_ofs, last + spec.active_within_days * DAY_US, side="right")
    until = np.searchsorted(as_ofs, conversions.occurred_at, side="right")
    end = np.minimum(end, until)
    sizes = np.maximum(end - begin, 0)
    entity = np.repeat(np.arange(len(first)), sizes)
    step = np.arange(len(entity)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    candidates = Snapshots.of(level, entity, as_ofs[begin[entity] + step], log.ids(level))
    activity = _activity(spec.active_within_days)
    table = build_features(
        log, candidates, activity, threads=threads, memory_mb=memory_mb, progress=progress
    )
    # Ages in whole microseconds: as days in float32 a minute more or less is lost after a year.
    age = candidates.as_of - entered[candidates.entity]
    keep = (table.column(activity.name) >= spec.min_events) & (age > 0)
    keep &= age >= spec.min_age_days * DAY_US
    if spec.max_age_days is not None:
        keep &= age <= spec.max_age_days * DAY_US
    rows = candidates.take(keep)
    asked = np.zeros(len(first), bool)
    asked[rows.entity] = True
    converted = conversions.occurred_at < as_ofs[-1] if len(as_ofs) else np.zeros(len(first), bool)
    return Cohort(rows, int(asked.sum()), int((converted & ~asked).sum()))


_SMALLEST_US = 10**13
"""26 April 1970: as milliseconds, a whole number below it lies before the year 2287."""


def own_rows(log: EventLog, level: Level, ids: np.ndarray, as_of: np.ndarray) -> Snapshots:
    """Snapshots from a user's own table of entity ids and times.

    They come back *sorted* by entity and as_of, and each once: join your own columns by these two
    (``matrix.frame()`` carries both), never by position.

    Parameters
    ----------
    as_of
        Datetimes of any unit, with a time zone or in UTC; ISO texts; or int64 microseconds UTC.

    Raises
    ------
    EventLogError
        When an id is not in the log, or a time is missing, unreadable or outside 1970 to 2100.
    """
    if level not in get_args(Level):
        raise EventLogError(f"There is no level {level!r}: it is 'user' or 'account'.")
    ids = np.asarray(ids, object)
    moments = instants(as_of)
    if len(ids) != len(moments):
        raise EventLogError(f"There are {len(ids)} ids and {len(moments)} as_of times.")
    code = {name: index for index, name in enumerate(log.ids(level))}
    unknown = [name for name in map(str, ids) if name not in code]
    if unknown:
        names = few(list(dict.fromkeys(unknown)))
        raise EventLogError(
            f"{len(unknown)} of {len(ids)} rows name no {level} of the log: {names}."
        )
    entity = np.array([code[str(name)] for name in ids], np.int32)
    return Snapshots.of(level, entity, moments, log.ids(level))


def rows_of_frame(log: EventLog, frame: "pd.DataFrame") -> Snapshots:
    """`own_rows` of a frame with columns ``entity_id`` and ``as_of``, at the log's own level.

    Raises
    ------
    EventLogError
        When a column is missing, and as `own_rows`.
    """
    columns = list(getattr(frame, "columns", ()))
    if lacking := [name for name in ("entity_id", "as_of") if name not in columns]:
        raise EventLogError(
            f"Rows must be Snapshots or a frame with entity_id and as_of; {few(lacking)} is "
            f"missing among {few(columns) or 'no columns'}."
        )
    return own_rows(log, log.manifest["level"], frame["entity_id"].to_numpy(object), frame["as_of"])


def instants(as_of: object) -> np.ndarray:
    """Times of any spelling as int64 microseconds UTC.

    >>> instants(np.array(["2024-01-01T01:00:00+01:00"], object)) == instants(["2024-01-01"])
    array([ True])

    Raises
    ------
    EventLogError
        When a time is missing, unreadable or outside [1970-01-01, 2100-01-01), or whole numbers
        are seconds or milliseconds.
    """
    import pandas as pd

    given = pd.Series(as_of) if not isinstance(as_of, pd.Series) else as_of
    if given.dtype.kind in "iu":
        moments, missing = given.to_numpy(np.int64), np.zeros(len(given), bool)
        if len(moments) and FIRST_US < moments.max() < _SMALLEST_US:
            raise EventLogError(
                f"as_of {moments.max()} would be {to_text(int(moments.max()))}: whole numbers are "
                "microseconds since 1970, and these look like seconds or milliseconds. Give "
                "datetimes, or multiply."
            )
    else:
        parsed = pd.to_datetime(given, utc=True, errors="coerce", format="ISO8601")
        missing = parsed.isna().to_numpy()
        moments = parsed.dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64)
    wrong = missing | (moments < FIRST_US) | (moments >= LAST_US)
    if wrong.any():
        raise EventLogError(
            f"{wrong.sum()} of {len(given)} as_of times are missing, unreadable or outside 1970 to "
            f"2100: {few(given[wrong].tolist())}. Give datetimes, ISO texts, or whole microseconds."
        )
    return moments


def _activity(days: int) -> Feature:
    """Events of any name in [as_of - days, as_of)."""
    return Feature(
        name="cohort_count",
        dimension="engagement",
        statistic="count",
        events=(),
        property=None,
        days=days,
        scope="entity",
        dtype="number",
        unit="",
        meaning="",
    )
