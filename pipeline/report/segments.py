"""The section on segments: how the score does where, and which segment is worst."""

from typing import TYPE_CHECKING, Any

from models.judging.segments import SegmentSpec
from pipeline.report.page import Bullets, Cell, Fold, Section, Table, Text, columns
from pipeline.wording import interval, percent, shown

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "segment",
    "#rows",
    "#converting accounts",
    "#base rate",
    "#mean probability",
    "#calibration in the large",
    "#ROC-AUC",
    "#PR-AUC over base rate",
    "#lift at 10 %",
)
_RANKING = ("roc_auc", "pr_auc_over_base_rate", "lift_10pct")


def segments_section(table: "pd.DataFrame", verdict: str, spec: SegmentSpec) -> Section:
    """The metrics within each segment.

    Parameters
    ----------
    table
        Of `models.judging.segment_metrics.measure_segments`.
    verdict
        Of `models.judging.segment_verdict.worst_segment`.
    """
    rows = [_line(row, spec.min_converting) for row in table.to_dict("records")]
    found = Table("Metrics within each segment", columns(*_COLUMNS), rows)
    fold = Fold(f"All {len(rows) - 1} segments", [found, Bullets(_meanings(spec))])
    return Section("segments", "Segments", [Text(verdict), fold])


def _line(row: dict[str, Any], least: int) -> tuple[Cell | str, ...]:
    few = row["converting"] < least
    return (
        f"{row['of']}: {row['segment']}" if row["of"] else Cell(row["segment"], tone="strong"),
        f"{row['rows']:,}",
        f"{row['converting']:,}",
        _in_percent(row, "base_rate"),
        percent(row["mean_probability"]),
        _in_percent(row, "calibration_in_the_large"),
        *(Cell("too few") if few else _range(row, metric) for metric in _RANKING),
    )


def _range(row: dict[str, Any], metric: str) -> Cell:
    return Cell(shown(row[metric]), interval(row[f"{metric}_low"], row[f"{metric}_high"]))


def _in_percent(row: dict[str, Any], metric: str) -> Cell:
    # Adding 0 makes 0.0 of -0.0.
    value, low, high = (
        round(100 * row[name], 1) + 0.0 for name in (metric, f"{metric}_low", f"{metric}_high")
    )
    return Cell(f"{value:.1f} %", f"{low:.1f} to {high:.1f}")


def _meanings(spec: SegmentSpec) -> list[str]:
    return [
        "ROC-AUC, PR-AUC over base rate and lift are within the segment. What telling segments "
        "apart is worth is not in them, so the ROC-AUC may lie below that of all rows everywhere.",
        f"Too few: fewer than {spec.min_converting} converting "
        "(`evaluation.segments.min_converting`).",
        "Levels and bands come from the training rows; a category has at most its 6 most "
        "frequent levels, a number three bands with a third of the rows each.",
        "Ranges are 95 % bootstrap intervals over accounts, each by itself: of forty, two miss "
        "by chance. The sentence above allows for that (Holm 1979, 1 % for all comparisons). "
        "Conversions are held against the mean probability after one shift of all probabilities "
        "to the base rate of all rows (two Poisson means), the ROC-AUC against the mean within "
        "the other segments of the same column (Student's t).",
    ]
