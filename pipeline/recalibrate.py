"""`recalibrate`: the same model, its probabilities moved to the base rate of today."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from features.clock import DAY_US, to_text, to_us
from features.errors import NotEnoughHistory, SettingsError
from features.events import EventLog
from features.labels import Conversions, find_conversions, label_snapshots
from features.snapshots import calendar, eligible
from models.base_rate import (
    Observed,
    Shift,
    observed_rate,
    shift_from_labels,
    shift_to_rate,
    with_shift,
    without_shift,
)
from models.bundle import CARD, read_about, save_bundle
from models.dataset import Dataset
from models.propensity import PropensityModel
from models.scoring import calibrate
from models.tiering.fit_usage import moved_view
from models.tiering.tiers import refit_tiers
from pipeline import registry, tracking
from pipeline.card_text import recalibrated_card
from pipeline.champion import Champion, events_for, load_champion
from pipeline.dataset import compute, kinship
from pipeline.fresh_rows import nearly_known
from pipeline.monitor_reference import pinned
from pipeline.settings import Run

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recalibration:
    """What moved, by how much, and which version holds it.

    Parameters
    ----------
    first_as_of, last_as_of
        Of the recent mature rows, microseconds UTC.
    observed
        What they did.
    claimed, claims
        Their mean probability by the old version, and by the new.
    """

    before: registry.Version
    version: registry.Version
    shift: Shift
    first_as_of: int
    last_as_of: int
    observed: Observed
    claimed: float
    claims: float
    cutoffs_before: dict[str, float]
    cutoffs: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.version.name,
            "from_version": self.before.number,
            "version": self.version.number,
            "aliases": list(self.version.aliases),
            "how": self.shift.how,
            "odds_factor": list(self.shift.factor),
            "from": to_text(self.first_as_of),
            "to": to_text(self.last_as_of),
            "observed": asdict(self.observed),
            "mean_probability_before": self.claimed,
            "mean_probability": self.claims,
            "cutoffs_before": self.cutoffs_before,
            "cutoffs": self.cutoffs,
        }


def recalibrate(
    run: Run,
    say: Say,
    *,
    model: str = registry.CHAMPION,
    days: int = 28,
    rate: float | None = None,
    as_champion: bool = False,
    now: datetime | None = None,
) -> Recalibration:
    """Move a registered model's probabilities, and register the result as a new version.

    The order of scores within a date stays as it is. Cohort, conversion and features are the
    model's own. Nothing is judged: evaluate the new version on dates to come.

    Parameters
    ----------
    days
        Span of the newest dates whose labels are mature and, by the delays so far, nearly all
        known.
    now
        When the champion changes, for the record of promotions.
    rate
        The base rate to move to: the share of the recent rows, mature or not, that convert within
        the horizon. None estimates the move from the mature labels.

    Raises
    ------
    SettingsError
        When the rate is no share, or the model was trained on rows of a user's own table.
    NotEnoughHistory
        When no date after the training has such labels, or nobody was eligible then.
    """
    champion = load_champion(run, model)
    if champion.settings.rows is not None:
        raise SettingsError(
            f"{champion.version.name} version {champion.version.number} was trained on a table of "
            "rows, which has no calendar to take recent dates from. Train again with newer rows."
        )
    log = events_for(run, champion, say)
    recent = _recent(run, champion, log, days, say)
    say(
        f"Recalibrating {champion.version.name} version {champion.version.number} on "
        f"{recent.mature.sum():,} mature of {len(recent):,} recent rows"
    )
    old = champion.model.predict(recent.matrix, recent.account, recent.domain)
    moved, shift = _moved(champion, recent, old["raw_score"].to_numpy(), rate)
    new = moved.predict(recent.matrix, recent.account, recent.domain)
    mature = recent.take(recent.mature)
    note = sentence(shift, int(mature.as_of.min()), int(mature.as_of.max()))
    version = _record(run, champion, moved, recent, log, note, say)
    if as_champion:
        at = None if now is None else to_us(now)
        version = registry.make_champion(run, version, at=at, reason="recalibrate --champion")
    return Recalibration(
        champion.version,
        version,
        shift,
        int(mature.as_of.min()),
        int(mature.as_of.max()),
        observed_rate(mature.label, mature.cluster),
        float(old["probability"][recent.mature].mean()),
        float(new["probability"][recent.mature].mean()),
        champion.model.scorer.tiers["cutoffs"],
        moved.scorer.tiers["cutoffs"],
    )


def sentence(shift: Shift, first_as_of: int, last_as_of: int) -> str:
    """What was done, as the new version's description."""
    factor, low, high = shift.factor
    if shift.how == "known":
        why = (
            f"so that {100 * shift.rate:.2f} % of all {shift.rows:,} recent rows are expected to "
            "convert, those with unknown outcomes included"
        )
    else:
        why = (
            f"(95 %: {low:.2f} to {high:.2f}), from {shift.positives:,} conversions in "
            f"{shift.rows:,} mature rows, {to_text(first_as_of)} to {to_text(last_as_of)}"
        )
    return (
        f"All odds x {factor:.2f} {why}. The order of scores is unchanged; not judged on rows of "
        "its own."
    )


def _recent(run: Run, champion: Champion, log: EventLog, days: int, say: Say) -> Dataset:
    """The cohort at the newest dates: `days` of them with mature labels, and all after those."""
    settings, compute_spec = champion.settings, run.settings.compute
    conversions = find_conversions(log, settings.entity, settings.conversion)
    if quiet := conversions.quiet_days(log.data_end):
        say(
            f"Warning: the newest conversion is known {quiet:.0f} days before the data end, far "
            "longer than usual; if some are still to come, the rate found here is too low"
        )
    dates, last = _dates(champion, log, conversions, days, say)
    rows = eligible(
        log,
        settings.entity,
        settings.cohort,
        dates,
        conversions,
        threads=compute_spec.threads,
        memory_mb=compute_spec.memory_mb,
    ).snapshots
    labels = label_snapshots(rows, conversions, settings.horizon_days, log.data_end)
    mature = labels.mature & (rows.as_of <= last)
    if not mature.any():
        raise NotEnoughHistory(
            f"No {settings.entity} was eligible at the newest dates with mature labels; take more "
            "days."
        )
    matrix = compute(log, rows, champion.model.features, run.settings, "Features")
    return Dataset(matrix, labels.label & mature, mature, *kinship(log, rows))


def _dates(
    champion: Champion, log: EventLog, conversions: Conversions, days: int, say: Say
) -> tuple[np.ndarray, int]:
    """Dates of the model's calendar from `days` before the newest with known labels, and that."""
    settings = champion.settings
    dates = calendar(log, settings.cohort.every_days)
    mature = dates[dates + settings.horizon_days * DAY_US <= log.data_end]
    # Of the rows that trees were grown on the model knows the answers.
    unseen_from = champion.model.training.calibrate_period[0]
    if not (mature >= unseen_from).any():
        raise NotEnoughHistory(
            f"No date from {to_text(unseen_from)} on, where the training ends, has labels that "
            f"are mature: the data end {to_text(log.data_end)[:10]}, and the horizon is "
            f"{settings.horizon_days} days. Wait for newer data."
        )
    known = nearly_known(
        mature[mature >= unseen_from], conversions, settings.horizon_days, log.data_end, say
    )
    if not len(known):
        raise NotEnoughHistory(
            "Conversions become known so late here that no date after the training has labels that "
            "are nearly all known. Wait for newer data, or give the rate: --rate."
        )
    recent = (dates > known[-1] - days * DAY_US) & (dates >= unseen_from)
    return dates[recent], int(known[-1])


def _moved(
    champion: Champion, recent: Dataset, raw: np.ndarray, rate: float | None
) -> tuple[PropensityModel, Shift]:
    """The model with another calibration, and tiers that keep what their kind promises."""
    model = champion.model
    mapping = without_shift(model.scorer.calibration)
    probability = calibrate(mapping, raw)
    if rate is None:
        seen = recent.mature
        shift = replace(
            shift_from_labels(probability[seen], recent.label[seen], recent.cluster[seen]),
            last_as_of=int(recent.as_of[seen].max()),
        )
    else:
        shift = shift_to_rate(probability, rate)
    scorer = copy.copy(model.scorer)
    scorer.calibration = with_shift(mapping, shift)
    scorer.views = {
        name: (learner, moved_view(view, shift))
        for name, (learner, view) in model.scorer.views.items()
    }
    scorer.tiers = refit_tiers(
        model.scorer.tiers,
        calibrate(scorer.calibration, raw),
        recent.entity,
        recent.as_of,
        champion.settings.model.tiers,
        shift.rate,
    )
    return PropensityModel(scorer, model.features, model.training), shift


def _record(
    run: Run,
    champion: Champion,
    moved: PropensityModel,
    recent: Dataset,
    log: EventLog,
    note: str,
    say: Say,
) -> registry.Version:
    """The new bundle with the settings of the old, under a run of its own."""
    old = champion.version
    folder = registry.fetch(run, old)
    card = folder / CARD
    tags = {"recalibrated_from": str(old.number), "log_fingerprint": log.fingerprint}
    title = f"{old.name} version {old.number} recalibrated, data to {to_text(log.data_end)[:10]}"
    with (
        tracking.training_run(run, title, note, tags) as run_id,
        tempfile.TemporaryDirectory() as scratch,
    ):
        tracking.log_rows("recalibrate", recent, log.root, champion.settings.horizon_days)
        bundle = save_bundle(
            moved,
            Path(scratch) / "bundle",
            settings_text=(folder / "settings.yaml").read_text(encoding="utf-8"),
            info=read_about(folder)["info"]
            | {"run_id": run_id, "log": log.fingerprint, "recalibrated_from": old.number},
            heads=champion.heads,
            card=recalibrated_card(
                card.read_text(encoding="utf-8") if card.is_file() else None,
                name=old.name,
                number=old.number,
                note=note,
                cutoffs_before=champion.model.scorer.tiers["cutoffs"],
                cutoffs=moved.scorer.tiers["cutoffs"],
            ),
            reference=pinned(run, champion.settings, moved, log, say),
        )
        return registry.register(run, bundle, moved, recent)
