"""Tables of the calibration benchmark, in Markdown."""

import numpy as np
import pandas as pd

OPENING = """\
# Do probabilities come true in the next month?

Mean p / rate: mean probability over the share that converted; 1 is best, and the interval is the
luck of outcomes, over accounts. ECE: calibration error over ten bins of equal size. To truth: the
same against the true probabilities of the simulated company, which have no luck in them. Next
month: the four weeks after the calibrate rows, nothing changed. Doubled: all accounts convert
twice as often; the model as it is, moved by the labels of the first two weeks, or moved to the
true rate. Odds x: what they were multiplied by.

"""


def markdown(table: pd.DataFrame) -> str:
    """The lines of `benchmarks.calibration` as three tables: worlds, all demo worlds, tiers."""
    lines = [*_worlds(table), "", *_over_worlds(table), "", *_tiers(table), ""]
    return OPENING + "\n".join(lines)


def _worlds(table: pd.DataFrame) -> list[str]:
    lines = _header(
        "world", "case", "rows", "conv.", "mean p / rate (95 %)", "ECE (95 %)", "mean p / truth",
        "ECE to truth", "odds x (95 %)",
    )  # fmt: skip
    for row in table.to_dict("records"):
        lines.append(
            _row(
                row["world"],
                row["case"],
                f"{row['rows']:,}",
                f"{row['positives']:,}",
                _ranged(row, "ratio", ".2f"),
                _ranged(row, "ece", ".4f"),
                _shown(row, "ratio_to_truth", ".2f"),
                _shown(row, "ece_to_truth", ".4f"),
                _ranged(row, "factor", ".2f"),
            )
        )
    return lines


def _over_worlds(table: pd.DataFrame) -> list[str]:
    """Demo worlds together: each is one draw of what may happen."""
    lines = _header(
        "case", "worlds", "mean p / truth (lowest to highest)", "within 10 %", "worst ECE to truth"
    )
    known = table[table["ratio_to_truth"].notna()] if "ratio_to_truth" in table else table[:0]
    for case, rows in known.groupby("case", sort=False):
        ratio = rows["ratio_to_truth"]
        span = f"{ratio.mean():.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
        close, worst = (abs(ratio - 1) <= 0.1).sum(), rows["ece_to_truth"].max()
        cells = str(case), str(len(rows)), span, f"{close} of {len(rows)}", f"{worst:.4f}"
        lines.append(_row(*cells))
    return lines


def _tiers(table: pd.DataFrame) -> list[str]:
    lines = _header(
        "world", "calls wanted a week", "hot or better", "settled", "tier churn", "settled"
    )
    for row in table[table["case"] == "next month"].to_dict("records"):
        lines.append(
            _row(
                row["world"],
                *(_shown(row, n, ".0f") for n in ("capacity", "hot_a_week", "hot_a_week_settled")),
                *(_shown(row, name, ".1%") for name in ("churn", "churn_settled")),
            )
        )
    return lines


def _header(*names: str) -> list[str]:
    return [_row(*names), "|---" * len(names) + "|"]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(row: dict, name: str, form: str) -> str:
    """A number, or nothing where the world has none."""
    return f"{row[name]:{form}}" if row.get(name, np.nan) == row.get(name) else ""


def _ranged(row: dict, name: str, form: str) -> str:
    low, high = _shown(row, f"{name}_low", form), _shown(row, f"{name}_high", form)
    return f"{_shown(row, name, form)} ({low} to {high})" if low else ""
