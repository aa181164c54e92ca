"""The evaluation as a page: tables with their definitions, pictures, and what could be wrong."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.clock import to_text
from models.curves import ReliabilityRow
from models.dataset import Dataset
from models.evaluation import Evaluation, similarity_verdict
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.splits import Split
from pipeline.dataset import Assembled
from pipeline.plots import plot_gain, plot_reliability
from pipeline.settings import Run
from pipeline.tables import write_atomically
from pipeline.wording import (
    INTERVAL_MEANING,
    METRIC_MEANINGS,
    METRIC_NAMES,
    cut_words,
    interval,
    percent,
    shown,
)

if TYPE_CHECKING:
    import pandas as pd

CONTENDERS = ("model", "scorecard")


def write_report(
    folder: Path,
    run: Run,
    model: PropensityModel,
    data: Assembled,
    split: Split,
    test: Dataset,
    evaluation: Evaluation,
    worth: "pd.DataFrame | None",
    scorecard: Scorecard,
) -> Path:
    """Write ``report.md`` with its two pictures into `folder`; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    plot_reliability(evaluation.reliability, folder / "reliability.png")
    plot_gain(evaluation.gain, folder / "gain.png")
    sections = [
        _opening(run, data, evaluation),
        _metrics(evaluation),
        "![Reliability](reliability.png)\n\n![Gain](gain.png)\n",
        _tiers(model, evaluation),
        _folds(split, run.settings.horizon_days),
        _similarity(worth, evaluation.converting),
        _scorecard(scorecard, test),
        _cautions(data),
        _features(model),
    ]
    page = folder / "report.md"
    text = "\n".join(sections)
    write_atomically(page, lambda path: path.write_text(text, encoding="utf-8"))
    return page


def _opening(run: Run, data: Assembled, evaluation: Evaluation) -> str:
    log = data.log
    return (
        f"# {run.settings.name}: model against scorecard\n\n"
        f"**{evaluation.verdict}**\n\n"
        f"Asked: does this {run.settings.entity} convert within {run.settings.horizon_days} days "
        f"of as_of? Judged on {evaluation.rows:,} snapshots of {evaluation.entities:,} "
        f"{run.settings.entity}s, of which {evaluation.positives:,} convert (base rate "
        f"{percent(evaluation.base_rate)}), all later than anything the model was fitted or "
        f"calibrated on. With labels permuted within each date its PR-AUC falls to "
        f"{shown(evaluation.permuted_pr_auc)}.\n\n"
        f"Data: {log.n_events:,} events, {to_text(log.first_at)[:19]} to "
        f"{to_text(log.data_end)[:19]}, fingerprint `{log.fingerprint[:16]}`.\n"
    )


def _metrics(evaluation: Evaluation) -> str:
    lines = ["## On the same test rows\n", *_header("metric", *CONTENDERS, "difference", "meaning")]
    for metric, rows in evaluation.table.groupby("metric", sort=False):
        model, card = rows.iloc[0], rows.iloc[1]
        cells = [_ranged(model), _ranged(card), _ranged(card, "difference")]
        lines.append(_row(METRIC_NAMES[metric], *cells, METRIC_MEANINGS[metric]))
    return "\n".join([*lines, "", INTERVAL_MEANING + "\n"])


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
        "| fold | from | to | rows | converting | entities | purged |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['fold']} | {row['from']} | {row['to']} | {row['rows']:,} | {row['positives']:,} "
        f"| {row['entities']:,} | {row['purged']:,} |"
        for row in split.describe()
    ]
    return "\n".join(lines) + "\n"


def _similarity(worth: "pd.DataFrame | None", converting: int) -> str:
    title = "## What similarity to customers is worth\n"
    if worth is None:
        return f"{title}\nNot used: it is switched off, or too few customers are known.\n"
    names = ("metric", "with", "without", "with minus without", "shuffled", "with minus shuffled")
    lines = [title, *_header(*names)]
    for metric, rows in worth.groupby("metric", sort=False):
        if metric in ("pr_auc", "roc_auc", "log_loss"):
            have, *others = (rows.iloc[place] for place in range(3))
            cells = [text for r in others for text in (shown(r["value"]), _ranged(r, "difference"))]
            lines.append(_row(METRIC_NAMES[metric], shown(have["value"]), *cells))
    lines += [
        "",
        "Shuffled: as many rows drawn at random from the training rows, called customers.",
    ]
    return "\n".join([*lines, "", similarity_verdict(worth, converting), ""])


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
    lines = [title, *_header("share of gain", "feature", "meaning")]
    meanings = {feature.name: feature.meaning for feature in model.features}
    for name, share in model.importance()[:20]:
        meaning = meanings.get(name, "similarity to customers")
        lines.append(_row(percent(share), f"`{name}`", meaning))
    return "\n".join(lines) + "\n"
