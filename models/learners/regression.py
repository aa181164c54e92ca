"""The regression: ranks, levels and the scorecard's rules, shrunk towards the scorecard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.learners.inputs import Inputs
from models.learners.logistic import fit_by_cross_validation, fit_logistic
from models.learners.terms import (
    Term,
    levels,
    missing,
    ramp,
    rule_term,
    strongest,
    unit_columns,
    weighted,
)
from models.scorecard.rules import Rule
from models.scoring import Learner

MOST_DIMS = 40
DUPLICATE = 0.95
POINTS_PER_UNIT = 20.0
"""Points that are one unit of log-odds before anything is learnt; only their scale."""


def believed(
    inputs: Inputs, label: np.ndarray, rules: Sequence[Rule]
) -> tuple[list[Term], np.ndarray, float]:
    """Terms of the rules that have data, the weight that each has by its points, and a constant.

    How much a point is worth is learnt, one number for all; weakly pulled to 20 points = one
    unit of log-odds, and never negative.
    """
    pairs = [(rule, rule_term(rule, inputs)) for rule in rules]
    told = [(rule, term) for rule, term in pairs if term is not None]
    terms = [term for _, term in told]
    units = np.array([rule.points for rule, _ in told]) / POINTS_PER_UNIT
    total = unit_columns(terms, inputs, inputs.matrix) @ units
    fit = fit_logistic(total[:, None], label, np.ones(1), penalty=1.0)
    if fit.weights[0] < 0:
        fit = fit_logistic(np.zeros((len(label), 1)), label, np.zeros(1), penalty=1.0)
    return terms, fit.weights[0] * units, fit.intercept


@dataclass(frozen=True)
class Regression:
    """What the rows say of each term, and what the scorecard says of it.

    Parameters
    ----------
    columns
        Values of the terms on the training rows, float64, shape (n, n_terms).
    weights, intercept
        What was learnt.
    card, card_intercept
        The scorecard, worth what its points are worth on these rows; 0 for terms it has no rule
        for.
    """

    terms: Sequence[Term]
    columns: np.ndarray
    weights: np.ndarray
    intercept: float
    card: np.ndarray
    card_intercept: float

    @property
    def has_card(self) -> bool:
        """Whether the scorecard says anything here."""
        return bool(self.card.any())

    def learner(self, share: float = 1.0) -> Learner:
        """The mean of both as log-odds, `share` of what was learnt."""
        weights = share * self.weights + (1 - share) * self.card
        intercept = share * self.intercept + (1 - share) * self.card_intercept
        made = weighted(self.terms, weights, self.columns)
        return Learner("logistic", intercept=intercept, terms=made, learnt=share)

    def beside(self, weight: float, share: float) -> tuple[float, Learner]:
        """Weight of trees of which `share` is believed, and the learner that makes up the rest.

        The whole is share x (weight x trees + (1 - weight) x regression) + (1 - share) x card.
        """
        trees = share * weight
        return trees, self.learner(share * (1 - weight) / (1 - trees))


def fit_regression(
    inputs: Inputs,
    label: np.ndarray,
    cluster: np.ndarray,
    rules: Sequence[Rule],
    monotone: Mapping[str, int],
    seed: int,
) -> Regression:
    """A penalised logistic regression beside the scorecard that it starts from.

    Columns are the ranks of the at most 40 numbers that separate best alone, indicators of their
    absence, levels of categories, and the scorecard's rules. The penalty pulls each rule to its
    points and everything else to 0. Its strength is chosen by clustered cross-validation.

    Parameters
    ----------
    cluster
        Shape (n,): rows of one cluster are held out together.
    monotone
        1 or -1 by column: terms that contradict it are left out.
    """
    terms, prior, card_intercept = believed(inputs, label, rules)
    for at in strongest(inputs, label, MOST_DIMS, DUPLICATE):
        terms += [term for term in (ramp(inputs, at), missing(inputs, at)) if term is not None]
    for column in inputs.columns:
        if column["dtype"] == "category":
            terms += levels(column)
    prior = np.r_[prior, np.zeros(len(terms) - len(prior))]
    columns = unit_columns(terms, inputs, inputs.matrix)
    varies = np.flatnonzero(columns.std(axis=0) > 0)
    terms, prior, columns = [terms[at] for at in varies], prior[varies], columns[:, varies]
    fit = fit_by_cross_validation(columns, label, prior, cluster, seed)
    # Neither what was learnt nor the scorecard may contradict, or their mean might.
    wrong = _contradict(terms, fit.weights, monotone) | _contradict(terms, prior, monotone)
    while wrong.any():
        terms = [term for term, is_wrong in zip(terms, wrong, strict=True) if not is_wrong]
        prior, columns = prior[~wrong], columns[:, ~wrong]
        fit = fit_logistic(columns, label, prior, fit.penalty)
        wrong = _contradict(terms, fit.weights, monotone)
    return Regression(terms, columns, fit.weights, fit.intercept, prior, card_intercept)


def _contradict(
    terms: Sequence[Term], weights: np.ndarray, monotone: Mapping[str, int]
) -> np.ndarray:
    """Terms of constrained columns that fall where they should rise, or are not monotone."""
    wrong = np.zeros(len(terms), bool)
    for at, term in enumerate(terms):
        if wanted := monotone.get(term["column"]):
            shape = np.array(term.get("heights") or term.get("steps") or [0.0])
            wrong[at] = (np.diff(wanted * weights[at] * shape) < 0).any()
    return wrong
