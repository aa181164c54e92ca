"""Points learnt from rows: what each rule is worth, never against its own direction."""

from typing import TYPE_CHECKING

import numpy as np

from features.errors import NotEnoughHistory, SettingsError
from models.scorecard.card import Scorecard, readable
from models.scorecard.evidence import Evidence, line_of
from models.scorecard.points_found import RuleFit, ScorecardFit, accounts_convert
from models.scorecard.signed import MOST_POINTS, kept_thresholds, whole_points
from models.scorecard.spec import ScorecardSpec, Thresholds
from models.scoring import sigmoid

if TYPE_CHECKING:
    import pandas as pd

    from models.dataset import Dataset

LEAST_CONVERTING = 20
"""Converting accounts below which points are not learnt: they would be those of a few."""
_SCALE = 20.0
"""Points per unit of what is mapped to probabilities; any would do."""
_NOTHING = 1e-6
"""Sum of weights, in log-odds, below which nothing was learnt."""
_LEAST_PER_RULE = 15.0
"""Points per rule that rounding to fives needs to say anything, where the old ones had fewer."""
_INTERVAL = (2.5, 97.5)


def fit_points(
    data: "Dataset",
    later: "Dataset",
    spec: ScorecardSpec,
    *,
    capacity: int = 60,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> ScorecardFit:
    """Whole points for a scorecard's rules, learnt on `data` and judged on `later` rows.

    A logistic regression on which rules fire, each weight held on the side of its points, is
    pulled towards the points as they are as strongly as held-out accounts ask for. The weights
    become multiples of five of about the sum that the old ones had, 15 a rule at least; a rule
    that earns nothing gets 0. New thresholds rise and are reached, where there are as many
    different sums, and leave each tier about as many rows as it had.

    Parameters
    ----------
    data, later
        Rows to learn from, and rows of later dates; only mature ones are read.
    spec
        As `resolved` gives it. A rule of 0 points may only gain.
    capacity
        Rows that sales can work per as_of.
    n_bootstrap
        Draws of whole accounts, for the intervals of points and of their gain.

    Raises
    ------
    NotEnoughHistory
        When fewer than 20 accounts convert, or no rule goes with conversion.
    SettingsError
        When no rule has data.
    """
    data, later = data.take(data.mature), later.take(later.mature)
    card = Scorecard(spec)
    usable = np.array([readable(r, data.matrix.features) is not None for r in spec.rules], bool)
    fired = card.score(data.matrix).fired
    # Of a rule that nobody earns nothing can be learnt: it stays as it is.
    fires = usable & fired.any(axis=0)
    _check(data, later, fires)
    old = np.array([rule.points for rule in spec.rules], np.float64)
    evidence = Evidence.of(fired[:, fires], data.label, data.cluster, old[fires])
    penalty = evidence.chosen_penalty(seed)
    weights = evidence.weights(penalty)
    if np.abs(weights).sum() < _NOTHING:
        raise NotEnoughHistory(
            "None of the scorecard's rules goes with conversion in its own direction on these "
            "rows; there are no points to learn. Look at the rules, or at what converts."
        )
    total = max(float(np.abs(old[fires]).sum()), _LEAST_PER_RULE * int(fires.sum()))
    new = (old * (usable & ~fires)).astype(np.int64)
    new[fires], unit = whole_points(weights, total)
    draws = evidence.draws(penalty, weights, n_bootstrap, seed)
    spreads = np.r_[weights[None, :], np.percentile(draws, _INTERVAL, axis=0)] / unit
    spreads = spreads.clip(-MOST_POINTS, MOST_POINTS)
    facts = zip(
        spec.rules,
        new.tolist(),
        *(_spread(row, fires) for row in spreads),
        fired.mean(axis=0).tolist(),
        usable.tolist(),
        strict=True,
    )
    before, after = fired @ (old * usable), fired @ new
    thresholds = _thresholds(spec, before, after)
    table = _judged(
        card, {"new": new, "old": old * usable}, data, later, capacity, n_bootstrap, seed
    )
    return ScorecardFit(
        tuple(RuleFit(*one) for one in facts),
        spec.thresholds,
        thresholds,
        table,
        _verdict(table, _converting(later)),
        rows=len(data),
        converting=_converting(data),
        later_rows=len(later),
        later_converting=_converting(later),
        unit=unit,
        old_reached=_reached(before, spec.thresholds),
        reached=_reached(after, thresholds),
    )


def _spread(values: np.ndarray, fires: np.ndarray) -> list[float]:
    """Values of the rules that somebody earns at their places, NaN elsewhere."""
    out = np.full(len(fires), np.nan)
    out[fires] = values
    return out.tolist()


def _check(data: "Dataset", later: "Dataset", fires: np.ndarray) -> None:
    if not fires.any():
        raise SettingsError(
            f"None of the scorecard's {len(fires)} rules has data and is earned by anybody, so "
            "there are no points to learn; write rules on events that the log has."
        )
    for rows, what in ((data, "to learn from"), (later, "to judge on")):
        if not 0 < rows.label.sum() < len(rows):
            raise NotEnoughHistory(
                f"{int(rows.label.sum())} of {len(rows)} mature rows {what} convert; both kinds "
                "are needed."
            )
    if (n := _converting(data)) < LEAST_CONVERTING:
        raise NotEnoughHistory(
            f"{accounts_convert(n)} on the rows to learn from, {LEAST_CONVERTING} are needed; keep "
            "the points as they are until there are more."
        )


def _converting(rows: "Dataset") -> int:
    return len(np.unique(rows.cluster[rows.label]))


def _thresholds(spec: ScorecardSpec, old: np.ndarray, new: np.ndarray) -> Thresholds:
    limits = spec.thresholds
    edges = (limits.warm, limits.hot, limits.critical)
    warm, hot, critical = kept_thresholds(old, new, edges)
    return Thresholds(warm=warm, hot=hot, critical=critical)


def _reached(points: np.ndarray, limits: Thresholds) -> dict[str, float]:
    """Shares of rows at or above each threshold."""
    return {tier: float((points >= edge).mean()) for tier, edge in limits.model_dump().items()}


def _judged(
    card: Scorecard,
    points: dict[str, np.ndarray],
    data: "Dataset",
    later: "Dataset",
    capacity: int,
    n_bootstrap: int,
    seed: int,
) -> "pd.DataFrame":
    """Metrics of both kinds of points on the later rows, with paired differences."""
    from models.judging.bootstrap import Contender, evaluate

    past, now = card.score(data.matrix).fired, card.score(later.matrix).fired
    contenders = {}
    for name, worth in points.items():
        # Probabilities are a straight line of points here: what is compared is the order.
        before, after = past @ worth / _SCALE, now @ worth / _SCALE
        line = Evidence.of(before[:, None], data.label, data.cluster, np.ones(1)).patterns()
        slope, constant = line_of(line)
        contenders[name] = Contender(after, sigmoid(slope * after + constant))
    return evaluate(
        later.label,
        contenders,
        later.cluster,
        later.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _verdict(table: "pd.DataFrame", converting: int) -> str:
    """Whether the new points rank later rows better, if the 95 % interval leaves out 0."""
    from models.judging.bootstrap import pr_auc_difference
    from models.judging.evaluation import MIN_CONVERTING

    low, high, told = pr_auc_difference(table, "old")
    if converting < MIN_CONVERTING:
        return (
            f"Too few conversions to compare: {accounts_convert(converting)} on the later rows, "
            f"{MIN_CONVERTING} needed ({told}). Keep the old points."
        )
    if low > 0:
        return f"The learnt points are better on later rows ({told})."
    if high < 0:
        return f"The old points are better on later rows: keep them ({told})."
    return (
        f"No difference between old and learnt points is shown on later rows ({told}): keep the "
        "old ones, or take the learnt if they read better."
    )
