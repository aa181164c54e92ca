"""What learning a scorecard's points found: old against new, with what may be said of both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.definitions import DIMENSIONS
from features.rich_html import Cell, Html, paragraph, table
from models.scorecard.rules import Rule
from models.scorecard.spec import ScorecardSpec, Thresholds

if TYPE_CHECKING:
    import pandas as pd

COMPARED = {
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "lift_5pct": "lift in the top 5 %",
    "lift_10pct": "lift in the top 10 %",
}


@dataclass(frozen=True)
class RuleFit:
    """One rule with its old and its learnt points.

    Parameters
    ----------
    rule
        As it was, with the old points.
    points
        Learnt, a multiple of five; 0: the rule is dropped.
    learnt, low, high
        Before rounding, and the 95 % interval over draws of accounts, within [-100, 100]; NaN
        without data, and where nobody earns the rule: it keeps its points then.
    share
        Of the rows learnt from that earn it.
    has_data
        Whether a column can tell; without, the rule keeps its points and never counts.
    """

    rule: Rule
    points: int
    learnt: float
    low: float
    high: float
    share: float
    has_data: bool

    @property
    def verdict(self) -> str:
        """What became of the rule, in a word or two."""
        if not self.has_data:
            return "no data"
        if not self.share:
            return "never earned"
        if not self.points:
            return "dropped"
        change = abs(self.points) - abs(self.rule.points)
        return "kept" if not change else "more" if change > 0 else "less"


@dataclass(frozen=True)
class ScorecardFit:
    """Learnt points, new thresholds, and old against new on later rows.

    Parameters
    ----------
    rules
        In the order of the scorecard.
    table
        As `models.judging.bootstrap.evaluate` gives it; contenders ``new`` and ``old``,
        differences are new - old.
    rows, converting, later_rows, later_converting
        Rows learnt from and judged on, and the accounts that convert on them.
    unit
        Log-odds that one learnt point is worth.
    old_reached, reached
        Shares of the rows learnt from at or above each threshold, with the old points and the new.
    """

    rules: tuple[RuleFit, ...]
    old_thresholds: Thresholds
    thresholds: Thresholds
    table: "pd.DataFrame"
    verdict: str
    rows: int
    converting: int
    later_rows: int
    later_converting: int
    unit: float
    old_reached: dict[str, float]
    reached: dict[str, float]

    @property
    def tiers_told(self) -> str:
        """How many rows reach each tier, before and now; and which tiers nobody can be in."""
        now = [f"{_percent(share)} reach {tier}" for tier, share in self.reached.items()]
        before = ", ".join(map(_percent, self.old_reached.values()))
        told = f"Of the rows learnt from, {', '.join(now)} (with the old points {before})."
        if empty := [tier for tier, share in self.reached.items() if not share]:
            told += f" Too few sums of points differ: nobody is {' or '.join(empty)}."
        return told

    @property
    def spec(self) -> ScorecardSpec:
        """The learnt scorecard: rules of 0 points are gone, those without data stay."""
        kept = [one for one in self.rules if one.points or not one.has_data]
        return ScorecardSpec(
            rules=tuple(
                one.rule.model_copy(update={"points": one.points}) if one.has_data else one.rule
                for one in kept
            ),
            hand_raises=False,
            thresholds=self.thresholds,
        )

    def compared(self) -> list[dict[str, Any]]:
        """Metrics on later rows: value of old and new, the paired difference and its interval."""
        rows = {(row.metric, row.contender): row for row in self.table.itertuples()}
        return [
            {
                "metric": metric,
                "name": name,
                "old": rows[metric, "old"].value,
                "new": rows[metric, "new"].value,
                "difference": rows[metric, "old"].difference,
                "low": rows[metric, "old"].difference_low,
                "high": rows[metric, "old"].difference_high,
            }
            for metric, name in COMPARED.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verdict": self.verdict,
            "rules": [
                {
                    "name": one.rule.name,
                    "dimension": one.rule.dimension,
                    "old": one.rule.points,
                    "new": one.points if one.has_data else None,
                    "learnt": one.learnt,
                    "low": one.low,
                    "high": one.high,
                    "share": one.share,
                    "verdict": one.verdict,
                }
                for one in self.rules
            ],
            "thresholds": self.thresholds.model_dump(),
            "old_thresholds": self.old_thresholds.model_dump(),
            "reached": self.reached,
            "old_reached": self.old_reached,
            "later": self.compared(),
            "rows": self.rows,
            "converting": self.converting,
            "later_rows": self.later_rows,
            "later_converting": self.later_converting,
        }

    def _repr_html_(self) -> str:
        ordered = sorted(self.rules, key=lambda one: DIMENSIONS.index(one.rule.dimension))
        rules: list[list[Cell]] = [
            [
                one.rule.dimension,
                one.rule.name,
                one.rule.points,
                one.points if one.has_data else None,
                interval(one),
                f"{one.share:.1%}",
                one.verdict,
            ]
            for one in ordered
        ]
        headers = ["dimension", "rule", "old", "new", "95 % interval", "earned by", "verdict"]
        later: list[list[Cell]] = [
            [row["name"], row["old"], row["new"], difference(row)] for row in self.compared()
        ]
        caption = f"Points learnt from {self.rows:,} rows, {accounts_convert(self.converting)}"
        judged = f"On {self.later_rows:,} later rows, {accounts_convert(self.later_converting)}"
        return Html(
            paragraph(self.verdict)
            + paragraph(self.tiers_told)
            + table(headers, rules, caption=caption)
            + table(["metric", "old", "new", "new - old"], later, caption=judged)
        )


def _percent(share: float) -> str:
    """
    >>> _percent(0.4242), _percent(0.00013), _percent(0.0)
    ('42.4 %', '0.013 %', 'none')
    """
    if not share:
        return "none"
    return f"{100 * share:.1f} %" if share >= 0.01 else f"{100 * share:.2g} %"


def interval(one: RuleFit) -> str:
    """The interval of a rule's points, in whole points."""
    return f"{one.low:.0f} to {one.high:.0f}" if one.low == one.low else ""


def difference(row: dict[str, Any]) -> str:
    """A paired difference with its 95 % interval.

    >>> difference({"difference": 0.02, "low": -0.01, "high": 0.05})
    '+0.020 (-0.010 to +0.050)'
    """
    return f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"


def accounts_convert(accounts: int) -> str:
    """
    >>> accounts_convert(1), accounts_convert(1200)
    ('1 account converts', '1,200 accounts convert')
    """
    return "1 account converts" if accounts == 1 else f"{accounts:,} accounts convert"
