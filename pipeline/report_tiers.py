"""The report's sections on how tiers move, and on who they are against what they do."""

from models.tiering.fit_usage import Cell
from models.tiering.hysteresis import Churn
from pipeline.wording import percent

CHURN_MEANING = (
    "Tier churn: share of accounts or users present at two consecutive test dates whose tier "
    "differs. Taken back: of the changes, undone at the very next date. With hysteresis: as "
    "scoring one date after the other would have given, where a tier changes only beyond a margin "
    "or when something happened (`model.hysteresis`)."
)
CELLS_MEANING = (
    "Fit reads who they are, usage what they do; both are calibrated, and high begins at the base "
    "rate (`model.fit_usage`). Intervals are Wilson's on the effective number of rows."
)


def churn_section(churn: tuple[Churn, Churn | None]) -> str:
    """Markdown of tier churn with and without hysteresis."""
    bare, settled = churn
    if not bare.pairs:
        return ""
    lines = ["### How often tiers change\n", "| tiers | churn | taken back |", "|---|---|---|"]
    named = [("by the cut-offs alone", bare), ("with hysteresis", settled)]
    for name, one in named:
        if one is not None:
            back = one.returns / one.changes if one.changes else 0.0
            lines.append(f"| {name} | {percent(one.share)} | {percent(back)} |")
    return "\n".join([*lines, "", CHURN_MEANING]) + "\n"


def cells_section(cells: list[Cell]) -> str:
    """Markdown of observed conversion by fit and usage; empty where a view is missing."""
    if not cells:
        return ""
    lines = [
        "### Who they are, and what they do\n",
        "| fit | usage | test rows | converting | 95 % interval | what to make of it |",
        "|---|---|---|---|---|---|",
    ]
    for cell in cells:
        span = f"{percent(cell.low)} to {percent(cell.high)}"
        lines.append(
            f"| {cell.fit} | {cell.usage} | {cell.rows:,} | {percent(cell.observed)} | {span} "
            f"| {cell.meaning} |"
        )
    return "\n".join([*lines, "", CELLS_MEANING]) + "\n"
