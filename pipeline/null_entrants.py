"""Scores that a model must beat to be worth anything, as entrants of a backtest."""

import numpy as np

from models.bootstrap import Contender
from models.calibration import fit_calibration
from models.dataset import Customers, Dataset
from models.ladder import Ladder
from models.nulls import contender_of, with_permuted_labels
from models.out_of_fold import Entrant
from models.presence import age_days, recent_events
from models.scoring import calibrate as to_probability
from pipeline.judging import fitter
from pipeline.settings import Settings


def null_entrants(
    settings: Settings, customers: Customers, ladders: list[Ladder]
) -> dict[str, Entrant]:
    """Newest first, most active first, and the model fitted on permuted labels.

    Parameters
    ----------
    ladders
        Filled by the model's own fits, fold by fold: a permuted model stands on the same rung.
    """

    def permuted(train: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        rung = ladders[-1].chosen
        spec = settings.model.model_copy(
            update={
                # Points that nobody learnt can't be permuted.
                "learner": "points" if rung == "scorecard" else rung,
                "booster": settings.model.booster.model_copy(update={"seeds": 1}),
                "similarity": settings.model.similarity.with_weights("uniform"),
            }
        )
        rng = np.random.default_rng([settings.seed, 1])
        known = customers.take(customers.known_at < test.as_of.min())
        fit = fitter(settings, spec, ())
        blind = fit(with_permuted_labels(train, rng), with_permuted_labels(calibrate, rng), known)
        return contender_of(blind, test)

    def newest(train: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        seen = (train, calibrate, test)
        ages = [age_days(rows, seen).values for rows in (calibrate, test)]
        return _mapped(settings, -ages[0], -ages[1], calibrate)

    def most_active(train: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        before, now = recent_events(calibrate), recent_events(test)
        nothing = np.zeros(len(calibrate)), np.zeros(len(test))
        past, today = nothing if before is None or now is None else (before.values, now.values)
        return _mapped(settings, past, today, calibrate)

    return {
        "most active first": Entrant(most_active, one_scale=True),
        "newest first": Entrant(newest, one_scale=True),
        "permuted labels": Entrant(permuted),
    }


def _mapped(
    settings: Settings, before: np.ndarray, now: np.ndarray, calibrate: Dataset
) -> Contender:
    """One number, ranking as it is and mapped to a probability on the calibrate rows."""
    scale = max(float(np.abs(before).max(initial=0)), 1.0)
    spec = settings.model.calibration.model_copy(update={"method": "sigmoid"})
    mapping = fit_calibration(
        before / scale, calibrate.label, calibrate.cluster, spec, settings.seed
    )
    return Contender(now, to_probability(mapping, now / scale))
