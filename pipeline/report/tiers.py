"""Sections on tiers: what came of each, how often they change, and who they are against use."""

from collections.abc import Mapping, Sequence

from models.judging.curves import ReliabilityRow
from models.tiering.fit_usage import Cell as FitUsageCell
from models.tiering.hysteresis import Churn
from pipeline.report.cells import reliability_table, span
from pipeline.report.page import Block, Fold, Matrix, Section, Square, Table, Text, columns
from pipeline.wording import cut_words, percent

CHURN_MEANING = (
    "With hysteresis: as scoring one date after the other would have given, where a tier changes "
    "only beyond a margin or when something happened (`model.hysteresis`)."
)
CELLS_MEANING = (
    "Fit reads who they are, usage what they do; both are calibrated, and high begins at the base "
    "rate (`model.fit_usage`). Intervals are Wilson's on the effective number of rows."
)


def tiers_section(
    cutoffs: Mapping[str, float],
    tiers: Sequence[ReliabilityRow],
    churn: tuple[Churn, Churn | None],
) -> Section:
    """Sizes and realised rates of the tiers on the test rows, highest first."""
    return Section(
        "tiers",
        "Tiers",
        [
            Text(
                "Cut-offs of probability, fixed when the model was trained: "
                f"{cut_words(dict(cutoffs))}."
            ),
            reliability_table("What came of each tier", "tier", list(reversed(tiers))),
            *churn_blocks(churn),
        ],
    )


def churn_blocks(churn: tuple[Churn, Churn | None]) -> list[Block]:
    """Tier churn with and without hysteresis; none where nobody is present at two dates."""
    bare, settled = churn
    if not bare.pairs:
        return []
    rows = []
    for name, one in (("by the cut-offs alone", bare), ("with hysteresis", settled)):
        if one is not None:
            back = one.returns / one.changes if one.changes else 0.0
            rows.append((name, percent(one.share), percent(back)))
    table = Table("From one date to the next", columns("tiers", "#churn", "#taken back"), rows)
    return [Fold("How often tiers change", [table, Text(CHURN_MEANING, muted=True)])]


def cells_section(cells: Sequence[FitUsageCell]) -> Section | None:
    """Observed conversion by fit and usage; None where a view is missing."""
    if not cells:
        return None
    by_place = {(cell.fit, cell.usage): cell for cell in cells}
    most = max(cell.observed for cell in cells)
    levels = ("high", "low")
    squares = [
        [_square(by_place.get((fit, usage)), most) for usage in ("low", "high")] for fit in levels
    ]
    matrix = Matrix(
        "Share of test rows that converted, by fit and usage",
        ("low usage", "high usage"),
        [f"{level} fit" for level in levels],
        squares,
    )
    blocks: list[Block] = [matrix, Text(CELLS_MEANING, muted=True)]
    return Section("fit-usage", "Who they are, and what they do", blocks)


def _square(cell: FitUsageCell | None, most: float) -> Square:
    if cell is None:
        return Square("no rows", "", "", 0)
    heat = round(4 * cell.observed / most) if most else 0
    note = f"{span(cell.low, cell.high)}, {cell.rows:,} rows"
    return Square(percent(cell.observed), note, cell.meaning, heat)
