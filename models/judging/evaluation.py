"""Model against scorecard on the test fold."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.dataset import Dataset
from models.judging.bootstrap import Contender, evaluate
from models.judging.curves import ReliabilityRow, gain_curve, reliability, reliability_by
from models.metrics import pr_auc
from models.propensity import PropensityModel
from models.scorecard import Scorecard
from models.scoring import TIERS

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_PERMUTATIONS = 20
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
    verdict
        One sentence.
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
    verdict: str


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
        verdict=verdict(table, converting),
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
    low, high, evidence = _pr_auc_difference(table, "scorecard")
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


def _pr_auc_difference(table: "pd.DataFrame", contender: str) -> tuple[float, float, str]:
    row = table[(table["metric"] == "pr_auc") & (table["contender"] == contender)].iloc[0]
    low, high = row["difference_low"], row["difference_high"]
    told = f"PR-AUC difference {row['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}"
    return low, high, told


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
