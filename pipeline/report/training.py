"""The page of a training: the order of its sections, from the verdict to the small print."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import to_text
from models.dataset import Dataset
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from pipeline.dataset import Assembled
from pipeline.report.against import curves_section, metrics_blocks, nulls_section
from pipeline.report.audit import audit_section
from pipeline.report.cells import reliability_table
from pipeline.report.features import features_section, similarity_section
from pipeline.report.folds import folds_section
from pipeline.report.heads import heads_section
from pipeline.report.ladder import choosing_section, scorecard_section
from pipeline.report.milestones import milestones_section
from pipeline.report.mistakes import mistakes_section
from pipeline.report.page import Fold, Page, Section, Text
from pipeline.report.quality import cautions_section, quality_section
from pipeline.report.render import write_page
from pipeline.report.segments import segments_section
from pipeline.report.tiers import cells_section, tiers_section
from pipeline.report.verdict import how_sure, key_numbers, model_is_better, what_to_do
from pipeline.settings import Run
from pipeline.wording import learnt_told, percent, shown

if TYPE_CHECKING:
    from pipeline.findings import Findings


def write_report(
    folder: Path,
    run: Run,
    model: PropensityModel,
    data: Assembled,
    test: Dataset,
    findings: "Findings",
    scorecard: Scorecard,
) -> Path:
    """Write ``report.html`` into `folder`; returns its path.

    Equal findings give equal bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    evaluation, audit = findings.judged.evaluation, findings.audit
    table, converting = evaluation.table, evaluation.converting
    page = Page(
        title=f"{run.settings.name}: model against scorecard",
        kicker="Training report",
        verdict=[
            ("What was found", evaluation.verdict),
            (
                "How sure",
                how_sure(
                    evaluation.rows,
                    converting,
                    evaluation.calibration,
                    nulls=findings.judged.null_table,
                    audit=audit,
                ),
            ),
            (
                "What to do",
                what_to_do(
                    table,
                    converting,
                    evaluation.tiers["model"],
                    evaluation.base_rate,
                    nulls=findings.judged.null_table,
                    audit=audit,
                ),
            ),
        ],
        alarm=not model_is_better(table, converting) or not (audit is None or audit.passed),
        numbers=key_numbers(table, evaluation.base_rate, evaluation.rows, converting),
        facts=_facts(run, data, model),
        sections=list(_sections(run, model, data, test, findings, scorecard)),
    )
    return write_page(page, folder / "report.html")


def _facts(run: Run, data: Assembled, model: PropensityModel) -> str:
    log, mapping = data.log, model.scorer.calibration
    told = (
        f"Asked: does this {run.settings.entity} convert within {run.settings.horizon_days} days "
        f"of as_of? Model: {model.scorer.learner.rung}, calibrated by {mapping['method']} (chosen "
        f"by {mapping['chosen_by']}), seed {run.settings.seed}. Data: {log.n_events:,} events, "
        f"{to_text(log.first_at)[:19]} to {to_text(log.data_end)[:19]}, fingerprint "
        f"`{log.fingerprint[:16]}`."
    )
    return f"{told} {learnt_told(model.scorer.learner.learnt)}".strip()


def _sections(
    run: Run,
    model: PropensityModel,
    data: Assembled,
    test: Dataset,
    findings: "Findings",
    scorecard: Scorecard,
) -> Iterator[Section]:
    settings, judged, heads = run.settings, findings.judged, findings.heads
    evaluation = judged.evaluation
    insights = findings.insights
    parts = [
        _against(run, findings),
        curves_section(
            evaluation.gain,
            evaluation.reliability,
            evaluation.base_rate,
            Fold("Bins in numbers", _bins(findings)),
        ),
        tiers_section(model.scorer.tiers["cutoffs"], evaluation.tiers["model"], judged.churn),
        cells_section(judged.cells),
        folds_section([findings.split], data.dataset, settings.horizon_days),
        None if findings.audit is None else audit_section(findings.audit),
        nulls_section(judged.null_table, judged.nulls, judged.null_verdict),
        segments_section(judged.segments, judged.segment_verdict, settings.evaluation.segments),
        similarity_section(model, judged.ablation, evaluation.converting),
        features_section(model, () if insights is None else insights.dependence),
        None if insights is None else mistakes_section(insights),
        None if findings.milestones is None else milestones_section(findings.milestones),
        choosing_section(findings.ladder, findings.tuning, model),
        heads_section(heads.heads, heads.days, heads.value, heads.accounts),
        scorecard_section(scorecard, test),
        None if insights is None else quality_section(insights.quality),
        cautions_section(data),
    ]
    yield from (part for part in parts if part is not None)


def _against(run: Run, findings: "Findings") -> Section:
    evaluation, entity = findings.judged.evaluation, run.settings.entity
    told = (
        f"Judged on {evaluation.rows:,} snapshots of {evaluation.entities:,} {entity}s; "
        f"{evaluation.positives:,} of them (base rate {percent(evaluation.base_rate)}) are "
        f"followed by one of {evaluation.converting:,} conversions. All are later than anything "
        "the model was fitted or calibrated on. With each date's labels exchanged among its rows, "
        f"the same scores have a PR-AUC of {shown(evaluation.permuted_pr_auc)}."
    )
    return Section(
        "against",
        "Model against scorecard",
        [
            Text(told),
            *metrics_blocks("On the same test rows", evaluation.table, evaluation.if_perfect),
        ],
    )


def _bins(findings: "Findings") -> list:
    reliability = findings.judged.evaluation.reliability
    return [
        reliability_table(f"Bins of equal size: {name}", "bin", rows)
        for name, rows in reliability.items()
    ]
