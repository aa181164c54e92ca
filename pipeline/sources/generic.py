"""CSV, Parquet and JSON lines with one event a row, columns named in the settings."""

from pipeline.sources.canonical import NOTHING, Canonical, matches
from pipeline.sources.rows import Rows
from pipeline.sources.spec import GenericSource
from pipeline.storage import quote_text

KINDS = ("csv", "json", "parquet")


def read(spec: GenericSource, rows: Rows) -> Canonical:
    """The canonical columns of the files.

    Daily data: an event occurred at its local midnight and is known from the last microsecond of
    that day on, so that no snapshot inside the day sees it.
    """
    columns = spec.columns
    rows.require(*columns.model_dump().values(), *spec.where)
    time = rows.time(columns.time)
    known = rows.time(columns.known_at) if columns.known_at else "null::bigint"
    if spec.daily:
        known = f"greatest(coalesce({known}, 0), day_last_us({time}))"
        time = f"day_first_us({time})"

    def optional(path: str | None) -> str:
        return NOTHING if path is None else rows.text(path)

    return Canonical(
        event=optional(columns.event) if spec.event is None else quote_text(spec.event),
        visitor=optional(columns.user),
        account=optional(columns.account),
        occurred_at=time,
        known_at=known,
        event_id=optional(columns.event_id),
        wanted=matches(spec.where, rows.text, every=True),
        property=rows.text,
        columns=tuple(rows.columns or ()),
        names=rows.names,
        whole=rows.whole,
        daily=spec.daily,
    )


def statements(spec: GenericSource) -> list[str]:
    """What this source does with the awkward parts of its data."""
    columns = spec.columns
    duplicates = (
        f"Rows with the same {columns.event_id!r} are one event, the one known first."
        if columns.event_id
        else "Equal rows all count: an event may happen twice, and there is no event id."
    )
    if spec.daily:
        late = "Times are days: an event is known from the last microsecond of its day on."
    elif columns.known_at:
        late = f"An event is known from its {columns.known_at!r} on."
    else:
        late = "An event is taken as known the moment it occurred: no arrival time is named."
    return [
        "User ids are taken as they are: a visitor with an id of its own, such as a cookie, is a "
        "user, and nobody's anonymous past is linked to them.",
        duplicates,
        late,
        f"Times without a zone are read in {spec.timezone}.",
    ]
