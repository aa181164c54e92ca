"""Tuning the booster: how long to search, and whether what was found is used."""

import hashlib
import importlib.metadata
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from features.errors import NotEnoughHistory, SettingsError
from features.spec import Spec
from models.choosing.search import SPACE, Trial, best_of, spec_of
from models.choosing.walk_forward import (
    LEAST_TO_FIT,
    Part,
    Preparation,
    paired_gain,
    sample_accounts,
    shifted_log_loss,
    walk_forward,
)
from models.learners.booster import BoosterSpec

if TYPE_CHECKING:
    from models.dataset import Dataset

log = logging.getLogger(__name__)

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_JUDGE_SEEDS = 3
_LIBRARIES = ("lightgbm", "numpy", "optuna")


@dataclass(frozen=True)
class Budget:
    """How long to search: a number of trials, or seconds; the other is None."""

    trials: int | None
    seconds: int | None


def read_budget(text: int | str) -> Budget:
    """A number of trials, or a time in seconds, minutes or hours.

    Raises
    ------
    SettingsError
        When it is neither.

    >>> read_budget("40"), read_budget("10m")
    (Budget(trials=40, seconds=None), Budget(trials=None, seconds=600))
    """
    found = re.fullmatch(r"([1-9][0-9]*)([smh]?)", str(text))
    if found is None:
        raise SettingsError(
            f"The tuning budget {text!r} is neither a number of trials nor a time, from 1 on; "
            "write 40, '90s', '10m' or '2h'."
        )
    amount, unit = int(found[1]), found[2]
    return Budget(None, amount * _SECONDS[unit]) if unit else Budget(amount, None)


class TuningSpec(Spec):
    """The ``tuning:`` block: the search for booster settings before a training.

    Folds lie inside the train rows; the calibrate rows judge.
    """

    budget: int | str | None = None
    """Trials (``40``) or time (``90s``, ``10m``, ``2h``) to search before every training; none: no
    search. ``train --tune`` overrides it."""
    folds: int = Field(default=3, ge=1, le=10)
    """Walk-forward folds inside the train rows."""
    min_positives: int = Field(default=10, ge=1)
    """Accounts that convert where a fold is judged; where they are fewer there are fewer folds."""
    max_rows: int = Field(default=100_000, ge=1_000)
    """Beyond it the search runs on as many accounts as fit, drawn at random."""

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: int | str | None) -> int | str | None:
        if value is not None:
            read_budget(value)
        return value


@dataclass(frozen=True)
class Judged:
    """The best trial on rows that no trial has seen.

    Parameters
    ----------
    standing_loss
        Log loss of what stands without the search.
    gain, error
        That minus the best trial's log loss, and its standard error over accounts and seeds.
    """

    standing_loss: float
    gain: float
    error: float


@dataclass(frozen=True)
class Tuning:
    """What a search found, and whether it is used.

    Parameters
    ----------
    trials
        All of them, trial 0 being the default settings.
    default, found
        Settings of trial 0 and of the best trial, for the train rows.
    judged
        None when no trial was better than the default in the folds.
    standing
        The rung that is taken without the search.
    """

    trials: tuple[Trial, ...]
    default: BoosterSpec
    found: BoosterSpec
    judged: Judged | None
    standing: str = "booster"

    @property
    def best(self) -> Trial:
        """The trial with the lowest loss in the folds."""
        return best_of(self.trials)

    @property
    def kept(self) -> bool:
        """Whether it gains more than a standard error on rows that no trial has seen."""
        return self.judged is not None and self.judged.gain > self.judged.error

    @property
    def spec(self) -> BoosterSpec:
        """The settings to train trees with."""
        return self.found if self.kept else self.default

    @property
    def rung(self) -> str:
        """The rung to train."""
        return "booster" if self.kept else self.standing

    @property
    def verdict(self) -> str:
        """One sentence."""
        best, judged, n = self.best, self.judged, len(self.trials)
        tried = f"{n} trial{'' if n == 1 else 's'}"
        rival = "default" if self.standing == "booster" else self.standing
        if judged is None:
            return (
                f"In the folds none of {tried} is better than the default settings, which are the "
                "first."
            )
        told = (
            f"log loss in the folds {best.value:.5f} against {self.trials[0].value:.5f} of the "
            f"default, on later rows {judged.standing_loss - judged.gain:.5f} against "
            f"{judged.standing_loss:.5f} of the {rival}, a gain of {judged.gain:+.5f} with a "
            f"standard error of {judged.error:.5f}"
        )
        if self.kept:
            return f"Trial {best.number} of {tried} is kept ({told})."
        return f"Trial {best.number} of {tried} is not kept, the {rival} stays ({told})."

    def leaders(self, most: int) -> list[Trial]:
        """The best trials of all folds, best first, the first of equals first."""
        whole = [trial for trial in self.trials if trial.value is not None]
        return sorted(whole, key=lambda trial: (trial.value, trial.number))[:most]

    def describe(self) -> list[dict[str, Any]]:
        """One row per trial: number, value, losses and parameters; equal for equal searches."""
        rows = [asdict(trial) for trial in self.trials]
        return [
            {key: row[key] for key in ("number", "value", "losses")} | row["params"] for row in rows
        ]


def tuning_parts(prepared: Preparation, train: "Dataset", spec: TuningSpec) -> list[Part]:
    """The folds to search on, encoded, oldest first.

    Raises
    ------
    NotEnoughHistory
        When the train rows have too few conversions for a single fold.
    """
    rows = sample_accounts(train, spec.max_rows, prepared.seed)
    folds = walk_forward(
        rows.as_of, rows.label, rows.cluster, prepared.horizon_days, spec.folds, spec.min_positives
    )
    if not folds:
        raise NotEnoughHistory(
            f"{int(rows.label.sum())} of {len(rows)} train rows convert: too few to tune on. A "
            f"fold is fitted on {LEAST_TO_FIT} of them and judged on {spec.min_positives} at "
            f"least {prepared.horizon_days} days later. Train without tuning."
        )
    return [prepared.part(rows.take(earlier), rows.take(later)) for earlier, later in folds]


def judge_tuning(
    trials: Sequence[Trial],
    prepared: Preparation,
    train: "Dataset",
    calibrate: "Dataset",
    standing: str = "booster",
) -> Tuning:
    """Compare the best trial with what stands without it, on rows that no trial has seen.

    Trees are fitted on the train rows with three seeds, whose losses on the calibrate rows are
    averaged: two boosters differ by luck, and luck is not what is chosen here. What is left of it
    is in the error.

    Parameters
    ----------
    standing
        The rung that the ladder chose: "booster" is the default settings.
    """
    default, best = prepared.spec.booster, best_of(trials)
    if best.number == 0:
        return Tuning(tuple(trials), default, default, None, standing)
    found = spec_of(best.params, default, len(train))
    part = prepared.part(train, calibrate)
    seeds = [prepared.seed + at for at in range(_JUDGE_SEEDS)]

    def trees(spec: BoosterSpec) -> np.ndarray:
        return np.array([part.losses(spec, seed=one, threads=prepared.threads) for one in seeds])

    after = trees(found)
    if standing == "booster":
        before = trees(default)
    else:
        loss = shifted_log_loss(prepared.scores(standing, train, calibrate), calibrate.label)
        before = np.broadcast_to(loss, after.shape)
    gain, error = paired_gain(before.mean(axis=0), after.mean(axis=0), part.held_cluster)
    luck = float(np.std((before - after).mean(axis=1), ddof=1) / np.sqrt(_JUDGE_SEEDS))
    judged = Judged(float(before.mean()), gain, float(np.hypot(error, luck)))
    tuning = Tuning(tuple(trials), default, found, judged, standing)
    log.info("Tuning: %s", tuning.verdict)
    return tuning


def study_key(prepared: Preparation, train: "Dataset", spec: TuningSpec) -> str:
    """sha256 of all that decides what a trial gives: rows, settings, seed, space, versions.

    The budget and the threads are no part of it: more of either continues a search.
    """
    settings = [
        prepared.spec.similarity.model_dump_json(),
        prepared.spec.columns.model_dump_json(),
        prepared.spec.booster.model_dump_json(),
        str(prepared.spec.scorecard_counts_for),
        *(rule.model_dump_json() for rule in prepared.rules),
        spec.model_dump_json(exclude={"budget"}),
        str((prepared.horizon_days, prepared.seed, SPACE)),
        *(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES),
    ]
    customers = prepared.customers
    rows = [
        train.matrix.fingerprint().encode(),
        customers.matrix.fingerprint().encode(),
        train.label.tobytes(),
        customers.known_at.tobytes(),
        *(str(list(of.account) + list(of.domain)).encode() for of in (train, customers)),
    ]
    digest = hashlib.sha256()
    for piece in [*(text.encode() for text in settings), *rows]:
        digest.update(hashlib.sha256(piece).digest())
    return digest.hexdigest()
