"""What every learner reads: encoded columns and similarities, learnt from training rows once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models import scoring
from models.customers.similarity import SimilaritySpec, Space, fit_space
from models.learners.encoding import fit_columns, values_of

if TYPE_CHECKING:
    from models.dataset import Customers, Dataset


@dataclass(frozen=True)
class Inputs:
    """Columns and similarity space, and the training rows in them.

    Parameters
    ----------
    columns
        As `models.learners.encoding.fit_columns` describes them.
    space
        None without similarity.
    names
        Of the columns and the similarities, in order.
    matrix
        The training rows, float64, shape (n, n_names), NaN for missing; categories are codes.
    """

    columns: list[dict]
    space: Space | None
    names: list[str]
    matrix: np.ndarray

    @property
    def categories(self) -> set[str]:
        """Names of the columns that are categories."""
        return {column["name"] for column in self.columns if column["dtype"] == "category"}

    def of(self, rows: "Dataset") -> np.ndarray:
        """Other rows in the same columns, shape (n_rows, n_names)."""
        values = values_of(rows.matrix, rows.account, rows.domain)
        return scoring.assemble(self.columns, _similarity(self.space), values)[1]


def fit_inputs(
    train: "Dataset",
    customers: "Customers",
    similarity: SimilaritySpec,
    *,
    min_level_rows: int,
    horizon_days: int,
    seed: int,
) -> Inputs:
    """Learn columns and similarity from `train`.

    Parameters
    ----------
    min_level_rows
        Categories on fewer training rows share one code.
    """
    columns = fit_columns(train.matrix, min_level_rows)
    values = values_of(train.matrix, train.account, train.domain)
    space = fit_space(
        train,
        scoring.encode(columns, values),
        customers,
        scoring.encode(columns, values_of(customers.matrix)),
        columns,
        similarity,
        horizon_days=horizon_days,
        seed=seed,
    )
    return Inputs(columns, space, *scoring.assemble(columns, _similarity(space), values))


def _similarity(space: Space | None) -> scoring.Similarity | None:
    return None if space is None else scoring.Similarity(space)
