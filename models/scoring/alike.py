"""Which customers a row looks like, how far they are, and what both have in common."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .facts import limit_of, tell
from .language import Language

_UNUSUAL = 0.6
"""Training rank from which a value is worth naming: what most rows share is no likeness."""
_NEAR = 0.15


class LookAlike(NamedTuple):
    """A customer as it looked just before it bought.

    Parameters
    ----------
    distance
        Weighted root mean squared gap of training ranks, in [0, 1].
    shared
        Facts of the row, in words, in which both stand out alike: most telling first.
    told
        These and the distance: what a table says beside a name.
    """

    name: str
    distance: float
    shared: tuple[str, ...]
    told: str


def look_alikes(
    space: Mapping[str, np.ndarray],
    names: list[str],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    ranks: np.ndarray,
    nearest: tuple[np.ndarray, np.ndarray],
    most: int,
    language: Language,
) -> list[list[LookAlike]]:
    """Name the nearest customers of each row, and at most `most` facts that each shares with it.

    Both stand out in a fact when their training ranks in a column are at least 0.6, and alike when
    these are within 0.15. The columns that weigh most in a distance come first; of columns that
    tell the same fact, the first.

    Parameters
    ----------
    names
        Of the columns that the dimensions of the space count.
    wording
        As `models.scoring.reasons.strongest` takes it.
    ranks
        Of the rows, of `to_ranks`, shape (n, n_dims).
    nearest
        Distances and positions of customers, shape (n, k), nearest first, of `Reference.nearest`.
    """
    scale = space["scale"]
    columns = [names[at] for at in space["dims"]]
    own = ranks / scale
    found = []
    for row, (distances, places) in enumerate(zip(*nearest, strict=True)):
        alike = []
        for distance, place in zip(distances.tolist(), places.tolist(), strict=True):
            if place < 0:
                continue
            theirs = space["customer_points"][place] / scale
            both = np.minimum(own[row], theirs)
            near = (both >= _UNUSUAL) & (np.abs(own[row] - theirs) <= _NEAR)
            telling = np.where(near, scale**2 * (both - _UNUSUAL), -1.0)
            shared = _facts(np.argsort(-telling, kind="stable")[: near.sum()], columns, wording,
                            values, row, most, language)  # fmt: skip
            name, told = str(space["customer_names"][place]), _told(shared, distance, language)
            alike.append(LookAlike(name, distance, shared, told))
        found.append(alike)
    return found


def _facts(
    dims: np.ndarray,
    columns: list[str],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    row: int,
    most: int,
    language: Language,
) -> tuple[str, ...]:
    told: dict[int, str] = {}
    for dim in dims:
        if len(told) == most:
            break
        name = columns[dim]
        if name in wording and wording[name]["fact"] not in told:
            phrase = wording[name]["phrase"]
            limit = limit_of(phrase, values, row)
            told[wording[name]["fact"]] = tell(phrase, float(values[name][row]), language, limit)
    return tuple(told.values())


def _told(shared: tuple[str, ...], distance: float, language: Language) -> str:
    how_far = language.say("reasons.distance", n=language.number(f"{distance:.2f}"))
    if not shared:
        return how_far
    facts = shared[0]
    for fact in shared[1:]:
        facts = language.say("reasons.and", first=facts, second=fact)
    return language.say("reasons.shared", facts=facts, distance=how_far)
