"""The bootstrap of `models.judging.bootstrap.evaluate`, for the four metrics of the gate alone."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import digamma

from benchmarks.gate_world import Company
from models.judging.bootstrap import Contender, interval
from models.judging.gate_evidence import ANCHOR, CHALLENGER, CHAMPION, SCORECARD, Evidence
from models.metrics import Bins, Ranking, row_log_loss

METRICS = ("pr_auc", "log_loss", "calibration_in_the_large", "calibration_error")


class Measured:
    """`evaluate`'s values and draws of the four metrics; tables of any of the contenders.

    Contenders that share a score array are ranked once.
    """

    def __init__(self, made: Company, who: Mapping[str, Contender], n_bootstrap: int, seed: int):
        label, self._made, self._place = made.label, made, {name: k for k, name in enumerate(who)}
        rankings = {id(one.score): Ranking(label, one.score) for one in who.values()}
        judged = [
            (
                id(one.score),
                row_log_loss(label, one.probability),
                one.probability - label,
                # Of the others no calibration error is read.
                None if name in (CHAMPION, SCORECARD, ANCHOR) else Bins(label, one.probability),
            )
            for name, one in who.items()
        ]

        def measure(weight: np.ndarray) -> list[tuple[float, ...]]:
            total = weight.sum()
            ranked = {key: _precision(*one.masses(weight)) for key, one in rankings.items()}
            return [
                (
                    ranked[key],
                    weight @ loss / total,
                    weight @ gap / total,
                    bins.errors(weight)[0] if bins else np.nan,
                )
                for key, loss, gap, bins in judged
            ]

        rng = np.random.default_rng(seed)
        codes, member = np.unique(made.account, return_inverse=True)
        n, self._point = len(codes), np.array(measure(np.ones(len(label))))
        self._draws = np.empty((n_bootstrap, *self._point.shape))
        for draw in self._draws:
            weight = np.bincount(rng.integers(n, size=n), minlength=n)[member]
            draw[:] = measure(weight.astype(float))

    def table(self, challenger: str, *rivals: str) -> pd.DataFrame:
        rows, first = [], self._place[challenger]
        for place, metric in enumerate(METRICS):
            for name in (challenger, *rivals):
                at = self._place[name]
                point, draws = self._point[:, place], self._draws[:, :, place]
                apart = point[first] - point[at], *interval(draws[:, first] - draws[:, at])
                known = CHALLENGER if name == challenger else name
                rows.append((metric, known, point[at], *interval(draws[:, at]), *apart))
        names = ["metric", "contender", "value", "low", "high", "difference"]
        return pd.DataFrame(rows, columns=[*names, "difference_low", "difference_high"])

    def evidence(self, challenger: str) -> Evidence:
        table, label = self.table(challenger, CHAMPION, SCORECARD, ANCHOR), self._made.label
        return Evidence(len(label), int(label.sum()), self._made.converting, table)


def _precision(positive: np.ndarray, total: np.ndarray) -> float:
    """`models.metrics.average_precision`; blocks without a positive add nothing to it."""
    some = positive > 0
    p, n = positive[some], total[some]
    found, reached = np.cumsum(p) - p, np.cumsum(total)[some] - n
    harmonic = digamma(reached + n + 1) - digamma(reached + 1)
    among = np.divide(p - 1, n - 1, out=np.zeros(len(n)), where=n > 1)
    seen = (found + 1) * harmonic + among * (n - (reached + 1) * harmonic)
    return float((p / n * seen).sum() / p.sum())
