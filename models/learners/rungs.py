"""What is fitted, and the learner of each rung of the ladder: from a scorecard to trees."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from features.spec import Spec
from models.base_rate import down_sampling_offset
from models.calibration import CalibrationSpec
from models.customers.similarity import SimilaritySpec
from models.learners.booster import BoosterSpec, fit_boosters
from models.learners.columns import ColumnChoice, ColumnSpec, choose_columns
from models.learners.credibility import credibility
from models.learners.inputs import Inputs, fit_inputs
from models.learners.points import points_learner, scorecard_learner
from models.learners.regression import Regression, fit_regression
from models.scorecard.rules import Rule
from models.scoring import Learner
from models.tiering.fit_usage import FitUsageSpec
from models.tiering.hysteresis import HysteresisSpec
from models.tiering.tiers import LiftTiers, TierSpec

if TYPE_CHECKING:
    from models.dataset import Customers, Dataset


class ModelSpec(Spec):
    """Everything that is fitted."""

    learner: Literal["auto", "scorecard", "points", "logistic", "booster"] = "auto"
    """The rung of the [ladder](model.md#the-ladder); ``auto`` lets later rows choose."""
    scorecard_counts_for: float = Field(default=80, ge=0)
    """Converting accounts that the scorecard is worth: from n of them, n / (n + this) of a score is
    learnt and the rest is the scorecard's, as log-odds. 0: the scorecard is only a rung."""
    similarity: SimilaritySpec = Field(default_factory=SimilaritySpec)
    columns: ColumnSpec = Field(default_factory=ColumnSpec)
    booster: BoosterSpec = Field(default_factory=BoosterSpec)
    calibration: CalibrationSpec = Field(default_factory=CalibrationSpec)
    tiers: TierSpec = Field(default_factory=LiftTiers)
    """Where critical, hot and warm begin."""
    hysteresis: HysteresisSpec = Field(default_factory=HysteresisSpec)
    fit_usage: FitUsageSpec = Field(default_factory=FitUsageSpec)

    def without_views(self) -> "ModelSpec":
        """For models that are only compared: two learners less to fit."""
        return self.model_copy(
            update={"fit_usage": self.fit_usage.model_copy(update={"enabled": False})}
        )


def learner_inputs(
    train: "Dataset", customers: "Customers", spec: ModelSpec, *, horizon_days: int, seed: int
) -> Inputs:
    """Columns and similarity of a rung; the scorecard's rules may name any level."""
    bare = spec.learner == "scorecard"
    similarity = spec.similarity
    return fit_inputs(
        train,
        customers,
        similarity.model_copy(update={"enabled": False}) if bare else similarity,
        min_level_rows=1 if bare else spec.booster.min_level_rows,
        horizon_days=horizon_days,
        seed=seed,
    )


def scores_of_later(
    train: "Dataset",
    later: "Dataset",
    customers: "Customers",
    spec: ModelSpec,
    rules: Sequence[Rule],
    *,
    horizon_days: int,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Raw scores (log-odds) that a rung fitted on `train` gives to later rows, shape (n_later,)."""
    inputs = learner_inputs(train, customers, spec, horizon_days=horizon_days, seed=seed)
    learner = fit_learner(
        inputs, train, spec, rules, horizon_days=horizon_days, seed=seed, threads=threads
    )
    return learner.raw(inputs.names, inputs.of(later))


def columns_for(
    inputs: Inputs, train: "Dataset", spec: ModelSpec, *, seed: int, threads: int
) -> ColumnChoice:
    """The columns that trees may read: none that is dead, or says what another says."""
    return choose_columns(
        inputs, train, spec.columns, seed=seed, threads=threads, protected=spec.booster.monotone
    )


def fit_learner(
    inputs: Inputs,
    train: "Dataset",
    spec: ModelSpec,
    rules: Sequence[Rule],
    *,
    horizon_days: int,
    seed: int,
    threads: int,
    regression: Regression | None = None,
    choice: ColumnChoice | None = None,
) -> Learner:
    """The raw score of a rung, from the encoded training rows.

    Parameters
    ----------
    rules
        The scorecard's: where every rung starts from, and what it is averaged with while few
        accounts convert.
    regression
        Of the same rows, where it is there already.
    choice
        Columns that trees may read, where they are chosen already.
    """
    label, rung = train.label, "booster" if spec.learner == "auto" else spec.learner
    if rung == "scorecard":
        return scorecard_learner(inputs, label, rules)
    share = credibility(label, train.cluster, spec.scorecard_counts_for)
    if rung == "points":
        return points_learner(inputs, label, train.cluster, rules, seed, share)
    if rung == "logistic":
        regression = regression or regression_of(inputs, train, spec, rules, seed)
        return regression.learner(share if regression.has_card else 1.0)
    weight, rest = beside_trees(inputs, train, spec, rules, seed, regression)
    choice = choice or columns_for(inputs, train, spec, seed=seed, threads=threads)
    boosters = fit_boosters(
        inputs.matrix[:, choice.positions(inputs.names)],
        choice.kept,
        inputs.categories & set(choice.kept),
        label,
        train.as_of,
        spec.booster,
        horizon_days=horizon_days,
        seed=seed,
        threads=threads,
    )
    offset = weight * down_sampling_offset(spec.booster.negative_share)
    return Learner(
        rung,
        boosters,
        weight,
        rest.intercept,
        rest.terms,
        offset=offset,
        learnt=weight / spec.booster.weight,
    )


def regression_of(
    inputs: Inputs, train: "Dataset", spec: ModelSpec, rules: Sequence[Rule], seed: int
) -> Regression:
    """The regression of the training rows, and the scorecard beside it."""
    monotone = spec.booster.monotone
    return fit_regression(inputs, train.label, train.cluster, rules, monotone, seed)


def beside_trees(
    inputs: Inputs,
    train: "Dataset",
    spec: ModelSpec,
    rules: Sequence[Rule],
    seed: int,
    regression: Regression | None = None,
) -> tuple[float, Learner]:
    """Weight of the trees in the raw score, and the learner of terms that has the rest of it."""
    weight = spec.booster.weight
    if weight == 1 and not spec.scorecard_counts_for:
        return 1.0, Learner("logistic")
    regression = regression or regression_of(inputs, train, spec, rules, seed)
    share = credibility(train.label, train.cluster, spec.scorecard_counts_for)
    if not regression.has_card:
        share = 1.0
    return (1.0, Learner("logistic")) if weight == share == 1 else regression.beside(weight, share)
