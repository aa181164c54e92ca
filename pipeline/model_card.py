"""A model's card: what it is for, what is known of it, and what is not (Mitchell et al. 2019).

Sections as in Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, table 1, and how to
reproduce the model. Every number comes from the training's own findings. The card holds neither
the date nor the run, so that two trainings alike have equal cards.
"""

import hashlib
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from features.clock import to_text
from models.judging.ablation import similarity_verdict
from models.judging.evaluation import MIN_CONVERTING
from models.judging.metric_words import INTERVAL_MEANING
from models.propensity import PropensityModel
from pipeline.model_card_parts import (
    cohort_words,
    cuts_text,
    folds_table,
    label_words,
    metric_meanings,
    metrics_table,
    promise,
    table,
    tiers_table,
)
from pipeline.settings import Run, Settings
from pipeline.wording import learnt_told, percent, shown

if TYPE_CHECKING:
    from pipeline.dataset import Assembled
    from pipeline.findings import Findings

LIBRARIES = ("duckdb", "lightgbm", "mlflow", "numba", "numpy", "pandas", "pyarrow", "scikit-learn")
"""What the numbers of a training depend on."""


def model_card(run: Run, model: PropensityModel, data: "Assembled", findings: "Findings") -> str:
    """Markdown of a trained and judged model's card."""
    settings, evaluation = run.settings, findings.judged.evaluation
    sections = [
        f"# Model card: {run.model_name}\n\n{evaluation.verdict} {evaluation.calibration}",
        _details(settings, model, findings),
        _use(settings),
        _factors(settings, findings),
        _metrics(),
        _evaluation_data(settings, findings),
        _training_data(settings, model, data, findings),
        _analyses(model, findings, settings),
        _ethics(settings, model),
        _caveats(data, findings, model),
        _reproduce(run, data, findings),
    ]
    return "\n\n".join(sections) + "\n"


def _details(settings: Settings, model: PropensityModel, findings: "Findings") -> str:
    mapping, learner = model.scorer.calibration, model.scorer.learner
    space = model.scorer.space
    similar = "none" if space is None else f"{model.training.customers:,} known customers"
    lines = [
        f"- What it gives: the probability that {_a(settings.entity)} converts within "
        f"{settings.horizon_days} days of as_of, a PQL score (0-100: the share of calibrate rows "
        "with a lower probability), a tier, and reasons.",
        f"- Kind: {learner.rung}, calibrated by {mapping['method']} (chosen by "
        f"{mapping['chosen_by']}). {learnt_told(learner.learnt)}".rstrip(),
        f"- Features: {len(model.features):,}, computed from events before as_of only; their "
        "definitions are `feature_schema.json` beside this card.",
        f"- Similarity to customers: {similar}.",
        f"- How it was chosen: {findings.ladder.verdict}",
        "- Terms are explained in docs/model.md of the project.",
    ]
    return "## Model details\n\n" + "\n".join(lines)


def _use(settings: Settings) -> str:
    events = ", ".join(f"`{name}`" for name in settings.conversion.events)
    return (
        "## Intended use\n\n"
        f"To decide which {settings.entity}s a sales team looks at first: who is likely to convert "
        f"({events}) within {settings.horizon_days} days by what they did in the product. For "
        "people in sales, marketing and product, and for programs that sort and route.\n\n"
        f"- Who may be scored: {cohort_words(settings)} Others are outside of what was judged.\n"
        "- Not for: telling why somebody buys, or what a call changes (whoever would have bought "
        "anyway is a hit here); prices, credit, employment or any decision about a person's "
        "rights; another product or conversion than the one named."
    )


def _factors(settings: Settings, findings: "Findings") -> str:
    segments = findings.judged.segments
    of = [str(name) for name in dict.fromkeys(segments["of"]) if name]
    known = ", ".join(f"`{name}`" for name in of) or "none"
    least = settings.evaluation.segments.min_converting
    few = int((segments["converting"] < least).sum())
    return (
        f"## Factors\n\nMeasured within segments of: {known}. {few} of {len(segments)} segments "
        f"have fewer than {least} converting accounts (or entities without one), too few to rank "
        "within them. Groups that the data do not name were not looked at."
    )


def _metrics() -> str:
    return f"## Metrics\n\n{metric_meanings()}\n\n{INTERVAL_MEANING}"


def _evaluation_data(settings: Settings, findings: "Findings") -> str:
    evaluation = findings.judged.evaluation
    return (
        "## Evaluation data\n\nThe newest dates with known outcomes, later than everything that "
        "the model was fitted, calibrated or chosen on.\n\n"
        f"{folds_table(findings.split, ('test',))}\n\n"
        f"{percent(evaluation.base_rate)} of the rows convert (the base rate), by "
        f"{evaluation.converting:,} accounts (or entities without one); intervals rest on these. "
        f"A row is purged when its {settings.horizon_days} days would reach into the next fold."
    )


def _training_data(
    settings: Settings, model: PropensityModel, data: "Assembled", findings: "Findings"
) -> str:
    log, training = data.log, model.training
    return (
        f"## Training data\n\n{log.n_events:,} events of {len(log.users):,} users and "
        f"{len(log.accounts):,} accounts, {to_text(log.first_at)[:19]} to "
        f"{to_text(log.data_end)[:19]} (UTC).\n\n"
        f"- Cohort: {cohort_words(settings)}\n- Label: {label_words(settings)}\n"
        f"- Fitted on {training.rows:,} train rows, {training.positives:,} of which convert; "
        "calibrated, and tiers set, on the calibrate rows.\n\n"
        f"{folds_table(findings.split, ('train', 'calibrate'))}"
    )


def _analyses(model: PropensityModel, findings: "Findings", settings: Settings) -> str:
    judged = findings.judged
    evaluation = judged.evaluation
    similarity = (
        []
        if judged.ablation is None
        else [f"Similarity: {similarity_verdict(judged.ablation, evaluation.converting)}"]
    )
    parts = [
        "## Quantitative analyses",
        metrics_table(evaluation.table),
        f"{evaluation.verdict}",
        f"Calibration: {evaluation.calibration}",
        f"Nulls: {judged.null_verdict} With each date's labels exchanged among its rows, the same "
        f"scores have a PR-AUC of {shown(evaluation.permuted_pr_auc)}.",
        *similarity,
        f"Segments: {judged.segment_verdict}",
        "Tiers, fixed when the model was trained: "
        f"{cuts_text(model.scorer.tiers)}. {promise(settings.model)} What came of those "
        "that test rows reached (intervals are Wilson's on the effective number of rows):",
        tiers_table(evaluation.tiers["model"], model.scorer.tiers),
    ]
    return "\n\n".join(parts)


def _ethics(settings: Settings, model: PropensityModel) -> str:
    attributes = sorted(
        {f"`{one.property}`" for one in model.features if one.source != "event" and one.property}
    )
    names = (
        "It names nobody."
        if model.scorer.space is None
        else f"The artefact names {model.training.customers:,} customers, to tell look-alikes: "
        "keep it as you keep a list of customers."
    )
    return (
        "## Ethical considerations\n\n"
        f"- Reads what people did in the product, and of users or accounts: "
        f"{', '.join(attributes) or 'no attribute'}.\n- {names}\n"
        f"- {_a(settings.entity).capitalize()} with a low score gets less attention; nobody is "
        "refused anything by it. Keep some calls for others: who is never called never shows "
        "whether the score was wrong."
    )


def _caveats(data: "Assembled", findings: "Findings", model: PropensityModel) -> str:
    evaluation, audit = findings.judged.evaluation, findings.audit
    used = {(one.source, one.property) for one in model.features if one.source != "event"}
    static = [one.name for one in data.log.attributes if one.static and (one.of, one.name) in used]
    told = "switched off: nothing is known about leaks." if audit is None else audit.verdict
    lines = [f"- Leak audit: {told}"]
    if audit is not None:
        lines += [f"- To look at: {one.origin}: {one.evidence}" for one in audit.alarms]
    if static:
        lines.append(
            f"- Taken as known at every time, for want of a history: {', '.join(static)}. They "
            "leak if they were filled in after the fact."
        )
    if evaluation.converting < MIN_CONVERTING:
        lines.append(
            f"- Only {evaluation.converting} converting accounts (or entities without one) in the "
            f"test rows, fewer than {MIN_CONVERTING}: the evidence can't tell model and scorecard "
            "apart."
        )
    tiers = model.scorer.tiers
    out = [name for name, cut in tiers["cutoffs"].items() if cut > 1]
    if out and tiers["by"] != "value":
        lines.append(f"- Tiers out of reach: {', '.join(sorted(out))}.")
    lines += [
        "- One period was tested, once. Another season, price list or product may differ: watch "
        "the realised calibration (`monitor`), and `recalibrate` or train again when it says so.",
        "- A feature that carries the model may only accompany what makes people buy.",
        "- It knows events with known_at < as_of only; where tracking breaks, scores fall.",
    ]
    return "## Caveats and recommendations\n\n" + "\n".join(lines)


def _reproduce(run: Run, data: "Assembled", findings: "Findings") -> str:
    versions = [["python", platform.python_version()]]
    versions += [[name, metadata.version(name)] for name in LIBRARIES]
    tuned = findings.tuning
    searched = (
        ""
        if tuned is None
        else f" The booster's settings were searched ({len(tuned.trials)} trials, the best is "
        f"number {tuned.best.number}): give the same --tune; under a budget of time another "
        "machine may stop elsewhere."
    )
    return (
        "## How to reproduce\n\n"
        f"    python -m pipeline train --settings {run.path.name}\n\n"
        f"in the folder that holds the data, with `settings.yaml` of this bundle as "
        f"{run.path.name!r} there, since its paths start where it lies (sha256 "
        f"`{hashlib.sha256(run.text.encode()).hexdigest()}`), the same events (fingerprint of the "
        f"imported log `{data.log.fingerprint}`), seed {run.settings.seed} and these versions: "
        f"the bundle is then equal byte for byte but for the run's id.{searched}\n\n"
        f"{table(['library', 'version'], versions)}"
    )


def _a(entity: str) -> str:
    return f"an {entity}" if entity == "account" else f"a {entity}"
