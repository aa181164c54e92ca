"""`programme`: how many become PQLs and what becomes of them, from the ledger and a CRM table."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import to_text
from features.definitions import Feature
from features.errors import SettingsError, few
from features.events import EventLog
from features.labels import NEVER_US, Conversions, find_conversions
from features.matrix import Snapshots
from models.monitoring.programme import Metrics, People
from models.monitoring.programme import programme as metrics_of
from models.monitoring.survival import mostly_known_until
from models.scoring import TIERS
from pipeline import registry
from pipeline.champion import Champion, events_for, load_champion
from pipeline.crm import Stages, amounts_won, first_reached, read_stages
from pipeline.dataset import compute, kinship
from pipeline.ledger_outcomes import counted, microseconds
from pipeline.predict import instant_of
from pipeline.programme_lists import false_negatives, false_positives
from pipeline.settings import Run
from pipeline.tables import write_csv

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]


@dataclass(frozen=True)
class Programme:
    """All that counts at a date, and where the lists are.

    Parameters
    ----------
    metrics
        Everybody, by tier, by month and by what the settings name.
    missed, wasted
        False negatives (converted, not flagged before) and false positives (flagged, horizon
        passed, not converted within it), one row each. Neither holds who converted before the flag
        and was flagged since nobody knew.
    unknown
        Entities of the ledger that the log does not have.
    seen, late
        Dates that are left out, as `pipeline.ledger_outcomes.Said` has them.
    quarantined
        Rows of the CRM table that can't be used, by reason.
    """

    as_of: int
    model: str
    first_as_of: int | None
    metrics: list[Metrics]
    missed: "pd.DataFrame"
    wasted: "pd.DataFrame"
    unknown: int
    seen: int
    late: int
    quarantined: dict[str, int]
    with_crm: bool
    files: tuple[Path, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "as_of": to_text(self.as_of),
            "model": self.model,
            "first_as_of": None if self.first_as_of is None else to_text(self.first_as_of),
            "metrics": [asdict(one) for one in self.metrics],
            "false_negatives": len(self.missed),
            "false_positives": len(self.wasted),
            "unknown_entities": self.unknown,
            "seen_dates": self.seen,
            "late_dates": self.late,
            "crm": self.with_crm,
            "crm_quarantined": self.quarantined,
            "files": [str(path) for path in self.files],
        }


def programme(
    run: Run,
    say: Say,
    *,
    as_of: str | None,
    model: str = registry.CHAMPION,
    with_backfilled: bool = False,
) -> Programme:
    """Count what was known before as_of: the same whenever it is asked, unless `with_backfilled`.

    Parameters
    ----------
    as_of
        ISO date or time; None for the newest complete day. Ledger entries and stages before it
        count, and conversions known before it.
    model
        Whose conversion and horizon are meant; the ledger's entries are the champions' of their
        time.
    with_backfilled
        Count scores too that were made for past dates afterwards.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory, SchemaMismatch
        With one sentence that says what is wrong and what to do.
    """
    champion = load_champion(run, model)
    log = events_for(run, champion, say)
    now = instant_of(log, as_of)
    settings, spec = champion.settings, run.settings.monitor
    chosen = _split_by(champion, spec.programme_by)
    name = champion.version.name
    found = counted(run.store, name, now, with_backfilled=with_backfilled)
    said = found.rows
    ids = log.ids(settings.entity)
    stages = None
    if run.settings.crm is not None:
        stages = read_stages(run.settings.crm, run.base, set(ids), now)
    conversions = find_conversions(log, settings.entity, settings.conversion, known_before=now)
    code = said["entity_id"].map({entity: at for at, entity in enumerate(ids)})
    unknown = said.loc[code.isna(), "entity_id"].nunique()
    said = said.assign(code=code)[code.notna()].astype({"code": np.int64}).reset_index(drop=True)
    # Who had converted already, unknown to the scoring run, was nobody to call.
    open_ = ~conversions.converted_before(said["code"].to_numpy(), microseconds(said["as_of"]))
    who, people = _people(said[open_], log, conversions, stages, spec.pql_tiers, now)
    metrics = []
    if len(who):
        metrics = metrics_of(
            people,
            _groups(run, log, who, chosen),
            tuple(tier for tier in reversed(TIERS) if tier in spec.pql_tiers),
            horizon_days=settings.horizon_days,
            with_opportunities=stages is not None,
            n_bootstrap=run.settings.evaluation.n_bootstrap,
            seed=run.settings.seed,
        )
    horizon, (flagged, _) = settings.horizon_days, _first_flags(said, spec.pql_tiers, len(ids))
    lists = {
        "false_positives": false_positives(run.store, name, said, who, people, conversions,
                                           horizon),
        "false_negatives": false_negatives(run.store, name, said, flagged, conversions, ids),
    }  # fmt: skip
    if stages is not None:
        lists["crm_quarantine"] = stages.quarantine
    return Programme(
        as_of=now,
        model=name,
        first_as_of=int(microseconds(said["as_of"]).min()) if len(said) else None,
        metrics=metrics,
        missed=lists["false_negatives"],
        wasted=lists["false_positives"],
        unknown=int(unknown),
        seen=found.seen,
        late=found.late,
        quarantined={} if stages is None else stages.reasons,
        with_crm=stages is not None,
        files=_write(run, now, lists, with_backfilled=with_backfilled) if len(said) else (),
    )


def _first_flags(
    said: "pd.DataFrame", pql_tiers: tuple[str, ...], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """as_of of each entity's first score in a PQL tier, `NEVER_US` for none, and that tier."""
    pqls = said[said["tier"].isin(pql_tiers)].sort_values("as_of", kind="stable")
    pqls = pqls.drop_duplicates("code")
    flagged, tier = np.full(n, NEVER_US), np.full(n, None, object)
    flagged[pqls["code"]], tier[pqls["code"]] = microseconds(pqls["as_of"]), pqls["tier"]
    return flagged, tier


def _people(
    said: "pd.DataFrame",
    log: EventLog,
    conversions: Conversions,
    stages: Stages | None,
    pql_tiers: tuple[str, ...],
    now: int,
) -> tuple[Snapshots, People]:
    """Everybody who was scored, as snapshots of their first score."""
    level = log.manifest["level"]
    ids = log.ids(level)
    first = said.groupby("code")["as_of"].min()
    who = Snapshots.of(level, first.index.to_numpy(), microseconds(first), ids)
    flagged, tier = (part[who.entity] for part in _first_flags(said, pql_tiers, len(ids)))
    is_pql = flagged < NEVER_US
    months, month = np.unique(said["as_of"].to_numpy("datetime64[M]"), return_inverse=True)
    scored_in = np.zeros((len(who), len(months)), bool)
    scored_in[np.searchsorted(who.entity, said["code"]), month] = True
    never, known_until = np.full(len(who), NEVER_US), now
    if stages is None:
        when = conversions.occurred_at[who.entity]
        won = np.where(when >= flagged, when, NEVER_US)
        seen = conversions.known_at < now
        known_until = mostly_known_until(
            conversions.occurred_at[seen], conversions.known_at[seen], now
        )
        opportunity = lost = never
        revenue = np.zeros(len(who))
    else:
        opportunity, won, lost = (
            np.where(is_pql, first_reached(stages, who.ids, stage, flagged, NEVER_US), NEVER_US)
            for stage in ("opportunity", "won", "lost")
        )
        # Who won was an opportunity, whether or not somebody entered it.
        opportunity = np.minimum(opportunity, won)
        revenue = amounts_won(stages, who.ids, flagged)
    account, _ = kinship(log, who)
    people = People(
        months=months,
        scored_in=scored_in,
        first_pql=flagged,
        tier=tier,
        opportunity=opportunity,
        won=won,
        lost=lost,
        revenue=revenue,
        cluster=np.unique(account.astype(str), return_inverse=True)[1],
        now=now,
        known_until=known_until,
    )
    return who, people


def _split_by(champion: Champion, wanted: tuple[str, ...]) -> dict[str, Feature]:
    """The categorical feature that tells each wanted attribute or property.

    Raises
    ------
    SettingsError
        When the model has none.
    """
    features = [f for f in champion.model.features if f.dtype == "category"]
    by_name = {f.property: f for f in reversed(features) if f.property is not None}
    by_name |= {f.name: f for f in features}
    if missing := [name for name in wanted if name not in by_name]:
        raise SettingsError(
            f"monitor.programme_by names {few(missing)}, which is no categorical attribute or "
            f"property that the model reads; there are {few(sorted(by_name), 20) or 'none'}."
        )
    return {name: by_name[name] for name in wanted}


def _groups(
    run: Run, log: EventLog, who: Snapshots, chosen: dict[str, Feature]
) -> dict[str, np.ndarray]:
    """What each was when first scored: later changes do not move it to another group."""
    if not chosen:
        return {}
    features = tuple({feature.name: feature for feature in chosen.values()}.values())
    matrix = compute(log, who, features, run.settings, "Groups")
    return {name: matrix.column(feature.name) for name, feature in chosen.items()}


def _write(
    run: Run, now: int, lists: "dict[str, pd.DataFrame]", *, with_backfilled: bool
) -> tuple[Path, ...]:
    name = to_text(now).replace(":", "") + ("-backfilled" if with_backfilled else "")
    folder = run.store / "programme" / name
    # What an earlier look with a CRM table left does not belong to this one.
    for stale in {path.stem for path in folder.glob("*.csv")} - set(lists):
        (folder / f"{stale}.csv").unlink()
    for name, table in lists.items():
        write_csv(folder / f"{name}.csv", table)
    return tuple(folder / f"{name}.csv" for name in lists)
