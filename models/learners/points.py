"""Points that a person can add up: the scorecard's own, and a scorecard learnt from the rows."""

from collections.abc import Iterator, Sequence

import numpy as np

from models.learners.inputs import Inputs
from models.learners.logistic import fit_by_cross_validation, fit_logistic
from models.learners.regression import believed
from models.learners.terms import Term, levels, strongest, unit_columns, weighted
from models.scorecard.rules import Rule
from models.scoring import Learner, sigmoid

MOST_DIMS = 60
MOST_NEW_RULES = 10
DUPLICATE = 0.9
POINTS_THAT_DOUBLE = 20
"""Points that double the odds: the custom of credit scoring (Siddiqi 2006)."""
ROUNDED_TO = 5
LEAST_CHI2 = 12.0
"""About one in 2,000 by chance: a few hundred conditions are tried."""
_QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.97)
_LEAST_CLUSTERS = 10


def scorecard_learner(inputs: Inputs, label: np.ndarray, rules: Sequence[Rule]) -> Learner:
    """The scorecard as a learner: its own points, and what one is worth on these rows."""
    terms, weights, intercept = believed(inputs, label, rules)
    points = np.array([term["points"] for term in terms], float)
    unit = float(weights @ points / max(points @ points, 1.0))
    made = weighted(terms, points, unit_columns(terms, inputs, inputs.matrix))
    return Learner("scorecard", intercept=intercept, terms=made, unit=unit, learnt=0.0)


def points_learner(
    inputs: Inputs,
    label: np.ndarray,
    cluster: np.ndarray,
    rules: Sequence[Rule],
    seed: int,
    share: float = 1.0,
) -> Learner:
    """A scorecard learnt from the rows, in whole points.

    The scorecard's rules are given new points, shrunk towards their own, and at most ten new
    conditions join them: at each step the one with the largest clustered score statistic (Rao
    1948; Boos 1992), while that is above 12. Points are rounded to fives; 20 double the odds.

    Parameters
    ----------
    cluster
        Shape (n,): rows of one cluster hang together.
    share
        Of what was learnt; the rest are the scorecard's own points, where it says anything.
    """
    terms, prior, _ = believed(inputs, label, rules)
    columns = unit_columns(terms, inputs, inputs.matrix)
    terms, columns = _with_new_rules(terms, columns, prior, inputs, label, cluster)
    prior = np.r_[prior, np.zeros(len(terms) - len(prior))]
    fit = fit_by_cross_validation(columns, label, prior, cluster, seed)
    unit = float(np.log(2)) / POINTS_THAT_DOUBLE
    share = share if prior.any() else 1.0
    weights = share * fit.weights + (1 - share) * prior
    points = ROUNDED_TO * np.round(weights / unit / ROUNDED_TO).astype(int)
    # Rounding moves every row; the constant makes the mean probability right again.
    offset = columns @ (points * unit)
    intercept = fit_logistic(offset[:, None], label, np.ones(1), penalty=1e6).intercept
    made = weighted(terms, points.astype(float), columns)
    return Learner("points", intercept=intercept, terms=made, unit=unit, learnt=share)


def _with_new_rules(
    terms: list[Term],
    columns: np.ndarray,
    prior: np.ndarray,
    inputs: Inputs,
    label: np.ndarray,
    cluster: np.ndarray,
) -> tuple[list[Term], np.ndarray]:
    candidates = list(_conditions(inputs, label))
    tried = unit_columns(candidates, inputs, inputs.matrix)
    n_clusters = int(cluster.max()) + 1
    inside = np.array(
        [len(np.unique(cluster[column > 0])) for column in tried.T]  # a rule for a few is no rule
    )
    open_ = (inside >= _LEAST_CLUSTERS) & (inside <= n_clusters - _LEAST_CLUSTERS)
    for _ in range(MOST_NEW_RULES):
        weights = np.r_[prior, np.zeros(columns.shape[1] - len(prior))]
        fit = fit_logistic(columns, label, weights, penalty=10.0)
        surprise = label - sigmoid(columns @ fit.weights + fit.intercept)
        chi2 = np.where(open_, _score_statistic(tried, surprise, cluster, n_clusters), 0.0)
        if not len(chi2) or chi2.max() < LEAST_CHI2:
            break
        best = int(np.argmax(chi2))
        terms, columns = [*terms, candidates[best]], np.column_stack([columns, tried[:, best]])
        open_[best] = False
    return terms, columns


def _score_statistic(
    tried: np.ndarray, surprise: np.ndarray, cluster: np.ndarray, n_clusters: int
) -> np.ndarray:
    """(sum over clusters of u)^2 / sum of u^2, u a cluster's sum of condition x surprise."""
    centred = tried - tried.mean(axis=0)
    chi2 = np.empty(tried.shape[1])
    for at in range(tried.shape[1]):
        by_cluster = np.bincount(cluster, centred[:, at] * surprise, n_clusters)
        chi2[at] = by_cluster.sum() ** 2 / max(float((by_cluster**2).sum()), 1e-12)
    return chi2


def _conditions(inputs: Inputs, label: np.ndarray) -> Iterator[Term]:
    """ "At least this much" for the strongest numbers at a few quantiles, and "is this level"."""
    for at in strongest(inputs, label, MOST_DIMS, DUPLICATE):
        values = inputs.matrix[:, at]
        known = values[~np.isnan(values)]
        # Most counts are 0 for most: quantiles of the others say what "a lot" is.
        above = known[known > known.min()]
        if not len(above):
            continue
        edges = np.unique(np.r_[above.min(), np.quantile(above, _QUANTILES, method="lower")])
        for edge in edges.tolist():
            yield {
                "column": inputs.names[at],
                "edges": [edge],
                "steps": [0.0, 1.0],
                "missing": 0.0,
            }
    for column in inputs.columns:
        if column["dtype"] == "category":
            yield from levels(column)
