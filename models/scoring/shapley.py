"""Exact Shapley values of LightGBM's trees: by leaf and pattern, not by row and path.

A leaf adds its value v to a row that satisfies all its conditions. For one feature j of its path
let o_j be 1 where the row satisfies the conditions on j, else 0, and z_j the share of the training
rows that does, among those that came so far. With the features S known the leaf is worth
v prod_{j in S} o_j prod_{j not in S} z_j (Lundberg et al. 2020, "path dependent" TreeSHAP), whose
Shapley values are the integral of its multilinear extension along the diagonal (Owen 1972):

    phi_i = v (o_i - z_i) int_0^1 prod_{j != i} (t o_j + (1 - t) z_j) dt

The integrand is a polynomial, so Gauss and Legendre's rule with half as many nodes as features is
exact. It depends on the row through the pattern (o_1, o_2, ...) alone: of a path of d features
there are at most 2^d, a row's is found by comparing each split once, and the rest is looking up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

_MOST_FEATURES = 30
"""Different features on one path; a pattern is one bit for each."""
_SMALL, _MOST_LISTED = 64, 16
_BLOCK = 4_096


class NotCoveredError(Exception):
    """The booster has something that these formulas are not made for."""


@dataclass(frozen=True)
class _Leaf:
    value: float
    features: tuple[int, ...]
    cover: tuple[float, ...]


@dataclass(frozen=True)
class _Split:
    """One comparison; `place` is its feature's bit in the pattern, `first` if no split above has
    the feature, and `levels` says of each category whether it goes left."""

    feature: int
    threshold: float
    levels: np.ndarray | None
    missing_left: bool
    place: int
    first: bool
    left: "_Split | _Leaf"
    right: "_Split | _Leaf"

    def goes_left(self, column: np.ndarray) -> np.ndarray:
        """As LightGBM decides, bool of shape (n,)."""
        if self.levels is not None:
            last = len(self.levels) - 1
            code = np.where(column >= 0, np.minimum(column, last), last)
            return self.levels[code.astype(np.intp)]
        left = column <= self.threshold
        return left | np.isnan(column) if self.missing_left else left


@dataclass
class TreeShapley:
    """Shapley values of all trees of one booster.

    Parameters
    ----------
    n_features
        Of the booster.
    constant
        What the booster says of a row of which nothing is known: the mean over training rows.
    """

    n_features: int
    constant: float = 0.0
    _roots: list[_Split] = field(default_factory=list)

    @classmethod
    def of(cls, booster: Any) -> "TreeShapley":
        """Read a `lightgbm.Booster`.

        Raises
        ------
        NotCoveredError
            When it has linear leaves, zeros that mean missing, averaged trees, a leaf that no
            training row reached, or a path of more than 30 different features.
        """
        model = booster.dump_model()
        if model.get("average_output"):
            raise NotCoveredError("averaged trees")
        found = cls(booster.num_feature())
        for tree in model["tree_info"]:
            root = tree["tree_structure"]
            node = _read(root, (), ())
            if isinstance(node, _Split):
                found._roots.append(node)
            found.constant += _mean(root, 1.0)
        return found

    def values(self, matrix: np.ndarray) -> np.ndarray:
        """What each feature adds to the raw score, shape (n_features, n).

        A row's values are the same to the last bit, alone and among others.

        Parameters
        ----------
        matrix
            float64, shape (n, n_features), NaN for missing; fastest in column order.
        """
        total = np.zeros((self.n_features, len(matrix)))
        for root in self._roots:
            _add_tree(root, matrix, total)
        return total


def _add_tree(root: _Split, matrix: np.ndarray, total: np.ndarray) -> None:
    """Look up each row's pattern at each leaf, and add what its features are worth there."""
    found = []
    by_length: dict[int, list[int]] = {}
    for at, (leaf, code) in enumerate(_codes(root, matrix)):
        found.append((leaf, *_distinct(code, len(leaf.features))))
        by_length.setdefault(len(leaf.features), []).append(at)
    worth: list[np.ndarray] = [np.empty(0)] * len(found)
    for places in by_length.values():
        parts = _worth([found[at][0] for at in places], [found[at][1] for at in places])
        for at, part in zip(places, parts, strict=True):
            worth[at] = part
    # Some rows at a time: they fit into a processor's cache beside what is looked up.
    for start in range(0, len(matrix), _BLOCK):
        block = slice(start, start + _BLOCK)
        for (leaf, _, row), part in zip(found, worth, strict=True):
            added = np.take(part, row[block], axis=1, mode="clip")
            for feature, values in zip(leaf.features, added, strict=True):
                total[feature, block] += values


def _distinct(code: np.ndarray, n_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Patterns in increasing order, all that occur among them, and each row's place there."""
    size = 1 << n_bits
    if size <= _SMALL:
        return np.arange(size), code.astype(np.intp)
    if n_bits > _MOST_LISTED or size > 16 * len(code):
        return np.unique(code, return_inverse=True)
    occurs = np.zeros(size, bool)
    occurs[code] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[code]


def _codes(root: _Split, matrix: np.ndarray) -> "list[tuple[_Leaf, np.ndarray]]":
    """Each leaf with the pattern of every row there: bit j is 1 where its conditions on j hold."""
    found: list[tuple[_Leaf, np.ndarray]] = []
    stack: list[tuple[_Split | _Leaf, np.ndarray]] = [(root, np.zeros(len(matrix), np.int32))]
    while stack:
        node, code = stack.pop()
        if isinstance(node, _Leaf):
            found.append((node, code))
            continue
        bit = np.int32(1 << node.place)
        left = node.goes_left(matrix[:, node.feature]) * bit
        right = left ^ bit
        if node.first:
            stack += [(node.right, code | right), (node.left, code | left)]
        else:
            stack += [(node.right, code & ~left), (node.left, code & ~right)]
    return found


def _worth(leaves: list[_Leaf], patterns: list[np.ndarray]) -> list[np.ndarray]:
    """What each feature of the paths is worth in each pattern; paths of one length.

    Returns
    -------
    list of float64 arrays of shape (length, n patterns), one for each leaf
    """
    sizes = [len(pattern) for pattern in patterns]
    code = np.concatenate(patterns)
    cover = np.repeat(np.array([leaf.cover for leaf in leaves]).T, sizes, axis=1)
    value = np.repeat([leaf.value for leaf in leaves], sizes)
    holds = (code >> np.arange(len(cover))[:, None]) & 1
    worth = np.zeros(cover.shape)
    for t, weight in _quadrature((len(cover) + 1) // 2):
        factor = (1 - t) * cover + t * holds
        whole = weight * value
        for row in factor:
            whole *= row
        worth += whole / factor
    worth *= holds - cover
    parts = np.split(worth, np.cumsum(sizes)[:-1], axis=1)
    return [np.ascontiguousarray(part) for part in parts]


@lru_cache(maxsize=_MOST_FEATURES)
def _quadrature(n: int) -> list[tuple[float, float]]:
    """Nodes in (0, 1) and weights of Gauss and Legendre's rule."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return list(zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))


def _read(
    node: Mapping[str, Any], features: tuple[int, ...], cover: tuple[float, ...]
) -> "_Split | _Leaf":
    """A node of LightGBM's dump, with all below."""
    if "split_feature" not in node:
        if "leaf_const" in node:
            raise NotCoveredError("linear leaves")
        if len(features) > _MOST_FEATURES:
            raise NotCoveredError(f"a path of {len(features)} features")
        return _Leaf(node["leaf_value"], features, cover)
    feature, categorical = int(node["split_feature"]), node["decision_type"] == "=="
    first = feature not in features
    place = len(features) if first else features.index(feature)
    features = (*features, feature) if first else features
    sides = []
    for child in (node["left_child"], node["right_child"]):
        share = _count(child) / _count(node)
        if not share > 0:
            raise NotCoveredError("a leaf that no training row reached")
        path = list(cover) if not first else [*cover, 1.0]
        path[place] *= share
        sides.append(_read(child, features, tuple(path)))
    levels, threshold = None, 0.0
    if categorical:
        chosen = [int(level) for level in str(node["threshold"]).split("||")]
        levels = np.zeros(max(chosen) + 2, bool)
        levels[chosen] = True
    else:
        threshold = float(node["threshold"])
        if node["missing_type"] == "Zero":
            raise NotCoveredError("zeros that mean missing")
    # Without a missing type LightGBM takes a missing value for 0.
    if node["missing_type"] == "NaN":
        missing_left = bool(node["default_left"])
    else:
        missing_left = threshold >= 0
    return _Split(feature, threshold, levels, missing_left, place, first, *sides)


def _mean(node: Mapping[str, Any], share: float) -> float:
    if "split_feature" not in node:
        return share * float(node["leaf_value"])
    children = (node["left_child"], node["right_child"])
    return sum(_mean(child, share * _count(child) / _count(node)) for child in children)


def _count(node: Mapping[str, Any]) -> int:
    return int(node["internal_count" if "split_feature" in node else "leaf_count"])
