"""Rows to learn from, and the customers they are compared with: row i is snapshot i."""

from dataclasses import dataclass

import numpy as np

from features.errors import SchemaMismatch, few
from features.matrix import FeatureMatrix


@dataclass(frozen=True)
class Dataset:
    """Labelled snapshots.

    Parameters
    ----------
    label
        bool, shape (n,): the entity converts in [as_of, as_of + horizon). False, and never read,
        where the label is not mature.
    mature
        bool, shape (n,): the whole horizon lies inside the data.
    account
        object array of str or None, shape (n,): *id* of the row's account, at account level the
        entity's own. Not a code: codes are given anew by every import, and a model outlives one.
    domain
        object array of str or None, shape (n,): e-mail domain, None for free mail.

    Raises
    ------
    SchemaMismatch
        When lengths differ, or accounts or domains are not text.
    """

    matrix: FeatureMatrix
    label: np.ndarray
    mature: np.ndarray
    account: np.ndarray
    domain: np.ndarray

    def __post_init__(self) -> None:
        _check_lengths(self, ("label", "mature", "account", "domain"))
        _check_text(self, ("account", "domain"))

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def as_of(self) -> np.ndarray:
        return self.matrix.snapshots.as_of

    @property
    def entity(self) -> np.ndarray:
        return self.matrix.snapshots.entity

    @property
    def cluster(self) -> np.ndarray:
        """int64, shape (n,): rows of one account, or of one entity without one, hang together.

        Colleagues share what happens to their account, so intervals resample accounts.
        """
        own = self.matrix.snapshots.ids
        keys = [
            ("entity", i) if a is None else ("", a) for a, i in zip(self.account, own, strict=True)
        ]
        known = {key: place for place, key in enumerate(sorted(set(keys)))}
        return np.array([known[key] for key in keys], np.int64)

    def take(self, rows: np.ndarray) -> "Dataset":
        """The rows of an increasing index or a boolean mask."""
        return Dataset(
            self.matrix.take(rows),
            self.label[rows],
            self.mature[rows],
            self.account[rows],
            self.domain[rows],
        )


@dataclass(frozen=True)
class Customers:
    """Converted entities, each as it looked just before it converted.

    Parameters
    ----------
    matrix
        ``snapshots.as_of`` is the conversion's occurred_at, so that features end just before it.
    known_at
        int64, shape (m,): when the conversion was known. A customer exists for a row if
        known_at < the row's as_of.
    account, domain
        As in `Dataset`.
    names
        object array of str, shape (m,): what to call the customer in "looks like ...".

    Raises
    ------
    SchemaMismatch
        When lengths differ, or accounts, domains or names are not text.
    """

    matrix: FeatureMatrix
    known_at: np.ndarray
    account: np.ndarray
    domain: np.ndarray
    names: np.ndarray

    def __post_init__(self) -> None:
        _check_lengths(self, ("known_at", "account", "domain", "names"))
        _check_text(self, ("account", "domain", "names"))

    def __len__(self) -> int:
        return len(self.matrix)

    def take(self, rows: np.ndarray) -> "Customers":
        """The rows of an increasing index or a boolean mask."""
        return Customers(
            self.matrix.take(rows),
            self.known_at[rows],
            self.account[rows],
            self.domain[rows],
            self.names[rows],
        )

    def known_before(self, instant: int) -> "Customers":
        """Those with known_at < instant, microseconds UTC."""
        return self.take(self.known_at < instant)


def _check_lengths(rows: Dataset | Customers, names: tuple[str, ...]) -> None:
    lengths = {name: len(getattr(rows, name)) for name in names}
    wrong = [f"{name} {length}" for name, length in lengths.items() if length != len(rows)]
    if wrong:
        raise SchemaMismatch(f"{len(rows)} snapshots, but these have other lengths: {few(wrong)}.")


def _check_text(rows: Dataset | Customers, names: tuple[str, ...]) -> None:
    for name in names:
        wrong = [v for v in getattr(rows, name) if v is not None and not isinstance(v, str)]
        if wrong:
            raise SchemaMismatch(
                f"{name!r} must hold ids as text or None, {len(wrong)} rows do not: {few(wrong)}. "
                "Codes change with every import; look the ids up."
            )
