"""What a data set is: the facts behind the settings that `init` writes.

The files are read once by the importer's own readers, inside DuckDB and never whole in memory:
counts are exact; properties are judged on a bounded sample of rows of each event name, the roles of
columns on the beginning of the files.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import DAY_US
from features.errors import EventLogError, SettingsError
from features.events import Level
from pipeline.profile.conversion import Candidate, find_conversions, find_entry
from pipeline.profile.events import (
    EventFacts,
    Totals,
    count_entities,
    event_facts,
    had_from_entry,
    identify,
    kept_entities,
    n_accounts,
    shares_after_entry,
    thin_tail,
    totals,
    unusable_files,
)
from pipeline.profile.pages import Page, money_pages, named_pages, other_pages
from pipeline.profile.rows import load_events, sample_records, why_unusable
from pipeline.profile.skipped import Skipped, skip_dead, skip_layouts
from pipeline.profile.sources import SourceProfile, open_sources, salvage_cut_off
from pipeline.profile.values import ValueFacts, find_attributes, find_properties
from pipeline.sources.files import find_files
from pipeline.storage import connect

if TYPE_CHECKING:
    import duckdb

_MOSTLY = 0.5
"""Share of an event's count by known entities that must come after their sign-up to be a signal."""
_SHORT_DAYS = 90
"""A shorter log gets a horizon of a week, else it leaves too few mature snapshots."""


@dataclass(frozen=True)
class Profile:
    """Everything that the settings file says about the data.

    Parameters
    ----------
    skipped
        Files that hold no events, and that the sources leave out.
    n_kept
        Users and accounts that an import will count.
    pages
        Views of pages about money.
    other_pages
        The other pages that most users viewed.
    after_entry
        Share after sign-up of what known entities did, by the name of an event or page.
    from_entry
        Events that nearly every entity has from its sign-up on: whoever is scored has them.
    unusable
        How many rows of each file would go to quarantine, the most first.
    why_unusable
        Why they would, None where there are none.
    """

    sources: tuple[SourceProfile, ...]
    skipped: tuple[Skipped, ...]
    level: Level
    totals: Totals
    n_kept: tuple[int, int]
    events: tuple[EventFacts, ...]
    candidates: tuple[Candidate, ...]
    entered_by: str | None
    pages: tuple[Page, ...]
    other_pages: tuple[Page, ...]
    after_entry: dict[str, float]
    from_entry: frozenset[str]
    properties: tuple[ValueFacts, ...]
    attributes: tuple[ValueFacts, ...]
    until: int | None
    unusable: dict[Path, int]
    why_unusable: str | None

    def is_early(self, name: str) -> bool:
        """Whether most of an event or page comes before sign-up: visitors of the website."""
        return self.after_entry.get(name, 1.0) < _MOSTLY

    @property
    def entities(self) -> str:
        return f"{self.level}s"

    @property
    def days(self) -> float:
        """Length of the log in days, without a thin tail."""
        return ((self.until or self.totals.last_at) - self.totals.first_at) / DAY_US

    @property
    def horizon_days(self) -> int:
        return 14 if self.days >= _SHORT_DAYS else 7

    @property
    def conversion(self) -> Candidate | None:
        """The best candidate, None where no event looks like a purchase."""
        best = next(iter(self.candidates), None)
        return best if best and best.plausible else None

    @property
    def after_conversion(self) -> tuple[str, ...]:
        """The conversion and what follows from it."""
        best = self.conversion
        return (best.event.name, *best.consequences) if best else ()


def profile_events(
    patterns: Sequence[str], *, entity: str | None, memory_mb: int = 1000, threads: int = 2
) -> Profile:
    """Look at event files.

    Raises
    ------
    EventLogError
        When a file is missing, empty, unreadable, or holds nothing that can be told for events.
    SettingsError
        When `entity` is account and no event names one.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="pql-init-") as folder:
        try:
            return _profile(patterns, {}, Path(folder), entity, memory_mb, threads)
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            # DuckDB can't read a gzip that ends early, and says so only at its end.
            salvaged = salvage_cut_off(find_files(patterns, Path.cwd()), Path(folder))
            if not salvaged:
                reason = str(error).splitlines()[0]
                raise EventLogError(f"The files can't be read: {reason}") from error
        return _profile(patterns, salvaged, Path(folder), entity, memory_mb, threads)


def _profile(
    patterns: Sequence[str],
    salvaged: dict[Path, Path],
    folder: Path,
    entity: str | None,
    memory_mb: int,
    threads: int,
) -> Profile:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        connection = connect(Path(work), memory_mb, threads)
        try:
            found = _look(connection, patterns, salvaged, entity)
        finally:
            connection.close()
    # Of a file that is cut off another was read.
    given = {target: path for path, target in salvaged.items()}
    return replace(found, unusable={given.get(path, path): n for path, n in found.unusable.items()})


def _look(
    connection: "duckdb.DuckDBPyConnection",
    patterns: Sequence[str],
    salvaged: dict[Path, Path],
    entity: str | None,
) -> Profile:
    sources, skipped = skip_layouts(patterns, *open_sources(connection, patterns, salvaged))
    load_events(connection, sources)
    sources, dead = skip_dead(connection, patterns, sources, unusable_files(connection))
    identify(connection)
    level = _level(connection, entity)
    count_entities(connection, level)
    sizes, events = totals(connection, level), event_facts(connection)
    wrong = why_unusable(connection, sources)
    if not sizes.n_entities:
        n_rows = f"None of the {sizes.n_events + sizes.n_unusable:,} rows"
        if wrong is None:
            raise EventLogError(f"{n_rows} names a {level}; look at the columns of the first file.")
        raise EventLogError(f"{n_rows} can be used: {wrong}")
    candidates = find_conversions(connection, events, sizes.n_entities)
    best = next((one.event.name for one in candidates if one.plausible), None)
    entered_by = find_entry(connection, events, sizes.n_entities, best)
    pages, until = money_pages(connection, sources), thin_tail(connection)
    properties, attributes = _values(connection, sources, events, level)
    return Profile(
        tuple(source for source in sources if source.given),
        tuple(sorted([*skipped, *dead], key=lambda one: one.path)),
        level,
        sizes,
        kept_entities(connection, level, until),
        events,
        candidates,
        entered_by,
        pages,
        other_pages(connection, sources, level, entered_by),
        shares_after_entry(connection, level, named_pages(pages), entered_by),
        had_from_entry(connection, entered_by, sizes.n_entities),
        properties,
        attributes,
        until,
        {Path(file): n for file, n in unusable_files(connection).items()},
        wrong,
    )


def _level(connection: "duckdb.DuckDBPyConnection", entity: str | None) -> Level:
    accounts = n_accounts(connection)
    if entity == "account" and not accounts:
        raise SettingsError(
            "--entity account was asked for, but no event names an account; leave it out to score "
            "users, or add a column of account ids."
        )
    if entity is not None:
        return "account" if entity == "account" else "user"
    return "account" if accounts > 1 else "user"


def _values(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sequence[SourceProfile],
    events: Sequence[EventFacts],
    level: Level,
) -> tuple[tuple[ValueFacts, ...], tuple[ValueFacts, ...]]:
    """Properties and attributes over all sources; of a name that two carry, the first."""
    counts = {event.name: event.n_events for event in events}
    properties: dict[str, ValueFacts] = {}
    attributes: dict[str, ValueFacts] = {}
    for number, source in enumerate(sources):
        samples = sample_records(connection, sources, number)
        for found, facts in (
            (properties, find_properties(source.spec, samples, counts)),
            (attributes, find_attributes(source.spec, samples, counts)),
        ):
            # A name that users and accounts share goes to whoever is scored.
            for fact in sorted(facts, key=lambda fact: fact.of not in (None, level)):
                found.setdefault(fact.name, fact)
    return tuple(properties.values()), tuple(attributes.values())
