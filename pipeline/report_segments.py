"""The report's section on segments: how the score does where, and which segment is worst."""

from typing import TYPE_CHECKING

from models.judging.segments import SegmentSpec
from pipeline.wording import METRIC_MEANINGS, interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "segment",
    "rows",
    "converting accounts",
    "base rate",
    "mean probability",
    "calibration in the large",
    "ROC-AUC",
    "PR-AUC over base rate",
    "lift at 10 %",
)


def segments_section(table: "pd.DataFrame", verdict: str, spec: SegmentSpec) -> str:
    """Markdown of the metrics within each segment.

    Parameters
    ----------
    table
        Of `models.judging.segment_metrics.measure_segments`.
    verdict
        Of `models.judging.segment_metrics.worst_segment`.
    """
    lines = ["## Segments\n", verdict + "\n"]
    lines += [f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    lines += [_line(row, spec.min_converting) for row in table.to_dict("records")]
    return "\n".join([*lines, "", *_meanings(spec), ""])


def _line(row: dict, least: int) -> str:
    name = f"{row['of']}: {row['segment']}" if row["of"] else f"**{row['segment']}**"
    few = row["converting"] < least
    ranking = ("roc_auc", "pr_auc_over_base_rate", "lift_10pct")
    cells = [
        name.replace("|", "\\|"),
        f"{row['rows']:,}",
        f"{row['converting']:,}",
        _range(row, "base_rate", in_percent=True),
        percent(row["mean_probability"]),
        _range(row, "calibration_in_the_large", in_percent=True),
        *("too few" if few else _range(row, metric) for metric in ranking),
    ]
    return f"| {' | '.join(cells)} |"


def _range(row: dict, metric: str, in_percent: bool = False) -> str:
    value, low, high = row[metric], row[f"{metric}_low"], row[f"{metric}_high"]
    if in_percent:
        # Adding 0 makes 0.0 of -0.0.
        value, low, high = (round(100 * one, 1) + 0.0 for one in (value, low, high))
        return f"{value:.1f} % ({low:.1f} to {high:.1f})"
    return f"{shown(value)} ({interval(low, high)})"


def _meanings(spec: SegmentSpec) -> list[str]:
    return [
        "- rows, converting accounts: test rows of the segment, and accounts (or entities without "
        "one) that convert among them.",
        "- base rate, mean probability: the share of rows that convert, and what was expected.",
        f"- calibration in the large: {METRIC_MEANINGS['calibration_in_the_large']}, in points "
        "of percent.",
        f"- ROC-AUC: {METRIC_MEANINGS['roc_auc']}, both of this segment. What telling segments "
        "apart is worth is not in it, so it may lie below that of all rows everywhere.",
        "- PR-AUC over base rate, lift at 10 %: within the segment, as multiples of its own base "
        "rate.",
        f"- too few: fewer than {spec.min_converting} converting "
        "(`evaluation.segments.min_converting`).",
        "- Levels and bands come from the training rows; a category has at most its 6 most "
        "frequent levels, a number three bands with a third of the rows each.",
        "- Ranges are 95 % bootstrap intervals over accounts, each by itself: of forty, two miss "
        "by chance. The sentence above allows for that (Holm 1979, 1 % for all comparisons). "
        "Conversions are held against the mean probability after one shift of all probabilities "
        "to the base rate of all rows (two Poisson means), the ROC-AUC against the mean within "
        "the other segments of the same column (Student's t).",
    ]
