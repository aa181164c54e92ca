"""The `data:` block of the settings: where events come from and what is taken from them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from features.clock import to_us
from features.errors import few
from features.events import Level, ValueType
from features.spec import Spec
from pipeline.sources.postgres import PostgresTable

Scalar = str | int | float | bool
Match = dict[str, Scalar | tuple[Scalar, ...]]
"""{property: value or list of values}; values are compared as text, `true` as 'true'."""
Files = Annotated[tuple[str, ...], Field(min_length=1)]


def values_of(wanted: Scalar | tuple[Scalar, ...]) -> tuple[str, ...]:
    """The texts a `Match` entry accepts.

    >>> values_of((True, "1")), values_of("/pricing")
    (('true', '1'), ('/pricing',))
    """
    items = wanted if isinstance(wanted, tuple) else (wanted,)
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


class Origin(Spec):
    """Rows that lie in files or in Postgres; which of the two changes nothing else."""

    files: Files = ()
    """Paths or globs; this or ``postgres``."""
    postgres: PostgresTable | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Origin":
        if bool(self.files) == (self.postgres is not None):
            raise ValueError("give either files or postgres, not both")
        return self

    @property
    def origin(self) -> str:
        """Where the rows come from, in words."""
        return ", ".join(self.files) if self.postgres is None else self.postgres.origin


class PostHogSource(Origin):
    """A PostHog export: JSON lines, Parquet or a Postgres table, one event a row."""

    format: Literal["posthog"]
    """Which kind of source this is."""
    account_group: str = "account"
    """Key in ``$groups`` that names the account."""
    person_key: str | None = None
    """A column that already identifies the person."""
    known_at: str | None = None
    """A column with the time of arrival."""
    anonymous_history: Literal["link", "drop"] = "link"
    """``link`` what came before identification to the person, or ``drop`` it."""


class SegmentSource(Spec):
    """Segment-spec calls as JSON lines: track, identify, group, page, screen, alias."""

    format: Literal["segment"]
    """Which kind of source this is."""
    files: Files
    """Paths or globs."""
    anonymous_history: Literal["link", "drop"] = "link"
    """``link`` what came before identification to the person, or ``drop`` it."""

    @property
    def origin(self) -> str:
        """Where the rows come from, in words."""
        return ", ".join(self.files)


class Columns(Spec):
    """Which column of a generic file holds what."""

    event: str | None = None
    """Column of the event's name; without it give ``sources[].event``."""
    user: str | None = None
    """Column of the user's id; this, ``account`` or both."""
    account: str | None = None
    """Column of the account's id."""
    time: str
    """Column of the time at which it happened."""
    known_at: str | None = None
    """Column of the time at which it could be known."""
    event_id: str | None = None
    """Column by which rows sent twice are recognised."""


class GenericSource(Origin):
    """CSV, Parquet, JSON lines or Postgres with one event a row."""

    format: Literal["generic"]
    """Which kind of source this is."""
    columns: Columns
    event: str | None = None
    """One fixed event name, when the file holds one kind of event."""
    timezone: str = "UTC"
    """Zone of times without one."""
    daily: bool = False
    """Times are dates: known at the day's last microsecond."""
    where: Match = Field(default_factory=dict)
    """Keep rows where a column has one of these values."""

    @model_validator(mode="after")
    def _complete(self) -> "GenericSource":
        if self.columns.user is None and self.columns.account is None:
            raise ValueError("columns needs a user or an account column, or both")
        if (self.event is None) == (self.columns.event is None):
            raise ValueError("give either columns.event or one fixed event name, not both")
        return self


Source = Annotated[PostHogSource | SegmentSource | GenericSource, Field(discriminator="format")]


class Table(Origin):
    """A table of facts about accounts or users."""

    of: Level
    """Whether the rows speak of accounts or users."""
    id: str
    """Column of the account's or user's id."""
    time: str | None = None
    """Column of the time from which the values hold; without it say ``static: true``."""
    timezone: str = "UTC"
    """Zone of times without one."""
    static: bool = False
    """The values are taken as known at every time, which can leak the outcome."""
    columns: dict[str, ValueType] = Field(default_factory=dict)
    """Columns to keep as attributes, each ``number`` or ``category``."""
    account: str | None = None
    """Of a table of users: the column that names the account."""

    @model_validator(mode="after")
    def _dated(self) -> "Table":
        if self.time is None and not self.static:
            raise ValueError(
                "a table without a time column must say `static: true`: its values are then taken "
                "as known at every time, which can leak the outcome"
            )
        if self.time is not None and self.static:
            raise ValueError("a table with a time column is not static; drop one of the two")
        if self.account is not None and self.of != "user":
            raise ValueError("only a table of users can name the account of a row")
        return self


class Conversions(Origin):
    """A table of conversions; its rows become events named `event`."""

    of: Level
    """Whether the rows speak of accounts or users."""
    id: str
    """Column of the account's or user's id."""
    time: str
    """Column of the time of the conversion."""
    timezone: str = "UTC"
    """Zone of times without one."""
    daily: bool = False
    """Times are dates."""
    event: str = "converted"
    """Name that these rows get as events."""

    def as_source(self) -> GenericSource:
        """The same table read as a source with one fixed event name."""
        user, account = (self.id, None) if self.of == "user" else (None, self.id)
        source = GenericSource(
            format="generic",
            files=() if self.postgres else self.files,
            postgres=self.postgres,
            columns=Columns(user=user, account=account, time=self.time),
            event=self.event,
            timezone=self.timezone,
            daily=self.daily,
        )
        # What Postgres holds has files as well, once it has been copied.
        return source.model_copy(update={"files": self.files})


class DeclaredAttribute(Spec):
    """An attribute taken with its history from $set, $group_set or traits."""

    of: Level
    """Whether it belongs to accounts or users."""
    type: ValueType
    """``number`` or ``category``."""


class DerivedEvent(Spec):
    """Rows of `event` whose properties match get the name `name`; the first match wins."""

    name: str
    """The new name."""
    event: str
    """The event that is renamed where it matches."""
    where: Annotated[Match, Field(min_length=1)]
    """Values that its properties must have."""


class Exclude(Spec):
    """Test and employee traffic: left out of the log, counted."""

    email_domains: tuple[str, ...] = ()
    """Domains of your own people's addresses."""
    users: tuple[str | int, ...] = ()
    """Ids of users."""
    accounts: tuple[str | int, ...] = ()
    """Ids of accounts."""
    properties: Match = Field(default_factory=dict)
    """Rows whose properties have one of these values."""


class DataSpec(Spec):
    """Where the events come from.

    `properties` are declared by name and type, or ``auto``: at most `max_properties` are then taken
    from the data, categories only with at most `max_categories` values.
    """

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Event files or tables."""
    tables: tuple[Table, ...] = ()
    """Attributes of accounts or users."""
    conversions: Conversions | None = None
    properties: dict[str, ValueType] | Literal["auto"] = Field(default_factory=dict)
    """Event properties to keep, each ``number`` or ``category``; ``auto`` takes those that most
    events carry."""
    max_properties: Annotated[int, Field(ge=1)] = 20
    """With ``auto``: how many."""
    max_categories: Annotated[int, Field(ge=2)] = 1000
    """With ``auto``: how many different values a category may have."""
    attributes: dict[str, DeclaredAttribute] = Field(default_factory=dict)
    """Attributes to take from the events, by name, with their history."""
    derived_events: tuple[DerivedEvent, ...] = ()
    """Events renamed by what their properties say."""
    drop_events: tuple[str, ...] = ()
    """Event names to leave out."""
    exclude: Exclude = Exclude()
    until: str | None = None
    """Leave out what became known at or after this time."""
    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """More quarantined rows than this share is an error; so is a file without one good row, unless
    this is 1."""
    accept_cut_files: bool = False
    """Use what can be read of a gzip that ends early, and say so; else such a file is an error."""

    @field_validator("until")
    @classmethod
    def _is_a_time(cls, until: str | None) -> str | None:
        if until is not None:
            datetime.fromisoformat(until)
        return until

    @model_validator(mode="after")
    def _attributes_have_one_origin(self) -> "DataSpec":
        named = [(one.of, name) for name, one in self.attributes.items()]
        named += [(table.of, name) for table in self.tables for name in table.columns]
        twice = sorted({f"{name} of {of}" for of, name in named if named.count((of, name)) > 1})
        if twice:
            raise ValueError(f"an attribute comes from one place only; given twice: {few(twice)}")
        return self

    @property
    def declared_properties(self) -> dict[str, ValueType]:
        """The properties named in the settings: none where they are found in the data."""
        return {} if self.properties == "auto" else self.properties

    @property
    def until_us(self) -> int | None:
        """`until` in microseconds UTC; a time without zone is UTC."""
        return None if self.until is None else to_us(self.until)

    @property
    def all_sources(self) -> tuple[PostHogSource | SegmentSource | GenericSource, ...]:
        """The sources, and the table of conversions read as one."""
        extra = () if self.conversions is None else (self.conversions.as_source(),)
        return (*self.sources, *extra)
