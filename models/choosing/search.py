"""Trials of booster settings over walk-forward folds: proposed, pruned, repeatable one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.choosing.walk_forward import Part
from models.learners.booster import LEAF_SHARE, BoosterSpec

if TYPE_CHECKING:
    import optuna

SPACE: dict[str, tuple[type, float, float, bool]] = {
    "learning_rate": (float, 0.02, 0.2, True),
    "num_leaves": (int, 3, 64, True),
    "leaf_share": (float, 0.0005, 0.02, True),
    "feature_fraction": (float, 0.2, 1.0, False),
    "bagging_fraction": (float, 0.5, 1.0, False),
    "lambda_l1": (float, 0.0, 30.0, False),
    "lambda_l2": (float, 0.01, 300.0, True),
    "min_gain_to_split": (float, 0.0, 1.0, False),
    "max_bin": (int, 31, 255, True),
}
"""Type, both ends (included), whether the scale is logarithmic. Leaves are sized by a share of the
rows, because folds are shorter than what the winner is trained on. Rounds are no parameter: early
stopping finds them within the rows fitted on."""

_UNPRUNED = 5
_LEAST_LAMBDA = 1e-6


@dataclass(frozen=True)
class Trial:
    """One set of parameters tried.

    Parameters
    ----------
    losses
        Mean held-out log loss of each fold, oldest first; fewer than folds when it was pruned.
    value
        Mean over the held-out rows of all folds; None when it was pruned.
    seconds
        What it took.
    """

    number: int
    params: dict[str, Any]
    losses: tuple[float, ...]
    value: float | None
    seconds: float

    @classmethod
    def of(cls, finished: "optuna.trial.FrozenTrial") -> "Trial":
        """From Optuna's own record."""
        pruned = finished.state.name == "PRUNED"
        return cls(
            finished.number,
            dict(finished.params),
            tuple(finished.user_attrs["losses"]),
            None if pruned else finished.value,
            finished.duration.total_seconds() if finished.duration else 0.0,
        )


def search(
    parts: Sequence[Part],
    default: BoosterSpec,
    record: "optuna.Study",
    *,
    most: int | None,
    expired: Callable[[], bool],
    seed: int,
    threads: int,
    on_trial: Callable[[Trial], None],
) -> tuple[Trial, ...]:
    """Try settings until there are `most` trials, or without `most` until time is up.

    Trial 0 is the default and is always done. TPE (Bergstra et al. 2011) proposes, the median
    rule (Golovin et al. 2017) prunes between folds. What is proposed depends on the trials before
    and on a seed of the trial's number, so a search that goes on is the one that never stopped.

    Parameters
    ----------
    parts
        One per fold, oldest first.
    record
        Holds the finished trials and is given each new one as a whole. An interrupted trial was
        never in it, so it is tried again under its own number.
    on_trial
        Called with each new trial.

    Returns
    -------
    tuple of Trial
        The first `most` of the record: a longer search in the past does not change what a
        shorter one finds.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED)
    study = optuna.create_study(pruner=pruner)
    done = record.get_trials(deepcopy=False)[:most]
    study.add_trials(done)
    trials = [Trial.of(one) for one in done]
    while not trials or (len(trials) < most if most is not None else not expired()):
        number = len(trials)
        # Not seed + number: neighbouring seeds would share all but one proposal.
        own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=own_seed)
        if number == 0:
            study.enqueue_trial(_params_of(default, len(parts[-1].label)))
        _try(study, parts, default, trials[:1], seed, threads)
        finished = study.get_trials(deepcopy=False)[-1]
        record.add_trial(finished)
        trials.append(Trial.of(finished))
        on_trial(trials[-1])
    return tuple(trials)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The lowest mean loss among trials that were not pruned, the first of equals."""
    values = [np.inf if trial.value is None else trial.value for trial in trials]
    return trials[int(np.argmin(values))]


def spec_of(params: dict[str, Any], default: BoosterSpec, rows: int) -> BoosterSpec:
    """Booster settings for a fit on so many rows; what the space does not name stays as it is.

    >>> found = spec_of({"num_leaves": 8, "leaf_share": 0.01}, BoosterSpec(), 3_000)
    >>> found.num_leaves, found.min_child_samples, found.max_rounds
    (8, 30, 500)
    """
    named = {name: value for name, value in params.items() if name != "leaf_share"}
    smallest = max(1, round(params["leaf_share"] * rows))
    return default.model_copy(update={**named, "min_child_samples": smallest})


def _try(
    study: "optuna.Study",
    parts: Sequence[Part],
    default: BoosterSpec,
    trial_zero: Sequence[Trial],
    seed: int,
    threads: int,
) -> None:
    """One trial, told to the study as complete or pruned."""
    import optuna

    trial = study.ask()
    params = _suggest(trial, default, len(parts[-1].label))
    rows = [len(part.held_label) for part in parts]
    losses: list[float] = []
    for step, part in enumerate(parts):
        # The default's leaf size need not be a share of the rows: trial 0 takes it as it is.
        spec = spec_of(params, default, len(part.label)) if trial_zero else default
        losses.append(float(part.losses(spec, seed=seed + step, threads=threads).mean()))
        trial.set_user_attr("losses", losses)
        # Folds differ in difficulty and the rule takes the best value of all steps so far, so it
        # is told the lead over trial 0 on the same rows.
        same = trial_zero[0].losses if trial_zero else losses
        gaps = np.subtract(losses, same[: step + 1])
        trial.report(float(np.average(gaps, weights=rows[: step + 1])), step)
        if step + 1 < len(parts) and trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    study.tell(trial, float(np.average(losses, weights=rows)))


def _suggest(trial: "optuna.Trial", default: BoosterSpec, rows: int) -> dict[str, Any]:
    """Parameters of one trial; ranges reach out to a default that lies beyond them."""
    start = _params_of(default, rows)
    params: dict[str, Any] = {}
    for name, (kind, least, most, log) in SPACE.items():
        low, high = kind(min(least, start[name])), kind(max(most, start[name]))
        suggest = trial.suggest_int if kind is int else trial.suggest_float
        params[name] = suggest(name, low, high, log=log)
    return params


def _params_of(default: BoosterSpec, rows: int) -> dict[str, Any]:
    """The default as a point of the space."""
    smallest = default.min_child_samples
    share = LEAF_SHARE if smallest is None else min(1.0, smallest / rows)
    plain = {name: getattr(default, name) for name in SPACE if name != "leaf_share"}
    # A logarithmic scale has no zero.
    plain["lambda_l2"] = max(plain["lambda_l2"], _LEAST_LAMBDA)
    return plain | {"leaf_share": share}
