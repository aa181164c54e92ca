"""What similarity to customers is worth: the model with it, without it, or with a null of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from models.customers.similarity import SimilaritySpec
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender, evaluate, pr_auc_difference
from models.judging.evaluation import MIN_CONVERTING
from models.propensity import PropensityModel

if TYPE_CHECKING:
    import pandas as pd

Refit = Callable[[Customers, SimilaritySpec], PropensityModel]
"""Fits the model as it was fitted, but with other customers or another similarity."""

WITH, WITHOUT, SHUFFLED = "with", "without", "shuffled customers"


def ablation(
    refit: Refit,
    model: PropensityModel,
    train: Dataset,
    test: Dataset,
    customers: Customers,
    spec: SimilaritySpec,
    *,
    capacity: int,
    n_bootstrap: int = 200,
) -> "pd.DataFrame":
    """The model as it is, without similarity, and with shuffled customers, on the same test rows.

    Rows as in `models.judging.bootstrap.evaluate`; differences are "with" minus the other, paired
    and over accounts, so an interval that holds 0 is "no gain". All else is equal: seeds, and the
    weights of the distances, which were chosen once.

    Parameters
    ----------
    refit
        From customers and a `SimilaritySpec` to a model, everything else as in `model`.
    train
        The rows that `model` was fitted on.
    spec
        The similarity of `model`.
    capacity
        Rows that sales can work per as_of.
    """
    if model.scorer.space is not None:
        spec = spec.model_copy(update={"weights": str(model.scorer.space["weights"])})
    off = spec.model_copy(update={"enabled": False})
    fitted = {
        WITH: model,
        WITHOUT: refit(customers, off),
        SHUFFLED: refit(shuffled_customers(train, customers, model.training.seed), spec),
    }
    contenders = {}
    for name, one in fitted.items():
        scores = one.predict(test.matrix, test.account, test.domain)
        contenders[name] = Contender(
            scores["raw_score"].to_numpy(), scores["probability"].to_numpy()
        )
    return evaluate(
        test.label,
        contenders,
        test.cluster,
        test.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=model.training.seed,
    )


def similarity_verdict(table: "pd.DataFrame", converting: int) -> str:
    """Whether comparing with customers helps, from the table of `ablation`.

    Parameters
    ----------
    converting
        Accounts that convert on the test rows.
    """
    low, high, evidence = pr_auc_difference(table, WITHOUT)
    if low == high == 0:
        return "Similarity to customers plays no part: what was fitted does not read it."
    if converting < MIN_CONVERTING:
        return f"Too few conversions to say what similarity to customers is worth ({evidence})."
    if low > 0:
        return f"Similarity to customers helps ({evidence})."
    if high < 0:
        return f"Similarity to customers hurts: switch it off ({evidence})."
    return f"No gain from similarity to customers is shown ({evidence})."


def shuffled_customers(train: Dataset, customers: Customers, seed: int) -> Customers:
    """As many random training rows in the customers' place: the null of the ablation.

    Each stands in from the same moment on as the customer it replaces, and is a row from before
    that moment, so that nothing but "was a customer" is lost. Customers older than every row
    are left out.
    """
    order = np.argsort(train.as_of, kind="stable")
    available = np.searchsorted(train.as_of[order], customers.known_at, side="right")
    replaced = np.flatnonzero(available)
    draw = np.random.default_rng(seed).random(len(replaced))
    chosen = order[(draw * available[replaced]).astype(int)]
    unique, place = np.unique(chosen, return_inverse=True)
    first = np.full(len(unique), np.iinfo(np.int64).max)
    np.minimum.at(first, place, customers.known_at[replaced])
    rows = train.take(unique)
    return Customers(rows.matrix, first, rows.account, rows.domain, rows.matrix.snapshots.ids)
