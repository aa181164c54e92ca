"""Programme metrics: how many become PQLs, what becomes of them, how fast, and what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from models.judging.bootstrap import interval
from models.judging.curves import effective_rows, wilson
from models.monitoring.survival import kaplan_meier

NEVER_US = np.iinfo(np.int64).max


@dataclass(frozen=True)
class People:
    """Every entity that was ever scored before `now`, microseconds UTC; `NEVER_US` for never.

    Parameters
    ----------
    first_scored, first_pql
        int64, shape (n,): as_of of the first score, and of the first one in a PQL tier.
    tier
        object array of str or None, shape (n,): the tier in which it became a PQL.
    opportunity, won, lost
        int64, shape (n,): when each was reached, `NEVER_US` for not yet.
    revenue
        float64, shape (n,): amount won, 0 for none.
    cluster
        int64, shape (n,): colleagues hang together.
    """

    first_scored: np.ndarray
    first_pql: np.ndarray
    tier: np.ndarray
    opportunity: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    revenue: np.ndarray
    cluster: np.ndarray
    now: int

    def __len__(self) -> int:
        return len(self.first_scored)

    @property
    def is_pql(self) -> np.ndarray:
        return self.first_pql < NEVER_US

    def take(self, rows: np.ndarray) -> "People":
        """Those of a boolean mask."""
        return People(
            self.first_scored[rows],
            self.first_pql[rows],
            self.tier[rows],
            self.opportunity[rows],
            self.won[rows],
            self.lost[rows],
            self.revenue[rows],
            self.cluster[rows],
            self.now,
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
    pql_rate
        PQLs of all that were scored; None where the group has PQLs only (a tier).
    to_opportunity, to_won
        PQLs that got there after they became one, of all PQLs; the young ones have had little
        time. None where there is no table of opportunities.
    won_within
        Share won within the horizon, as it would be if all had been watched as long
        (Kaplan-Meier).
    mean_days, median_days
        From PQL to won, with those still open taken into account (Kaplan-Meier).
    lost, still_open
        PQLs that are lost and not won, and those that are neither. For the times a lost one counts
        as one that is still watched: it may come back, and it has not bought.
    revenue_per_pql, revenue_low, revenue_high
        Amount won / PQLs, 95 % bootstrap interval over accounts.
    """

    by: str
    group: str
    scored: int
    pqls: int
    pql_rate: Rate | None
    to_opportunity: Rate | None
    to_won: Rate | None
    won_within: float
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
    """Each month's new PQLs, of those first scored or first PQL in it.

    An entity counts in the month it was first scored as long as it is no PQL, and in the month it
    became one else: every entity counts once.
    """
    moment = np.where(people.is_pql, people.first_pql, people.first_scored)
    months = np.datetime_as_string(moment.astype("datetime64[us]"), unit="M")
    return [make(people.take(months == month), "month", str(month)) for month in np.unique(months)]


class _Maker:
    """Metrics of one group after another, all with the same settings."""

    def __init__(self, horizon_days: int, with_opportunities: bool, n_bootstrap: int, seed: int):
        self._horizon, self._with = horizon_days, with_opportunities
        self._n_bootstrap, self._seed = n_bootstrap, seed

    def __call__(self, people: People, by: str, group: str, *, rated: bool = True) -> Metrics:
        pqls = people.take(people.is_pql)
        won = pqls.won < NEVER_US
        until = np.where(won, pqls.won, pqls.now)
        curve = kaplan_meier((until - pqls.first_pql) / DAY_US, won)
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
            won_within=curve.converted_by(self._horizon),
            mean_days=curve.mean_of_converting(),
            median_days=curve.median,
            lost=int((~won & lost).sum()),
            still_open=int((~won & ~lost).sum()),
            revenue=float(pqls.revenue.sum()),
            revenue_per_pql=float(pqls.revenue.mean()) if len(pqls) else float("nan"),
            revenue_low=low,
            revenue_high=high,
        )


def _rate(hit: np.ndarray, cluster: np.ndarray) -> Rate | None:
    if not len(hit):
        return None
    counted = effective_rows(hit, cluster)
    value = float(hit.mean())
    return Rate(int(hit.sum()), len(hit), value, *wilson(value * counted, counted))


def _revenue_interval(pqls: People, n_bootstrap: int, seed: int) -> tuple[float, float]:
    """Of revenue per PQL: whole accounts are drawn with replacement."""
    if not pqls.revenue.any():
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
