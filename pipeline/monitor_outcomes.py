"""What became of the scores, and which of them the verdict of `monitor` is on."""

from dataclasses import replace

import numpy as np

from features.clock import to_text
from features.events import EventLog
from features.labels import find_conversions
from models.monitoring.realised import ALL, Outcomes, Realised, realised
from models.monitoring.spec import MonitorSpec
from models.monitoring.verdict import judgeable
from pipeline.champion import Champion
from pipeline.ledger_outcomes import Joined, Said, counted, joined
from pipeline.settings import Run

PQL = "pql"
"""What `pipeline.monitor.Monitoring.recent` calls the PQL tiers together."""


def outcomes_by(
    run: Run, champion: Champion, log: EventLog, now: int, *, with_backfilled: bool
) -> tuple[Joined, Said, float]:
    """Mature rows, what counts, and days without conversions, if alarmingly many."""
    settings = champion.settings
    conversions = find_conversions(log, settings.entity, settings.conversion, known_before=now)
    said = counted(run.store, champion.version.name, now, with_backfilled=with_backfilled)
    found = joined(said.rows, log, conversions, settings.horizon_days, now)
    return found, said, conversions.quiet_days(now)


def judged_scores(
    outcomes: Joined, number: int, begin: int, spec: MonitorSpec, *, n_bootstrap: int, seed: int
) -> tuple[list[Realised], tuple[int, ...]]:
    """What the verdict is on, of as_of in (begin, inf), and the versions that gave those scores.

    Of the version that scores now alone if enough of its own are mature; else of all that were
    champion, which is what sales saw: a champion that changes often has never enough.
    """
    as_of = outcomes.rows.as_of
    assert as_of is not None
    late = as_of > begin
    for rows in (late & (outcomes.version == number), late):
        found = _of_all_and_pqls(outcomes.rows.take(rows), spec, n_bootstrap, seed)
        if judgeable(found, spec):
            break
    return found, tuple(np.unique(outcomes.version[rows]).tolist())


def told_of(versions: tuple[int, ...], number: int, begin: int) -> str:
    """Why nothing is judged, or whose scores are, if not only those of the version of now."""
    if not versions:
        return (
            f"Outcomes are not judged: no score after {to_text(begin)} that counts is old enough."
        )
    if versions == (number,):
        return ""
    *most, last = (str(version) for version in versions)
    told = " and ".join([", ".join(most), last] if most else [last])
    return (
        f"These are scores of version{'s' if len(versions) > 1 else ''} {told}, since too few of "
        f"version {number} are mature; if it was made for this, wait."
    )


def _of_all_and_pqls(
    rows: Outcomes, spec: MonitorSpec, n_bootstrap: int, seed: int
) -> list[Realised]:
    named = np.where(np.isin(rows.tier.astype(str), spec.pql_tiers), PQL, "other").astype(object)
    found = realised(replace(rows, tier=named), (PQL,), n_bootstrap=n_bootstrap, seed=seed)
    return [one for one in found if one.month == ALL]
