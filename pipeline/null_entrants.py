"""Scores that a model must beat to be worth anything, as entrants of a backtest."""

from collections.abc import Sequence

import numpy as np

from models.choosing.ladder import Ladder
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender
from models.judging.nulls import contender_of, single_number, with_permuted_labels
from models.judging.out_of_fold import Entrant, FoldRows
from models.presence import age_days, recent_events
from pipeline.judging import fitter
from pipeline.settings import Settings


def null_entrants(
    settings: Settings, data: Dataset, customers: Customers, ladders: Sequence[Ladder]
) -> dict[str, Entrant]:
    """Newest first, most active first, and the model fitted on permuted labels.

    Most active first is left out where no feature counts events.

    Parameters
    ----------
    ladders
        By fold: a permuted model stands on the rung of the model.
    """
    counts_events = recent_events(data) is not None

    def permuted(fold: FoldRows) -> Contender:
        rung = ladders[fold.number].chosen
        spec = settings.model.model_copy(
            update={
                # Points that nobody learnt can't be permuted.
                "learner": "points" if rung == "scorecard" else rung,
                "booster": settings.model.booster.model_copy(update={"seeds": 1}),
                "similarity": settings.model.similarity.with_weights("uniform"),
            }
        )
        rng = np.random.default_rng([settings.seed, 1])
        known = customers.known_before(int(fold.test.as_of.min()))
        train, calibrate = (
            with_permuted_labels(rows, rng) for rows in (fold.train, fold.calibrate)
        )
        return contender_of(fitter(settings, spec, ())(train, calibrate, known), fold.test)

    how = {"horizon_days": settings.horizon_days, "seed": settings.seed}

    def newest(fold: FoldRows) -> Contender:
        seen = (fold.train, fold.calibrate, fold.test)
        before, now = (age_days(rows, seen).values for rows in seen[1:])
        return single_number(-before, -now, fold.calibrate, settings.model.calibration, **how)

    def most_active(fold: FoldRows) -> Contender:
        before, now = recent_events(fold.calibrate), recent_events(fold.test)
        assert before is not None
        assert now is not None
        return single_number(
            before.values, now.values, fold.calibrate, settings.model.calibration, **how
        )

    found: dict[str, Entrant] = {"newest first": newest, "permuted labels": permuted}
    return {"most active first": most_active} | found if counts_events else found
