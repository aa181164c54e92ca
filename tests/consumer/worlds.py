"""A small model written as the registry holds it, with rows and what the batch says of them."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from models import scoring
from models.bundle import save_bundle
from pipeline import pyfunc_model
from pipeline.signature import contract, pyfunc_frame
from tests.models.conftest import Fitted


@dataclass(frozen=True)
class Artefact:
    """A model's folder, rows as programs bring them, and the batch prediction of those rows."""

    folder: Path
    rows: pd.DataFrame
    batch: pd.DataFrame

    def load(self) -> mlflow.pyfunc.PyFuncModel:
        return mlflow.pyfunc.load_model(str(self.folder))


def write_artefact(fitted: Fitted, root: Path, n_rows: int = 40, mark: str = "") -> Artefact:
    """Save a fitted model without a registry; `mark` is written into its scoring sources."""
    save_bundle(fitted.model, root / "bundle", settings_text="", info={})
    code = root / "scoring"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(scoring.__file__).parent, code, ignore=skip)
    if mark:
        telling = code / "language.py"
        text = telling.read_text()
        assert '"unknown"' in text
        telling.write_text(text.replace('return value or "unknown"', f'return value or "{mark}"'))
    rows = fitted.test.take(np.arange(n_rows))
    with _no_bytecode():
        mlflow.pyfunc.save_model(
            str(root / "model"),
            python_model=pyfunc_model.__file__,
            artifacts={"bundle": str(root / "bundle"), "scoring": str(code)},
            input_example=pyfunc_frame(rows.take(np.arange(3))),
            pip_requirements=["mlflow"],
            **contract(fitted.model.features),
        )
    given = rows.matrix, rows.account, rows.domain
    batch = fitted.model.predict(*given)
    batch = batch.assign(**fitted.model.told(*given, most=3))
    like = fitted.model.look_alikes(*given, k=3)
    batch["look_alikes"] = [[one.name for one in row] for row in like]
    batch["look_alikes_share"] = [[one.told for one in row] for row in like]
    return Artefact(root / "model", pyfunc_frame(rows), batch)


@contextmanager
def _no_bytecode() -> Iterator[None]:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
