"""Advice on one entity, with all that explains it; and the draft of a message alone."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from features.clock import to_text
from features.events import EventLog
from models.actions.advice import Advice
from models.actions.wording import Fact
from pipeline.actions import advised
from pipeline.champion import Champion
from pipeline.scores import Scorable, known_conversions, scores_table
from pipeline.settings import Run
from pipeline.tier_history import history_of

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What to do about one entity.

    Parameters
    ----------
    tier
        With regard to the scoring before, as the scores table has it.
    advice
        None where the table has no line for the tier and the trigger.
    facts
        What message templates may use.
    """

    tier: str
    advice: Advice | None
    trigger_fact: str | None
    contact: str | None
    message: str | None
    draft: str | None
    facts: dict[str, Fact]

    def as_dict(self) -> dict[str, Any]:
        told = {
            "tier": self.tier,
            "trigger_fact": self.trigger_fact,
            "contact": self.contact,
            "message": self.message,
            "draft": self.draft,
        }
        if self.advice is None:
            return told
        one = self.advice
        times = {"triggered_at": one.triggered_at, "asked_at": one.asked_at}
        return (
            asdict(one)
            | {name: None if at is None else to_text(at) for name, at in times.items()}
            | told
        )


def advice_on(
    run: Run, champion: Champion, log: EventLog, row: Scorable, say: Say, *, alias: str
) -> Told | None:
    """Advice on the one row, as `pipeline.predict` gives it; None for who is a customer already.

    Raises
    ------
    SettingsError
        As `pipeline.actions.advised`.
    """
    who = row.matrix.snapshots
    as_of = int(who.as_of[0])
    conversions = known_conversions(log, champion.settings, as_of)
    if conversions.converted_before(who.entity, who.as_of)[0]:
        return None
    history = history_of(run, champion.version, as_of)
    scores = scores_table(champion, log, row, history, now=None)
    found = advised(run, log, who, scores, champion.version, alias, say)
    first = found.scores.iloc[0]
    return Told(
        tier=str(first["tier"]),
        advice=found.advice[0],
        facts=found.facts(0),
        **{name: _text(first, name) for name in ("trigger_fact", "contact", "message", "draft")},
    )


def _text(row: "pd.Series", name: str) -> str | None:
    return None if row[name] is None else str(row[name])
