"""What a fitted model is worth: against the scorecard, without similarity, in segments."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.customers.similarity import SimilaritySpec
from models.dataset import Customers, Dataset
from models.judging.ablation import ablation
from models.judging.evaluation import Evaluation, judge
from models.judging.nulls import Fit, Null, beside_nulls, contender_of, nearest_null, nulls
from models.judging.segment_metrics import measure_segments
from models.judging.segment_verdict import worst_segment
from models.judging.segments import segmentations
from models.learners.rungs import ModelSpec
from models.presence import days_since_event
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.scorecard.rules import Rule
from models.scoring import tier_basis
from models.tiering.capacity import CapacityTiers
from models.tiering.fit_usage import Cell, conversion_matrix
from models.tiering.hysteresis import Churn, replay, tier_churn
from pipeline.dataset import Assembled, Say
from pipeline.settings import Run, Settings

if TYPE_CHECKING:
    import pandas as pd

CALLS = 60
"""That sales is taken to make in a week where the settings say nothing of it."""


@dataclass(frozen=True)
class Judged:
    """Everything that the test rows say of one model.

    Parameters
    ----------
    ablation
        None where similarity is off.
    null_table
        As `models.judging.nulls.beside_nulls` returns it.
    churn
        Tier changes from date to date: by the bare cut-offs, and as scoring date after date would
        have given them; the second is None where hysteresis is off.
    cells
        Observed conversion by fit and usage; empty where the model lacks one of the two.
    """

    evaluation: Evaluation
    ablation: "pd.DataFrame | None"
    nulls: tuple[Null, ...]
    null_table: "pd.DataFrame"
    null_verdict: str
    segments: "pd.DataFrame"
    segment_verdict: str
    churn: tuple[Churn, Churn | None]
    cells: list[Cell]


def fitter(settings: Settings, spec: ModelSpec, rules: tuple[Rule, ...] | None = None) -> Fit:
    """Fits the run's model on any rows, without what no comparison reads.

    Parameters
    ----------
    rules
        None for those of the run's scorecard; () for a null, which must know nothing.
    """

    def fit(train: Dataset, calibrate: Dataset, customers: Customers) -> PropensityModel:
        return PropensityModel.fit(
            train,
            calibrate,
            customers,
            spec.without_views(),
            horizon_days=settings.horizon_days,
            seed=settings.seed,
            threads=settings.compute.threads,
            rules=settings.scorecard.rules if rules is None else rules,
        )

    return fit


def rows_per_date(settings: Settings) -> int:
    """Rows that sales can work per as_of."""
    tiers = settings.model.tiers
    calls = tiers.reps * tiers.per_rep_per_week if isinstance(tiers, CapacityTiers) else CALLS
    # Capacity is given per week, the calendar may be denser or sparser.
    week = settings.evaluation.capacity_per_week or calls
    return max(1, round(week * settings.cohort.every_days / 7))


def judge_all(
    run: Run,
    model: PropensityModel,
    spec: ModelSpec,
    scorecard: Scorecard,
    folds: dict[str, Dataset],
    data: Assembled,
    say: Say,
) -> Judged:
    """Judge on the test rows; only here are their labels read.

    Parameters
    ----------
    spec
        What `model` was fitted by, its rung chosen.
    """
    settings, (train, calibrate, test) = run.settings, folds.values()
    if model.scorer.space is not None:
        weights = str(model.scorer.space["weights"])
        similarity = spec.similarity.model_copy(update={"weights": weights})
        spec = spec.model_copy(update={"similarity": similarity})
    how: dict[str, Any] = {
        "capacity": rows_per_date(settings),
        "n_bootstrap": settings.evaluation.n_bootstrap,
    }
    say("Judging model and scorecard on the same test rows")
    evaluation = judge(model, scorecard, test, **how, seed=settings.seed)
    worth = None
    if model.scorer.space is not None:
        say("Measuring what similarity to customers is worth")

        def refit(customers: Customers, how_alike: SimilaritySpec) -> PropensityModel:
            other = spec.model_copy(update={"similarity": how_alike})
            return fitter(settings, other)(train, calibrate, customers)

        worth = ablation(refit, model, train, test, data.customers, spec.similarity, **how)
    say("Fitting the nulls: permuted labels, scrambled features, newest and most active first")
    found = nulls(
        fitter(settings, spec, ()),
        model,
        train,
        calibrate,
        test,
        data.customers,
        spec.calibration,
        # Points that nobody learnt can't be permuted.
        permutations=0 if spec.learner == "scorecard" else 1,
    )
    who = contender_of(model, test)
    null_table = beside_nulls(who, found, test, **how, seed=settings.seed)
    segments = measure_segments(
        test.label,
        who,
        test.cluster,
        segmentations(train, test, settings.evaluation.segments, (calibrate,)),
        settings.evaluation.segments,
        n_bootstrap=settings.evaluation.n_bootstrap,
        seed=settings.seed,
    )
    return Judged(
        evaluation=evaluation,
        ablation=worth,
        nulls=found,
        null_table=null_table,
        null_verdict=nearest_null(null_table, evaluation.converting),
        segments=segments,
        segment_verdict=worst_segment(segments),
        churn=_churn(model, spec, test),
        cells=_cells(model, test),
    )


def _churn(model: PropensityModel, spec: ModelSpec, test: Dataset) -> tuple[Churn, Churn | None]:
    scores = model.predict(test.matrix, test.account, test.domain)
    bare = tier_churn(test.entity, test.as_of, scores["tier"].to_numpy(object))
    since = days_since_event(test)
    if not spec.hysteresis.enabled or since is None:
        return bare, None
    tiers = model.scorer.tiers
    worth = tiers.get("value")
    values = {worth["column"]: test.matrix.column(worth["column"])} if worth else {}
    basis = tier_basis(tiers, scores["probability"].to_numpy(), values)
    kept = replay(test.entity, test.as_of, basis, since, tiers, spec.hysteresis.margin)
    return bare, tier_churn(test.entity, test.as_of, kept)


def _cells(model: PropensityModel, test: Dataset) -> list[Cell]:
    scores = model.predict(test.matrix, test.account, test.domain)
    if scores[["fit_tier", "usage_tier"]].isna().any(axis=None):
        return []
    fit, usage = (scores[name].to_numpy(object) for name in ("fit_tier", "usage_tier"))
    return conversion_matrix(test.label, np.asarray(fit), np.asarray(usage), test.cluster)
