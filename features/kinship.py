"""Which account and e-mail domain a snapshot's entity was known to belong to before its as_of."""

import numpy as np

from features.events import EventLog
from features.kernels import latest_before
from features.matrix import Snapshots
from features.sorting import counting_order


def accounts_as_of(log: EventLog, snapshots: Snapshots) -> np.ndarray:
    """Code of each row's account, at user level that of the latest event with known_at < as_of.

    Returns
    -------
    ndarray of int32, shape (n,)
        -1 for a user who was in no account yet.
    """
    if snapshots.level == "account":
        return snapshots.entity
    found = np.full(len(snapshots), -1, np.int32)
    shard_of = log.users["shard"].to_numpy()[snapshots.entity]
    for shard in np.unique(shard_of[shard_of >= 0]):
        rows = np.flatnonzero(shard_of == shard)
        table = log.shard(int(shard), ["account", "user", "at"])
        columns = {name: table[name].to_numpy() for name in table.column_names}
        found[rows] = account_of_user(
            columns, len(log.users), snapshots.entity[rows], snapshots.as_of[rows]
        )
    return found


def account_of_user(
    columns: dict[str, np.ndarray], n_users: int, user: np.ndarray, as_of: np.ndarray
) -> np.ndarray:
    """The account of each user's latest event before as_of, from a shard's columns: int32, -1."""
    known = np.flatnonzero((columns["user"] >= 0) & (columns["account"] >= 0))
    order, start = counting_order(columns["user"][known], n_users)
    order = known[order]
    found = latest_before(columns["at"][order], start[user], start[user + 1], as_of)
    result = np.full(len(user), -1, np.int32)
    result[found >= 0] = columns["account"][order][found[found >= 0]]
    return result


def domains_as_of(log: EventLog, snapshots: Snapshots) -> np.ndarray:
    """The entity's first known e-mail domain where it was known before as_of: object, shape (n,).

    The first and not the latest, so that what becomes known later changes nothing before.
    """
    table = log.entities(snapshots.level)
    domain = table["domain"].to_numpy(zero_copy_only=False)[snapshots.entity]
    since = table["domain_at"].fill_null(np.iinfo(np.int64).max).to_numpy()[snapshots.entity]
    known = np.full(len(snapshots), None, object)
    known[since < snapshots.as_of] = domain[since < snapshots.as_of]
    return known
