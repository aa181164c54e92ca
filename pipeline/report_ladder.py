"""The report's section on how much model the conversions allow, and the points it learnt."""

from collections.abc import Mapping
from typing import Any

from models.choosing.ladder import Ladder
from models.choosing.tuning import Tuning
from models.propensity import PropensityModel
from pipeline.wording import shown

LADDER_MEANING = (
    "Each rung was fitted on the past and judged on the rows that follow, three times, all before "
    "the test. Log loss: mean surprise at the outcome, every period shifted to its own base rate "
    "(lower is better). Behind: how much more than the best rung's, paired, with its standard "
    "error over accounts. The simplest rung within one standard error of the best is taken."
)


def ladder_section(ladder: Ladder) -> str:
    """Markdown of the rungs with their evidence."""
    lines = ["## How much model the conversions allow\n", ladder.verdict, ""]
    if ladder.rungs:
        lines += ["| rung | log loss | behind the best | standard error |", "|---|---|---|---|"]
        for rung in ladder.rungs:
            name = f"**{rung.name}**" if rung.name == ladder.chosen else rung.name
            cells = [name, f"{rung.log_loss:.5f}", shown(rung.behind), shown(rung.error)]
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", LADDER_MEANING]
    return "\n".join(lines) + "\n"


TUNING_MEANING = (
    "Settings of the trees are searched on folds inside the training rows, each judged on later "
    "rows than it was fitted on. The best is used only if, on the calibrate rows that no trial "
    "saw, its log loss is lower than that of the ladder's choice by more than one standard error "
    "(accounts and seeds). The test rows play no part."
)


def tuning_section(tuning: Tuning | None) -> str:
    """Markdown of a search: its verdict and its best trials; empty without one."""
    if tuning is None:
        return ""
    leaders = tuning.leaders(5)
    names = list(leaders[0].params)
    lines = ["## Tuning\n", tuning.verdict, ""]
    lines += [f"| trial | log loss | {' | '.join(names)} |", "|" + "---|" * (len(names) + 2)]
    for trial in leaders:
        cells = [
            str(trial.number),
            f"{trial.value:.5f}",
            *(shown(v) for v in trial.params.values()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", TUNING_MEANING]) + "\n"


def learnt_points_section(model: PropensityModel) -> str:
    """Markdown of a learnt scorecard; empty for every other rung."""
    learner = model.scorer.learner
    if learner.rung != "points":
        return ""
    columns = {column["name"]: column for column in model.scorer.columns}
    meanings = {feature.name: feature.meaning for feature in model.features}
    lines = [
        "## The learnt points\n",
        "20 points double the odds of converting. A rule of the scorecard keeps its name.\n",
        "| points | condition | what it reads |",
        "|---|---|---|",
    ]
    for term in learner.terms:
        name = term["column"]
        told, points = _condition(term, columns.get(name, {}))
        what = term.get("told") or meanings.get(name, "similarity to customers")
        lines.append(f"| {points:+.0f} | `{name}` {told} | {what} |")
    return "\n".join(lines) + "\n"


def _condition(term: Mapping[str, Any], column: Mapping[str, Any]) -> tuple[str, float]:
    """When a term gives its points, in words, and how many."""
    if "codes" in term:
        levels = [*column["levels"], "any other"]
        given = [at for at, points in enumerate(term["codes"]) if points]
        named = " or ".join(str(levels[at]) for at in given)
        return f"is {named}", term["codes"][given[0]] if given else 0.0
    edges, steps = term["edges"], term["steps"]
    if len(edges) == 1:
        return f"at least {shown(edges[0])}", steps[1]
    return f"from {shown(edges[0])} to {shown(edges[1])}", steps[1]
