"""The section on behaviour thresholds that precede conversion."""

from models.milestones.figures import Estimate
from models.milestones.found import PROOF, REASONS, Milestone, Milestones
from pipeline.plots import svg
from pipeline.plots_milestones import days_picture, reached_picture
from pipeline.report.page import (
    Block,
    Bullets,
    Cell,
    Fold,
    Gallery,
    Picture,
    Section,
    Table,
    Text,
    columns,
)
from pipeline.wording import percent, shown

_COLUMNS = ("#effect", "#coverage", "#precision", "#recall", "#lift", "#q")


def milestones_section(milestones: Milestones) -> Section:
    """Those found with what they are worth, their combinations, and what was refused why."""
    blocks: list[Block] = [Text(milestones.verdict)]
    if milestones.found:
        table = Table(
            "Milestones, on conversions later than those they were found in",
            columns("milestone", *_COLUMNS),
            [_row(one) for one in milestones.found],
        )
        blocks += [
            Text(PROOF),
            table,
            Fold("In words", [Bullets(_sentences(milestones))]),
            Gallery(_pictures(milestones)),
        ]
    if milestones.rejected:
        rows = [
            (Cell(REASONS[reason]), f"{count:,}") for reason, count in milestones.rejected.items()
        ]
        refused = Table("Events that are no milestone", columns("why", "#events"), rows)
        blocks.append(Fold("What was refused, and why", [refused]))
    return Section("milestones", "Milestones", blocks)


def _pictures(milestones: Milestones) -> list[Picture]:
    return [
        Picture(
            svg(reached_picture(milestones), "reached", milestones.verdict),
            "How often do those convert who got so far?",
            "By how often it was done, with 95 % intervals; full dots have reached the milestone.",
        ),
        Picture(
            svg(days_picture(milestones), "days", milestones.verdict),
            "How soon after a milestone do they convert?",
            "Those who converted after reaching it, by week; dashed: the median.",
        ),
    ]


def _row(one: Milestone) -> tuple[Cell, ...]:
    shares = (one.coverage, one.precision, one.recall)
    return (
        Cell(one.short),
        _estimate(one.effect),
        *(Cell(percent(each.value), _span(each)) for each in shares),
        _estimate(one.lift),
        Cell(shown(one.q_value)),
    )


def _span(one: Estimate) -> str:
    return f"{percent(one.low)} to {percent(one.high)}"


def _estimate(one: Estimate) -> Cell:
    return Cell(shown(one.value), f"{shown(one.low)} to {shown(one.high)}")


def _sentences(milestones: Milestones) -> list[str]:
    told = [one.said for one in milestones.found]
    told += [one.said for one in milestones.combinations]
    for one in milestones.found:
        if one.experiment is not None:
            told.append(
                f"{one.short}: {one.experiment.per_arm:,} in each arm of an experiment would show "
                "whether it makes them convert."
            )
    return told
