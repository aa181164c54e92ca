"""How much model the conversions allow: scorecard, points, regression or trees, by evidence."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import NotEnoughHistory
from models.choosing.walk_forward import paired_gain, shifted_log_loss, walk_forward
from models.learners.rungs import ModelSpec, fit_learner, learner_inputs, regression_of
from models.scorecard.rules import Rule

if TYPE_CHECKING:
    from models.dataset import Customers, Dataset

log = logging.getLogger(__name__)

RUNGS = ("scorecard", "points", "logistic", "booster")
"""From simple to flexible."""

JUDGED_BELOW = 2_000
"""Converting accounts from which on trees are taken without asking."""
LEAST_CONVERTING = 20
_FOLDS = 3
_LEAST_PER_FOLD = 5
_Z = 1.959963984540054
_POWER = 0.8416212335729143
"""The normal deviate of 80 %."""


@dataclass(frozen=True)
class Rung:
    """What held-out rows say of one rung.

    Parameters
    ----------
    log_loss
        Mean over the held-out rows, each fold shifted to its own base rate.
    behind, error
        Mean paired log loss behind the best rung, and its standard error over accounts.
    """

    name: str
    log_loss: float
    behind: float
    error: float


@dataclass(frozen=True)
class Ladder:
    """The rung that was chosen, what was seen, and what that allows to say."""

    chosen: str
    rungs: tuple[Rung, ...]
    converting: int
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def climb(
    rows: "Dataset",
    customers: "Customers",
    spec: ModelSpec,
    rules: Sequence[Rule],
    *,
    horizon_days: int,
    seed: int,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Ladder:
    """Choose a rung on rows before the test.

    Every rung is fitted on the past and judged on the rows that follow, over three walk-forward
    folds with a purge of one horizon. The simplest rung whose mean log loss is within one standard
    error of the best is taken (Breiman et al. 1984, section 3.4.3); the error is that of the
    paired difference, clustered by account. In these fits one booster stands for the average of
    several, which is a little unkind to trees.

    Parameters
    ----------
    rows
        Mature rows, none of the test fold.
    """
    converting = len(np.unique(rows.cluster[rows.label]))
    if spec.learner != "auto":
        return Ladder(spec.learner, (), converting, f"The settings ask for the {spec.learner}.")
    if converting >= JUDGED_BELOW:
        return Ladder("booster", (), converting, f"{converting:,} converting accounts: trees.")
    folds = walk_forward(
        rows.as_of, rows.label, rows.cluster, horizon_days, _FOLDS, _LEAST_PER_FOLD
    )
    if converting < LEAST_CONVERTING or not folds:
        return _too_few(rows, rules, converting)
    one = _quicker(spec)
    losses: dict[str, list[np.ndarray]] = {name: [] for name in RUNGS}
    for done, (past, later) in enumerate(folds):
        if progress is not None:
            progress(done, len(folds))
        judged = _fold_losses(
            rows.take(past), rows.take(later), customers, one, rules, horizon_days, seed, threads
        )
        for name, loss in judged.items():
            losses[name].append(loss)
    if progress is not None:
        progress(len(folds), len(folds))
    cluster = np.concatenate([rows.cluster[later] for _, later in folds])
    whole = {
        name: np.concatenate(parts) for name, parts in losses.items() if len(parts) == len(folds)
    }
    return _choose(whole, cluster, converting)


def _quicker(spec: ModelSpec) -> ModelSpec:
    """One booster, and plain distances: no second choice within the choice."""
    return spec.model_copy(
        update={
            "booster": spec.booster.model_copy(update={"seeds": 1}),
            "similarity": spec.similarity.with_weights("uniform"),
        }
    )


def _fold_losses(
    past: "Dataset",
    later: "Dataset",
    customers: "Customers",
    spec: ModelSpec,
    rules: Sequence[Rule],
    horizon_days: int,
    seed: int,
    threads: int,
) -> dict[str, np.ndarray]:
    """Log loss of each later row by rung; rungs that can't be fitted are left out."""
    inputs = learner_inputs(past, customers, spec, horizon_days=horizon_days, seed=seed)
    matrix = inputs.of(later)
    losses = {}
    regression = regression_of(inputs, past, spec, rules, seed)
    for name in RUNGS:
        rung = spec.model_copy(update={"learner": name})
        try:
            learner = fit_learner(
                inputs,
                past,
                rung,
                rules,
                horizon_days=horizon_days,
                seed=seed,
                threads=threads,
                regression=regression,
            )
        except NotEnoughHistory:
            continue
        losses[name] = shifted_log_loss(learner.raw(inputs.names, matrix), later.label)
    return losses


def _choose(losses: dict[str, np.ndarray], cluster: np.ndarray, converting: int) -> Ladder:
    best = min(losses, key=lambda name: losses[name].mean())
    rungs = []
    for name, loss in losses.items():
        behind, error = paired_gain(loss, losses[best], cluster)
        rungs.append(Rung(name, float(loss.mean()), behind, error))
    chosen = next(rung for rung in rungs if rung.behind <= rung.error)
    log.info("Ladder: %s of %s", chosen.name, ", ".join(losses))
    are = "are" if chosen.name == "points" else "is"
    if chosen.name == best:
        told = f"The {best} {are} the best by held-out log loss"
    else:
        told = f"The {chosen.name} {are} within one standard error of the best, the {best}"
    verdict = f"{told} ({converting:,} converting accounts before the test)."
    first = rungs[0]
    if chosen.name == "scorecard" and first.behind > 0:
        needed = conversions_to_show(first.behind, first.error, converting)
        verdict += (
            f" To show a gain like that seen, in four of five such cases, about {needed:,} are "
            "needed."
        )
    return Ladder(chosen.name, tuple(rungs), converting, verdict)


def _too_few(rows: "Dataset", rules: Sequence[Rule], converting: int) -> Ladder:
    """Nothing can be compared: the scorecard, where it can read anything."""
    names = {feature.name for feature in rows.matrix.features}
    usable = any(rule.feature in names for rule in rules)
    chosen = "scorecard" if usable else "logistic"
    half = auc_half_width(0.75, converting, len(rows) - int(rows.label.sum()))
    why = "" if usable else " None of its rules has data, so a regression stands in."
    return Ladder(
        chosen,
        (),
        converting,
        f"{converting} converting accounts before the test are too few to learn from: with so many "
        f"a ROC-AUC of 0.75 is known to within {half:.2f} either way. The scorecard scores; from "
        f"{LEAST_CONVERTING} on, and {_LEAST_PER_FOLD} in each of the later periods, models are "
        f"compared with it.{why}",
    )


def conversions_to_show(gain: float, error: float, converting: int) -> int:
    """Converting accounts at which a gain of this size would be shown four times in five.

    That is, would pass 1.96 standard errors with a power of 80 %; the error falls with the square
    root of their number.

    >>> conversions_to_show(gain=0.01, error=0.01, converting=50)
    393
    """
    return int(np.ceil(converting * ((_Z + _POWER) * error / gain) ** 2))


def auc_half_width(auc: float, n_positive: int, n_negative: int) -> float:
    """Half of the 95 % interval of a ROC-AUC (Hanley & McNeil 1982, exponential model).

    >>> round(auc_half_width(0.75, 20, 2_000), 2), round(auc_half_width(0.75, 500, 50_000), 2)
    (0.12, 0.02)
    """
    n, m = max(n_positive, 1), max(n_negative, 1)
    both, square = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (n - 1) * (both - auc * auc) + (m - 1) * (square - auc * auc)
    return float(_Z * np.sqrt(spread / (n * m)))
