"""Programme metrics: how many become PQLs, what becomes of them, how fast, and what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.clock import DAY_US
from models.judging.bootstrap import interval
from models.judging.curves import effective_rows, wilson
from models.monitoring.survival import Survival, kaplan_meier

NEVER_US = np.iinfo(np.int64).max
_FEWEST_WATCHED = 10
"""A share of the horizon is told of groups in which as many were watched for all of it."""
_FEWEST_WINNERS = 30
"""Accounts: a mean of few skewed amounts has no honest interval. The bootstrap covered 79 to 85 %
with 5 to 10 winners of log-normal amounts."""


@dataclass(frozen=True)
class People:
    """Every entity that was ever scored before `now`, microseconds UTC; `NEVER_US` for never.

    Parameters
    ----------
    months
        datetime64[M], shape (m,): months with scores, ascending.
    scored_in
        bool, shape (n, m): whether it was scored in each month.
    first_pql
        int64, shape (n,): as_of of the first score in a PQL tier.
    tier
        object array of str or None, shape (n,): the tier in which it became a PQL.
    opportunity, won, lost
        int64, shape (n,): when each was reached, `NEVER_US` for not yet.
    revenue
        float64, shape (n,): amount won, 0 for none.
    cluster
        int64, shape (n,): colleagues hang together.
    known_until
        Who won in (-inf, known_until) is known to have; in [known_until, now) some are not yet
        (`models.monitoring.survival.mostly_known_until`).
    """

    months: np.ndarray
    scored_in: np.ndarray
    first_pql: np.ndarray
    tier: np.ndarray
    opportunity: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    revenue: np.ndarray
    cluster: np.ndarray
    now: int
    known_until: int

    def __len__(self) -> int:
        return len(self.first_pql)

    @property
    def is_pql(self) -> np.ndarray:
        return self.first_pql < NEVER_US

    def take(self, rows: np.ndarray) -> "People":
        """Those of a boolean mask."""
        return replace(
            self,
            scored_in=self.scored_in[rows],
            first_pql=self.first_pql[rows],
            tier=self.tier[rows],
            opportunity=self.opportunity[rows],
            won=self.won[rows],
            lost=self.lost[rows],
            revenue=self.revenue[rows],
            cluster=self.cluster[rows],
        )


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval (Wilson, on the effective number of entities)."""

    n: int
    of: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Metrics:
    """One group of entities.

    Parameters
    ----------
    scored, pqls, pql_rate
        PQLs of all that were scored; of a month, those who became one in it, of those scored in it
        who were none before it. The rate is None where the group has PQLs only (a tier).
    to_opportunity, to_won
        PQLs that got there after they became one, of all PQLs; the young ones have had little
        time. None where there is no table of opportunities.
    won_within, won_within_low, won_within_high
        Share won within the horizon, as it would be if all had been watched as long
        (Kaplan-Meier, until `People.known_until`), and its 95 % interval (Rothman's, of
        Greenwood's variance); NaN when fewer than 10 were watched for the whole horizon.
    mean_days, median_days
        From PQL to won, with those still open taken into account (Kaplan-Meier).
    lost, still_open
        PQLs that are lost and not won, and those that are neither. For the times a lost one counts
        as one that is still watched: it may come back, and it has not bought.
    revenue_per_pql, revenue_low, revenue_high
        Amount won / PQLs, 95 % bootstrap interval over accounts; none (NaN) below 30 accounts with
        an amount, where it would be too narrow.
    """

    by: str
    group: str
    scored: int
    pqls: int
    pql_rate: Rate | None
    to_opportunity: Rate | None
    to_won: Rate | None
    won_within: float
    won_within_low: float
    won_within_high: float
    mean_days: float
    median_days: float
    lost: int
    still_open: int
    revenue: float
    revenue_per_pql: float
    revenue_low: float
    revenue_high: float


EVERYBODY = "all"


def programme(
    people: People,
    groups: Mapping[str, np.ndarray],
    tiers: tuple[str, ...],
    *,
    horizon_days: int,
    with_opportunities: bool,
    n_bootstrap: int,
    seed: int,
) -> list[Metrics]:
    """Everybody, then by tier, by month and by each of the groups.

    Parameters
    ----------
    groups
        Object arrays of str or None, shape (n,), by the name of what they say: channel, campaign.
    tiers
        PQL tiers in the order wanted.
    """
    make = _Maker(horizon_days, with_opportunities, n_bootstrap, seed)
    found = [make(people, EVERYBODY, EVERYBODY)]
    found += [
        make(people.take(people.tier == tier), "tier", tier, rated=False)
        for tier in tiers
        if (people.tier == tier).any()
    ]
    found += _by_month(people, make)
    for by, values in groups.items():
        known = sorted({value for value in values if value is not None})
        found += [make(people.take(values == value), by, value) for value in known]
        missing = np.array([value is None for value in values], bool)
        if missing.any():
            found.append(make(people.take(missing), by, "unknown"))
    return found


def _by_month(people: People, make: "_Maker") -> list[Metrics]:
    """Each month's new PQLs, of those scored in it who were none before it.

    So an entity counts in every month until it is a PQL, and the rate is a month's chance of
    becoming one, whenever it was first scored.
    """
    became = people.first_pql.astype("datetime64[us]").astype("datetime64[M]")
    found = []
    for at, month in enumerate(people.months):
        due = people.scored_in[:, at] & (became >= month)
        group, new = people.take(due), became[due] == month
        group = replace(group, first_pql=np.where(new, group.first_pql, NEVER_US))
        found.append(make(group, "month", str(month)))
    return found


class _Maker:
    """Metrics of one group after another, all with the same settings."""

    def __init__(self, horizon_days: int, with_opportunities: bool, n_bootstrap: int, seed: int):
        self._horizon, self._with = horizon_days, with_opportunities
        self._n_bootstrap, self._seed = n_bootstrap, seed

    def __call__(self, people: People, by: str, group: str, *, rated: bool = True) -> Metrics:
        pqls = people.take(people.is_pql)
        won = pqls.won < NEVER_US
        curve = _time_to_won(pqls)
        within = self._won_within(pqls, curve)
        low, high = _revenue_interval(pqls, self._n_bootstrap, self._seed)
        lost = pqls.lost < NEVER_US
        reached = pqls.opportunity < NEVER_US
        return Metrics(
            by=by,
            group=group,
            scored=len(people),
            pqls=len(pqls),
            pql_rate=_rate(people.is_pql, people.cluster) if rated else None,
            to_opportunity=_rate(reached, pqls.cluster) if self._with else None,
            to_won=_rate(won, pqls.cluster),
            won_within=within[0],
            won_within_low=within[1],
            won_within_high=within[2],
            mean_days=curve.mean_of_converting(),
            median_days=curve.median,
            lost=int((~won & lost).sum()),
            still_open=int((~won & ~lost).sum()),
            revenue=float(pqls.revenue.sum()),
            revenue_per_pql=float(pqls.revenue.mean()) if len(pqls) else float("nan"),
            revenue_low=low,
            revenue_high=high,
        )

    def _won_within(self, pqls: People, curve: Survival) -> tuple[float, float, float]:
        watched = pqls.known_until - pqls.first_pql >= self._horizon * DAY_US
        if watched.sum() < _FEWEST_WATCHED:
            return float("nan"), float("nan"), float("nan")
        won = pqls.won < NEVER_US
        design = len(pqls) / effective_rows(won, pqls.cluster)
        return curve.converted_by(self._horizon), *curve.interval(self._horizon, design)


def _time_to_won(pqls: People) -> Survival:
    """Days from PQL to won; later than `known_until` nobody is watched, won or not."""
    watched = pqls.take(pqls.first_pql < pqls.known_until)
    until = np.minimum(watched.won, watched.known_until)
    return kaplan_meier((until - watched.first_pql) / DAY_US, watched.won < watched.known_until)


def _rate(hit: np.ndarray, cluster: np.ndarray) -> Rate | None:
    if not len(hit):
        return None
    counted = effective_rows(hit, cluster)
    value = float(hit.mean())
    return Rate(int(hit.sum()), len(hit), value, *wilson(value * counted, counted))


def _revenue_interval(pqls: People, n_bootstrap: int, seed: int) -> tuple[float, float]:
    """Of revenue per PQL: whole accounts are drawn with replacement."""
    if len(np.unique(pqls.cluster[pqls.revenue != 0])) < _FEWEST_WINNERS:
        return float("nan"), float("nan")
    _, member = np.unique(pqls.cluster, return_inverse=True)
    n = int(member.max()) + 1
    money, heads = np.bincount(member, pqls.revenue, minlength=n), np.bincount(member, minlength=n)
    rng = np.random.default_rng(seed)
    draws = np.empty(n_bootstrap)
    for at in range(n_bootstrap):
        chosen = rng.integers(n, size=n)
        draws[at] = money[chosen].sum() / heads[chosen].sum()
    return interval(draws)
