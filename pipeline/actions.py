"""From scored rows to advice: facts, what the ledger says was asked, the table; as columns."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from features.events import EventLog, Level
from features.matrix import Snapshots
from models.actions.advice import Advice, advise, events_read, first_value_unknown
from models.actions.facts import Facts, read_facts
from models.actions.triggers import ALIKE_POINTS
from models.actions.wording import (
    Fact,
    Person,
    message_facts,
    message_for,
    trigger_fact,
)
from models.actions.words import Words
from pipeline.actions_checks import check_signals
from pipeline.actions_messages import Templates
from pipeline.ledger_asks import asks_before
from pipeline.registry import Version
from pipeline.settings import Run
from pipeline.texts import texts_of

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]
IN_LEDGER = (
    *("trigger", "trigger_fact", "triggered_at", "next_action", "why_not_now"),
    *("asked_at", "message"),
)
"""Columns of the advice that the ledger keeps."""
NOT_IN_LEDGER = ("action_text", "contact", "draft")
"""Made anew from the settings and the log whenever they are asked for; addresses among them."""


@dataclass(frozen=True)
class Advised:
    """A scores table with its advice, and what the advice was made from.

    Parameters
    ----------
    scores
        With the columns of `IN_LEDGER` and `NOT_IN_LEDGER` before ``scored_at``.
    advice
        Of each row of the table.
    facts
        What message templates may use, of the row at a position of the table.
    """

    scores: "pd.DataFrame"
    advice: list[Advice | None]
    facts: Callable[[int], dict[str, Fact]]


def advised(
    run: Run,
    log: EventLog,
    rows: Snapshots,
    scores: "pd.DataFrame",
    version: Version,
    alias: str,
    say: Say,
) -> Advised:
    """What to do about each row of a scores table.

    Signals, table and templates are those of the settings as they are now: sales may change them
    without a training.

    Parameters
    ----------
    rows
        Of one as_of, those of the table, in any order.
    alias
        What the version was asked for as: what was asked for under it, and as champion, stands.

    Raises
    ------
    SettingsError
        When a template or the texts can't be used, a file of the ledger can't be read, or an event
        must be a slip of the pen.
    """
    signals, spec = run.settings.signals, run.settings.actions
    templates, words = templates_of(run), Words(texts_of(run))
    for told in check_signals(run.settings, log):
        say(f"Warning: {told}")
    names, milestones = events_read(signals, spec)
    if first_value_unknown(signals):
        say("Actions: signals.first_value names no event, so no outreach is held back as too early")
    as_of = int(rows.as_of.max(initial=0))
    addresses = _texts(log, "user", spec.contact, as_of)
    facts = read_facts(
        log,
        rows,
        names=names,
        milestones=milestones,
        recent_days=spec.recent_days,
        reachable=np.array([one is not None for one in addresses], bool),
    )
    facts = facts.take(_places(rows, scores))
    advice = advise(
        facts,
        signals,
        spec,
        ids=scores["entity_id"].tolist(),
        tier=scores["tier"].to_numpy(object),
        tier_before=scores["tier_before"].to_numpy(object),
        alike=_alike(scores),
        asks=asks_before(run, version, as_of, alias),
        words=words,
    )
    return _told(run, log, rows, scores, facts, advice, addresses, templates, words)


def templates_of(run: Run) -> Templates:
    """The templates of a run, checked.

    Raises
    ------
    SettingsError
        As `pipeline.actions_messages.Templates.load`.
    """
    folder = run.settings.actions.templates
    return Templates.load(None if folder is None else run.base / folder)


def _told(
    run: Run,
    log: EventLog,
    rows: Snapshots,
    scores: "pd.DataFrame",
    facts: Facts,
    advice: list[Advice | None],
    addresses: np.ndarray,
    templates: Templates,
    words: Words,
) -> Advised:
    """The table with its advice in words."""
    signals, spec = run.settings.signals, run.settings.actions
    milestones = spec.milestones_of(signals)
    plans = _plans(log, rows, spec.plan)[_places(rows, scores)]
    names, ids = (scores[column].to_numpy(object) for column in ("name", "entity_id"))
    contacts = [addresses[code] if code >= 0 else None for code in facts.contact.tolist()]
    alike, reason = _nearest(scores), [next(iter(told), None) for told in scores["reasons"]]
    cells: dict[str, list[object]] = {
        name: [None] * len(advice) for name in (*IN_LEDGER, *NOT_IN_LEDGER)
    }

    def known(row: int) -> dict[str, Fact]:
        # Who has no name is called by the id in our tables, but not in a letter.
        name = None if names[row] == ids[row] else names[row]
        person = Person(name, contacts[row], plans[row])
        return message_facts(row, facts, signals, milestones, person, words)

    for row, one in enumerate(advice):
        if one is None:
            continue
        template = message_for(one, partial(known, row))
        draft = templates.draft(template, known(row)) if template else None
        filled: dict[str, object] = {
            "trigger": one.trigger,
            "trigger_fact": trigger_fact(
                *(one, row, facts, signals, milestones, words),
                alike=alike[row],
                reason=reason[row],
            ),
            "triggered_at": one.triggered_at,
            "next_action": one.action,
            "action_text": one.text,
            "why_not_now": one.why_not_now,
            "asked_at": one.asked_at,
            "contact": contacts[row],
            "message": template if draft else None,
            "draft": draft,
        }
        for name, column in cells.items():
            column[row] = filled[name]
    return Advised(_with(scores, cells), advice, known)


def _with(scores: "pd.DataFrame", cells: dict[str, list[object]]) -> "pd.DataFrame":
    import pandas as pd

    table = scores.copy()
    before = table.columns.get_loc("scored_at")
    for at, (name, column) in enumerate(cells.items()):
        # Of its own accord pandas makes NaN of None.
        values = pd.Series(column, table.index, dtype=object)
        if name in ("triggered_at", "asked_at"):
            values = pd.to_datetime(values, unit="us").astype("datetime64[us]")
        table.insert(before + at, name, values)
    return table


def _places(rows: Snapshots, scores: "pd.DataFrame") -> np.ndarray:
    """Where in `rows` each row of the table stands: int64, shape (n,)."""
    place = {name: at for at, name in enumerate(rows.ids.astype(str))}
    return scores["entity_id"].map(place).to_numpy(np.int64)


def _alike(scores: "pd.DataFrame") -> np.ndarray:
    near = scores["look_alikes"].map(len).to_numpy() > 0
    return near & (scores["similarity_points"].to_numpy() >= ALIKE_POINTS)


def _nearest(scores: "pd.DataFrame") -> list[str | None]:
    """The nearest customer of each row and what they share, in words."""
    return [
        ": ".join(filter(None, (name, shared)))
        for name, shared in zip(
            (next(iter(names), "") for names in scores["look_alikes"]),
            (next(iter(told), "") for told in scores["look_alikes_share"]),
            strict=True,
        )
    ]


def _plans(log: EventLog, rows: Snapshots, attribute: str | None) -> np.ndarray:
    """The plan of each row as known before as_of, object, shape (n,); None for unknown."""
    return _texts(log, rows.level, attribute, int(rows.as_of.max(initial=0)))[rows.entity]


def _texts(log: EventLog, of: Level, attribute: str | None, before: int) -> np.ndarray:
    """The latest text of an attribute known before an instant: object, shape (n_entities,)."""
    import pyarrow.compute as pc

    found = np.full(len(log.entities(of)), None, object)
    kinds = [(item.of, item.name) for item in log.attributes]
    if attribute is not None and (of, attribute) in kinds:
        values = log.attribute_values
        known = pc.and_(
            pc.equal(values["attribute"], kinds.index((of, attribute))),
            pc.less(values["at"], before),
        )
        rows = values.filter(known)
        # Rows are in time order within an entity: the latest assignment stays.
        found[rows["code"].to_numpy()] = rows["text"].to_numpy(zero_copy_only=False)
    return found
