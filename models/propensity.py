"""The model: similarity -> LightGBM -> calibration -> tiers. One object, one fit, one predict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from features.definitions import Feature
from features.errors import NotEnoughHistory, SchemaMismatch
from features.texts import english
from models import scoring
from models.calibration import fit_calibration
from models.learners.encoding import values_of
from models.learners.inputs import Inputs
from models.learners.rungs import ModelSpec, fit_learner, learner_inputs
from models.reasons import reword
from models.scorecard.rules import Rule
from models.scoring import ColumnError, Former, Learner, LookAlike, Reason, Scorer
from models.tiering.fit_usage import fit_fit_usage
from models.tiering.tiers import fit_tiers

if TYPE_CHECKING:
    import pandas as pd

    from features.events import Level
    from features.matrix import FeatureMatrix
    from models.dataset import Customers, Dataset

Result = TypeVar("Result")


@dataclass(frozen=True)
class Training:
    """What a model was trained on: times are as_of, microseconds UTC, both ends included."""

    level: "Level"
    horizon_days: int
    seed: int
    train_period: tuple[int, int]
    calibrate_period: tuple[int, int]
    rows: int
    positives: int
    customers: int


@dataclass(frozen=True)
class PropensityModel:
    """A fitted model; what is promoted is what scores."""

    scorer: Scorer
    features: tuple[Feature, ...]
    training: Training

    @classmethod
    def fit(
        cls,
        train: "Dataset",
        calibrate: "Dataset",
        customers: "Customers",
        spec: ModelSpec,
        *,
        horizon_days: int,
        seed: int,
        threads: int = 1,
        rules: Sequence[Rule] = (),
    ) -> "PropensityModel":
        """Fit all parts: similarity and learner on `train`, calibration and tiers on later rows.

        Parameters
        ----------
        rules
            The scorecard's, as a first belief about what matters: without them the regression
            starts from nothing.

        Raises
        ------
        NotEnoughHistory
            When rows are immature, or conversions too few to learn or to calibrate from.
        SchemaMismatch
            When the three matrices have different features.
        """
        _check_rows(train, calibrate, customers)
        inputs = learner_inputs(train, customers, spec, horizon_days=horizon_days, seed=seed)
        learner = fit_learner(
            inputs, train, spec, rules, horizon_days=horizon_days, seed=seed, threads=threads
        )
        raw = learner.raw(inputs.names, inputs.of(calibrate))
        mapping = fit_calibration(
            raw,
            calibrate.label,
            calibrate.cluster,
            spec.calibration,
            seed,
            as_of=calibrate.as_of,
            horizon_days=horizon_days,
        )
        probability = scoring.calibrate(mapping, raw)
        tiers = fit_tiers(
            probability,
            calibrate.label,
            calibrate.entity,
            calibrate.as_of,
            spec.tiers,
            inputs.columns,
        )
        views = _fit_views(inputs, train, calibrate, spec, horizon_days, seed, threads)
        features = train.matrix.features
        scorer = Scorer(inputs.columns, learner, inputs.space, mapping, tiers, views)
        reword(scorer, features, english())
        training = Training(
            level=train.matrix.snapshots.level,
            horizon_days=horizon_days,
            seed=seed,
            train_period=_period(train),
            calibrate_period=_period(calibrate),
            rows=len(train),
            positives=int(train.label.sum()),
            customers=len(customers),
        )
        return cls(scorer, features, training)

    def predict(
        self,
        matrix: "FeatureMatrix",
        account: np.ndarray | None = None,
        domain: np.ndarray | None = None,
    ) -> "pd.DataFrame":
        """Columns ``raw_score`` (log-odds), ``probability``, ``pql_score``, ``tier`` per row.

        Parameters
        ----------
        account, domain
            Ids and e-mail domains as in `Dataset`: keep a row from meeting its own people among
            the customers.

        Raises
        ------
        SchemaMismatch
            When the matrix has other columns than the model was trained on.
        """
        import pandas as pd

        return pd.DataFrame(_by_name(self.scorer.score, values_of(matrix, account, domain)))

    def look_alikes(
        self,
        matrix: "FeatureMatrix",
        account: np.ndarray | None = None,
        domain: np.ndarray | None = None,
        k: int = 3,
    ) -> list[list[LookAlike]]:
        """Each row's nearest customers and what it shares with them; none if too few are known."""
        return _by_name(
            lambda values: self.scorer.look_alikes(values, k), values_of(matrix, account, domain)
        )

    def explain(
        self,
        matrix: "FeatureMatrix",
        account: np.ndarray | None = None,
        domain: np.ndarray | None = None,
        top: int = 3,
    ) -> list[list[Reason]]:
        """The `top` strongest reasons of each row, for and against, strongest first.

        Exact Shapley values of the raw score (Lundberg et al. 2020).
        """
        values = values_of(matrix, account, domain)
        return _by_name(lambda values: self.scorer.reasons(values, top), values)

    def told(
        self,
        matrix: "FeatureMatrix",
        account: np.ndarray | None = None,
        domain: np.ndarray | None = None,
        most: int = 3,
        former: Former | None = None,
    ) -> dict[str, Any]:
        """Points by part and the strongest reasons for and against: `models.scoring.Scorer.told`.

        The registered model gives the very same, but for what changed since `former`.
        """
        values = values_of(matrix, account, domain)
        return _by_name(lambda values: self.scorer.told(values, most, former=former), values)

    def importance(self) -> list[tuple[str, float]]:
        """Columns with their share of what the model leans on, largest first; zeros left out.

        For boosted trees the training loss that splits on the column removed, for sums the mean
        absolute contribution. It does not say what causes conversion.
        """
        pairs = self.scorer.learner.importance().items()
        return sorted(((n, g) for n, g in pairs if g > 0), key=lambda pair: (-pair[1], pair[0]))


def _fit_views(
    inputs: Inputs,
    train: "Dataset",
    calibrate: "Dataset",
    spec: ModelSpec,
    horizon_days: int,
    seed: int,
    threads: int,
) -> dict[str, tuple[Learner, dict]]:
    if not spec.fit_usage.enabled:
        return {}
    found = fit_fit_usage(
        inputs,
        train,
        calibrate,
        spec.fit_usage,
        spec.booster,
        spec.calibration,
        horizon_days=horizon_days,
        seed=seed,
        threads=threads,
    )
    return {name: (view.learner, view.mapping) for name, view in found.views.items()}


def _check_rows(train: "Dataset", calibrate: "Dataset", customers: "Customers") -> None:
    for name, rows in (("train", train), ("calibrate", calibrate)):
        if not rows.mature.all():
            raise NotEnoughHistory(
                f"{int((~rows.mature).sum())} of {len(rows)} {name} rows have labels that are not "
                "mature. Take the rows of models.splits.temporal_split."
            )
    for name, matrix in (("calibrate", calibrate.matrix), ("customer", customers.matrix)):
        if matrix.features != train.matrix.features:
            raise SchemaMismatch(
                f"The {name} rows have other feature definitions than the training rows. Build "
                "both from one list of definitions."
            )


def _period(rows: "Dataset") -> tuple[int, int]:
    return int(rows.as_of.min()), int(rows.as_of.max())


def _by_name(function: Callable[[dict], Result], values: dict) -> Result:
    try:
        return function(values)
    except ColumnError as error:
        raise SchemaMismatch(f"{error}\nBuild the matrix with the model's own features.") from error
