"""`promote` and `rollback`: who is champion, decided by the gate, and taken back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from features.clock import DAY_US, to_text, to_us
from features.errors import NotEnoughHistory, SettingsError
from models.bundle import read_about
from models.judging.gate import (
    Ruling,
    judge_audit,
    judge_days,
    judge_question,
    judge_tiers,
    passes,
)
from models.judging.gate_evidence import CHALLENGER, CHAMPION, Evidence, gather, judge_evidence
from pipeline import registry
from pipeline.champion import Champion, load_champion
from pipeline.fresh_rows import FreshRows, comparable, fresh_rows
from pipeline.judging import rows_per_date
from pipeline.promotions import (
    Change,
    champion_at,
    changes,
    check_reason,
    last_change_at,
    move_champion,
    reign,
    times_asked,
    with_found,
)
from pipeline.settings import Run
from pipeline.tracking import connect

Say = Callable[[str], None]
_MOST_FOUND = 120
"""Characters that the record keeps of what a rule found."""
Outcome = Literal["promoted", "forced", "refused", "overtaken", "nothing"]


@dataclass(frozen=True)
class Decision:
    """What the gate said, and what was done.

    Parameters
    ----------
    version, champion
        Numbers of the challenger, and of the champion it was judged against; None for none.
    outcome
        ``overtaken``: another became champion while this one was judged, and nothing was moved.
        ``nothing``: there is no challenger, or it is the champion already.
    first_as_of, last_as_of
        Of the fresh rows, microseconds UTC; None without any.
    asked
        Times since the last promotion, by any version; 0 where too few convert to judge.
    """

    name: str
    version: int | None
    champion: int | None
    outcome: Outcome
    rulings: tuple[Ruling, ...] = ()
    first_as_of: int | None = None
    last_as_of: int | None = None
    asked: int = 0
    reason: str = ""
    settings_path: Path | None = None

    @property
    def failed(self) -> tuple[str, ...]:
        """The rules that stand against the challenger."""
        return tuple(one.rule for one in self.rulings if not passes([one]))

    def as_dict(self) -> dict[str, Any]:
        period = (self.first_as_of, self.last_as_of)
        first, last = (None if at is None else to_text(at) for at in period)
        return {
            "model": self.name,
            "version": self.version,
            "champion": self.champion,
            "outcome": self.outcome,
            "from": first,
            "to": last,
            "asked": self.asked,
            "rules": [one.as_dict() for one in self.rulings],
            "failed": list(self.failed),
            "reason": self.reason,
        }


def promote(
    run: Run,
    say: Say,
    *,
    now: datetime,
    model: str = registry.CHALLENGER,
    force: bool = False,
    reason: str = "",
) -> Decision:
    """Judge a version against champion and scorecard, and make it the champion if all rules pass.

    The rules are those of today's settings (``promotion:``); cohort, conversion and features are
    each model's own.

    Parameters
    ----------
    model
        Alias or number of the challenger.
    force
        Move the alias whatever the rules say; they are judged and recorded nevertheless.
    reason
        Kept in the record; without one nothing is forced.

    Raises
    ------
    SettingsError
        When something is forced without a reason.
    NotEnoughHistory
        When there is no such version.
    """
    if force and not reason.strip():
        raise SettingsError("--force needs --reason: say why the gate is passed by.")
    check_reason(reason)
    client, name = connect(run), run.model_name
    standing = registry.standing(run)
    waiting = model != registry.CHALLENGER or registry.standing(run, model) is not None
    if standing is not None and not waiting:
        return Decision(name, None, standing, "nothing", settings_path=run.path)
    challenger = load_champion(run, model)
    number = challenger.version.number
    if number == standing:
        return Decision(name, number, standing, "nothing", settings_path=run.path)
    found, asked, rulings = _judged(run, client, challenger, standing, to_us(now), say)
    outcome: Outcome = "promoted" if passes(rulings) else "forced" if force else "refused"
    decision = Decision(
        name, number, standing, outcome, rulings, *_period(found), asked, reason, run.path
    )
    if outcome != "refused" and not _moved(run, client, decision, now):
        decision = replace(decision, outcome="overtaken")
    _tag(client, decision, now)
    return decision


@dataclass(frozen=True)
class Rollback:
    """A champion taken back; `change` is its line of the record."""

    name: str
    change: Change
    settings_path: Path

    def as_dict(self) -> dict[str, Any]:
        return {"model": self.name, **self.change.as_dict()}


def rollback(run: Run, *, now: datetime, reason: str = "") -> Rollback:
    """Make the former champion the champion again; once more, the one before it.

    The version that is taken back keeps its number and loses its alias: it comes back only by
    ``promote --model NUMBER``.

    Raises
    ------
    NotEnoughHistory
        When no champion came before this one, or it is no longer registered.
    SettingsError
        When another process changed the champion at the same time.
    """
    client, name = connect(run), run.model_name
    standing = registry.find(run).number
    before = reign(with_found(changes(client, name), standing, None))[:-1]
    if not before:
        raise NotEnoughHistory(
            f"No champion of {name!r} came before version {standing}; there is nothing to go "
            "back to. `promote --model NUMBER` makes another version the champion."
        )
    target = registry.find(run, str(before[-1])).number
    change = move_champion(
        run, client, name, target, "rolled back", at=to_us(now), reason=reason, expected=standing
    )
    if change is None:
        raise SettingsError(
            f"Another process changed the champion of {name!r} just now; look who it is, and roll "
            "back again if it is still wrong."
        )
    client.set_model_version_tag(name, str(standing), "rolled_back", to_text(to_us(now)))
    return Rollback(name, change, run.path)


def _judged(
    run: Run, client: Any, challenger: Champion, standing: int | None, now: int, say: Say
) -> tuple[FreshRows | None, int, tuple[Ruling, ...]]:
    """The fresh rows, None where there are none; times asked; every rule in the table's order."""
    spec, rulings, asked = run.settings.promotion, [], 0
    champion, record = None, changes(client, run.model_name)
    if standing is not None:
        champion, differences = comparable(run, challenger, standing, say)
        rulings.append(judge_question(differences))
    anchor = champion and _anchor(run, challenger, champion, record, now, say)
    found, evidence = _evidence(run, challenger, champion, anchor, say)
    if found is not None and evidence.judgeable(spec):
        last = to_text(int(found.rows.as_of.max()))[:10]
        asked = times_asked(client, run.model_name, challenger.version.number, last)
    rulings += judge_evidence(
        evidence,
        spec,
        against_champion=champion is not None,
        anchored=anchor is not None,
        asked=max(asked, 1),
    )
    if found is not None and CHAMPION in found.tiers:
        pqls = run.settings.monitor.pql_tiers
        rulings.append(judge_tiers(found.tiers[CHAMPION], found.tiers[CHALLENGER], pqls, spec))
    last_change = last_change_at(record)
    rulings.append(judge_days(last_change and (now - last_change) / DAY_US, spec))
    info = read_about(registry.fetch(run, challenger.version))["info"]
    rulings.append(judge_audit(info.get("audit"), "audit" in info, spec))
    return found, asked, tuple(rulings)


def _anchor(
    run: Run,
    challenger: Champion,
    champion: Champion,
    record: Sequence[Change],
    now: int,
    say: Say,
) -> Champion | None:
    """The champion of long ago, where it is another and can be compared with."""
    spec = run.settings.promotion
    number = champion_at(record, now - spec.anchor_days * DAY_US)
    known = {champion.version.number, challenger.version.number}
    if spec.anchor_margin is None or number is None or number in known:
        return None
    found, differences = comparable(run, challenger, number, say)
    if differences:
        say(f"Version {number}, champion then, is no anchor: {differences[0]}")
    return found


def _evidence(
    run: Run, challenger: Champion, champion: Champion | None, anchor: Champion | None, say: Say
) -> tuple[FreshRows | None, Evidence]:
    settings = challenger.settings
    if settings.rows is not None:
        return None, Evidence(0, 0, 0, note="a table of rows has no calendar to go on with")
    try:
        found = fresh_rows(run, challenger, champion, say, anchor)
    except NotEnoughHistory as error:
        return None, Evidence(0, 0, 0, note=str(error))
    return found, gather(
        found.rows,
        found.contenders,
        capacity=rows_per_date(settings),
        n_bootstrap=run.settings.evaluation.n_bootstrap,
        seed=run.settings.seed,
        note=found.note,
    )


def _period(found: FreshRows | None) -> tuple[int | None, int | None]:
    if found is None or not len(found.rows):
        return None, None
    return int(found.rows.as_of.min()), int(found.rows.as_of.max())


def _moved(run: Run, client: Any, decision: Decision, now: datetime) -> bool:
    """Whether the alias was moved; False where another is champion by now."""
    assert decision.version is not None
    change = move_champion(
        run,
        client,
        decision.name,
        decision.version,
        "forced" if decision.outcome == "forced" else "promoted",
        at=to_us(now),
        reason=decision.reason,
        rules={one.rule: (one.verdict, one.found[:_MOST_FOUND]) for one in decision.rulings},
        expected=decision.champion,
    )
    return change is not None


def _tag(client: Any, decision: Decision, now: datetime) -> None:
    """The newest decision on the version itself, where MLflow's UI shows it."""
    number = str(decision.version)
    told = {
        "gate_asked": str(decision.asked),
        "gate": decision.outcome,
        "gate_at": to_text(to_us(now)),
        "gate_against": "" if decision.champion is None else str(decision.champion),
        "gate_failed": ", ".join(decision.failed),
        "gate_reason": decision.reason,
    }
    for key, value in told.items():
        client.set_model_version_tag(decision.name, number, key, value)
