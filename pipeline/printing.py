"""What each verb prints: one table a person can read, then what to do next."""

import shlex
import sys
from typing import TYPE_CHECKING

from features.clock import to_text
from models.judging.ablation import similarity_verdict
from models.judging.metric_words import METRIC_NAMES
from models.scoring import TIERS, signed
from pipeline.actions_printing import due_first, order_told, print_advice, to_do, what_to_do
from pipeline.catalogue import Listing, by_dimension, window
from pipeline.console import show, table
from pipeline.explain import RECENT_DAYS, Explanation
from pipeline.findings import Training
from pipeline.predict import Prediction
from pipeline.wording import (
    ACTIONS,
    cut_words,
    falling,
    interval,
    learnt_told,
    near,
    percent,
    shown,
)

if TYPE_CHECKING:
    from pipeline.spark.predict import SparkScores


def print_training(result: Training) -> None:
    """Folds, metrics of model and scorecard, verdict, and where everything went."""
    found, judged = result.findings, result.findings.judged
    evaluation = judged.evaluation
    folds = table("fold", "from", "to", "rows", "converting rows", "purged")
    for row in found.split.describe():
        folds.add_row(
            *(str(row[key]) for key in ("fold", "from", "to")),
            *(f"{row[key]:,}" for key in ("rows", "positives", "purged")),
        )
    metrics = table("on the test rows", "model", "scorecard", "difference", "95 % interval")
    for metric, rows in evaluation.table.groupby("metric", sort=False):
        model, card = rows.iloc[0], rows.iloc[1]
        metrics.add_row(
            METRIC_NAMES[metric],
            shown(model["value"]),
            shown(card["value"]),
            shown(card["difference"]),
            interval(card["difference_low"], card["difference_high"]),
        )
    show(folds, metrics)
    lines = [
        f"Base rate {percent(evaluation.base_rate)}: {evaluation.positives:,} of "
        f"{evaluation.rows:,} test rows convert ({evaluation.converting:,} accounts). What each "
        "number means: see the report.",
        evaluation.verdict,
        evaluation.calibration,
        found.ladder.verdict,
    ]
    lines += filter(None, [learnt_told(result.learnt)])
    lines += [judged.null_verdict, judged.segment_verdict]
    if judged.ablation is not None:
        lines.append(similarity_verdict(judged.ablation, evaluation.converting))
    if result.rules_without_data:
        n = len(result.rules_without_data)
        lines.append(
            f"{n} scorecard rule{' has' if n == 1 else 's have'} no data and never "
            f"count{'s' if n == 1 else ''}: {', '.join(result.rules_without_data)}"
        )
    version = result.version
    alias = " and ".join(version.aliases)
    lines.append(f"Registered {version.name} version {version.number} as {alias}")
    better = "model is better" in evaluation.verdict or result.rung == "scorecard"
    if "champion" in version.aliases and not better:
        lines.append("It is the champion by being the first, not by being better than the points")
    if "champion" not in version.aliases:
        lines.append(
            "The champion stays what `predict` uses; to replace it if it is no worse: promote, "
            f"to try this one: predict --model {version.number}"
        )
    lines.append(f"Report: {near(result.report)}")
    show("\n".join(lines))


def print_prediction(result: Prediction, top: int) -> None:
    """How many in each tier, and the first of the call list with their reasons."""
    scores = result.scores
    if not len(scores):
        show(f"Nobody is eligible as of {to_text(result.as_of)}: nothing was written.")
        return
    tiers = table("tier", "probability", "entities")
    upper = 1.0
    for name, cut in [*falling(result.cutoffs), ("cold", 0.0)]:
        count = int((scores["tier"] == name).sum())
        span = f"{percent(cut)} to {percent(upper)}" if cut < 1 else "out of reach"
        tiers.add_row(name, span, f"{count:,}")
        upper = min(cut, upper)
    calls = table("", "entity", "tier", "what to do", "why, and whom it looks like")
    ordered = due_first(scores)
    for place, row in enumerate(ordered.head(top).to_dict("records"), 1):
        alike = ", ".join(row["look_alikes"])
        calls.add_row(
            str(place),
            row["entity_id"]
            if row["name"] == row["entity_id"]
            else f"{row['name']}\n{row['entity_id']}",
            f"{row['tier']}\n{percent(row['probability'])}\nscore {row['pql_score']:.0f}",
            what_to_do(row),
            "\n".join([*row["reasons"], *([f"looks like {alike}"] if alike else [])]),
        )
    show(tiers, calls, f"{order_told(scores)} {to_do(scores)}")
    files = "\n".join(f"Written: {near(path)}" for path in result.files)
    first = ordered["entity_id"].iloc[0]
    command = (
        f"{sys.executable} -m pipeline explain --settings {shlex.quote(str(result.settings_path))}"
    )
    entity = f"--entity {shlex.quote(first)} --as-of {to_text(result.as_of)}"
    show(f"{files}\nWalk through one: {command} {entity}")


def print_explanation(result: Explanation) -> None:
    """Events, reasons, look-alikes, then the arithmetic from raw score to tier."""
    show(
        f"{result.entity} as of {to_text(result.as_of)}: {result.status}\n"
        f"Scored by {result.version.name} version {result.version.number}"
    )
    events = table("event", f"last {RECENT_DAYS} days", "ever", "days ago")
    for count in result.events:
        events.add_row(count.event, f"{count.recent:,}", f"{count.ever:,}", f"{count.days_ago:.1f}")
    reasons = table("points", "log-odds", "because")
    for reason in result.reasons:
        reasons.add_row(signed(reason.points), f"{reason.contribution:+.2f}", reason.text)
    rest, all_points = result.rest, sum(result.points.values())
    reasons.add_row(signed(rest.points), f"{rest.contribution:+.2f}", "all facts that weigh less")
    reasons.add_row("", f"{rest.start:+.2f}", "a row of which nothing is known")
    reasons.add_row(signed(all_points), f"{result.raw_score:+.2f}", "all points, and the raw score")
    show(events, reasons)
    parts = ", ".join(
        f"{result.labels[part]} {signed(points)}" for part, points in result.points.items()
    )
    show(
        f"Points are percentage points of probability, from {percent(result.typical)} of a row of "
        f"which nothing is known to {percent(result.probability)}: {parts}"
    )
    if result.look_alikes:
        alike = table("distance", "nearest customers", "alike, and unlike most, before they bought")
        for one in result.look_alikes:
            alike.add_row(f"{one.distance:.2f}", one.name, "\n".join(one.shared))
        show(alike)
    within = f"{result.horizon_days} day{'' if result.horizon_days == 1 else 's'}"
    if result.advice is not None:
        print_advice(result.advice)
    show(
        f"Raw score {result.raw_score:+.2f} -> calibration ({result.calibration}) -> probability "
        f"{percent(result.probability)} within {within} -> PQL score {result.pql_score:.0f} -> "
        f"tier {result.tier}\n"
        f"Cut-offs: {cut_words(result.cutoffs)}"
    )


def print_spark_prediction(result: "SparkScores") -> None:
    """How many in each tier; the rows stay in the folder, however many they are."""
    tiers = table("tier", "entities", "what to do")
    for name in reversed(TIERS):
        tiers.add_row(name, f"{result.tiers.get(name, 0):,}", ACTIONS[name])
    show(tiers, f"{result.n_rows:,} rows. Written: {result.uri}")


def print_features(listing: Listing) -> None:
    """The catalogue, one line per feature, and what was left out; or the verdict of a check."""
    counts = ", ".join(f"{n} {name}" for name, n in by_dimension(listing.features).items() if n)
    found = f"{len(listing.features)} of {listing.n_all} features of {listing.level}s"
    lines = [f"{found}: {counts}" if counts else f"{found}; search for fewer or other words"]
    if listing.verdict is not None:
        show(*lines, listing.verdict)
        return
    listed = table("feature", "dimension", "window", "unit", "meaning")
    for feature in listing.features:
        listed.add_row(
            feature.name, feature.dimension, window(feature), feature.unit, feature.meaning
        )
    if chosen := listing.choice.by_coverage:
        lines.append(
            f"No event catalogue in the settings: the {len(chosen)} "
            f"event{'' if len(chosen) == 1 else 's'} that most {listing.level}s did have features "
            "of their own. Name yours in features.events."
        )
    lines += [f"left out: {what} ({why})" for what, why in listing.choice.left_out[:10]]
    if (more := len(listing.choice.left_out) - 10) > 0:
        lines.append(f"... and {more} more, see --json")
    show(listed, "\n".join(lines))
