"""The penalised regression: against scipy's minimiser, and what its beliefs do."""

import numpy as np
import pytest
from scipy.optimize import minimize

from models.learners.cluster_folds import cluster_folds
from models.learners.logistic import PENALTIES, fit_by_cross_validation, fit_logistic

RNG = np.random.default_rng(0)
COLUMNS = RNG.normal(size=(400, 3))
LABEL = RNG.random(400) < 1 / (1 + np.exp(2 - COLUMNS @ [1.0, -0.5, 0.0]))


def by_scipy(prior: np.ndarray, penalty: float) -> np.ndarray:
    def loss(w: np.ndarray) -> float:
        logit = COLUMNS @ w[:3] + w[3]
        p = 1 / (1 + np.exp(-logit))
        fit = -(LABEL * np.log(p) + ~LABEL * np.log(1 - p)).sum()
        return fit + penalty / 2 * ((w[:3] - prior) ** 2).sum()

    return minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x


@pytest.mark.parametrize("penalty", [0.1, 10.0, 1_000.0])
@pytest.mark.parametrize("prior", [np.zeros(3), np.array([2.0, 2.0, -1.0])])
def test_newton_finds_the_minimum_that_another_minimiser_finds(prior, penalty):
    fit = fit_logistic(COLUMNS, LABEL, prior, penalty)
    np.testing.assert_allclose([*fit.weights, fit.intercept], by_scipy(prior, penalty), atol=1e-4)


def test_an_endless_penalty_leaves_the_belief_and_the_base_rate():
    prior = np.array([0.7, 0.0, -0.3])
    fit = fit_logistic(COLUMNS, LABEL, prior, 1e9)
    np.testing.assert_allclose(fit.weights, prior, atol=1e-5)
    chance = 1 / (1 + np.exp(-(COLUMNS @ fit.weights + fit.intercept)))
    assert chance.mean() == pytest.approx(LABEL.mean(), abs=1e-4)


def test_separable_rows_have_finite_weights():
    columns = np.r_[np.zeros(50), np.ones(50)][:, None]
    fit = fit_logistic(columns, columns[:, 0] > 0, np.zeros(1), 1.0)
    assert 1 < fit.weights[0] < 20


def test_columns_without_signal_are_shrunk_harder_than_columns_with_it():
    noise = RNG.normal(size=(400, 20))
    cluster = np.arange(400)
    weak = fit_by_cross_validation(noise, LABEL, np.zeros(20), cluster, seed=1)
    strong = fit_by_cross_validation(COLUMNS, LABEL, np.zeros(3), cluster, seed=1)
    assert weak.penalty == max(PENALTIES)
    assert strong.penalty < weak.penalty


def test_no_cluster_is_held_out_in_parts_and_converters_are_spread_evenly():
    cluster = np.repeat(np.arange(100), 4)
    label = np.isin(cluster, np.arange(10)) & (np.arange(400) % 4 == 0)
    fold = cluster_folds(label, cluster, 5, seed=3)
    assert all(len(set(fold[cluster == code])) == 1 for code in range(100))
    assert np.bincount(fold[label]).tolist() == [2] * 5
