"""What a headline is worth: the same metrics for scores that know nothing, or nearly nothing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.calibration import CalibrationSpec, fit_calibration
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender, evaluate, signed
from models.judging.evaluation import MIN_CONVERTING
from models.presence import age_days, recent_events
from models.propensity import PropensityModel
from models.scoring import calibrate as to_probability

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

Fit = Callable[[Dataset, Dataset, Customers], PropensityModel]
"""Fits the model's kind of learner on the given train and calibrate rows and customers.

One kind, not a choice of several, and without a scorecard's rules: what is known before any label
was seen would survive the permutation of labels.
"""

MODEL = "model"
"""What the model is called in the table of `beside_nulls`."""


@dataclass(frozen=True)
class Null:
    """A score to be beaten, and how it was made, in one phrase."""

    name: str
    how: str
    contender: Contender


def nulls(
    fit: Fit,
    model: PropensityModel,
    train: Dataset,
    calibrate: Dataset,
    test: Dataset,
    customers: Customers,
    spec: CalibrationSpec,
    *,
    permutations: int = 1,
) -> tuple[Null, ...]:
    """The nulls of the test rows.

    - *permuted labels*: the whole model, calibration included, fitted on labels permuted within
      each as_of. Fitted `permutations` times, for one says little about the next; 0 for a model
      that learns nothing, such as given points.
    - *scrambled features*: the model, shown another row's features of the same as_of.
    - *newest first* and *most active first*: one obvious number, mapped to a probability on the
      calibrate rows. Most active first is left out where no feature counts events.

    Parameters
    ----------
    model
        The fitted model; its seed is used.
    spec
        How the two single numbers are calibrated.

    Raises
    ------
    NotEnoughHistory
        When the rows are too few to fit or calibrate on.
    """
    rng = np.random.default_rng([model.training.seed, 1])
    found = []
    for number in range(1, permutations + 1):
        log.info("Nulls: fitting on permuted labels, %d of %d", number, permutations)
        blind = fit(
            with_permuted_labels(train, rng), with_permuted_labels(calibrate, rng), customers
        )
        name = "permuted labels" if permutations == 1 else f"permuted labels {number}"
        how = (
            "the model fitted and calibrated on labels permuted within each date; it claims about "
            "one probability for all, but leans on activity or away from it by chance, so "
            "permutations differ by more than the range"
        )
        found.append(Null(name, how, contender_of(blind, test)))
    how = "the fitted model on features of another row of the same date"
    found.append(Null("scrambled features", how, _scrambled(contender_of(model, test), test, rng)))
    ages = [age_days(rows, (train, calibrate, test)) for rows in (calibrate, test)]
    newest = single_number(
        -ages[0].values,
        -ages[1].values,
        calibrate,
        spec,
        horizon_days=model.training.horizon_days,
        seed=model.training.seed,
    )
    found.append(Null("newest first", ages[1].source, newest))
    before, events = recent_events(calibrate), recent_events(test)
    if before is not None and events is not None:
        active = single_number(
            before.values,
            events.values,
            calibrate,
            spec,
            horizon_days=model.training.horizon_days,
            seed=model.training.seed,
        )
        found.append(Null("most active first", events.source, active))
    return tuple(found)


def contender_of(model: PropensityModel, rows: Dataset) -> Contender:
    """The model's raw scores and probabilities of the rows."""
    scores = model.predict(rows.matrix, rows.account, rows.domain)
    return Contender(scores["raw_score"].to_numpy(), scores["probability"].to_numpy())


def with_permuted_labels(rows: Dataset, rng: np.random.Generator) -> Dataset:
    """The rows with labels exchanged among those of one as_of: each date keeps its base rate."""
    return replace(rows, label=rows.label[mixed_within(rows.as_of, rng)])


def mixed_within(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Index of a random row of the same group for each row, every row once; int64, shape (n,).

    >>> at = mixed_within(np.array([5, 3, 5, 3, 3]), np.random.default_rng(0))
    >>> sorted(at.tolist()), np.array([5, 3, 5, 3, 3])[at].tolist()
    ([0, 1, 2, 3, 4], [5, 3, 5, 3, 3])
    """
    index = np.empty(len(group), np.int64)
    index[np.argsort(group, kind="stable")] = np.lexsort((rng.random(len(group)), group))
    return index


def beside_nulls(
    who: Contender,
    others: tuple[Null, ...],
    test: Dataset,
    *,
    capacity: int,
    n_bootstrap: int,
    seed: int,
) -> "pd.DataFrame":
    """The model and its nulls on the same rows, as `models.judging.bootstrap.evaluate` returns it.

    Differences are paired: model minus null.
    """
    contenders = {MODEL: who} | {null.name: null.contender for null in others}
    return evaluate(
        test.label,
        contenders,
        test.cluster,
        test.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def nearest_null(table: "pd.DataFrame", converting: int) -> str:
    """Which null comes nearest by PR-AUC, and whether the model is shown to be above it.

    Parameters
    ----------
    table
        Of `beside_nulls`.
    converting
        Accounts, or entities without one, that convert on the test rows.
    """
    rows = table[(table["metric"] == "pr_auc") & (table["contender"] != MODEL)]
    nearest = rows.sort_values("value", ascending=False, kind="stable").iloc[0]
    own = table[(table["metric"] == "pr_auc") & (table["contender"] == MODEL)].iloc[0]
    told = (
        f"PR-AUC {nearest['value']:.3f} against the model's {own['value']:.3f}, difference "
        f"{signed(nearest['difference'])}, 95 % interval {signed(nearest['difference_low'])} to "
        f"{signed(nearest['difference_high'])}"
    )
    name, ahead = nearest["contender"], nearest["difference"] < 0
    if converting < MIN_CONVERTING:
        place = "ranks better on these rows" if ahead else "comes nearest"
        return (
            f"Too few conversions to tell the model from its nulls; {name!r} {place} ({told})."
            + (
                f" Until {MIN_CONVERTING} accounts convert in a test, take the list as a trial."
                if ahead
                else ""
            )
        )
    if nearest["difference_high"] < 0:
        return f"The null {name!r} is better than the model: sort by it ({told})."
    if nearest["difference_low"] > 0:
        return f"The null that comes nearest is {name!r}; the model is above it ({told})."
    return f"The model is not shown to be above the null {name!r} ({told})."


def _scrambled(who: Contender, test: Dataset, rng: np.random.Generator) -> Contender:
    # A row's score depends on that row and its date alone: exchanging feature rows within a date
    # exchanges the scores.
    at = mixed_within(test.as_of, rng)
    return Contender(who.score[at], who.probability[at])


def single_number(
    before: np.ndarray,
    values: np.ndarray,
    calibrate: Dataset,
    spec: CalibrationSpec,
    *,
    horizon_days: int,
    seed: int,
) -> Contender:
    """One number as a score, mapped as the model's was; its logarithm is about as wide.

    Parameters
    ----------
    before, values
        Of the calibrate rows, and of the rows to score.
    """
    mapping = fit_calibration(
        _log(before),
        calibrate.label,
        calibrate.cluster,
        spec,
        seed,
        as_of=calibrate.as_of,
        horizon_days=horizon_days,
    )
    return Contender(values, to_probability(mapping, _log(values)))


def _log(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values))
