"""Folds' models against the champion in use, on rows whose outcome it had never seen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.clock import DAY_US, to_text
from models.judging.bootstrap import Contender, evaluate, pr_auc_difference
from models.judging.evaluation import MIN_CONVERTING
from models.judging.out_of_fold import OutOfFold, ranks_within
from models.propensity import PropensityModel

if TYPE_CHECKING:
    import pandas as pd

    from features.matrix import FeatureMatrix
    from models.dataset import Dataset


@dataclass(frozen=True)
class AgainstChampion:
    """Model minus champion.

    Parameters
    ----------
    rows, positives
        Test rows that the champion has never seen, and those of them that convert.
    table
        `models.judging.bootstrap.evaluate` of ``model`` and ``champion``, both ranked within folds;
        None where there is nothing to compare on.
    verdict
        One sentence.
    """

    rows: int
    positives: int
    table: "pd.DataFrame | None"
    verdict: str


def seen_until(model: PropensityModel) -> int:
    """End of the newest label that a model learnt from, microseconds UTC.

    The last as_of whose label it read + its horizon: of rows with as_of in [this, inf) it has seen
    no outcome, nor a window that overlaps theirs. Labels were read to calibrate it and, where that
    was done, to move it to a new base rate.
    """
    about = model.training
    moved = model.scorer.calibration.get("base_rate", {}).get("last_as_of") or 0
    return int(max(about.calibrate_period[1], moved)) + about.horizon_days * DAY_US


def unseen_by(champion: PropensityModel, rows: "Dataset", horizon_days: int) -> np.ndarray:
    """Which test rows can judge the champion, bool of shape (n,): those from `seen_until` on.

    None at all where it answers another question, by another horizon or for another level.
    """
    about = champion.training
    same = (about.horizon_days, about.level) == (horizon_days, rows.matrix.snapshots.level)
    return (rows.as_of >= seen_until(champion)) & same


def against_champion(
    champion: PropensityModel,
    found: OutOfFold,
    unseen: np.ndarray,
    matrix: "FeatureMatrix",
    *,
    capacity: int,
    n_bootstrap: int,
    seed: int,
) -> AgainstChampion:
    """Judge the folds' models and the champion on the same rows and the same draws.

    The folds' models were trained later than the champion, as one trained today would be: the
    difference is what training again is worth.

    Parameters
    ----------
    unseen
        As `unseen_by` returns it.
    matrix
        The champion's own features of those rows, in their order.
    """
    rows = found.rows.take(unseen)
    positives = int(rows.label.sum())
    if not 0 < positives < len(rows):
        return AgainstChampion(len(rows), positives, None, _nothing(champion, len(rows)))
    fold, cluster = found.fold[unseen], found.cluster[unseen]
    scores = champion.predict(matrix, rows.account, rows.domain)
    probability, raw = scores["probability"].to_numpy(), scores["raw_score"].to_numpy()
    model = found.scores["model"]
    table = evaluate(
        rows.label,
        {
            "model": Contender(ranks_within(fold, model.score[unseen]), model.probability[unseen]),
            "champion": Contender(ranks_within(fold, raw), probability),
        },
        cluster,
        rows.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    converting = len(np.unique(cluster[rows.label]))
    return AgainstChampion(len(rows), positives, table, _verdict(table, converting))


def _nothing(champion: PropensityModel, rows: int) -> str:
    about = champion.training
    if not rows:
        return (
            "The champion can't be compared: it was calibrated on outcomes up to "
            f"{to_text(about.calibrate_period[1])} plus {about.horizon_days} days, and no test row "
            "lies after that, or it predicts another horizon or level."
        )
    return (
        f"The champion can't be compared: the {rows:,} test rows that it has never seen do not "
        "hold both outcomes."
    )


def _verdict(table: "pd.DataFrame", converting: int) -> str:
    low, high, evidence = pr_auc_difference(table, "champion")
    if converting < MIN_CONVERTING:
        return (
            f"Too few conversions to compare with the champion: {converting} converting entities "
            f"on the rows it has never seen, {MIN_CONVERTING} needed ({evidence})."
        )
    if low > 0:
        return f"Training again is better than the champion ({evidence})."
    if high < 0:
        return f"The champion is better than training again ({evidence})."
    return f"No difference between training again and the champion is shown ({evidence})."
