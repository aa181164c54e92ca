"""Which weights of the dimensions rank later converters best, judged on training rows alone."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, get_args

import numpy as np

from features.clock import DAY_US
from models.customers.rank_space import Space, Weights, evenly
from models.metrics import Ranking, average_precision
from models.scoring import Similarity, to_ranks

if TYPE_CHECKING:
    from models.dataset import Dataset

CANDIDATES: tuple[Weights, ...] = get_args(Weights)
"""The simplest first."""

LEAST_CONVERTING = 20
"""Accounts that convert, earlier and later: with fewer nothing is told apart."""

_LATER_SHARE = 1 / 3
_STANDARD_ERRORS = 2
_MOST_ROWS = 20_000
_DRAWS = 100


def choose_weights(
    build: Callable[[Weights, np.ndarray], Space | None],
    train: "Dataset",
    encoded: np.ndarray,
    horizon_days: int,
    seed: int,
) -> tuple[Weights, Space]:
    """The weights whose contrast ranks the later training rows best, the simplest unless beaten.

    Spaces are built from rows whose labels were known when the later rows begin (about the last
    third of the conversions), so nothing is judged on what it was fitted to. A candidate takes
    the place of a simpler one if its PR-AUC is better by more than two standard errors of the
    paired difference over accounts: with one, weights that change nothing would come and go from
    training to training.

    Parameters
    ----------
    build
        From weights and increasing positions of training rows to a space of them, or None.
    encoded
        float64, shape (n, n_columns): the training rows.

    Returns
    -------
    weights
        "uniform" where the rows are too few to tell.
    evidence
        Arrays ``tried`` (names), ``tried_pr_auc``, and ``tried_gain`` with ``tried_error``: PR-AUC
        above that of "uniform" and the standard error of this difference. Empty if too few rows.
    """
    begin = _later(train.label, train.as_of) if train.label.any() else 0
    earlier = np.flatnonzero(train.as_of + horizon_days * DAY_US <= begin)
    later = evenly(np.flatnonzero(train.as_of >= begin), _MOST_ROWS)
    cluster = train.cluster
    if min(_converting(train.label, cluster, rows) for rows in (earlier, later)) < LEAST_CONVERTING:
        return "uniform", {}
    values, contrasts = values_of_rows(train, later), {}
    for weights in CANDIDATES:
        space = build(weights, earlier)
        if space is not None:
            ranks = to_ranks(space, encoded[later])
            contrasts[weights] = Similarity(space)(ranks, values)[:, 1]
    if not contrasts:
        return "uniform", {}
    known = np.isfinite(list(contrasts.values())).all(axis=0)
    judged = later[known]
    if _converting(train.label, cluster, judged) < LEAST_CONVERTING:
        return "uniform", {}
    ranked = [contrast[known] for contrast in contrasts.values()]
    measured, draws = _pr_aucs(train.label[judged], ranked, cluster[judged], seed)
    return _simplest_unbeaten(tuple(contrasts), measured, draws)


def values_of_rows(train: "Dataset", rows: np.ndarray) -> dict[str, np.ndarray]:
    """What `models.scoring.similarity` reads beside ranks: when it was, and who is whose kin."""
    return {
        "as_of": train.as_of[rows],
        "account_id": train.account[rows],
        "domain": train.domain[rows],
    }


def _simplest_unbeaten(
    names: tuple[Weights, ...], measured: np.ndarray, draws: np.ndarray
) -> tuple[Weights, Space]:
    """Decide by PR-AUC, shape (n_names,), and its draws, shape (n_draws, n_names)."""
    best = 0
    for at in range(1, len(names)):
        error = np.std(draws[:, at] - draws[:, best], ddof=1)
        if measured[at] - measured[best] > _STANDARD_ERRORS * error:
            best = at
    return names[best], {
        "tried": np.array(names),
        "tried_pr_auc": measured,
        "tried_gain": measured - measured[0],
        "tried_error": np.std(draws - draws[:, :1], axis=0, ddof=1),
    }


def _pr_aucs(
    label: np.ndarray, scores: list[np.ndarray], cluster: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """PR-AUC of each score, and on draws of whole clusters with replacement, all on the same."""
    rankings = [Ranking(label, score) for score in scores]
    member = np.unique(cluster, return_inverse=True)[1]
    n, rng = int(member.max()) + 1, np.random.default_rng(seed)
    draws = np.empty((_DRAWS, len(scores)))
    for draw in draws:
        weight = np.bincount(rng.integers(n, size=n), minlength=n)[member]
        draw[:] = [average_precision(*ranking.masses(weight)) for ranking in rankings]
    return np.array([average_precision(*one.masses()) for one in rankings]), draws


def _later(label: np.ndarray, as_of: np.ndarray) -> int:
    """The as_of from which on about a third of the conversions lie."""
    times = np.unique(as_of)
    at_time = np.bincount(np.searchsorted(times, as_of), label, len(times))
    from_here_on = np.cumsum(at_time[::-1])[::-1] / label.sum()
    return int(times[np.argmin(np.abs(from_here_on - _LATER_SHARE))])


def _converting(label: np.ndarray, cluster: np.ndarray, rows: np.ndarray) -> int:
    return len(np.unique(cluster[rows][label[rows]]))


def weights_told(space: Mapping[str, np.ndarray]) -> str:
    """How a fitted space weighs its dimensions, and on what evidence, in one sentence.

    >>> weights_told({"weights": np.array("power"), "dims": np.arange(3)})
    'Distances in 3 dimensions have power weights, as set or for want of rows to choose on.'
    """
    told = f"Distances in {len(space['dims'])} dimensions have {space['weights']} weights"
    if "tried" not in space:
        return f"{told}, as set or for want of rows to choose on."
    names, gains, errors = space["tried"], space["tried_gain"], space["tried_error"]
    others = ", ".join(
        f"{name} {gain:+.3f} (standard error {error:.3f})"
        for name, gain, error in list(zip(names, gains, errors, strict=True))[1:]
    )
    first = f"PR-AUC of the contrast on later training rows: {names[0]} "
    return f"{told}. {first}{space['tried_pr_auc'][0]:.3f}{', ' if others else ''}{others}."
