"""Scores that each fold's model gives to the rows of a time that it has never seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.calibration import CalibrationSpec
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender
from models.propensity import PropensityModel
from models.scorecard import Scorecard, ScorecardSpec
from models.splits import Split

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tiered(Contender):
    """A contender that also puts every row into a tier: object array of str, shape (n,)."""

    tier: np.ndarray


@dataclass(frozen=True)
class FoldRows:
    """The parts of one fold; `number` 0 is the oldest."""

    number: int
    dataset: Dataset
    split: Split

    @cached_property
    def train(self) -> Dataset:
        return self.dataset.take(self.split.train)

    @cached_property
    def calibrate(self) -> Dataset:
        return self.dataset.take(self.split.calibrate)

    @cached_property
    def test(self) -> Dataset:
        return self.dataset.take(self.split.test)

    @property
    def before_test(self) -> Dataset:
        """Train and calibrate rows: all that may be looked at before the model is judged."""
        return self.dataset.take(self.split.train | self.split.calibrate)


Entrant = Callable[[FoldRows], Contender]
"""Who is fitted and judged on every fold: gives the test rows' scores and probabilities."""


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
        By contender, as it ranks rows of all folds: by `ranks_within` the fold, for scores of
        different trainings do not compare, and what is compared is the order of call lists.
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
    fit: Callable[[FoldRows, Customers], PropensityModel], customers: Customers
) -> Entrant:
    """A whole model, fitted on a fold and the customers.

    It is given the customers that were known when its first test row was asked about, as it would
    have been if trained on that day.
    """

    def judged(fold: FoldRows) -> Contender:
        test = fold.test
        known = customers.known_before(int(test.as_of.min()))
        scores = fit(fold, known).predict(test.matrix, test.account, test.domain)
        return Tiered(
            scores["raw_score"].to_numpy(),
            scores["probability"].to_numpy(),
            scores["tier"].to_numpy(object),
        )

    return judged


def scorecard_entrant(
    spec: ScorecardSpec, calibration: CalibrationSpec, *, horizon_days: int, seed: int
) -> Entrant:
    """Points, with their map to probabilities fitted on the calibrate rows."""

    def judged(fold: FoldRows) -> Contender:
        fitted = Scorecard(spec).fit(
            fold.calibrate, calibration, horizon_days=horizon_days, seed=seed
        )
        card = fitted.score(fold.test.matrix)
        return Tiered(card.points.astype(float), fitted.probability(card.points), card.tier)

    return judged


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
        With disjoint test rows, oldest first, as `models.judging.rolling.rolling_folds` makes them.
    step
        Called after each entrant of each fold.

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
        parts = FoldRows(number, dataset, split)
        here = split.test[tested]
        fold[here] = number
        for name, entrant in entrants.items():
            found = entrant(parts)
            score[name][here], probability[name][here] = found.score, found.probability
            if isinstance(found, Tiered):
                tier.setdefault(name, np.empty(len(rows), object))[here] = found.tier
            step()
    scores = {name: Contender(score[name], probability[name]) for name in entrants}
    pooled = {
        name: Contender(ranks_within(fold, who.score), who.probability)
        for name, who in scores.items()
    }
    return OutOfFold(rows, rows.cluster, fold, scores, pooled, tier)


def ranks_within(group: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Share of the group's rows with a lower score, ties counting half; shape (n,), in (0, 1).

    >>> ranks_within(np.array([0, 0, 1, 1]), np.array([3.0, 5.0, 900.0, 900.0]))
    array([0.25, 0.75, 0.5 , 0.5 ])
    """
    from scipy.stats import rankdata

    ranks = np.empty(len(score))
    for rows in (group == number for number in np.unique(group)):
        ranks[rows] = (rankdata(score[rows]) - 0.5) / rows.sum()
    return ranks
