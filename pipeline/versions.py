"""`versions`: what is registered under a model's name, and who was champion when."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.clock import to_text
from features.errors import NotEnoughHistory
from pipeline.promotions import CHALLENGER, CHAMPION, Change, aliased, changes
from pipeline.settings import Run
from pipeline.tracking import connect

_PR_AUC = "pr_auc"


@dataclass(frozen=True)
class Registered:
    """One version.

    Parameters
    ----------
    created
        Microseconds UTC.
    pr_auc, scorecard_pr_auc
        On the test rows of its own training, so those of two versions are of other rows; None
        where its run logged none, as a recalibration does.
    gate
        What `promote` last did with it: empty if it was never asked.
    """

    number: int
    alias: str
    created: int
    rung: str
    pr_auc: float | None
    scorecard_pr_auc: float | None
    gate: str


@dataclass(frozen=True)
class Versions:
    """All versions, newest first, and every change of the champion, oldest first."""

    name: str
    versions: tuple[Registered, ...]
    record: tuple[Change, ...]
    settings_path: Path

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "versions": [
                vars(one) | {"created": to_text(one.created)[:19]} for one in self.versions
            ],
            "changes": [one.as_dict() for one in self.record],
        }


def list_versions(run: Run) -> Versions:
    """What the registry holds of the run's model.

    Raises
    ------
    NotEnoughHistory
        When nothing is registered.
    """
    client, name = connect(run), run.model_name
    found = sorted(
        client.search_model_versions(f"name='{name}'"), key=lambda one: -int(one.version)
    )
    if not found:
        raise NotEnoughHistory(
            f"The registry has no version of {name!r}. Train one first: make train, with the same "
            "settings file."
        )
    aliases = {aliased(client, name, alias): alias for alias in (CHALLENGER, CHAMPION)}
    rows = []
    for one in found:
        run_data = client.get_run(one.run_id).data
        metrics = run_data.metrics
        rows.append(
            Registered(
                number=int(one.version),
                alias=aliases.get(int(one.version), ""),
                created=int(one.creation_timestamp) * 1000,
                rung=run_data.tags.get("rung", ""),
                pr_auc=metrics.get(f"{_PR_AUC}.model"),
                scorecard_pr_auc=metrics.get(f"{_PR_AUC}.scorecard"),
                gate=one.tags.get("gate", ""),
            )
        )
    return Versions(name, tuple(rows), changes(client, name), run.path)
