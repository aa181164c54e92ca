"""Who was flagged and did not convert, who converted unflagged, and what sets them apart."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.clock import to_text
from models.judging.contrasts import Contrast, contrast

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.propensity import PropensityModel

MEANING = (
    "Of each account or user of the test rows one row: the highest probability it was given before "
    "it converted, or at all. Flagged is who was in a tier of `monitor.pql_tiers` by the stored "
    "cut-offs. False positives were flagged and did not convert within the horizon of any test "
    "row; false negatives converted and were not flagged on any row whose horizon holds the "
    "conversion. "
    "What sets them apart is asked against those with the nearest probabilities, one row of each: "
    "what is left is what it does not know. Nothing is chosen or fitted by these lists."
)


@dataclass(frozen=True)
class Mistake:
    """One entity that the model was wrong about, as it looked at `as_of`.

    Parameters
    ----------
    name
        What people call it; its id where it has no name.
    as_of
        ISO 8601, UTC.
    reasons, against
        What raised and what lowered its probability, strongest first, in words.
    """

    entity: str
    name: str
    as_of: str
    probability: float
    tier: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True)
class MistakesFound:
    """Both kinds of mistakes among the test rows."""

    false_positives: tuple[Mistake, ...]
    false_negatives: tuple[Mistake, ...]
    differences: tuple[Contrast, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def find_mistakes(
    model: "PropensityModel",
    rows: "Dataset",
    names: np.ndarray,
    pql_tiers: Collection[str],
    *,
    most: int = 10,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> MistakesFound:
    """False positives and negatives of mature rows, one row per entity, with reasons.

    Parameters
    ----------
    rows
        Rows that the model was not fitted on, such as the test rows; those that are not mature are
        left out.
    names
        object array of str, by entity code: what people call each.
    pql_tiers
        Tiers that flag.
    most
        So many of each are told: of false positives the most confident, of false negatives the
        least expected.
    """
    rows = rows.take(rows.mature)
    if not len(rows):
        return MistakesFound((), (), ())
    scores = model.predict(rows.matrix, rows.account, rows.domain)
    probability, tier = scores["probability"].to_numpy(), scores["tier"].to_numpy(object)
    flagged = np.isin(tier.astype(str), list(pql_tiers))
    shown = telling_rows(rows.entity, rows.label, probability)
    positive, negative = flagged & shown, ~flagged & shown
    converts = rows.label

    def told(which: np.ndarray, order: np.ndarray) -> tuple[Mistake, ...]:
        worst = np.flatnonzero(which)[np.argsort(order[which], kind="stable")][:most]
        return _in_words(model, rows, worst, probability, tier, names)

    wrongly = int((positive & ~converts).sum()), int((negative & converts).sum())
    rightly = int((positive & converts).sum()), int((negative & ~converts).sum())
    how = rows, probability, n_bootstrap, seed
    return MistakesFound(
        false_positives=told(positive & ~converts, -probability),
        false_negatives=told(negative & converts, probability),
        differences=(
            contrast("false positives", (wrongly[0], rightly[0]), flagged, *how),
            contrast("false negatives", (wrongly[1], rightly[1]), ~flagged, *how),
        ),
    )


def telling_rows(entity: np.ndarray, label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """bool, shape (n,): of each entity its most confident row, of converters among those that
    convert.

    Examples
    --------
    >>> telling_rows(np.array([1, 1, 2, 2]), np.array([False, True, False, False]),
    ...              np.array([0.9, 0.1, 0.2, 0.3]))
    array([False,  True, False,  True])
    """
    order = np.lexsort((-probability, ~label, entity))
    first = np.ones(len(order), bool)
    first[1:] = entity[order][1:] != entity[order][:-1]
    chosen = np.zeros(len(order), bool)
    chosen[order[first]] = True
    return chosen


def _in_words(
    model: "PropensityModel",
    rows: "Dataset",
    which: np.ndarray,
    probability: np.ndarray,
    tier: np.ndarray,
    names: np.ndarray,
) -> tuple[Mistake, ...]:
    if not len(which):
        return ()
    # Snapshots are taken in their own order, and put back into that of the mistakes.
    taken = np.sort(which)
    some = rows.take(taken)
    said = model.told(some.matrix, some.account, some.domain)
    place = {int(row): at for at, row in enumerate(taken)}
    return tuple(
        Mistake(
            entity=str(rows.matrix.snapshots.ids[row]),
            name=str(names[rows.entity[row]]),
            as_of=to_text(int(rows.as_of[row])),
            probability=float(probability[row]),
            tier=str(tier[row]),
            reasons=_texts(said["reasons"][place[int(row)]]),
            against=_texts(said["reasons_against"][place[int(row)]]),
        )
        for row in which
    )


def _texts(said: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(one) for one in said)
