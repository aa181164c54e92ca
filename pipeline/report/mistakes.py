"""The section on whom the model was wrong about, and what sets them apart."""

from collections.abc import Sequence

from models.judging.differences import MEANING as DIFFERENCE_MEANING
from models.judging.mistakes_found import MEANING, Contrast, Mistake
from pipeline.insights import Insights
from pipeline.report.page import Block, Bullets, Cell, Fold, Heading, Section, Table, Text, columns
from pipeline.wording import percent

_NAMES = {
    "false positives": "Flagged, and did not convert",
    "false negatives": "Converted, unflagged",
}


def mistakes_section(found: Insights) -> Section | None:
    """False positives and false negatives with reasons; None where nothing was looked at."""
    if not found.differences:
        return None
    lists = {"false positives": found.false_positives, "false negatives": found.false_negatives}
    blocks: list[Block] = []
    for contrast in found.differences:
        blocks += [Heading(_NAMES[contrast.kind]), Text(contrast.text)]
        blocks += _told(contrast, lists[contrast.kind])
    blocks.append(Fold("How these lists are made", [Text(MEANING), Text(DIFFERENCE_MEANING)]))
    return Section("mistakes", "Where the model was wrong", blocks)


def _told(contrast: Contrast, mistakes: Sequence[Mistake]) -> list[Block]:
    blocks: list[Block] = []
    if mistakes:
        first = "most confident" if contrast.kind == "false positives" else "least expected"
        blocks.append(
            Fold(
                f"The {len(mistakes)} {first}",
                [_table(f"{contrast.kind.capitalize()}, the {first} first", mistakes)],
            )
        )
    if contrast.differences:
        told = [
            f"{one.text}{'' if one.stands_out else ' (could be chance)'}"
            for one in contrast.differences
        ]
        blocks.append(Fold("What sets them apart", [Bullets(told)]))
    return blocks


def _table(caption: str, mistakes: Sequence[Mistake]) -> Table:
    rows = [
        (
            Cell(one.name, one.entity if one.name != one.entity else ""),
            Cell(one.as_of, tone="whole"),
            one.tier,
            percent(one.probability),
            Cell("", items=one.reasons),
            Cell("", items=one.against),
        )
        for one in mistakes
    ]
    names = columns("who", "as of", "tier", "#probability", "what spoke for it", "what against")
    return Table(caption, names, rows, stacked=True)
