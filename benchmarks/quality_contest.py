"""One fold of the quality benchmark: every contender on the same rows, sharing what it can."""

from collections.abc import Callable
from typing import Any

import numpy as np

from features.errors import NotEnoughHistory
from models.base_rate import down_sampling_offset
from models.calibration import fit_calibration
from models.choosing.ladder import climb
from models.choosing.search import search
from models.choosing.tuning import Tuning, judge_tuning, tuning_parts
from models.choosing.walk_forward import Preparation
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender
from models.learners.inputs import Inputs
from models.learners.rungs import (
    ModelSpec,
    columns_for,
    fit_learner,
    learner_inputs,
    regression_of,
)
from models.presence import age_days, recent_events
from models.scorecard import Scorecard
from models.scoring import Learner, calibrate
from models.splits import FOLDS, Split
from pipeline.settings import Settings


class Contest:
    """One fold: all contenders on the same rows, sharing what they have in common."""

    def __init__(
        self, settings: Settings, dataset: Dataset, customers: Customers, split: Split, trials: int
    ):
        parts = [dataset.take(getattr(split, part)) for part in FOLDS]
        self.train, self.calibrate, self.test = parts
        self.before_test = dataset.take(split.train | split.calibrate)
        self.customers = customers.known_before(int(self.test.as_of.min()))
        self.trials, self.settings, self.rules = trials, settings, settings.scorecard.rules
        spec = settings.model
        self.spec = spec.without_views().model_copy(
            update={"similarity": spec.similarity.with_weights("uniform")}
        )
        self.how: dict[str, Any] = {
            "horizon_days": settings.horizon_days,
            "seed": settings.seed,
            "threads": 1,
        }

    def run(self) -> tuple[dict[str, Contender], dict[str, Any]]:
        """Contenders by name, and what the ladder and the search said."""
        pool = self.spec.model_copy(update={"learner": "booster"})
        found = {"scorecard": self._scorecard()} | self._single_numbers()
        inputs = self._inputs(pool)
        contender = self._judging(inputs)
        seed = self.settings.seed
        shared: dict[str, Any] = {
            "regression": regression_of(inputs, self.train, pool, self.rules, seed),
            "choice": columns_for(inputs, self.train, pool, seed=seed, threads=1),
        }
        learners: dict[str, Learner] = {}
        for rung in ("points", "logistic"):
            learners[rung] = self._fit(inputs, pool.model_copy(update={"learner": rung}), **shared)
        whole = self._fit(inputs, pool, **shared)
        offset = down_sampling_offset(pool.booster.negative_share)
        learners["trees alone"] = Learner("booster", whole.texts, 1.0, offset=offset)
        learners["pool"] = whole
        tuning, told = self._tune(pool)
        default = pool.booster
        tuned = (tuning.spec, tuning.found) if tuning else (default, default)
        for name, booster in zip(("tuned", "tuned, unchecked"), tuned, strict=True):
            other = pool.model_copy(update={"booster": booster})
            same = booster == default
            learners[name] = whole if same else self._fit(inputs, other, **shared)
        found |= {name: contender(learner) for name, learner in learners.items()}
        off = pool.similarity.model_copy(update={"enabled": False})
        without = pool.model_copy(update={"similarity": off})
        bare = self._inputs(without)
        found["pool without similarity"] = self._judging(bare)(self._fit(bare, without))
        ladder = climb(self.before_test, self.customers, self.spec, self.rules, **self.how)
        found["ladder"] = found["pool" if ladder.chosen == "booster" else ladder.chosen]
        about = {
            "ladder": ladder.chosen,
            "converting_to_learn_from": ladder.converting,
            "tuned_kept": tuning is not None and tuning.kept,
            "tuning": told,
            "similarity": inputs.space is not None,
            "train_rows": len(self.train),
            "train_positives": int(self.train.label.sum()),
            "test_rows": len(self.test),
            "test_positives": int(self.test.label.sum()),
        }
        return found, about

    def _inputs(self, spec: ModelSpec) -> Inputs:
        how = {"horizon_days": self.settings.horizon_days, "seed": self.settings.seed}
        return learner_inputs(self.train, self.customers, spec, **how)

    def _fit(self, inputs: Inputs, spec: ModelSpec, **shared: Any) -> Learner:
        return fit_learner(inputs, self.train, spec, self.rules, **self.how, **shared)

    def _judging(self, inputs: Inputs) -> Callable[[Learner], Contender]:
        """From a learner to its scores of the test rows, calibrated on the rows in between."""
        between, later = inputs.of(self.calibrate), inputs.of(self.test)

        def contender(learner: Learner) -> Contender:
            raw = learner.raw(inputs.names, later)
            return Contender(raw, self._probability(learner.raw(inputs.names, between), raw))

        return contender

    def _probability(self, between: np.ndarray, later: np.ndarray) -> np.ndarray:
        rows = self.calibrate
        mapping = fit_calibration(
            between,
            rows.label,
            rows.cluster,
            self.spec.calibration,
            self.settings.seed,
            as_of=rows.as_of,
            horizon_days=self.settings.horizon_days,
        )
        return calibrate(mapping, later)

    def _scorecard(self) -> Contender:
        card = Scorecard(self.settings.scorecard)
        fitted = card.fit(
            self.calibrate,
            self.spec.calibration,
            horizon_days=self.settings.horizon_days,
            seed=self.settings.seed,
        )
        points = fitted.score(self.test.matrix).points
        return Contender(points.astype(float), fitted.probability(points))

    def _single_numbers(self) -> dict[str, Contender]:
        """What a person would sort by without any model."""
        ages = [
            age_days(rows, (self.train, self.calibrate, self.test)).values
            for rows in (self.calibrate, self.test)
        ]
        active = [recent_events(rows) for rows in (self.calibrate, self.test)]
        pairs = {"newest first": [-age for age in ages]}
        counted = [one.values for one in active if one is not None]
        if len(counted) == len(active):
            pairs["most active first"] = counted
        return {
            name: Contender(later, self._probability(np.arcsinh(between), np.arcsinh(later)))
            for name, (between, later) in pairs.items()
        }

    def _tune(self, spec: ModelSpec) -> tuple[Tuning | None, str]:
        """What a search in memory finds, and what it says; None where conversions are too few."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        prepared = Preparation(self.customers, spec, **self.how, rules=self.rules)
        try:
            parts = tuning_parts(prepared, self.train, self.settings.tuning)
        except NotEnoughHistory as error:
            return None, str(error)
        trials = search(
            parts,
            spec.booster,
            optuna.create_study(),
            most=self.trials,
            expired=lambda: False,
            seed=self.settings.seed,
            threads=1,
            on_trial=lambda _: None,
        )
        tuning = judge_tuning(trials, prepared, self.train, self.calibrate)
        return tuning, tuning.verdict
