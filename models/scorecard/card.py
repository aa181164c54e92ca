"""The baseline: points for rules in five dimensions, judged on the same rows as the model."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from features.definitions import DIMENSIONS, Dimension, Feature
from features.errors import SettingsError
from features.rich_html import Cell, table
from models.calibration import CalibrationSpec, fit_calibration
from models.scorecard.columns import column_of
from models.scorecard.defaults import DEFAULT_RULES
from models.scorecard.line_words import plural
from models.scorecard.lines import write_fact
from models.scorecard.rules import Rule
from models.scorecard.spec import ScorecardSpec
from models.scoring import TIERS, calibrate

if TYPE_CHECKING:
    from features.matrix import FeatureMatrix
    from models.dataset import Dataset

_SLIP = 0.93
"""Likeness of a misspelt name to the right one (`difflib`)."""
_POINTS_PER_UNIT = 20.0
"""Points that start as one unit of log-odds before the map is fitted; only its scale."""


@dataclass(frozen=True)
class ScorecardResult:
    """Points of each row.

    Parameters
    ----------
    points
        int64, shape (n,).
    by_dimension
        The five dimensions in their order, int64 of shape (n,) each.
    tier
        object array of str, shape (n,).
    fired
        bool, shape (n, n_rules), in the order of the rules; all False without data.
    without_data
        Names of rules that could not be read.
    """

    points: np.ndarray
    by_dimension: dict[Dimension, np.ndarray]
    tier: np.ndarray
    fired: np.ndarray
    without_data: tuple[str, ...]


@dataclass(frozen=True)
class Scorecard:
    """A scorecard, and once fitted the map from its points to probabilities."""

    spec: ScorecardSpec
    mapping: dict[str, Any] | None = None

    def check(self, names: Iterable[str]) -> None:
        """Refuse a rule of the settings whose feature is none of `names`.

        It would weaken the baseline in silence. The shipped rules are made for any product, so
        of them a slip of the pen alone is refused; the others have no data, and that is told.

        Raises
        ------
        SettingsError
            Naming rule, feature and the nearest valid name.
        """
        known = set(names)
        for rule in self.spec.rules:
            if rule.feature is None or rule.feature in known:
                continue
            shipped = rule in DEFAULT_RULES
            near = get_close_matches(
                rule.feature, sorted(known), n=1, cutoff=_SLIP if shipped else 0.0
            )
            if shipped and not near:
                continue
            nearest = f" The nearest is {near[0]!r}." if near else ""
            raise SettingsError(
                f"The scorecard rule {rule.name!r} reads {rule.feature!r}, which is no "
                f"feature.{nearest} Leave `feature` out to list the rule without counting it."
            )

    def score(self, matrix: "FeatureMatrix") -> ScorecardResult:
        """Points, tiers and fired rules of each row."""
        fired = np.zeros((len(matrix), len(self.spec.rules)), bool)
        columns = [readable(rule, matrix.features) for rule in self.spec.rules]
        for at, (rule, column) in enumerate(zip(self.spec.rules, columns, strict=True)):
            if column is not None:
                fired[:, at] = rule.fires(matrix.column(column.name))
        earned = fired * np.array([rule.points for rule in self.spec.rules], np.int64)
        by_dimension = {
            dimension: earned[:, [rule.dimension == dimension for rule in self.spec.rules]].sum(1)
            for dimension in DIMENSIONS
        }
        points = earned.sum(axis=1)
        limits = self.spec.thresholds
        edges = [limits.warm, limits.hot, limits.critical]
        return ScorecardResult(
            points,
            by_dimension,
            np.array(TIERS, object)[np.searchsorted(edges, points, side="right")],
            fired,
            tuple(
                rule.name
                for rule, column in zip(self.spec.rules, columns, strict=True)
                if column is None
            ),
        )

    def fit(
        self, calibrate_on: "Dataset", spec: CalibrationSpec, *, horizon_days: int, seed: int
    ) -> "Scorecard":
        """With a non-decreasing map of points to probability, fitted on the calibrate fold.

        Points are no probabilities. Brier score, log loss and calibration error compare the
        scorecard with the model fairly only if both were mapped on the same rows and the map of
        both was chosen by evidence; a method in the settings is meant for the model. Ranking
        metrics use the bare points.
        """
        mapping = fit_calibration(
            self.score(calibrate_on.matrix).points / _POINTS_PER_UNIT,
            calibrate_on.label,
            calibrate_on.cluster,
            spec.model_copy(update={"method": "auto"}),
            seed,
            as_of=calibrate_on.as_of,
            horizon_days=horizon_days,
        )
        return Scorecard(self.spec, mapping)

    def probability(self, points: np.ndarray) -> np.ndarray:
        """Mapped probability of points, shape (n,).

        Raises
        ------
        ValueError
            When the scorecard has not been fitted.
        """
        if self.mapping is None:
            raise ValueError("The scorecard has no map to probabilities; call fit() first.")
        return calibrate(self.mapping, points / _POINTS_PER_UNIT)

    def _repr_html_(self) -> str:
        rows: list[list[Cell]] = [
            [rule.dimension, rule.points, rule.name, write_fact(rule.model_dump(exclude_none=True))]
            for rule in sorted(self.spec.written, key=lambda rule: DIMENSIONS.index(rule.dimension))
        ]
        limits = self.spec.thresholds
        told = f"warm from {limits.warm:g} points, hot from {limits.hot:g}, critical from "
        caption = f"Scorecard: {len(rows)} rule{plural(len(rows))}; {told}{limits.critical:g}"
        return table(["dimension", "points", "rule", "earned by"], rows, caption=caption)


def readable(rule: Rule, features: Iterable[Feature]) -> Feature | None:
    """The rule's column, if its condition is one on the column's type."""
    column = column_of(rule, features)
    wanted = "number" if rule.reads_numbers else "category"
    return column if column is not None and column.dtype == wanted else None
