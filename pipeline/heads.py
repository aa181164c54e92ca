"""The heads of a run: fitted beside the model, judged on its test rows, said of its scores."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import SettingsError
from features.matrix import FeatureMatrix
from models.dataset import Dataset
from models.heads.account_value import read_amounts
from models.heads.head_fitting import fit_heads
from models.heads.head_results import DaysResult, ValueResult, judge_days, judge_value
from models.heads.heads import Heads, HeadsSpec
from models.learners.encoding import values_of
from models.propensity import PropensityModel
from pipeline.account_scores import fit_accounts, judged_accounts
from pipeline.dataset import Assembled
from pipeline.settings import Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HeadFindings:
    """The heads, and what test rows say of each; None for one that is off."""

    heads: Heads
    days: DaysResult | None
    value: ValueResult | None
    accounts: "pd.DataFrame | None"

    def as_dict(self) -> dict[str, Any]:
        return {
            "days": self.days and asdict(self.days),
            "value": self.value and asdict(self.value),
            "accounts": None if self.accounts is None else self.accounts.to_dict("records"),
        }


def heads_of(
    run: Run,
    spec: HeadsSpec,
    model: PropensityModel,
    data: Assembled,
    folds: dict[str, Dataset],
    *,
    capacity: int,
) -> HeadFindings:
    """Fit the heads that the settings name and judge them; nothing is chosen on test rows.

    Parameters
    ----------
    folds
        ``train``, ``calibrate`` and ``test``.
    capacity
        Rows that sales can work per as_of.

    Raises
    ------
    SettingsError, NotEnoughHistory
        As `models.heads.head_fitting.fit_heads` and `pipeline.account_scores.fit_accounts`, and
        when scores of accounts are asked for where accounts are scored anyway.
    """
    settings, log, test = run.settings, data.log, folds["test"]
    if spec.accounts is not None and settings.entity == "account":
        raise SettingsError(
            "heads.accounts makes scores of accounts from those of users, but entity is account. "
            "Remove the block, or set entity: user."
        )
    amounts = None
    if spec.value is not None and spec.value.property is not None:
        amounts = read_amounts(
            log, settings.entity, data.conversions, settings.conversion.events, spec.value
        )
    heads = fit_heads(
        spec,
        model.scorer.columns,
        folds["train"],
        folds["calibrate"],
        data.conversions,
        amounts,
        until=int(test.as_of.min()),
        horizon_days=settings.horizon_days,
        seed=settings.seed,
        threads=settings.compute.threads,
    )
    if heads == Heads() and spec.accounts is None:
        return HeadFindings(heads, None, None, None)
    chances = {
        name: model.predict(rows.matrix, rows.account, rows.domain)["probability"].to_numpy()
        for name, rows in folds.items()
        if name != "train"
    }
    table = None
    if spec.accounts is not None:
        accounts = fit_accounts(
            settings, spec.accounts, log, folds["calibrate"], chances["calibrate"]
        )
        heads = replace(heads, accounts=accounts)
        table = judged_accounts(settings, accounts, log, test, chances["test"], capacity=capacity)
    return HeadFindings(
        heads,
        judge_days(heads, test, data.conversions, log.data_end),
        judge_value(
            heads,
            test,
            chances["test"],
            amounts,
            data_end=log.data_end,
            horizon_days=settings.horizon_days,
            n_bootstrap=settings.evaluation.n_bootstrap,
            seed=settings.seed,
        ),
        table,
    )


def with_heads(heads: Heads, matrix: FeatureMatrix, scores: "pd.DataFrame") -> "pd.DataFrame":
    """The scores table with the columns of `Heads.predict` before its reasons.

    Parameters
    ----------
    matrix
        The rows of the table, one as_of, in any order.
    """
    place = scores["entity_id"].map({name: at for at, name in enumerate(matrix.snapshots.ids)})
    back = place.to_numpy(np.int64)
    probability = np.empty(len(scores))
    probability[back] = scores["probability"]
    said = heads.predict(values_of(matrix), probability)
    before = scores.columns.get_loc("reasons")
    scores = scores.copy()
    for at, (name, column) in enumerate(said.items()):
        scores.insert(before + at, name, column[back])
    return scores
