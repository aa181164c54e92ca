"""Scores that each fold's model gives to the rows of a time that it has never seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.bootstrap import Contender
from models.calibration import CalibrationSpec
from models.dataset import Customers, Dataset
from models.propensity import PropensityModel
from models.scorecard import Scorecard, ScorecardSpec
from models.splits import FOLDS, Split

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tiered(Contender):
    """A contender that also puts every row into a tier: object array of str, shape (n,)."""

    tier: np.ndarray


@dataclass(frozen=True)
class Entrant:
    """Who is fitted and judged on every fold: the model, the scorecard, a simpler model, a null.

    Parameters
    ----------
    fit
        (train, calibrate, test) to the test rows' scores and probabilities.
    one_scale
        Its scores mean the same in every fold, as points do. Otherwise each fold has its own
        scale, and pooled rows are ranked by probability.
    """

    fit: Callable[[Dataset, Dataset, Dataset], Contender]
    one_scale: bool = False


@dataclass(frozen=True)
class OutOfFold:
    """Every test row with what the model that had never seen its time said of it.

    Parameters
    ----------
    rows
        The n test rows of all folds, in the order of the dataset.
    cluster
        int64, shape (n,): `Dataset.cluster` of the rows.
    fold
        int64, shape (n,): 0 is the oldest.
    scores
        By contender, as it ranks within its fold. The model's score is its raw score.
    pooled
        By contender, as it ranks rows of all folds: raw scores of different boosters do not
        compare, so there the probability is the score, except where an `Entrant` has one scale.
    tier
        Of the contenders that have tiers: object arrays of str, shape (n,).
    """

    rows: Dataset
    cluster: np.ndarray
    fold: np.ndarray
    scores: dict[str, Contender]
    pooled: dict[str, Contender]
    tier: dict[str, np.ndarray]

    def frame(self, contender: str = "model") -> "pd.DataFrame":
        """``entity_id, as_of, label, cluster, fold, probability, score`` and ``tier`` if any."""
        import pandas as pd

        who = self.scores[contender]
        frame = pd.DataFrame(
            {
                "entity_id": self.rows.matrix.snapshots.ids.astype(str),
                "as_of": self.rows.as_of.astype("datetime64[us]"),
                "label": self.rows.label,
                "cluster": self.cluster,
                "fold": self.fold,
                "probability": who.probability,
                "score": who.score,
            }
        )
        return frame.assign(tier=self.tier[contender]) if contender in self.tier else frame


def model_entrant(
    fit: Callable[[Dataset, Dataset, Customers], PropensityModel], customers: Customers
) -> Entrant:
    """A whole model, fitted on (train, calibrate, customers).

    It is given the customers that were known when its first test row was asked about, as it would
    have been if trained on that day.
    """

    def judged(train: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        known = customers.take(customers.known_at < test.as_of.min())
        scores = fit(train, calibrate, known).predict(test.matrix, test.account, test.domain)
        return Tiered(
            scores["raw_score"].to_numpy(),
            scores["probability"].to_numpy(),
            scores["tier"].to_numpy(object),
        )

    return Entrant(judged)


def scorecard_entrant(spec: ScorecardSpec, calibration: CalibrationSpec, seed: int) -> Entrant:
    """Points, with their map to probabilities fitted on the calibrate rows."""

    def fit(_: Dataset, calibrate: Dataset, test: Dataset) -> Contender:
        fitted = Scorecard(spec).fit(calibrate, calibration, seed)
        card = fitted.score(test.matrix)
        return Tiered(card.points.astype(float), fitted.probability(card.points), card.tier)

    return Entrant(fit, one_scale=True)


def out_of_fold(
    splits: Sequence[Split],
    dataset: Dataset,
    entrants: Mapping[str, Entrant],
    step: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """Fit every entrant on every fold, and keep what it says of the fold's test rows.

    Parameters
    ----------
    splits
        With disjoint test rows, oldest first, as `models.rolling.rolling_folds` makes them.
    step
        Called after each fold.

    Raises
    ------
    NotEnoughHistory
        When a fold's conversions are too few to learn or to calibrate from.
    """
    tested = np.any([split.test for split in splits], axis=0)
    rows = dataset.take(tested)
    fold = np.full(len(rows), -1)
    score, probability = ({name: np.full(len(rows), np.nan) for name in entrants} for _ in range(2))
    tier: dict[str, np.ndarray] = {}
    for number, split in enumerate(splits):
        parts = [dataset.take(getattr(split, part)) for part in FOLDS]
        here = split.test[tested]
        fold[here] = number
        for name, entrant in entrants.items():
            found = entrant.fit(*parts)
            score[name][here], probability[name][here] = found.score, found.probability
            if isinstance(found, Tiered):
                tier.setdefault(name, np.empty(len(rows), object))[here] = found.tier
        step()
    scores = {name: Contender(score[name], probability[name]) for name in entrants}
    pooled = {
        name: who if entrants[name].one_scale else Contender(who.probability, who.probability)
        for name, who in scores.items()
    }
    return OutOfFold(rows, rows.cluster, fold, scores, pooled, tier)
