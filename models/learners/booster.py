"""LightGBM with fixed seeds and threads, its length chosen on a later part of the training rows."""

import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.errors import NotEnoughHistory, SettingsError, few
from features.spec import Spec

if TYPE_CHECKING:
    import lightgbm as lgb

log = logging.getLogger(__name__)

_LATER_SHARE = 0.25
LEAF_SHARE = 0.006
"""Of the training rows, in a leaf at least; never fewer than 20 rows nor more than 500."""
LEAST_POSITIVES = 10


class BoosterSpec(Spec):
    """Gradient boosting, with defaults for 50 to 5,000 conversions: small steps, small trees."""

    weight: float = Field(default=0.5, gt=0, le=1)
    """Of the trees in the mean of log-odds with the regression; 1 means trees alone."""
    seeds: int = Field(default=3, ge=1, le=50)
    """Boosters that differ in nothing but the seed; their raw scores are averaged."""
    negative_share: float = Field(default=1.0, gt=0, le=1)
    """Share of negative rows that trees are grown on; scores are corrected for those left out."""
    max_rounds: int = Field(default=500, ge=1)
    """At most so many trees."""
    patience_rounds: int = Field(default=30, ge=1)
    """Stop when so many trees brought nothing on the rows held back."""
    fallback_rounds: int = Field(default=100, ge=1)
    """Rounds when the training rows are too few to hold some back."""
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    """LightGBM's own: what each tree may move."""
    num_leaves: int = Field(default=6, ge=2)
    """LightGBM's own: leaves of a tree."""
    min_child_samples: int | None = Field(default=None, ge=1)
    """Rows per leaf; none: 0.6 % of the training rows, in [20, 500]."""
    feature_fraction: float = Field(default=0.7, gt=0, le=1)
    """LightGBM's own: share of the columns each tree may use."""
    bagging_fraction: float = Field(default=0.8, gt=0, le=1)
    """LightGBM's own: share of the rows each tree is grown on."""
    lambda_l1: float = Field(default=5.0, ge=0)
    """LightGBM's own: L1 penalty of leaves."""
    lambda_l2: float = Field(default=50.0, ge=0)
    """LightGBM's own: L2 penalty of leaves."""
    min_gain_to_split: float = Field(default=0.0, ge=0)
    """LightGBM's own: a split that brings less is not made."""
    max_bin: int = Field(default=63, ge=2)
    """LightGBM's own: bins of a number."""
    min_level_rows: int = Field(default=30, ge=1)
    """Categories on fewer training rows share one code."""
    monotone: dict[str, Literal[1, -1]] = Field(default_factory=dict)
    """Features by name that may only raise (1) or only lower (-1) the score; the regression obeys
    it too."""


def fit_boosters(
    matrix: np.ndarray,
    names: Sequence[str],
    categories: Collection[str],
    label: np.ndarray,
    as_of: np.ndarray,
    spec: BoosterSpec,
    *,
    horizon_days: int,
    seed: int,
    threads: int,
) -> list[str]:
    """Train `spec.seeds` boosters on mature rows; each is returned as LightGBM text.

    The number of rounds is chosen once, for all of them. Negatives left out by
    ``negative_share`` are drawn once; add `models.base_rate.down_sampling_offset` to the scores.

    Parameters
    ----------
    matrix
        float64, shape (n, n_columns), NaN for missing.
    names
        Of the columns, in order.
    categories
        Those of them that are categories: codes from 0.

    Raises
    ------
    NotEnoughHistory
        When fewer than 10 rows convert or fail to, or no column varies.
    SettingsError
        When `monotone` names a category or an unknown column.
    """
    import lightgbm as lgb

    columns = [(name, name in categories) for name in names]
    _check_monotone(spec, columns)
    positives = int(label.sum())
    if min(positives, len(label) - positives) < LEAST_POSITIVES:
        raise NotEnoughHistory(
            f"{positives} of {len(label)} training rows convert; a model needs at least "
            f"{LEAST_POSITIVES} that do and {LEAST_POSITIVES} that do not. Bring a longer "
            "history or a longer horizon_days, or use the scorecard."
        )
    if spec.negative_share < 1:
        kept = label | (np.random.default_rng(seed).random(len(label)) < spec.negative_share)
        matrix, label, as_of = matrix[kept], label[kept], as_of[kept]
    varies = [at for at in range(len(columns)) if _varies(matrix[:, at])]
    if not varies:
        raise NotEnoughHistory(f"None of the {len(columns)} features varies in training.")
    matrix, columns = matrix[:, varies], [columns[at] for at in varies]
    params = _params(spec, columns, len(label), seed, threads)
    rounds = _rounds(matrix, columns, label, as_of, params, spec, horizon_days)
    log.info("Booster: %d rounds, %d columns, %d rows", rounds, len(columns), len(label))
    data = _binned(matrix, columns, label, params)
    several = [params | _seeds(seed + at) for at in range(spec.seeds)]
    return [lgb.train(one, data, num_boost_round=rounds).model_to_string() for one in several]


def fit_booster(
    matrix: np.ndarray,
    names: Sequence[str],
    categories: Collection[str],
    label: np.ndarray,
    as_of: np.ndarray,
    spec: BoosterSpec,
    *,
    horizon_days: int,
    seed: int,
    threads: int,
) -> str:
    """One booster, whatever `spec.seeds` says; otherwise as `fit_boosters`."""
    one = spec.model_copy(update={"seeds": 1})
    return fit_boosters(
        matrix,
        names,
        categories,
        label,
        as_of,
        one,
        horizon_days=horizon_days,
        seed=seed,
        threads=threads,
    )[0]


def _varies(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    return len(known) > 0 and (len(known) < len(column) or bool((known != known[0]).any()))


def _check_monotone(spec: BoosterSpec, columns: Sequence[tuple[str, bool]]) -> None:
    """LightGBM aborts the whole process on a constrained category, so this is not left to it."""
    numbers = [name for name, is_category in columns if not is_category]
    wrong = [name for name in spec.monotone if name not in numbers]
    if wrong:
        raise SettingsError(
            f"model.booster.monotone names {len(wrong)} columns that are not number features: "
            f"{few(wrong)}. Remove them; categories can't be monotone."
        )


def _params(
    spec: BoosterSpec, columns: Sequence[tuple[str, bool]], n: int, seed: int, threads: int
) -> dict:
    smallest = spec.min_child_samples or int(np.clip(round(LEAF_SHARE * n), 20, 500))
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.num_leaves,
        "min_child_samples": smallest,
        "feature_fraction": spec.feature_fraction,
        "bagging_fraction": spec.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l1": spec.lambda_l1,
        "lambda_l2": spec.lambda_l2,
        "min_gain_to_split": spec.min_gain_to_split,
        "max_bin": spec.max_bin,
        "monotone_constraints": [spec.monotone.get(name, 0) for name, _ in columns],
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        # Of the binning, which all seeds share.
        "data_random_seed": seed,
        "verbosity": -1,
    } | _seeds(seed)


def _seeds(seed: int) -> dict[str, int]:
    return {"seed": seed, "bagging_seed": seed, "feature_fraction_seed": seed}


def _rounds(
    matrix: np.ndarray,
    columns: Sequence[tuple[str, bool]],
    label: np.ndarray,
    as_of: np.ndarray,
    params: dict,
    spec: BoosterSpec,
    horizon_days: int,
) -> int:
    """Rounds at which the log loss of the later rows is lowest, the earlier ones purged."""
    import lightgbm as lgb

    begin = _later_part(label, as_of)
    later, earlier = as_of >= begin, as_of + horizon_days * DAY_US <= begin
    enough = [
        min(label[rows].sum(), (~label[rows]).sum()) >= LEAST_POSITIVES for rows in (earlier, later)
    ]
    if not all(enough):
        return min(spec.fallback_rounds, spec.max_rounds)
    data = _binned(matrix[earlier], columns, label[earlier], params)
    fitted = lgb.train(
        params,
        data,
        num_boost_round=spec.max_rounds,
        valid_sets=[data.create_valid(matrix[later], label[later].astype(np.float64))],
        callbacks=[lgb.early_stopping(spec.patience_rounds, verbose=False)],
    )
    return max(1, fitted.best_iteration)


def _later_part(label: np.ndarray, as_of: np.ndarray) -> int:
    """The as_of from which on about a quarter of the conversions lie."""
    times = np.unique(as_of)
    at_time = np.bincount(np.searchsorted(times, as_of), label, len(times))
    from_here_on = np.cumsum(at_time[::-1])[::-1] / label.sum()
    return int(times[np.argmin(np.abs(from_here_on - _LATER_SHARE))])


def _binned(
    matrix: np.ndarray, columns: Sequence[tuple[str, bool]], label: np.ndarray, params: dict
) -> "lgb.Dataset":
    import lightgbm as lgb

    return lgb.Dataset(
        matrix,
        label.astype(np.float64),
        feature_name=[name for name, _ in columns],
        categorical_feature=[at for at, (_, is_category) in enumerate(columns) if is_category],
        params=params,
        free_raw_data=False,
    )
