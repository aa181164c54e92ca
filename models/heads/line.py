"""Straight lines and small trees for a number, from few rows: what heads choose among."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.learners.inputs import Inputs
from models.learners.separation import distinct
from models.learners.terms import Term, levels, missing, ramp, unit_columns, weighted
from models.scoring import Learner

RIDGE, TREES = "straight lines", "trees"
MOST_DIMS = 12
DUPLICATE = 0.9
LEAST_FOR_TREES = 150
_PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0)
_ROUNDS = (25, 50, 100, 200)
_TRIED_PER_DIM = 8


@dataclass(frozen=True)
class Candidate:
    """A ridge of a penalty, or trees of a number of rounds."""

    learner: str
    strength: float


@dataclass(frozen=True)
class Fit:
    """What `learner_of` makes a learner of: terms and a constant, or LightGBM's text."""

    learner: str
    intercept: float
    terms: Sequence[dict[str, Any]] = ()
    booster: str | None = None


def candidates(clusters: int) -> list[Candidate]:
    """From careful to bold; trees only where converting clusters are many.

    >>> {one.learner for one in candidates(clusters=149)}
    {'straight lines'}
    """
    ridges = [Candidate(RIDGE, penalty) for penalty in _PENALTIES]
    trees = [Candidate(TREES, rounds) for rounds in _ROUNDS]
    return ridges + (trees if clusters >= LEAST_FOR_TREES else [])


def fit_lines(
    inputs: Inputs,
    line: np.ndarray,
    tried: Sequence[Candidate],
    objective: str,
    seed: int,
    threads: int,
) -> list[Fit]:
    """One fit per candidate; what they share is done once.

    Parameters
    ----------
    inputs
        The rows to fit on.
    line
        float64, shape (n,): the number on the scale of the line.
    objective
        LightGBM's, for the trees.
    """
    fits: dict[Candidate, Fit] = {}
    ridges = [one for one in tried if one.learner == RIDGE]
    trees = [one for one in tried if one.learner == TREES]
    if ridges:
        fits |= _ridges(inputs, line, ridges)
    if trees:
        fits |= _trees(inputs, line, trees, objective, seed, threads)
    return [fits[one] for one in tried]


def learner_of(fit: Fit) -> Learner:
    """The learner that scores rows; its raw scores lie on the scale of the line."""
    if fit.booster is not None:
        return Learner(fit.learner, [fit.booster], weight=1.0)
    return Learner(fit.learner, intercept=fit.intercept, terms=fit.terms)


def _ridges(inputs: Inputs, line: np.ndarray, tried: list[Candidate]) -> dict[Candidate, Fit]:
    """Least squares with a penalty on the weights (Hoerl & Kennard 1970), the constant free."""
    terms = _terms(inputs, line)
    columns = unit_columns(terms, inputs, inputs.matrix)
    centre, middle = columns.mean(axis=0), float(line.mean())
    away = columns - centre
    square, slope = away.T @ away, away.T @ (line - middle)
    fits = {}
    for one in tried:
        weights = np.linalg.solve(square + one.strength * np.eye(len(terms)), slope)
        made = weighted(terms, weights, columns)
        fits[one] = Fit(RIDGE, middle - float(centre @ weights), made)
    return fits


def _terms(inputs: Inputs, line: np.ndarray) -> list[Term]:
    """Ranks of the few numbers that go with `line` most, their absence, and levels."""
    numbers = [at for at, name in enumerate(inputs.names) if name not in inputs.categories]
    ramps = [ramp(inputs, at) for at in numbers if _varies(inputs.matrix[:, at])]
    ranks = unit_columns(ramps, inputs, inputs.matrix)
    strength = _correlation(ranks, line)
    order = np.argsort(-strength, kind="stable")[: _TRIED_PER_DIM * MOST_DIMS]
    kept = [int(order[at]) for at in distinct(ranks[:, order], DUPLICATE, MOST_DIMS)]
    terms = [ramps[at] for at in kept]
    for term in tuple(terms):
        absent = missing(inputs, inputs.names.index(term["column"]))
        terms += [] if absent is None else [absent]
    for column in inputs.columns:
        if column["dtype"] == "category":
            terms += levels(column)
    return terms


def _varies(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    return len(known) > 0 and bool((known != known[0]).any())


def _correlation(ranks: np.ndarray, line: np.ndarray) -> np.ndarray:
    away, own = ranks - ranks.mean(axis=0), line - line.mean()
    size = np.sqrt((away * away).sum(axis=0) * (own * own).sum())
    return np.abs(away.T @ own) / np.maximum(size, 1e-12)


def _trees(
    inputs: Inputs,
    line: np.ndarray,
    tried: list[Candidate],
    objective: str,
    seed: int,
    threads: int,
) -> dict[Candidate, Fit]:
    """Small trees; fewer rounds are the beginning of more."""
    import lightgbm as lgb

    categories = [at for at, name in enumerate(inputs.names) if name in inputs.categories]
    params = {
        "objective": objective,
        "learning_rate": 0.05,
        "num_leaves": 6,
        "min_data_in_leaf": max(20, len(line) // 20),
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "seed": seed,
        "verbosity": -1,
    }
    data = lgb.Dataset(
        inputs.matrix,
        line,
        feature_name=list(inputs.names),
        categorical_feature=categories,
        params=params,
    )
    grown = lgb.train(params, data, num_boost_round=int(max(one.strength for one in tried)))
    return {
        one: Fit(TREES, 0.0, booster=grown.model_to_string(num_iteration=int(one.strength)))
        for one in tried
    }
