"""`train`: the order of steps from a settings file to a judged, registered model."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.budget import events_per_shard
from features.clock import to_text, to_us
from features.definitions import fingerprint
from features.needs import about_log
from models.bundle import save_bundle
from models.choosing.ladder import Ladder, climb
from models.choosing.tuning import Tuning, read_budget
from models.dataset import Dataset
from models.judging.ablation import similarity_verdict
from models.learners.rungs import ModelSpec
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.splits import temporal_split
from pipeline import registry, tracking
from pipeline.audit import audit, refuse_leaks
from pipeline.dataset import Assembled, Say, assemble
from pipeline.findings import Findings, Training
from pipeline.heads import heads_of
from pipeline.importer.log import import_log
from pipeline.insights import insights_of
from pipeline.judging import judge_all, rows_per_date
from pipeline.milestones import find_milestones
from pipeline.model_card import model_card
from pipeline.monitor_reference import pinned
from pipeline.one_thread import in_one_thread
from pipeline.progress import Progress
from pipeline.report import write_report
from pipeline.scorecard import with_rules
from pipeline.settings import Run
from pipeline.sources.spec import DataSpec
from pipeline.texts import said_in_english, speak, texts_of
from pipeline.tuning import tune

if TYPE_CHECKING:
    from features.events import EventLog


@in_one_thread
def train(
    run: Run,
    say: Say,
    *,
    as_champion: bool = False,
    tune_for: str | None = None,
    now: datetime | None = None,
) -> Training:
    """Import, assemble, split, audit, choose, tune, fit, judge, register.

    Parameters
    ----------
    tune_for
        Budget of the search for booster settings, trials or time; None for that of the settings.
    now
        When the champion changes, for the record of promotions.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory, SchemaMismatch, FeatureLeak
        With one sentence that says what is wrong and what to do.
    """
    settings = run.settings
    if lacking := said_in_english(texts_of(run)):
        say(lacking)
    log = import_events(run, say)
    data = assemble(run, log, say)
    run = with_rules(run, data.features)
    settings = run.settings
    Scorecard(settings.scorecard).check(feature.name for feature in data.features)
    split = temporal_split(data.dataset, settings.horizon_days, settings.evaluation.folds)
    folds = {
        name: data.dataset.take(getattr(split, name)) for name in ("train", "calibrate", "test")
    }
    before_test = data.dataset.take(split.train | split.calibrate)
    audited = None
    if settings.audit.enabled:
        audited = audit(run, data, before_test, say)
        refuse_leaks(audited, settings.audit)
    ladder = _climb(run, data, before_test, say)
    spec, tuning = _tune(run, data, folds, ladder, tune_for, say)
    say(
        f"Fitting the {spec.learner} on {len(folds['train']):,} rows, calibrating on "
        f"{len(folds['calibrate']):,}, testing on {len(folds['test']):,} later ones"
    )
    model = PropensityModel.fit(
        folds["train"],
        folds["calibrate"],
        data.customers,
        spec,
        horizon_days=settings.horizon_days,
        seed=settings.seed,
        threads=settings.compute.threads,
        rules=settings.scorecard.rules,
    )
    speak(run, model)
    scorecard = Scorecard(settings.scorecard).fit(
        folds["calibrate"],
        settings.model.calibration,
        horizon_days=settings.horizon_days,
        seed=settings.seed,
    )
    judged = judge_all(run, model, spec, scorecard, folds, data, say)
    heads = heads_of(run, settings.heads, model, data, folds, capacity=rows_per_date(settings))
    say("Looking at what drives the scores, at mistakes and at the data")
    insights = insights_of(run, model, data, folds, settings.seed)
    milestones = find_milestones(run, log, say) if settings.milestones.enabled else None
    if milestones is not None:
        say(f"Milestones: {milestones.verdict}")
    findings = Findings(split, audited, tuning, ladder, judged, heads, insights, milestones)
    version, report = _record(run, model, data, folds, findings, scorecard, say)
    if as_champion:
        at = None if now is None else to_us(now)
        version = registry.make_champion(run, version, at=at, reason="train --champion")
    return Training(
        findings=findings,
        version=version,
        report=report,
        rules_without_data=scorecard.score(folds["test"].matrix).without_data,
        settings_path=run.path,
        rung=spec.learner,
        learnt=model.scorer.learner.learnt,
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


def _tune(
    run: Run,
    data: Assembled,
    folds: dict[str, Dataset],
    ladder: Ladder,
    asked: str | None,
    say: Say,
) -> tuple[ModelSpec, Tuning | None]:
    """The ladder's rung, or trees with the settings that a search found, if it is asked for."""
    settings = run.settings
    spec = settings.model.model_copy(update={"learner": ladder.chosen})
    budget = asked or settings.tuning.budget
    if budget is None:
        return spec, None
    tuning = tune(
        run.store,
        folds["train"],
        folds["calibrate"],
        data.customers,
        spec,
        spec.columns,
        settings.tuning,
        read_budget(budget),
        horizon_days=settings.horizon_days,
        seed=settings.seed,
        threads=settings.compute.threads,
        say=say,
        rules=settings.scorecard.rules,
        standing=ladder.chosen,
    )
    return spec.model_copy(update={"learner": tuning.rung, "booster": tuning.spec}), tuning


def _climb(run: Run, data: Assembled, before_test: Dataset, say: Say) -> Ladder:
    settings = run.settings
    with Progress("Ladder") as progress:
        ladder = climb(
            before_test,
            data.customers,
            settings.model,
            settings.scorecard.rules,
            horizon_days=settings.horizon_days,
            seed=settings.seed,
            threads=settings.compute.threads,
            progress=progress.update,
        )
    say(f"Ladder: {ladder.verdict}")
    return ladder


def _record(
    run: Run,
    model: PropensityModel,
    data: Assembled,
    folds: dict[str, Dataset],
    findings: Findings,
    scorecard: Scorecard,
    say: Say,
) -> tuple[registry.Version, Path]:
    """Everything a later reader needs, in MLflow: settings, data, metrics, report, bundle."""
    judged = findings.judged
    evaluation, worth = judged.evaluation, judged.ablation
    tags = {
        "entity": run.settings.entity,
        "rung": model.scorer.learner.rung,
        "log_fingerprint": data.log.fingerprint,
        "feature_fingerprint": fingerprint(data.features),
        "verdict": evaluation.verdict,
    }
    title = f"{run.settings.name}, data to {to_text(data.log.data_end)[:10]}"
    verdicts = [evaluation.verdict, findings.ladder.verdict] + (
        [] if worth is None else [similarity_verdict(worth, evaluation.converting)]
    )
    with (
        tracking.training_run(run, title, "\n\n".join(verdicts), tags) as run_id,
        tempfile.TemporaryDirectory() as scratch,
    ):
        tracking.log_settings(run)
        tracking.log_evaluation(evaluation, worth, findings.split)
        if findings.tuning is not None:
            tracking.log_tuning(findings.tuning)
        for name, rows in folds.items():
            tracking.log_rows(name, rows, data.log.root, run.settings.horizon_days)
        report = write_report(
            run.store / "reports" / run_id, run, model, data, folds["test"], findings, scorecard
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
                **about_log(data.log, run.settings.entity, data.features),
                "audit": None
                if findings.audit is None
                else {"passed": findings.audit.passed, "verdict": findings.audit.verdict},
            },
            heads=findings.heads.heads,
            card=model_card(run, model, data, findings),
            reference=pinned(run, run.settings, model, data.log, say),
        )
        version = registry.register(run, bundle, model, folds["test"])
    return version, report
