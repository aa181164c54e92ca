"""Scores that a model must beat to be worth anything, as entrants of a backtest."""

import numpy as np

from models.bootstrap import Contender
from models.dataset import Customers, Dataset
from models.ladder import Ladder
from models.nulls import contender_of, single_number, with_permuted_labels
from models.out_of_fold import Entrant
from models.presence import age_days, recent_events
from pipeline.judging import fitter
from pipeline.settings import Settings


def null_entrants(
    settings: Settings, data: Dataset, customers: Customers, ladders: list[Ladder]
) -> dict[str, Entrant]:
    """Newest first, most active first, and the model fitted on permuted labels.

    Most active first is left out where no feature counts events.

    Parameters
    ----------
    ladders
        Filled by the model's own fits, fold by fold: a permuted model stands on the same rung.
    """

    counts_events = recent_events(data) is not None

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

    how = {"horizon_days": settings.horizon_days, "seed": settings.seed}

    def newest(train: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        seen = (train, calibrate, test)
        ages = [age_days(rows, seen).values for rows in (calibrate, test)]
        return single_number(-ages[0], -ages[1], calibrate, settings.model.calibration, **how)

    def most_active(train: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        before, now = recent_events(calibrate), recent_events(test)
        assert before is not None
        assert now is not None
        return single_number(
            before.values, now.values, calibrate, settings.model.calibration, **how
        )

    found = {
        "newest first": Entrant(newest, one_scale=True),
        "permuted labels": Entrant(permuted),
    }
    if counts_events:
        found = {"most active first": Entrant(most_active, one_scale=True)} | found
    return found
