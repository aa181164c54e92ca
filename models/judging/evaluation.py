"""Model against scorecard on the test fold."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.dataset import Dataset
from models.judging.bootstrap import Contender, evaluate, pr_auc_difference
from models.judging.curves import (
    PerfectError,
    ReliabilityRow,
    calibration_error_if_perfect,
    gain_curve,
    reliability,
    reliability_by,
)
from models.metrics import pr_auc
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.scoring import TIERS

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_PERMUTATIONS = 20
_ADDS_UP, _SURELY = 0.1, 1 / 3
MIN_CONVERTING = 30
"""With fewer, a percentile bootstrap finds differences where there are none."""


@dataclass(frozen=True)
class Evaluation:
    """What the test fold says.

    Parameters
    ----------
    table
        As `models.judging.bootstrap.evaluate` returns it; differences are model - scorecard.
    converting
        Accounts (or entities without one) that convert: what the intervals rest on.
    base_rate
        Share of test rows that convert: the PR-AUC of a useless score.
    permuted_pr_auc
        Mean PR-AUC of the model when labels are permuted within each as_of: what knowing the
        date alone is worth.
    reliability, gain, tiers
        By contender: `models.judging.curves` rows; `tiers` has the reliability of each tier.
    if_perfect
        The calibration error that the model's probabilities would show if all were true.
    verdict, calibration
        One sentence each: on model and scorecard, and on what was expected and came.
    """

    rows: int
    positives: int
    entities: int
    converting: int
    base_rate: float
    permuted_pr_auc: float
    table: "pd.DataFrame"
    reliability: dict[str, list[ReliabilityRow]]
    gain: dict[str, np.ndarray]
    tiers: dict[str, list[ReliabilityRow]]
    if_perfect: PerfectError
    verdict: str
    calibration: str

    def _repr_html_(self) -> str:
        """What notebooks show: the verdict, all metrics with their intervals, definitions."""
        from models.judging.evaluation_html import evaluation_html

        return evaluation_html(self)


def judge(
    model: PropensityModel,
    scorecard: Scorecard,
    test: Dataset,
    *,
    capacity: int,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Measure the model and a fitted scorecard on the same mature rows.

    Parameters
    ----------
    capacity
        Rows that sales can work per as_of.
    """
    converting = len(np.unique(test.cluster[test.label]))
    scores = model.predict(test.matrix, test.account, test.domain)
    card = scorecard.score(test.matrix)
    contenders = {
        "model": Contender(scores["raw_score"].to_numpy(), scores["probability"].to_numpy()),
        "scorecard": Contender(card.points.astype(float), scorecard.probability(card.points)),
    }
    tier = {"model": scores["tier"].to_numpy(object), "scorecard": card.tier}
    table = evaluate(
        test.label,
        contenders,
        test.cluster,
        test.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    evaluation = Evaluation(
        rows=len(test),
        positives=int(test.label.sum()),
        entities=len(np.unique(test.entity)),
        base_rate=float(test.label.mean()),
        permuted_pr_auc=_permuted(test, contenders["model"].score, seed),
        table=table,
        reliability={
            name: reliability(test.label, who.probability, cluster=test.cluster)
            for name, who in contenders.items()
        },
        gain={name: gain_curve(test.label, who.score) for name, who in contenders.items()},
        tiers={
            name: reliability_by(test.label, who.probability, tier[name], TIERS, test.cluster)
            for name, who in contenders.items()
        },
        converting=converting,
        if_perfect=calibration_error_if_perfect(
            contenders["model"].probability,
            test.entity,
            test.as_of,
            horizon_days=model.training.horizon_days,
            seed=seed,
        ),
        verdict=verdict(table, converting),
        calibration=calibration_verdict(table, float(test.label.mean()), converting),
    )
    log.info(
        "Evaluation: %d rows, %d conversions: %s",
        len(test),
        evaluation.positives,
        evaluation.verdict,
    )
    return evaluation


def verdict(table: "pd.DataFrame", converting: int) -> str:
    """Who is better by PR-AUC, if the 95 % interval of the paired difference leaves out 0.

    The interval is over accounts, with the fitted model as it is: another seed of the booster is
    another model, and what it would have given is not in it.
    """
    low, high, evidence = pr_auc_difference(table, "scorecard")
    if converting < MIN_CONVERTING:
        return (
            f"Too few conversions to compare: {converting} converting entities on the test rows, "
            f"{MIN_CONVERTING} needed ({evidence})."
        )
    if low > 0:
        return f"The model is better than the scorecard ({evidence})."
    if high < 0:
        return f"The scorecard is better than the model: use the scorecard ({evidence})."
    return f"No difference between model and scorecard is shown ({evidence})."


def calibration_verdict(table: "pd.DataFrame", base_rate: float, converting: int) -> str:
    """Whether the model's probabilities add up to what came, from the same table.

    From `MIN_CONVERTING` converting entities on: they are said to be off if the 95 % interval of
    mean probability minus base rate leaves out 0, and to add up if they lie within a tenth of the
    base rate, and the whole interval within a third.
    """
    rows = table[(table["metric"] == "calibration_in_the_large") & (table["contender"] == "model")]
    gap, low, high = (float(rows.iloc[0][name]) for name in ("value", "low", "high"))
    seen = (
        f"{100 * (base_rate + gap):.1f} % expected, {100 * base_rate:.1f} % came; 95 % interval of "
        f"the gap {_signed(low)} to {_signed(high)} points"
    )
    if converting < MIN_CONVERTING:
        return f"Too few conversions to tell whether the probabilities add up ({seen})."
    if low > 0 or high < 0:
        way = "high" if low > 0 else "low"
        return f"The probabilities are too {way} ({seen}); `recalibrate` moves them."
    if abs(gap) > _ADDS_UP * base_rate or max(-low, high) > _SURELY * base_rate:
        return f"No gap between the probabilities and what came is shown ({seen})."
    return f"The probabilities add up ({seen})."


def _signed(share: float) -> str:
    """
    >>> _signed(-0.0001), _signed(0.0042)
    ('+0.0', '+0.4')
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def _permuted(test: Dataset, score: np.ndarray, seed: int) -> float:
    rng = np.random.default_rng(seed)
    by_date = np.argsort(test.as_of, kind="stable")
    values = []
    for _ in range(_PERMUTATIONS):
        mixed = np.lexsort((rng.random(len(test)), test.as_of))
        label = np.empty(len(test), bool)
        label[by_date] = test.label[mixed]
        values.append(pr_auc(label, score))
    return float(np.mean(values))
