"""`train`: the order of steps from a settings file to a judged, registered model."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.budget import events_per_shard
from features.clock import to_text
from features.definitions import fingerprint
from models.bundle import save_bundle
from models.dataset import Dataset
from models.evaluation import Evaluation, ablation, judge, similarity_verdict
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.splits import Split, temporal_split
from pipeline import registry, tracking
from pipeline.dataset import Assembled, assemble
from pipeline.importer.log import import_log
from pipeline.report import write_report
from pipeline.settings import Run
from pipeline.sources.spec import DataSpec

if TYPE_CHECKING:
    import pandas as pd

    from features.events import EventLog

Say = Callable[[str], None]


@dataclass(frozen=True)
class Training:
    """What a training found, for people and programs."""

    split: Split
    evaluation: Evaluation
    ablation: "pd.DataFrame | None"
    version: registry.Version
    report: Path
    rules_without_data: tuple[str, ...]
    settings_path: Path

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.version.name,
            "version": self.version.number,
            "aliases": list(self.version.aliases),
            "run_id": self.version.run_id,
            "folds": self.split.describe(),
            "metrics": self.evaluation.table.to_dict("records"),
            "base_rate": self.evaluation.base_rate,
            "verdict": self.evaluation.verdict,
            "similarity": None if self.ablation is None else self.ablation.to_dict("records"),
            "rules_without_data": list(self.rules_without_data),
            "report": str(self.report),
        }


def train(run: Run, say: Say, *, as_champion: bool = False) -> Training:
    """Import, assemble, split, fit, judge, register.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory, SchemaMismatch
        With one sentence that says what is wrong and what to do.
    """
    settings = run.settings
    log = import_events(run, say)
    data = assemble(run, log, say)
    Scorecard(settings.scorecard).check(feature.name for feature in data.features)
    split = temporal_split(data.dataset, settings.horizon_days, settings.evaluation.folds)
    folds = {
        name: data.dataset.take(getattr(split, name)) for name in ("train", "calibrate", "test")
    }
    say(
        f"Fitting on {len(folds['train']):,} rows, calibrating on {len(folds['calibrate']):,}, "
        f"testing on {len(folds['test']):,} later ones"
    )
    model = PropensityModel.fit(
        folds["train"],
        folds["calibrate"],
        data.customers,
        settings.model,
        horizon_days=settings.horizon_days,
        seed=settings.seed,
        threads=settings.compute.threads,
    )
    scorecard = Scorecard(settings.scorecard).fit(
        folds["calibrate"], settings.model.calibration, settings.seed
    )
    evaluation, worth = _judge(run, model, scorecard, folds, data, say)
    version, report = _record(run, model, data, split, folds, evaluation, worth, scorecard)
    if as_champion:
        version = registry.make_champion(run, version)
    return Training(
        split=split,
        evaluation=evaluation,
        ablation=worth,
        version=version,
        report=report,
        rules_without_data=scorecard.score(folds["test"].matrix).without_data,
        settings_path=run.path,
    )


def import_events(run: Run, say: Say, data: DataSpec | None = None) -> "EventLog":
    """The run's imported log; imported once, reused while files and settings stay the same.

    Parameters
    ----------
    data
        None for the run's own.
    """
    settings, compute = run.settings, run.settings.compute
    return import_log(
        data or settings.data,
        run.base,
        run.store / "logs",
        settings.entity,
        memory_mb=compute.memory_mb,
        threads=compute.threads,
        events_per_shard=compute.events_per_shard
        or events_per_shard(compute.memory_mb, compute.threads),
        report=lambda text: say(f"Import: {text}"),
    )


def _judge(
    run: Run,
    model: PropensityModel,
    scorecard: Scorecard,
    folds: dict[str, Dataset],
    data: Assembled,
    say: Say,
) -> "tuple[Evaluation, pd.DataFrame | None]":
    settings = run.settings
    # Capacity is given per week, the calendar may be denser or sparser.
    per_date = max(1, round(settings.evaluation.capacity_per_week * settings.cohort.every_days / 7))
    say("Judging model and scorecard on the same test rows")
    evaluation = judge(
        model,
        scorecard,
        folds["test"],
        capacity=per_date,
        n_bootstrap=settings.evaluation.n_bootstrap,
        seed=settings.seed,
    )
    if model.scorer.space is None:
        return evaluation, None
    say("Measuring what similarity to customers is worth")
    worth = ablation(
        model,
        folds["train"],
        folds["calibrate"],
        folds["test"],
        data.customers,
        settings.model,
        capacity=per_date,
        threads=settings.compute.threads,
        n_bootstrap=settings.evaluation.n_bootstrap,
    )
    return evaluation, worth


def _record(
    run: Run,
    model: PropensityModel,
    data: Assembled,
    split: Split,
    folds: dict[str, Dataset],
    evaluation: Evaluation,
    worth: "pd.DataFrame | None",
    scorecard: Scorecard,
) -> tuple[registry.Version, Path]:
    """Everything a later reader needs, in MLflow: settings, data, metrics, report, bundle."""
    tags = {
        "entity": run.settings.entity,
        "log_fingerprint": data.log.fingerprint,
        "feature_fingerprint": fingerprint(data.features),
        "verdict": evaluation.verdict,
    }
    title = f"{run.settings.name}, data to {to_text(data.log.data_end)[:10]}"
    verdicts = [evaluation.verdict] + (
        [] if worth is None else [similarity_verdict(worth, evaluation.converting)]
    )
    with (
        tracking.training_run(run, title, "\n\n".join(verdicts), tags) as run_id,
        tempfile.TemporaryDirectory() as scratch,
    ):
        tracking.log_settings(run)
        tracking.log_evaluation(evaluation, worth, split)
        for name, rows in folds.items():
            tracking.log_rows(name, rows, data.log.root, run.settings.horizon_days)
        report = write_report(
            run.store / "reports" / run_id,
            run,
            model,
            data,
            split,
            folds["test"],
            evaluation,
            worth,
            scorecard,
        )
        tracking.log_folder(report.parent, "report")
        bundle = save_bundle(
            model,
            Path(scratch) / "bundle",
            settings_text=run.text,
            info={
                "run_id": run_id,
                "log": data.log.fingerprint,
                "name": run.settings.name,
                "properties": {item.name: item.type for item in data.log.properties},
            },
        )
        version = registry.register(run, bundle, model, folds["test"], evaluation.verdict)
    return version, report
