"""The evaluation as a page: tables with their definitions, pictures, and what could be wrong."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import to_text
from models.customers.weighting import weights_told
from models.dataset import Dataset
from models.judging.ablation import similarity_verdict
from models.judging.curves import ReliabilityRow
from models.judging.evaluation import Evaluation
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.splits import Split
from pipeline.dataset import Assembled
from pipeline.plots import plot_gain, plot_reliability
from pipeline.report_audit import audit_section
from pipeline.report_heads import heads_section
from pipeline.report_ladder import ladder_section, learnt_points_section, tuning_section
from pipeline.report_nulls import nulls_section
from pipeline.report_segments import segments_section
from pipeline.report_tiers import cells_section, churn_section
from pipeline.settings import Run
from pipeline.tables import write_atomically
from pipeline.wording import (
    INTERVAL_MEANING,
    METRIC_MEANINGS,
    METRIC_NAMES,
    cut_words,
    interval,
    learnt_told,
    percent,
    shown,
)

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.findings import Findings

CONTENDERS = ("model", "scorecard")


def write_report(
    folder: Path,
    run: Run,
    model: PropensityModel,
    data: Assembled,
    test: Dataset,
    findings: "Findings",
    scorecard: Scorecard,
) -> Path:
    """Write ``report.md`` with its two pictures into `folder`; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    judged, heads = findings.judged, findings.heads
    evaluation = judged.evaluation
    plot_reliability(evaluation.reliability, folder / "reliability.png")
    plot_gain(evaluation.gain, folder / "gain.png")
    sections = [
        _opening(run, data, model, evaluation),
        _metrics(evaluation),
        "![Reliability](reliability.png)\n\n![Gain](gain.png)\n",
        nulls_section(judged.null_table, judged.nulls, judged.null_verdict),
        _tiers(model, evaluation),
        churn_section(judged.churn),
        cells_section(judged.cells),
        heads_section(heads.heads, heads.days, heads.value, heads.accounts),
        segments_section(judged.segments, judged.segment_verdict, run.settings.evaluation.segments),
        _folds(findings.split, run.settings.horizon_days),
        ladder_section(findings.ladder),
        tuning_section(findings.tuning),
        _similarity(model, judged.ablation, evaluation.converting),
        _scorecard(scorecard, test),
        learnt_points_section(model),
        _cautions(data),
        *([] if findings.audit is None else [audit_section(findings.audit)]),
        _features(model),
    ]
    page = folder / "report.md"
    text = "\n".join(section for section in sections if section)
    write_atomically(page, lambda path: path.write_text(text, encoding="utf-8"))
    return page


def _opening(run: Run, data: Assembled, model: PropensityModel, evaluation: Evaluation) -> str:
    log, mapping = data.log, model.scorer.calibration
    return (
        f"# {run.settings.name}: model against scorecard\n\n"
        f"**{evaluation.verdict}**\n\n"
        f"Asked: does this {run.settings.entity} convert within {run.settings.horizon_days} days "
        f"of as_of? Judged on {evaluation.rows:,} snapshots of {evaluation.entities:,} "
        f"{run.settings.entity}s; {evaluation.positives:,} of them (base rate "
        f"{percent(evaluation.base_rate)}) are followed by one of {evaluation.converting:,} "
        "conversions. All are later than anything the model was fitted or calibrated on. With each "
        "date's labels exchanged among its rows, the same scores have a PR-AUC of "
        f"{shown(evaluation.permuted_pr_auc)}.\n\n"
        f"{evaluation.calibration}\n\n"
        f"Model: {model.scorer.learner.rung}, calibrated by {mapping['method']} (chosen by "
        f"{mapping['chosen_by']}), seed {run.settings.seed}. "
        f"{learnt_told(model.scorer.learner.learnt)}\n\n"
        f"Data: {log.n_events:,} events, {to_text(log.first_at)[:19]} to "
        f"{to_text(log.data_end)[:19]}, fingerprint `{log.fingerprint[:16]}`.\n"
    )


def _metrics(evaluation: Evaluation) -> str:
    lines = ["## On the same test rows\n", *_header("metric", *CONTENDERS, "difference", "meaning")]
    for metric, rows in evaluation.table.groupby("metric", sort=False):
        model, card = rows.iloc[0], rows.iloc[1]
        cells = [_ranged(model), _ranged(card), _ranged(card, "difference")]
        lines.append(_row(METRIC_NAMES[metric], *cells, METRIC_MEANINGS[metric]))
    perfect = evaluation.if_perfect
    note = (
        f"{INTERVAL_MEANING} Calibration errors are never 0, since a bin's few rows miss their "
        "share, and resampled rows miss by more: their range may lie above the value. True "
        f"probabilities would show a calibration error of {shown(perfect.mean)} "
        f"({interval(perfect.low, perfect.high)}) here.\n"
    )
    return "\n".join([*lines, "", note])


def _header(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _ranged(row: "pd.Series", what: str = "value") -> str:
    prefix = "" if what == "value" else f"{what}_"
    return f"{shown(row[what])} ({interval(row[prefix + 'low'], row[prefix + 'high'])})"


def _tiers(model: PropensityModel, evaluation: Evaluation) -> str:
    text = cut_words(model.scorer.tiers["cutoffs"])
    return (
        f"## Tiers\n\nCut-offs of probability, fixed when the model was trained: {text}.\n\n"
        + _reliability(evaluation.tiers["model"])
    )


def _reliability(rows: list[ReliabilityRow]) -> str:
    lines = [
        "| tier | test rows | predicted | converted | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.group} | {row.rows:,} | {percent(row.predicted)} | {percent(row.observed)} "
        f"| {percent(row.low)} to {percent(row.high)} |"
        for row in reversed(rows)
    ]
    return "\n".join(lines) + "\n"


def _folds(split: Split, horizon_days: int) -> str:
    lines = [
        "## Folds in time\n",
        f"Whole dates go to one fold. A row is purged when its label window ({horizon_days} days) "
        "would reach into the next fold.\n",
        "| fold | from | to | rows | converting rows | entities | purged |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['fold']} | {row['from']} | {row['to']} | {row['rows']:,} | {row['positives']:,} "
        f"| {row['entities']:,} | {row['purged']:,} |"
        for row in split.describe()
    ]
    return "\n".join(lines) + "\n"


SIMILARITY_MEANING = (
    "Similarity compares a row with customers known before its as_of, as they looked just before "
    "they bought, never with its own account or e-mail domain. Contrast is the logarithm of the "
    "distance to non-customers over that to customers: above 0 it looks more like a customer. "
    "Shuffled: random earlier rows stand in for the customers."
)


def _similarity(model: PropensityModel, worth: "pd.DataFrame | None", converting: int) -> str:
    title = "## What similarity to customers is worth\n"
    space = model.scorer.space
    if worth is None or space is None:
        return f"{title}\nNot used: it is switched off, or too few customers are known.\n"
    names = ("metric", "with", "without", "with minus without", "shuffled", "with minus shuffled")
    lines = [title, *_header(*names)]
    for metric, rows in worth.groupby("metric", sort=False):
        if metric in ("pr_auc", "roc_auc", "log_loss"):
            have, *others = (rows.iloc[place] for place in range(3))
            cells = [text for r in others for text in (shown(r["value"]), _ranged(r, "difference"))]
            lines.append(_row(METRIC_NAMES[metric], shown(have["value"]), *cells))
    told = similarity_verdict(worth, converting)
    return "\n".join([*lines, "", told, weights_told(space), "", SIMILARITY_MEANING, ""])


def _scorecard(scorecard: Scorecard, test: Dataset) -> str:
    result = scorecard.score(test.matrix)
    lines = ["## Scorecard rules\n", *_header("rule", "dimension", "points", "earned by")]
    for at, rule in enumerate(scorecard.spec.rules):
        share = percent(float(result.fired[:, at].mean()))
        told = "no data, never counts" if rule.name in result.without_data else share
        lines.append(_row(rule.name, rule.dimension, f"{rule.points:+d}", told))
    if not scorecard.spec.rules:
        lines.append("The settings have no rules: every row has 0 points.")
    return "\n".join(lines) + "\n"


def _cautions(data: Assembled) -> str:
    static = [item for item in data.log.attributes if item.static]
    used = {feature.property for feature in data.features if feature.statistic == "attribute"}
    lines = ["## What could be wrong\n"]
    if static:
        names = ", ".join(f"`{item.name}` of the {item.of}" for item in static)
        risky = ", ".join(f"`{item.name}`" for item in static if item.name in used)
        lines.append(
            f"- Attributes without history, taken as known at every time: {names}. Used as "
            f"features: {risky or 'none'}. They leak if they were filled in after the fact."
        )
    else:
        lines.append("- Every attribute has a history: none can have been filled in later.")
    for source in data.log.manifest["statements"]:
        lines.append(f"- `{source['source']}`: {' '.join(source['statements'])}")
    return "\n".join(lines) + "\n"


def _features(model: PropensityModel) -> str:
    title = "## Features that carry the model\n"
    lines = [title, *_header("share", "feature", "meaning")]
    meanings = {feature.name: feature.meaning for feature in model.features}
    for name, share in model.importance()[:20]:
        meaning = meanings.get(name, "similarity to customers")
        lines.append(_row(percent(share), f"`{name}`", meaning))
    return "\n".join(lines) + "\n"
