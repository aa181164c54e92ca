"""From members to their account: the chance that any of them converts, calibrated as a whole."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.errors import NotEnoughHistory
from features.spec import Spec
from models.calibration import CalibrationSpec, fit_calibration
from models.choosing.walk_forward import paired_gain
from models.learners.cluster_folds import cluster_folds
from models.metrics import row_log_loss
from models.scoring import calibrate

How = Literal["noisy_or", "max", "top3"]
COUNTED: dict[How, float] = {"noisy_or": np.inf, "top3": 3, "max": 1}
"""How many of an account's likeliest members count."""
LEAST_TO_CHOOSE = 20
"""Converting accounts below which nothing is chosen."""
CARRIERS = 3
_FOLDS = 5
_MOST = 1 - 1e-12


class AccountSpec(Spec):
    """The ``heads.accounts:`` block: scores of accounts from their users' (``entity: user``)."""

    how: Literal["auto", "noisy_or", "max", "top3"] = "auto"
    """``noisy_or``: 1 minus the product of (1 - probability) over all members; ``top3``: over the
    likeliest three; ``max``: the likeliest alone; ``auto``: what held-out log loss prefers."""
    min_members: int = Field(default=1, ge=1)
    """Users of the cohort that an account needs for a score."""


@dataclass(frozen=True)
class AccountRows:
    """Unique (account, as_of) rows, sorted by account code, then as_of; arrays of shape (m,).

    Parameters
    ----------
    probability
        That any of its members converts, if they did so independently.
    members
        How many of its users have a row.
    carriers
        Per account its likeliest members that count, likeliest first: row of the user and its
        share of the account's -log(1 - probability).
    """

    account: np.ndarray
    as_of: np.ndarray
    probability: np.ndarray
    members: np.ndarray
    carriers: list[list[tuple[int, float]]]

    def __len__(self) -> int:
        return len(self.account)

    def take(self, rows: np.ndarray) -> "AccountRows":
        """The rows of a boolean mask."""
        carriers = [self.carriers[at] for at in np.flatnonzero(rows)]
        return AccountRows(
            self.account[rows],
            self.as_of[rows],
            self.probability[rows],
            self.members[rows],
            carriers,
        )

    @property
    def raw(self) -> np.ndarray:
        """Log-odds of the probability, shape (m,)."""
        return np.log(self.probability) - np.log1p(-self.probability)


def aggregate(
    probability: np.ndarray, account: np.ndarray, as_of: np.ndarray, how: How
) -> AccountRows:
    """A noisy-or (Pearl 1988, section 4.3.2) over the likeliest members of each account.

    Parameters
    ----------
    probability
        Of users, shape (n,).
    account
        int, shape (n,): code of the account that the user was in at as_of; -1 for none, which
        no account's row counts.

    Examples
    --------
    >>> p, account = np.array([0.5, 0.5, 0.2, 0.9]), np.array([0, 0, 1, -1])
    >>> aggregate(p, account, np.zeros(4, int), "noisy_or").probability.round(9)
    array([0.75, 0.2 ])
    >>> aggregate(p, account, np.zeros(4, int), "max").probability.round(9)
    array([0.5, 0.2])
    """
    # Falling probability within an account, so that a sum has one order whatever the rows' order.
    order = np.lexsort((np.arange(len(account)), -probability, as_of, account))
    order = order[account[order] >= 0]
    codes, times = account[order], as_of[order]
    first = np.r_[True, (codes[1:] != codes[:-1]) | (times[1:] != times[:-1])][: len(order)]
    starts = np.flatnonzero(first)
    sizes = np.diff(np.r_[starts, len(order)])
    place = np.arange(len(order)) - np.repeat(starts, sizes)
    clipped = np.clip(probability[order], 1 - _MOST, _MOST)
    weight = np.where(place < COUNTED[how], -np.log1p(-clipped), 0.0)
    total = np.add.reduceat(weight, starts) if len(starts) else np.empty(0)
    most = min(CARRIERS, COUNTED[how])
    carriers: list[list[tuple[int, float]]] = [[] for _ in starts]
    group = np.repeat(np.arange(len(starts)), sizes)
    for at in np.flatnonzero(place < most):
        carriers[group[at]].append((int(order[at]), float(weight[at] / total[group[at]])))
    said = np.clip(-np.expm1(-total), 1 - _MOST, _MOST)
    return AccountRows(codes[starts], times[starts], said, sizes, carriers)


@dataclass(frozen=True)
class Outcomes:
    """What accounts did: by account code, when each first converted, and by user row, its label.

    Parameters
    ----------
    occurred_at
        int64, shape (n_accounts,): microseconds UTC, `features.labels.NEVER_US` for never.
    user_label
        bool, shape (n,): the user converts in [as_of, as_of + horizon_days).
    """

    occurred_at: np.ndarray
    user_label: np.ndarray
    horizon_days: int

    def leads(self, rows: AccountRows) -> np.ndarray:
        """Accounts that had not converted before as_of, bool, shape (m,)."""
        return self.occurred_at[rows.account] >= rows.as_of

    def label(self, rows: AccountRows, account: np.ndarray, as_of: np.ndarray) -> np.ndarray:
        """The account converts in [as_of, as_of + horizon_days), or a member does; bool, (m,).

        Parameters
        ----------
        account, as_of
            Of the user rows, as `aggregate` takes them.
        """
        when = self.occurred_at[rows.account]
        label = (when >= rows.as_of) & (when < rows.as_of + self.horizon_days * DAY_US)
        converting = set(
            zip(account[self.user_label].tolist(), as_of[self.user_label].tolist(), strict=True)
        )
        pairs = zip(rows.account.tolist(), rows.as_of.tolist(), strict=True)
        return label | np.array([pair in converting for pair in pairs], bool)


@dataclass(frozen=True)
class AccountScores:
    """How users' probabilities become their account's.

    Parameters
    ----------
    calibration
        calibration.json of the aggregated log-odds.
    losses
        Held-out log loss by way, where one was chosen.
    rows, converting
        Account rows that it was fitted on, and accounts of them that convert.
    """

    how: How
    min_members: int
    calibration: dict[str, Any]
    losses: dict[str, float]
    rows: int
    converting: int

    def score(self, probability: np.ndarray, account: np.ndarray, as_of: np.ndarray) -> AccountRows:
        """Account rows with calibrated probability; parameters as of `aggregate`."""
        rows = aggregate(probability, account, as_of, self.how)
        rows = rows.take(rows.members >= self.min_members)
        said = calibrate(self.calibration, rows.raw)
        return AccountRows(rows.account, rows.as_of, said, rows.members, rows.carriers)


def fit_account_scores(
    probability: np.ndarray,
    account: np.ndarray,
    as_of: np.ndarray,
    outcomes: Outcomes,
    spec: AccountSpec,
    calibration: CalibrationSpec,
    seed: int,
) -> AccountScores:
    """Choose the way and calibrate it, on mature user rows that the model did not learn from.

    With ``auto``, each way is calibrated without a fifth of the accounts and judged on them.
    Noisy-or, which is right where members decide on their own, gives way to one of less log loss
    only by more than the standard error of the gain, clustered by account.

    Raises
    ------
    NotEnoughHistory
        When no account converts, or all do.
    """
    ways: list[How] = list(COUNTED) if spec.how == "auto" else [spec.how]
    rows = aggregate(probability, account, as_of, ways[0])
    kept = outcomes.leads(rows) & (rows.members >= spec.min_members)
    label = outcomes.label(rows, account, as_of)[kept]
    cluster = rows.account[kept]
    converting = len(np.unique(cluster[label]))
    if not 0 < label.sum() < len(label):
        raise NotEnoughHistory(
            f"{int(label.sum())} of {len(label)} calibrate rows of accounts convert; account "
            "scores need both outcomes. Bring a longer history, or switch heads.accounts off."
        )
    raw = {way: aggregate(probability, account, as_of, way).take(kept).raw for way in ways}
    losses: dict[How, np.ndarray] = {}
    if len(ways) > 1 and converting >= LEAST_TO_CHOOSE:
        losses = {way: _held_out(raw[way], label, cluster, seed) for way in ways}
    chosen = _chosen(ways[0], losses, cluster)
    mapping = fit_calibration(
        raw[chosen],
        label,
        cluster,
        calibration,
        seed,
        as_of=rows.as_of[kept],
        horizon_days=outcomes.horizon_days,
    )
    means = {str(way): float(loss.mean()) for way, loss in losses.items()}
    return AccountScores(chosen, spec.min_members, mapping, means, len(label), converting)


def _held_out(raw: np.ndarray, label: np.ndarray, cluster: np.ndarray, seed: int) -> np.ndarray:
    """Log loss of each row under a map fitted without its account."""
    fold, loss = cluster_folds(label, cluster, _FOLDS, seed), np.empty(len(label))
    line = CalibrationSpec(method="sigmoid")
    for out in (fold == number for number in range(_FOLDS)):
        mapping = fit_calibration(raw[~out], label[~out], cluster[~out], line, seed)
        loss[out] = row_log_loss(label[out], calibrate(mapping, raw[out]))
    return loss


def _chosen(start: How, losses: dict[How, np.ndarray], cluster: np.ndarray) -> How:
    """Of the ways that beat the first by more than the gain's error, the one that gains most."""
    codes = np.unique(cluster, return_inverse=True)[1]
    best, most = start, 0.0
    for way, loss in losses.items():
        gain, error = paired_gain(losses[start], loss, codes)
        if gain > max(error, most):
            best, most = way, gain
    return best
