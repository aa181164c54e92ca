"""Forward selection: the best event, then what adds to it, as long as chance is unlikely."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.milestones.candidates import Candidate, Family, candidates_of
from models.milestones.controls import Controls
from models.milestones.journeys import Journeys
from models.milestones.moments import Moments
from models.milestones.score_test import (
    Null,
    bonferroni,
    fit_logistic,
    log_likelihood,
    q_values,
)
from models.milestones.spec import MilestoneSpec

_N_DRAWS = 1000
_REFITTED = 12
"""Candidates of the chosen event that are fitted in full; the scores only approximate them."""
_FOR_A_WINDOW = 1.92
"""Log likelihood that a window must add, being one more choice (half of chi-square's 95 %)."""


@dataclass(frozen=True)
class Case:
    """What is compared: moments sorted by cluster, and what was known at each.

    `cluster` has shape (n_moments,).
    """

    moments: Moments
    controls: Controls
    cluster: np.ndarray

    def take(self, rows: np.ndarray) -> "Case":
        return Case(self.moments.take(rows), self.controls.take(rows), self.cluster[rows])


@dataclass(frozen=True)
class Chosen:
    """A candidate that the search found, with its q value and where it is reached."""

    candidate: Candidate
    q_value: float
    reached: np.ndarray


@dataclass(frozen=True)
class Looked:
    """How an event fared when it was looked at by itself.

    Parameters
    ----------
    n_candidates
        0 where too few conversions reached it, or all did.
    q_value
        With all controls.
    q_by_tenure, q_by_nothing
        With date and tenure only, and with nothing held equal: what a plain comparison would find.
    """

    event: str
    n_candidates: int = 0
    q_value: float = 1.0
    q_by_tenure: float = 1.0
    q_by_nothing: float = 1.0


def families_of(
    journeys: Journeys, case: Case, codes: Sequence[int], spec: MilestoneSpec
) -> list[Family]:
    """The candidates of every event that has any."""
    found = []
    for code in codes:
        pairs = list(candidates_of(journeys, case.moments, code, spec.windows_days))
        if not pairs:
            continue
        found.append(
            Family(
                journeys.names[code],
                tuple(candidate for candidate, _ in pairs),
                np.column_stack([reached for _, reached in pairs]),
            )
        )
    return found


def look(case: Case, families: Sequence[Family], rng: np.random.Generator) -> list[Looked]:
    """Every event by itself, under three sets of controls; rows in the order of `families`."""
    converts, cluster = case.moments.converts, case.cluster
    nothing = Null.fit(np.ones((len(converts), 1)), converts, cluster)
    tenure = Null.fit(case.controls.without_activity(), converts, cluster)
    held = null_of(case, [])
    p_values = np.array(
        [
            [
                bonferroni(nothing.scores(family.reached).z.max(), len(family.candidates)),
                bonferroni(tenure.scores(family.reached).z.max(), len(family.candidates)),
                held.scores(family.reached).p_value(_N_DRAWS, rng),
            ]
            for family in families
        ]
    ).reshape(-1, 3)
    by_nothing, by_tenure, by_all = (q_values(column) for column in p_values.T)
    return [
        Looked(
            family.event,
            len(family.candidates),
            float(by_all[i]),
            float(by_tenure[i]),
            float(by_nothing[i]),
        )
        for i, family in enumerate(families)
    ]


def search(
    case: Case,
    families: Sequence[Family],
    looked: Sequence[Looked],
    spec: MilestoneSpec,
    rng: np.random.Generator,
) -> list[Chosen]:
    """Milestones in the order in which they were found, each beyond those before it.

    An event enters once. A stand-in for a milestone that is in already says nothing more, and
    stays out. More than `spec.most` are found, as some will not be confirmed.
    """
    chosen: list[Chosen] = []
    left = {family.event: family for family in families}
    q = {one.event: one.q_value for one in looked}
    while left and len(chosen) < 2 * spec.most:
        null = null_of(case, chosen)
        if chosen:
            p_values = [
                null.scores(family.reached).p_value(_N_DRAWS, rng) for family in left.values()
            ]
            q = dict(zip(left, q_values(np.array(p_values)).tolist(), strict=True))
        least = min(q[event] for event in left)
        if least > spec.false_discovery:
            break
        # Beyond what the draws resolve q values are equal: then the larger score goes first.
        best = max(
            (event for event in left if q[event] == least),
            key=lambda event: null.scores(left[event].reached).z.max(),
        )
        family = left.pop(best)
        at = _best(null, family)
        chosen.append(Chosen(family.candidates[at], q[best], family.reached[:, at]))
    return chosen


def null_of(case: Case, chosen: Sequence[Chosen]) -> Null:
    """Conversions explained by the controls and the milestones that are found already."""
    columns = np.column_stack([case.controls.all(), *(one.reached for one in chosen)])
    return Null.fit(columns, case.moments.converts, case.cluster)


def _best(null: Null, family: Family) -> int:
    """The candidate under which what happened is likeliest; a window must be worth its choice."""
    scores = null.scores(family.reached)
    total = scores.by_cluster.sum(axis=0)
    gain = np.where(total > 0, total * total / np.maximum(scores.information, 1e-9), 0.0)
    start = np.r_[fit_logistic(null.design, null.converts), 0.0]

    def worth(at: int) -> float:
        full = np.column_stack([null.design, family.reached[:, at]])
        weights = fit_logistic(full, null.converts, start)
        price = 0.0 if family.candidates[at].within_days is None else _FOR_A_WINDOW
        return log_likelihood(full, null.converts, weights) - price

    any_time = np.array([one.within_days is None for one in family.candidates])
    first = [
        int(at)
        for kind in (any_time, ~any_time)
        for at in np.argsort(-np.where(kind, gain, -1.0), kind="stable")[:_REFITTED]
        if kind[at]
    ]
    return max(first, key=worth)
