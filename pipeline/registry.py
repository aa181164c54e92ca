"""MLflow as the registry: a bundle goes in as a pyfunc without pickle, and comes out by alias."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import NotEnoughHistory, few
from models import scoring
from models.bundle import CARD
from models.dataset import Dataset
from models.propensity import PropensityModel
from pipeline.card_text import description_of
from pipeline.promotions import CHALLENGER, CHAMPION, aliased, move_champion
from pipeline.settings import Run
from pipeline.signature import contract, pyfunc_frame
from pipeline.tracking import alone, connect

REQUIREMENTS = ("mlflow", "lightgbm", "numpy", "pandas")


@dataclass(frozen=True)
class Version:
    """A registered model version."""

    name: str
    number: int
    aliases: tuple[str, ...]
    run_id: str

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.number}"


def register(run: Run, bundle: Path, model: PropensityModel, rows: Dataset) -> Version:
    """Log the bundle as a pyfunc under the active MLflow run and register it.

    The first version of a name becomes the champion, later ones the challenger. `rows` give the
    input example; the bundle's card lies beside it too, and is the version's description as far
    as MLflow has room.
    """
    import mlflow

    client = connect(run)
    with _no_bytecode(), tempfile.TemporaryDirectory() as scratch:
        code = Path(scratch) / "scoring"
        # Sources only: what Python compiled beside them belongs to this machine.
        shutil.copytree(
            Path(scoring.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__")
        )
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"bundle": str(bundle), "scoring": str(code), "card": str(bundle / CARD)},
            **contract(model.features),
            input_example=pyfunc_frame(rows.take(np.arange(min(3, len(rows))))),
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
        )
    # Not log_model(registered_model_name=...), which prints lines of its own.
    article = "an" if run.settings.entity == "account" else "a"
    with alone(run):
        if not client.search_registered_models(f"name = '{run.model_name}'"):
            client.create_registered_model(
                run.model_name,
                description=f"Probability that {article} {run.settings.entity} converts within "
                f"{run.settings.horizon_days} days ({run.settings.name})",
            )
    created = client.create_model_version(
        run.model_name,
        source=info.model_uri,
        run_id=info.run_id,
        model_id=info.model_id,
        description=description_of((bundle / CARD).read_text(encoding="utf-8")),
    )
    number = int(created.version)
    with alone(run):
        alias = CHALLENGER if aliased(client, run.model_name, CHAMPION) else CHAMPION
        client.set_registered_model_alias(run.model_name, alias, str(number))
    return Version(run.model_name, number, (alias,), info.run_id)


def make_champion(
    run: Run, version: Version, *, at: int | None = None, reason: str = "asked for at once"
) -> Version:
    """Move the champion alias to a version without asking the gate; recorded as forced.

    Parameters
    ----------
    at
        Microseconds UTC; None leaves the record without a time.
    """
    client = connect(run)
    if aliased(client, version.name, CHAMPION) != version.number:
        move_champion(
            run, client, version.name, version.number, "forced", at=at, reason=reason, whoever=True
        )
    return Version(version.name, version.number, (CHAMPION,), version.run_id)


def standing(run: Run, alias: str = CHAMPION) -> int | None:
    """Number of the version that an alias names; None without one, or without any model."""
    client = connect(run)
    if not client.search_registered_models(f"name = '{run.model_name}'"):
        return None
    return aliased(client, run.model_name, alias)


def find(run: Run, alias_or_number: str = CHAMPION) -> Version:
    """A version by alias or number.

    Raises
    ------
    NotEnoughHistory
        When there is no such version.
    """
    from mlflow.exceptions import MlflowException

    client = connect(run)
    try:
        if alias_or_number.isdigit():
            found = client.get_model_version(run.model_name, alias_or_number)
        else:
            found = client.get_model_version_by_alias(run.model_name, alias_or_number)
    except MlflowException as error:
        raise NotEnoughHistory(
            f"The registry has no {alias_or_number!r} of model {run.model_name!r}. "
            + _there_is(client, run.model_name)
        ) from error
    return Version(found.name, int(found.version), tuple(found.aliases), found.run_id)


def fetch(run: Run, version: Version) -> Path:
    """Local folder of the version's bundle: read it with `models.bundle.load_bundle`."""
    import mlflow

    connect(run)
    return Path(mlflow.artifacts.download_artifacts(version.uri)) / "artifacts" / "bundle"


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Keep a __pycache__ of the model file out of the artefact."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    variable = os.environ.get("PYTHONDONTWRITEBYTECODE")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        if variable is None:
            del os.environ["PYTHONDONTWRITEBYTECODE"]


def _there_is(client: Any, name: str) -> str:
    """Which versions can be named, or how to make one."""
    versions = sorted(int(one.version) for one in client.search_model_versions(f"name='{name}'"))
    if not versions:
        return "Train one first: make train, with the same settings file."
    return f"There are versions {few([str(number) for number in versions])}, and their aliases."
