"""Some entities against the others: how surely the outcome lies among the first."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.judging.curves import wilson

_Z = 1.959963984540054
_MOST_CUTS = 32


@dataclass(frozen=True)
class Split:
    """Entities inside and outside of some values, and how many of each convert."""

    words: str
    hits: int
    n_inside: int
    misses: int
    n_outside: int

    @property
    def precision_low(self) -> float:
        """Lower end of the 95 % interval of the share inside that converts."""
        return wilson(self.hits, self.n_inside)[0] if self.n_inside else 0.0

    @property
    def odds_low(self) -> float:
        """Lower end of the 95 % interval of the odds ratio.

        Woolf's interval of the logarithm, with a half added to every cell (Haldane 1956; Anscombe
        1956), so that an empty cell gives a wide interval, not an infinite ratio.

        >>> round(Split("", 10, 20, 10, 20).odds_low, 2)
        0.3
        """
        cells = np.array(
            [
                self.hits,
                self.n_inside - self.hits,
                self.misses,
                self.n_outside - self.misses,
            ],
            float,
        )
        a, b, c, d = cells + 0.5
        return float(np.exp(np.log(a * d / (b * c)) - _Z * np.sqrt((1 / (cells + 0.5)).sum())))


def split_of(inside: np.ndarray, outcome: np.ndarray, words: str) -> Split:
    """Count; `inside` and `outcome` are bool of shape (n,)."""
    hits, converted = int((inside & outcome).sum()), int(outcome.sum())
    n = int(inside.sum())
    return Split(words, hits, n, converted - hits, len(outcome) - n)


def best_split(
    value: np.ndarray,
    known: np.ndarray,
    outcome: np.ndarray,
    kind: Literal["number", "category"],
    least: int,
) -> Split | None:
    """The values that hold converters most surely, by the odds ratio; None where there are none.

    Categories are added from the highest rate down, numbers are cut at quantiles, from either side.

    Parameters
    ----------
    least
        Entities that a category, and either side of a split, must have.
    """
    tried = (
        _of_categories(value, known, outcome, least)
        if kind == "category"
        else _of_numbers(value, known, outcome)
    )
    fair = [split for split in tried if min(split.n_inside, split.n_outside) >= least]
    return max(fair, key=lambda split: split.odds_low, default=None)


def _of_categories(
    value: np.ndarray, known: np.ndarray, outcome: np.ndarray, least: int
) -> list[Split]:
    text = np.array(
        [
            str(one) if have and one is not None else ""
            for one, have in zip(value, known, strict=True)
        ]
    )
    names, code = np.unique(text, return_inverse=True)
    count, hits = np.bincount(code), np.bincount(code, outcome)
    common = [at for at in range(len(names)) if names[at] and count[at] >= least]
    ordered = sorted(common, key=lambda at: (-hits[at] / count[at], at))
    return [
        split_of(
            np.isin(code, ordered[:n]),
            outcome,
            "it is " + " or ".join(repr(str(names[at])) for at in ordered[:n][:3])
            + (f" or {n - 3} more" if n > 3 else ""),
        )
        for n in range(1, len(ordered) + 1)
    ]  # fmt: skip


def _of_numbers(value: np.ndarray, known: np.ndarray, outcome: np.ndarray) -> list[Split]:
    number = np.where(known, value, np.nan).astype(float)
    some = number[~np.isnan(number)]
    if not len(some):
        return []
    cuts = np.unique(np.quantile(some, np.linspace(0, 1, _MOST_CUTS)))
    above = [split_of(number >= cut, outcome, f"it is {cut:g} or more") for cut in cuts]
    return above + [split_of(number <= cut, outcome, f"it is {cut:g} or less") for cut in cuts]
