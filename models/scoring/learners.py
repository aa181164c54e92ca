"""What makes a raw score of encoded columns: boosted trees, a sum of terms, or their mean."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .shapley import NotCoveredError, TreeShapley

_MANY_ROWS = 256


class Learner:
    """Raw score = weight x mean of boosters + (1 - weight) x (intercept + unit x terms) + offset.

    A mean of log-odds is the logarithmic opinion pool (Genest & Zidek 1986): where trees and the
    regression agree it says what both say, where they do not it is careful.

    Parameters
    ----------
    rung
        What it is called: scorecard, points, logistic or booster.
    boosters
        LightGBM's own text format, one model per seed; their raw scores are averaged.
    weight
        Of the boosters, in [0, 1]; 0 without them.
    unit
        Log-odds of one unit of the terms: 1, or what a point is worth. Points are whole numbers,
        so that rows of equal points have equal raw scores to the last bit.
    intercept, terms
        The sum, JSON-ready. A term has ``column``, ``missing`` (its value where the column is
        unknown), ``mean`` and ``spread`` (mean and mean absolute deviation over the training
        rows) and one shape:

        - ``knots``, ``heights``: straight lines between knots, level beyond both ends;
        - ``edges``, ``steps``: ``steps[i]`` in [edges[i - 1], edges[i]), one more step than edges;
        - ``codes``: the value of each category code, in the order of the column's levels.

        Several terms may read one column.
    offset
        Log-odds added to every row, such as the correction for negatives left out in training.
    learnt
        Share of the raw score that was learnt; the rest is the scorecard's. For the record only:
        weights and terms hold it already.
    """

    def __init__(
        self,
        rung: str,
        boosters: Sequence[str] = (),
        weight: float = 0.0,
        intercept: float = 0.0,
        terms: Sequence[Mapping[str, Any]] = (),
        unit: float = 1.0,
        offset: float = 0.0,
        learnt: float = 1.0,
    ):
        self.rung, self.texts, self.weight, self.offset = rung, tuple(boosters), weight, offset
        self.intercept, self.terms, self.unit, self.learnt = intercept, tuple(terms), unit, learnt
        self._terms = [(term["column"], TermFunction(term)) for term in terms]
        self.boosters: list[Any] = []
        self._read: list[str] = []
        self._shapley: list[TreeShapley] | None = None
        if boosters:
            import lightgbm as lgb

            self.boosters = [lgb.Booster(model_str=text) for text in boosters]
            self._read = self.boosters[0].feature_name()

    def raw(self, names: Sequence[str], matrix: np.ndarray, threads: int = 1) -> np.ndarray:
        """Raw scores (log-odds), shape (n,); the same to the last bit with any `threads`."""
        total = np.zeros(len(matrix))
        place = {name: at for at, name in enumerate(names)}
        # Terms are added one by one: an order of summation that no array shape can change.
        for column, term in self._terms:
            total += term(matrix[:, place[column]])
        total = self.offset + (1 - self.weight) * (self.intercept + self.unit * total)
        if self.boosters:
            total += self.weight * self._trees(names, matrix, raw_score=True, num_threads=threads)
        return total

    def contributions(
        self, names: Sequence[str], matrix: np.ndarray, threads: int = 1
    ) -> dict[str, np.ndarray]:
        """What each column adds to the raw score of a typical row, by name; "" is the constant.

        Exact Shapley values: of trees as in Lundberg et al. 2020, of a term its distance from its
        mean (Lundberg & Lee 2017, independent columns), and those of a mean are the mean of both.
        A row has the same values alone and among others, but for rounding: what is quicker for
        many rows is slower for few.
        """
        n, share = len(matrix), (1 - self.weight) * self.unit
        mean = sum(term["mean"] for term in self.terms)
        constant = self.offset + (1 - self.weight) * self.intercept + share * mean
        parts = {"": np.full(n, constant)}
        if self.boosters:
            found = self._tree_contributions(names, matrix, threads)
            for name, added in zip([*self._read, ""], found, strict=True):
                parts[name] = parts.get(name, 0.0) + self.weight * added
        place = {name: at for at, name in enumerate(names)}
        for column, term in self._terms:
            added = term(matrix[:, place[column]]) - term.mean
            parts[column] = parts.get(column, np.zeros(n)) + share * added
        return parts

    def importance(self) -> dict[str, float]:
        """Shares of 1: of the training loss that the trees' splits on a column removed (Breiman
        et al. 1984), of the mean absolute contribution of its terms, or the mean of both."""
        size: dict[str, float] = {}
        if self.boosters:
            gain = np.sum([b.feature_importance("gain") for b in self.boosters], axis=0)
            shares = self.weight * gain / max(gain.sum(), 1e-300)
            size |= dict(zip(self._read, shares.tolist(), strict=True))
        whole = max(sum(term["spread"] for term in self.terms), 1e-300)
        for term in self.terms:
            share = (1 - self.weight) * term["spread"] / whole
            size[term["column"]] = size.get(term["column"], 0.0) + share
        return size

    def files(self, prefix: str = "") -> dict[str, str]:
        """Texts by file name: what a bundle keeps."""
        about = {
            "rung": self.rung,
            "boosters": len(self.texts),
            "weight": self.weight,
            "intercept": self.intercept,
            "terms": self.terms,
            "unit": self.unit,
            "offset": self.offset,
            "learnt": self.learnt,
        }
        text = json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        trees = {prefix + _booster_file(at): tree for at, tree in enumerate(self.texts)}
        return {f"{prefix}learner.json": text + "\n"} | trees

    @classmethod
    def read(cls, folder: Path, prefix: str = "") -> "Learner":
        """A learner of a bundle folder."""
        about = json.loads((folder / f"{prefix}learner.json").read_text(encoding="utf-8"))
        files = [folder / (prefix + _booster_file(at)) for at in range(about["boosters"])]
        return cls(**about | {"boosters": [path.read_text("utf-8") for path in files]})

    def _trees(self, names: Sequence[str], matrix: np.ndarray, **what: Any) -> np.ndarray:
        # LightGBM reads row by row.
        matrix = np.ascontiguousarray(self._own(names, matrix))
        return _mean([booster.predict(matrix, **what) for booster in self.boosters])

    def _own(self, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
        # LightGBM predicts by position: columns are picked by the names it was trained with.
        place = {name: at for at, name in enumerate(names)}
        picked = [place[name] for name in self._read]
        return matrix if picked == list(range(matrix.shape[1])) else matrix[:, picked]

    def _tree_contributions(
        self, names: Sequence[str], matrix: np.ndarray, threads: int
    ) -> np.ndarray:
        """Of each column of the trees, and last the constant, shape (n_columns + 1, n)."""
        if len(matrix) >= _MANY_ROWS and self._shapley is None:
            try:
                self._shapley = [TreeShapley.of(booster) for booster in self.boosters]
            except NotCoveredError:
                self._shapley = []
        if len(matrix) < _MANY_ROWS or not self._shapley:
            return self._trees(names, matrix, pred_contrib=True, num_threads=threads).T
        own = np.asfortranarray(self._own(names, matrix))
        constant = np.full(len(matrix), _mean([trees.constant for trees in self._shapley]))
        return np.vstack([_mean([trees.values(own) for trees in self._shapley]), constant])


class TermFunction:
    """One term of a sum, with its numbers as arrays: from a column to its values.

    >>> step = TermFunction({"edges": [3.0], "steps": [0.0, 2.0], "missing": -1.0})
    >>> step(np.array([2.9, 3.0, np.nan]))
    array([ 0.,  2., -1.])
    """

    def __init__(self, about: Mapping[str, Any]):
        self.missing, self.mean = float(about["missing"]), float(about.get("mean", 0.0))
        self._shape = next(name for name in ("codes", "edges", "knots") if name in about)
        self._at = np.array(about[self._shape], float)
        values = {"codes": "codes", "edges": "steps", "knots": "heights"}[self._shape]
        self._values = np.array(about[values], float)

    def __call__(self, column: np.ndarray) -> np.ndarray:
        """Of each row, float64, shape (n,)."""
        missing = np.isnan(column)
        if self._shape == "codes":
            values = self._values[np.where(missing, 0, column).astype(np.int64)]
        elif self._shape == "edges":
            values = self._values[np.searchsorted(self._at, column, side="right")]
        else:
            values = np.interp(column, self._at, self._values)
        values[missing] = self.missing
        return values


def _mean(parts: list[Any]) -> Any:
    return sum(parts[1:], parts[0]) / len(parts)


def _booster_file(at: int) -> str:
    return "booster.txt" if at == 0 else f"booster-{at + 1}.txt"
