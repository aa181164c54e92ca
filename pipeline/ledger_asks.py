"""What the ledger says was asked of sales before: read lean, since it is read every night."""

from features.clock import DAY_US
from models.actions.standing import Ask, asks_of
from pipeline import ledger
from pipeline.ledger_outcomes import microseconds
from pipeline.registry import CHAMPION, Version
from pipeline.settings import Run

_COLUMNS = ("entity_id", "as_of", "asked_at", "trigger", "tier", "next_action")


def asks_before(run: Run, version: Version, as_of: int, alias: str) -> dict[str, Ask]:
    """The latest ask of each entity within ``actions.rest_days`` before as_of, by entity id.

    Whatever version was the champion, or had this alias, when it was said; a backfill asked nobody
    for anything. Once as_of has been scored by this version, only what was written down before
    that counts: what is scored later, for whatever date, changes no advice that was given.

    Raises
    ------
    SettingsError
        When a file of the ledger can't be read.
    """
    days = run.settings.actions.rest_days
    earnest = [e for e in ledger.entries(run.store, version.name) if not e.backfill]
    given = [e for e in earnest if (e.version, e.as_of) == (version.number, as_of)]
    chosen = [
        entry
        for entry in earnest
        if as_of - days * DAY_US <= entry.as_of < as_of
        and entry.alias in (CHAMPION, alias)
        and (not given or entry.written_at <= given[0].written_at)
    ]
    # The champion's last entry of a date is what sales saw of it, else the alias's.
    chosen.sort(key=lambda e: (e.as_of, e.alias == CHAMPION, e.written_at, e.sequence))
    last = {entry.as_of: entry for entry in chosen}
    said = ledger.read_entries(list(last.values()), _COLUMNS, filled="asked_at")
    times = {name: microseconds(said[name]) for name in ("as_of", "asked_at")}
    return asks_of(said.assign(**times), as_of, days)
