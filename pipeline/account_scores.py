"""Scores of accounts beside those of their users: fitted, judged, and written as tables."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.events import EventLog
from features.kinship import accounts_as_of
from features.labels import NEVER_US, Conversions, find_conversions
from features.matrix import Snapshots
from models.dataset import Dataset
from models.heads.aggregation import AccountScores, AccountSpec, Outcomes, fit_account_scores
from models.heads.head_results import judge_accounts
from pipeline.dataset import display_names
from pipeline.registry import Version
from pipeline.settings import Run, Settings
from pipeline.tables import write_atomically, write_csv
from pipeline.tier_history import scores_stem
from pipeline.wording import percent

if TYPE_CHECKING:
    import pandas as pd


def fit_accounts(
    settings: Settings,
    spec: AccountSpec,
    log: EventLog,
    calibrate: Dataset,
    probability: np.ndarray,
) -> AccountScores:
    """Account scores from user rows that the model did not learn from.

    Parameters
    ----------
    probability
        Of the users in `calibrate`, shape (n,).

    Raises
    ------
    NotEnoughHistory
        When no account converts, or all do.
    """
    return fit_account_scores(
        probability,
        accounts_as_of(log, calibrate.matrix.snapshots),
        calibrate.as_of,
        _outcomes(settings, log, calibrate),
        spec,
        settings.model.calibration,
        settings.seed,
    )


def judged_accounts(
    settings: Settings,
    accounts: AccountScores,
    log: EventLog,
    test: Dataset,
    probability: np.ndarray,
    *,
    capacity: int,
) -> "pd.DataFrame":
    """`models.heads.head_results.judge_accounts` of the test rows."""
    return judge_accounts(
        accounts,
        probability,
        accounts_as_of(log, test.matrix.snapshots),
        test.as_of,
        _outcomes(settings, log, test),
        capacity=capacity,
        n_bootstrap=settings.evaluation.n_bootstrap,
        seed=settings.seed,
    )


def account_table(
    settings: Settings,
    accounts: AccountScores,
    log: EventLog,
    snapshots: Snapshots,
    scores: "pd.DataFrame",
    version: Version,
) -> "pd.DataFrame":
    """One row per account with a scored user, highest probability first, ties by account.

    Accounts known to have converted before as_of are left out. ``carried_by`` names the users
    that the score comes from, likeliest first, and how much of it each brings.

    Parameters
    ----------
    snapshots
        The users of one as_of.
    scores
        Their table, in any order, with ``entity_id`` and ``probability``.
    """
    import pandas as pd

    by_user = scores.set_index("entity_id")["probability"]
    probability = by_user.loc[snapshots.ids.astype(str)].to_numpy()
    rows = accounts.score(probability, accounts_as_of(log, snapshots), snapshots.as_of)
    as_of = int(snapshots.as_of.max(initial=0))
    rows = rows.take(_conversions(settings, log, as_of).occurred_at[rows.account] >= as_of)
    frame = pd.DataFrame(
        {
            "account_id": log.ids("account")[rows.account].astype(str),
            "name": display_names(log, "account", as_of)[rows.account].astype(str),
            "as_of": rows.as_of.astype("datetime64[us]"),
            "model_version": version.number,
            "probability": rows.probability,
            "members": rows.members,
            "carried_by": [
                [f"{snapshots.ids[row]} ({percent(share)})" for row, share in carriers]
                for carriers in rows.carriers
            ],
        }
    )
    order = np.lexsort((rows.account, -rows.probability))
    return frame.iloc[order].reset_index(drop=True)


def write_account_scores(
    run: Run, table: "pd.DataFrame", version: Version, as_of: int
) -> tuple[Path, Path]:
    """``...-accounts.parquet`` and ``.csv`` beside the users' scores, each whole or not at all."""
    stem = f"{scores_stem(version, as_of)}-accounts"
    parquet, csv = (run.store / "scores" / f"{stem}{end}" for end in (".parquet", ".csv"))
    flat = table.assign(carried_by=table["carried_by"].map("; ".join))
    write_csv(csv, flat)
    write_atomically(parquet, lambda path: table.to_parquet(path, index=False))
    return parquet, csv


def _outcomes(settings: Settings, log: EventLog, rows: Dataset) -> Outcomes:
    converted = _conversions(settings, log).occurred_at
    return Outcomes(converted, rows.label, settings.horizon_days)


def _conversions(settings: Settings, log: EventLog, before: int = NEVER_US) -> Conversions:
    """Of accounts, whoever of their users converted, known before an instant."""
    return find_conversions(log, "account", settings.conversion, known_before=before)
