"""What makes a raw score of encoded columns: boosted trees, or a sum of one term per column."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BOOSTED, ADDITIVE = "booster", "additive"


class Boosted:
    """LightGBM models of different seeds: the raw score is the mean of theirs, plus `offset`.

    Parameters
    ----------
    texts
        LightGBM's own text format, one model per seed.
    offset
        Log-odds added to every row, such as the correction for negatives left out in training.
    """

    kind = BOOSTED

    def __init__(self, texts: Sequence[str], offset: float = 0.0):
        import lightgbm as lgb

        self.texts, self.offset = tuple(texts), offset
        self.boosters = [lgb.Booster(model_str=text) for text in texts]

    def raw(self, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
        """Raw scores (log-odds), shape (n,)."""
        return self._mean(names, matrix, raw_score=True) + self.offset

    def contributions(self, names: Sequence[str], matrix: np.ndarray) -> dict[str, np.ndarray]:
        """What each column adds to the raw score, by name; "" is the constant.

        Exact Shapley values (Lundberg et al. 2020); those of a mean are the mean of theirs.
        """
        parts = self._mean(names, matrix, pred_contrib=True).T
        columns = dict(zip([*self.boosters[0].feature_name(), ""], parts, strict=True))
        return columns | {"": columns[""] + self.offset}

    def importance(self) -> dict[str, float]:
        """Training loss removed by splits on each column (Breiman et al. 1984), shares of 1."""
        gain = np.sum([booster.feature_importance("gain") for booster in self.boosters], axis=0)
        names = self.boosters[0].feature_name()
        return dict(zip(names, (gain / max(gain.sum(), 1e-300)).tolist(), strict=True))

    def files(self) -> dict[str, str]:
        """Texts by file name: what a bundle keeps."""
        learner = {"kind": self.kind, "boosters": len(self.texts), "offset": self.offset}
        return {"learner.json": _json(learner)} | {
            _booster_file(at): text for at, text in enumerate(self.texts)
        }

    def _mean(self, names: Sequence[str], matrix: np.ndarray, **what: Any) -> np.ndarray:
        # LightGBM predicts by position: columns are picked by the names it was trained with.
        matrix = matrix[:, [names.index(name) for name in self.boosters[0].feature_name()]]
        parts = [booster.predict(matrix, num_threads=1, **what) for booster in self.boosters]
        return sum(parts[1:], parts[0]) / len(parts)


class Additive:
    """A sum of one term per column: points, or a regression on ramps and steps.

    Parameters
    ----------
    spec
        JSON-ready: ``rung`` (what it is called), ``intercept`` and ``terms``. A term has
        ``column``, ``missing`` (its value where the column is unknown), ``mean`` (its mean over
        the training rows) and one shape:

        - ``knots``, ``heights``: straight lines between knots, level beyond both ends;
        - ``edges``, ``steps``: ``steps[i]`` in [edges[i - 1], edges[i]), one more step than edges;
        - ``codes``: the value of each category code, in the order of the column's levels.

        Several terms may read one column.
    """

    kind = ADDITIVE

    def __init__(self, spec: Mapping[str, Any]):
        self.spec = dict(spec)

    def raw(self, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
        """Raw scores (log-odds), shape (n,)."""
        total = np.full(len(matrix), float(self.spec["intercept"]))
        # Terms are added one by one: an order of summation that no array shape can change.
        for term in self.spec["terms"]:
            total += term_values(term, matrix[:, names.index(term["column"])])
        return total

    def contributions(self, names: Sequence[str], matrix: np.ndarray) -> dict[str, np.ndarray]:
        """What each column adds to the raw score of a mean training row, by name.

        In a sum these are the Shapley values (Lundberg & Lee 2017, independent columns); "" is
        the raw score of the mean row.
        """
        constant = self.spec["intercept"] + sum(term["mean"] for term in self.spec["terms"])
        parts: dict[str, np.ndarray] = {}
        for term in self.spec["terms"]:
            added = term_values(term, matrix[:, names.index(term["column"])]) - term["mean"]
            parts[term["column"]] = parts.get(term["column"], np.zeros(1)) + added
        return parts | {"": np.full(len(matrix), constant)}

    def importance(self) -> dict[str, float]:
        """Mean absolute contribution over the training rows, shares of 1."""
        size: dict[str, float] = {}
        for term in self.spec["terms"]:
            size[term["column"]] = size.get(term["column"], 0.0) + term["spread"]
        whole = max(sum(size.values()), 1e-300)
        return {name: value / whole for name, value in size.items()}

    def files(self) -> dict[str, str]:
        """Texts by file name: what a bundle keeps."""
        return {"learner.json": _json({"kind": self.kind, **self.spec})}


Learner = Boosted | Additive


def term_values(term: Mapping[str, Any], column: np.ndarray) -> np.ndarray:
    """One term of each row, float64, shape (n,).

    >>> step = {"edges": [3.0], "steps": [0.0, 2.0], "missing": -1.0}
    >>> term_values(step, np.array([2.9, 3.0, np.nan]))
    array([ 0.,  2., -1.])
    """
    known = ~np.isnan(column)
    values = np.full(len(column), float(term["missing"]))
    if "codes" in term:
        values[known] = np.array(term["codes"], float)[column[known].astype(np.int64)]
    elif "edges" in term:
        place = np.searchsorted(term["edges"], column[known], side="right")
        values[known] = np.array(term["steps"], float)[place]
    else:
        values[known] = np.interp(column[known], term["knots"], term["heights"])
    return values


def read_learner(folder: Path) -> Learner:
    """The learner of a bundle folder."""
    about = json.loads((folder / "learner.json").read_text(encoding="utf-8"))
    if about.pop("kind") == ADDITIVE:
        return Additive(about)
    texts = [(folder / _booster_file(at)).read_text("utf-8") for at in range(about["boosters"])]
    return Boosted(texts, about["offset"])


def _booster_file(at: int) -> str:
    return "booster.txt" if at == 0 else f"booster-{at + 1}.txt"


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
