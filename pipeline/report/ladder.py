"""Sections on how the model was chosen: the ladder, the search, and the points it learnt."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.choosing.ladder import Ladder
from models.choosing.tuning import Tuning
from models.propensity import PropensityModel
from pipeline.report.page import Block, Cell, Fold, Heading, Section, Table, Text, columns
from pipeline.wording import percent, shown

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.scorecard import Scorecard

_MOST_OPEN = 6
LADDER_MEANING = (
    "Each rung was fitted on the past and judged on the rows that follow, three times, all before "
    "the test, every period shifted to its own base rate. The simplest rung within one standard "
    "error of the best is taken."
)
TUNING_MEANING = (
    "Settings of the trees are searched on folds inside the training rows, each judged on later "
    "rows than it was fitted on. The best is used only if, on the calibrate rows that no trial "
    "saw, its log loss is lower than that of the ladder's choice by more than one standard error "
    "(accounts and seeds). The test rows play no part."
)


def choosing_section(ladder: Ladder, tuning: Tuning | None, model: PropensityModel) -> Section:
    """How much model the conversions allow, with the search and the learnt points if any."""
    blocks: list[Block] = [Text(ladder.verdict)]
    if ladder.rungs:
        blocks.append(Fold("The rungs", [_rungs(ladder), Text(LADDER_MEANING, muted=True)]))
    if tuning is not None:
        blocks += [Heading("Tuning"), Text(tuning.verdict)]
        blocks.append(Fold("The best trials", [_trials(tuning), Text(TUNING_MEANING, muted=True)]))
    return Section("ladder", "How much model the conversions allow", [*blocks, *_learnt(model)])


def _rungs(ladder: Ladder) -> Table:
    rows = [
        (
            Cell(rung.name, tone="strong" if rung.name == ladder.chosen else ""),
            f"{rung.log_loss:.5f}",
            shown(rung.behind),
            shown(rung.error),
        )
        for rung in ladder.rungs
    ]
    names = columns("rung", "#log loss", "#behind the best", "#standard error")
    return Table("Log loss on rows that follow; chosen in bold", names, rows)


def _trials(tuning: Tuning) -> Table:
    leaders = tuning.leaders(5)
    names = list(leaders[0].params)
    rows = [
        (
            str(trial.number),
            f"{trial.value:.5f}",
            *(shown(value) for value in trial.params.values()),
        )
        for trial in leaders
    ]
    heads = columns("trial", "#log loss", *(f"#{name}" for name in names))
    return Table(f"The best of {len(tuning.trials):,} trials", heads, rows)


def _learnt(model: PropensityModel) -> list[Block]:
    """The points of a learnt scorecard; none for every other rung."""
    learner = model.scorer.learner
    if learner.rung != "points":
        return []
    columns_by_name = {column["name"]: column for column in model.scorer.columns}
    meanings = {feature.name: feature.meaning for feature in model.features}
    rows = []
    for term in learner.terms:
        name = term["column"]
        told, points = _condition(term, columns_by_name.get(name, {}))
        what = term.get("told") or meanings.get(name, "similarity to customers")
        rows.append((Cell(f"{name} {told}", code=True), f"{points:+.0f}", what))
    table = Table(
        "20 points double the odds of converting; a rule of the scorecard keeps its name",
        columns("condition", "#points", "what it reads"),
        rows,
        nothing="No condition earns points.",
        stacked=True,
    )
    return [Heading("The learnt points"), table]


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


def scorecard_section(scorecard: "Scorecard", test: "Dataset") -> Section:
    """The rules of the scorecard and how many test rows earn each."""
    result = scorecard.score(test.matrix)
    rows = []
    for at, rule in enumerate(scorecard.spec.rules):
        share = percent(float(result.fired[:, at].mean()))
        blind = rule.name in result.without_data
        told = Cell("no data, never counts", tone="bad") if blind else Cell(share)
        rows.append((Cell(rule.name), rule.dimension, f"{rule.points:+d}", told))
    table = Table(
        "Rules in the settings",
        columns("rule", "dimension", "#points", "#earned by"),
        rows,
        nothing="The settings have no rules: every row has 0 points.",
    )
    several = len(rows) > _MOST_OPEN
    blocks: list[Block] = [Fold(f"All {len(rows)} rules", [table])] if several else [table]
    opening = f"The baseline that the model is held against: {len(rows)} rules with points."
    if result.without_data:
        opening += f" {len(result.without_data)} of them have no data and never count."
    return Section("scorecard", "Scorecard rules", [Text(opening), *blocks])
