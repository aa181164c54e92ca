"""Unit terms: ramps, steps and levels of columns, of which a regression or points are sums."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.learners.inputs import Inputs
from models.learners.separation import distinct, separation
from models.scorecard.rules import Rule
from models.scoring import TermFunction

Term = dict[str, Any]

MOST_LEVELS = 12
_SHAPES = ("heights", "steps", "codes")
_WEIGHTED = (*_SHAPES, "points")
_SAMPLE = 20_000
_KNOTS = 64
_LEAST_MISSING = 0.01
_TRIED_PER_DIM = 8


def unit_columns(terms: Sequence[Term], inputs: Inputs, matrix: np.ndarray) -> np.ndarray:
    """Values of unit terms, float64, shape (n, n_terms)."""
    values = np.empty((len(matrix), len(terms)))
    for at, term in enumerate(terms):
        values[:, at] = TermFunction(term)(matrix[:, inputs.names.index(term["column"])])
    return values


def weighted(
    terms: Sequence[Term], weights: np.ndarray, columns: np.ndarray
) -> list[dict[str, Any]]:
    """Terms times their weights, with what `models.scoring.Learner` keeps of the training rows.

    Parameters
    ----------
    columns
        `unit_columns` of the training rows.
    """
    made = []
    for at, (term, weight) in enumerate(zip(terms, weights.tolist(), strict=True)):
        if not weight:
            continue
        shape = {key: [weight * value for value in term[key]] for key in _SHAPES if key in term}
        values = weight * columns[:, at]
        made.append(
            {key: value for key, value in term.items() if key not in _WEIGHTED}
            | shape
            | {
                "missing": weight * term["missing"],
                "mean": float(values.mean()),
                "spread": float(np.abs(values - values.mean()).mean()),
            }
        )
    return made


def rule_term(rule: Rule, inputs: Inputs) -> Term | None:
    """1 where the rule fires, else 0, with its name and points; None where no column can tell.

    Levels that were rare in training share one code, so a rule can't tell them apart.
    """
    known = {column["name"]: column for column in inputs.columns}
    column = known.get(rule.feature) if rule.feature is not None else None
    if column is None or (column["dtype"] == "number") != rule.reads_numbers:
        return None
    term: Term = {
        "column": column["name"],
        "missing": 0.0,
        "told": rule.name,
        "points": rule.points,
    }
    if not rule.reads_numbers:
        wanted = rule.one_of or (rule.equals,)
        codes = [float(level in wanted) for level in column["levels"]]
        return term | {"codes": [*codes, 0.0]}
    edges, steps = _edges(rule)
    return term | {"edges": edges, "steps": steps}


def _edges(rule: Rule) -> tuple[list[float], list[float]]:
    """Features are float32 and a rule compares them as such."""

    def exactly(value: float) -> float:
        return float(np.float32(value))

    def just_above(value: float) -> float:
        return float(np.nextafter(np.float32(value), np.float32(np.inf)))

    if rule.at_least is not None:
        return [exactly(rule.at_least)], [0.0, 1.0]
    low, high = rule.between if rule.between is not None else (rule.equals, rule.equals)
    assert isinstance(low, float)
    assert isinstance(high, float)
    return [exactly(low), just_above(high)], [0.0, 1.0, 0.0]


def strongest(inputs: Inputs, label: np.ndarray, most: int, limit: float) -> list[int]:
    """Positions of the numbers that separate best alone, without near-copies of each other.

    Parameters
    ----------
    limit
        Rank correlation above which a column says the same as a stronger one.
    """
    spread = np.linspace(0, len(label) - 1, min(_SAMPLE, len(label))).astype(int)
    judged = np.union1d(spread, np.flatnonzero(label))
    numbers = [at for at, name in enumerate(inputs.names) if name not in inputs.categories]
    power = separation(inputs.matrix[judged][:, numbers], label[judged])
    falling = np.argsort(-power, kind="stable")
    order = [numbers[at] for at in falling if power[at] > 0][: _TRIED_PER_DIM * most]
    if not order:
        return []
    ranks = np.column_stack(
        [TermFunction(ramp(inputs, at))(inputs.matrix[spread, at]) for at in order]
    )
    return [order[place] for place in distinct(ranks, limit, most)]


def ramp(inputs: Inputs, at: int) -> Term:
    """The rank of a number among the training rows, from -0.5 to 0.5; 0 where it is unknown."""
    values = inputs.matrix[:, at]
    found, count = np.unique(values[~np.isnan(values)], return_counts=True)
    middle = (np.cumsum(count) - count / 2) / count.sum() - 0.5
    if len(found) > _KNOTS:
        kept = np.searchsorted(middle, np.linspace(middle[0], middle[-1], _KNOTS))
        found, middle = found[np.unique(kept)], middle[np.unique(kept)]
    return {
        "column": inputs.names[at],
        "knots": found.tolist(),
        "heights": middle.tolist(),
        "missing": 0.0,
    }


def missing(inputs: Inputs, at: int) -> Term | None:
    """1 where a number is unknown; None where that hardly ever differs."""
    share = float(np.isnan(inputs.matrix[:, at]).mean())
    if not _LEAST_MISSING <= share <= 1 - _LEAST_MISSING:
        return None
    return {"column": inputs.names[at], "edges": [], "steps": [0.0], "missing": 1.0}


def levels(column: Mapping[str, Any]) -> list[Term]:
    """1 for each of a category's most frequent levels."""
    n = len(column["levels"])
    return [
        {
            "column": column["name"],
            "codes": [float(code == at) for code in range(n + 1)],
            "missing": 0.0,
        }
        for at in range(min(n, MOST_LEVELS))
    ]
