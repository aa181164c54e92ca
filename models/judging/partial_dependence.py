"""What the probability does as one column changes and all others stay: partial dependence."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.judging.bootstrap import interval
from models.judging.dependence_words import Direction, direction_of, sentence
from models.learners.encoding import values_of
from models.scoring import SIMILARITY, assemble, calibrate

if TYPE_CHECKING:
    from features.definitions import Feature
    from models.dataset import Dataset
    from models.propensity import PropensityModel

MOST_ROWS = 1_000
MEANING = (
    f"The mean probability of {MOST_ROWS:,} test rows, drawn at random, if all had this value and "
    "kept every other one (partial dependence, Friedman 2001). It is what the model does, not what "
    "causes conversion. Columns that move together share an effect: one alone then moves the "
    "chance by less than both, and some of the rows that are asked about do not exist. Ranges are "
    "95 % over accounts for this model as it is; they move together, so values may differ although "
    "their ranges overlap."
)
SIMILARITY_MEANINGS = dict(
    zip(
        SIMILARITY,
        (
            "similarity: distance to the nearest customers as they were just before they bought",
            "similarity: how much nearer the nearest customers are than the nearest of the others",
        ),
        strict=True,
    )
)
TOGETHER = 0.7
"""Rank correlation from which on two columns are said to move together."""

_QUANTILES = np.linspace(0.02, 0.98, 9)
_MOST_LEVELS = 8


@dataclass(frozen=True)
class Dependence:
    """Partial dependence of the calibrated probability on one column.

    Parameters
    ----------
    values
        Numbers in rising order or categories, most frequent first; None, at the end, is unknown.
    probability, low, high
        Mean probability of the sampled rows at each value, with a 95 % interval over accounts for
        the model as it is.
    direction
        "mixed" where less than 80 % of the movement goes one way, and of categories.
    importance
        Share of what the model leans on, of `PropensityModel.importance`.
    text
        All of it in one or two sentences.
    moves_with, correlation
        The column the model leans on that goes most with this one, and their rank correlation;
        "" and 0 where it stays below `TOGETHER`.
    """

    feature: str
    meaning: str
    values: tuple[float | str | None, ...]
    probability: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    direction: Direction
    importance: float
    text: str
    moves_with: str
    correlation: float


def partial_dependence(
    model: "PropensityModel",
    rows: "Dataset",
    *,
    most: int = 12,
    sample: int = MOST_ROWS,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> tuple[Dependence, ...]:
    """The `most` important columns and how the probability depends on each; no label is read.

    Friedman 2001, "Greedy function approximation". Similarities are columns like others: they are
    moved while the behaviour that they come from stays.

    Parameters
    ----------
    rows
        Such as the test rows; `sample` of them are drawn by `seed`. Numbers are asked at quantiles
        of theirs, and rows where the value is unknown are asked like all others.

    Returns
    -------
    tuple of Dependence
        The most important column first.
    """
    ranked = model.importance()[:most]
    if not ranked or not len(rows):
        return ()
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(rows), min(sample, len(rows)), replace=False))
    rows, scorer = rows.take(chosen), model.scorer
    values = values_of(rows.matrix, rows.account, rows.domain)
    names, matrix = assemble(scorer.columns, scorer.similarity, values)
    weights = _weights(rows.cluster, n_bootstrap, rng)
    levels = {c["name"]: c["levels"] for c in scorer.columns if c["dtype"] == "category"}
    partners = _partners([name for name, _ in model.importance()], names, matrix, set(levels))
    features = {feature.name: feature for feature in model.features}
    found = []
    for name, share in ranked:
        at = names.index(name)
        grid = category_grid(matrix[:, at]) if name in levels else number_grid(matrix[:, at])
        asked = np.array([_probability(model, names, matrix, at, value) for value in grid])
        shown = [_shown(value, levels.get(name)) for value in grid]
        found.append(
            _told(name, share, features.get(name), shown, asked, weights, partners.get(name))
        )
    return tuple(found)


def number_grid(column: np.ndarray) -> np.ndarray:
    """Values to ask a number at, rising, NaN last where some rows are unknown; shape (n_values,).

    Quantiles that rows have. Where nearly all rows share a value, quantiles of the others join.

    Examples
    --------
    >>> number_grid(np.array([0.0] * 99 + [4.0, np.nan]))
    array([ 0.,  4., nan])
    """
    known = column[~np.isnan(column)]
    unknown = np.full(int(len(known) < len(column)), np.nan)
    if not len(known):
        return unknown
    grid = np.unique(np.quantile(known, _QUANTILES, method="inverted_cdf"))
    others = known[~np.isin(known, grid)]
    if len(grid) < 3 and len(others):
        more = np.quantile(others, (0.5, 0.9), method="inverted_cdf")
        grid = np.unique(np.concatenate([grid, more]))
    return np.concatenate([grid, unknown])


def category_grid(column: np.ndarray) -> np.ndarray:
    """Codes of at most eight categories that rows have, most frequent first, NaN last if any is.

    Examples
    --------
    >>> category_grid(np.array([2.0, 0.0, 2.0, np.nan]))
    array([ 2.,  0., nan])
    """
    known = column[~np.isnan(column)]
    codes, counts = np.unique(known, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_LEVELS]
    return np.concatenate([codes[order], np.full(int(len(known) < len(column)), np.nan)])


def _weights(cluster: np.ndarray, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Of each row in each draw of whole clusters, shape (n_bootstrap, n), summing to 1."""
    codes, member = np.unique(cluster, return_inverse=True)
    counts = rng.multinomial(len(codes), np.full(len(codes), 1 / len(codes)), size=n_bootstrap)
    weights = counts[:, member].astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def _probability(
    model: "PropensityModel", names: list[str], matrix: np.ndarray, at: int, value: float
) -> np.ndarray:
    changed = matrix.copy()
    changed[:, at] = value
    scorer = model.scorer
    return calibrate(scorer.calibration, scorer.learner.raw(names, changed))


def _shown(value: float, levels: list[str] | None) -> float | str | None:
    if np.isnan(value):
        return None
    if levels is None:
        return float(value)
    return levels[int(value)] if value < len(levels) else "all rare ones"


def _partners(
    important: list[str], names: list[str], matrix: np.ndarray, categories: set[str]
) -> dict[str, tuple[str, float]]:
    """The number that goes most with each, of those the model leans on, if it is `TOGETHER`."""
    from scipy.stats import rankdata

    numbers = [name for name in important if name not in categories]
    if len(numbers) < 2:
        return {}
    place = {name: at for at, name in enumerate(names)}
    columns = matrix[:, [place[name] for name in numbers]]
    # Unknown is below all, as it mostly means "never".
    lowest = np.nanmin(columns, axis=0, initial=0.0) - 1
    ranks = rankdata(np.where(np.isnan(columns), lowest, columns), axis=0)
    spread = ranks.std(axis=0)
    centred = (ranks - ranks.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    correlation = centred.T @ centred / len(matrix)
    np.fill_diagonal(correlation, 0.0)
    nearest = np.abs(correlation).argmax(axis=0)
    best = correlation[nearest, np.arange(len(numbers))]
    return {
        name: (numbers[at], float(value))
        for name, at, value in zip(numbers, nearest, best, strict=True)
        if abs(value) >= TOGETHER
    }


def _told(
    name: str,
    share: float,
    feature: "Feature | None",
    values: list[float | str | None],
    asked: np.ndarray,
    weights: np.ndarray,
    partner: tuple[str, float] | None,
) -> Dependence:
    """One column's answers, shape (n_values, n), as means with intervals and words."""
    ends = [interval(draws) for draws in (weights @ asked.T).T]
    mean = asked.mean(axis=1)
    meaning = SIMILARITY_MEANINGS[name] if feature is None else feature.meaning
    is_number = [isinstance(value, float) for value in values]
    direction = direction_of(mean[is_number]) if any(is_number) else "mixed"
    return Dependence(
        feature=name,
        meaning=meaning,
        values=tuple(values),
        probability=tuple(mean.tolist()),
        low=tuple(low for low, _ in ends),
        high=tuple(high for _, high in ends),
        direction=direction,
        importance=float(share),
        text=sentence(meaning, values, mean, direction),
        moves_with="" if partner is None else partner[0],
        correlation=0.0 if partner is None else partner[1],
    )
