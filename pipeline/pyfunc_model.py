"""The registered model's own code: travels with the bundle, needs nothing of this project."""

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

DEFAULTS: dict[str, Any] = {
    "reasons": True,
    "look_alikes": True,
    "most": 3,
    "missing": "error",
    "threads": 1,
}
# Frames are turned into arrays some rows at a time: bounds the memory, no result depends on it.
_BLOCK = 65_536


class PropensityPyfunc(PythonModel):
    """Scores, tier, reasons and look-alikes of feature rows.

    MLflow's own check of columns refuses whole numbers where a double is meant, depending on
    their values; so this model has no input schema there, and checks what it gets itself.
    """

    def load_context(self, context: PythonModelContext) -> None:
        self.scoring = _module(Path(context.artifacts["scoring"]))
        bundle = Path(context.artifacts["bundle"])
        self.scorer = self.scoring.Scorer.load(bundle)
        self.version = _version(bundle.parents[1])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict | None = None
    ) -> pd.DataFrame:
        asked = _checked({**DEFAULTS, **(params or {})})
        expected = self.scoring.expected(self.scorer.columns)
        # Without customers to compare with, nobody can meet their own people among them.
        optional = [] if self.scorer.space is not None else ["account_id", "domain"]
        if asked["missing"] == "unknown":
            optional = [name for name in expected if name != "as_of"]
        try:
            frame = self.scoring.to_frame(model_input)
            self.scoring.check_frame(expected, frame, optional)
        except self.scoring.ColumnError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        parts = []
        for start in range(0, max(len(frame), 1), _BLOCK):
            block = frame.iloc[start : start + _BLOCK]
            parts.append(self._scores(block.index, self.scoring.to_values(expected, block), asked))
        return pd.concat(parts) if len(parts) > 1 else parts[0]

    def _scores(self, index: pd.Index, values: dict, asked: dict[str, Any]) -> pd.DataFrame:
        threads = asked["threads"]
        scores = pd.DataFrame(self.scorer.score(values, threads), index=index)
        nothing = np.full(len(scores), None, object)
        nobody_asked = {
            f"{part}_points": np.full(len(scores), np.nan) for part in self.scoring.PARTS
        }
        texts = ("reasons", "reasons_against", "look_alikes", "look_alikes_share")
        nobody_asked |= dict.fromkeys(texts, nothing)
        scores = scores.assign(**nobody_asked)
        if asked["reasons"]:
            told = self.scorer.told(values, asked["most"], threads)
            for name, column in told.items():
                scores[name] = _lists(column) if isinstance(column, list) else column
        if asked["look_alikes"]:
            found = self.scorer.look_alikes(values, asked["most"])
            scores["look_alikes"] = _lists([[one.name for one in row] for row in found])
            scores["look_alikes_share"] = _lists([[one.told for one in row] for row in found])
        scores["model_version"] = pd.array([self.version] * len(scores), dtype="Int64")
        return scores


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    """Parameters, or an error; MLflow checked their types."""
    if asked["missing"] not in ("error", "unknown"):
        raise MlflowException.invalid_parameter_value(
            f"The parameter missing is {asked['missing']!r}; it can be 'error', or 'unknown' for "
            "columns that are absent to count as unknown."
        )
    for name in ("most", "threads"):
        if asked[name] < 1:
            raise MlflowException.invalid_parameter_value(
                f"The parameter {name} is {asked[name]}; it must be at least 1."
            )
    return asked


def _lists(rows: list[list[str]]) -> np.ndarray:
    """Lists as values of a column, also where all are of one length."""
    column = np.empty(len(rows), object)
    column[:] = rows
    return column


def _version(root: Path) -> int | None:
    """The number it is registered by; None for a folder that did not come from a registry.

    A model is written before it gets its number, so the artefact can't hold it. MLflow leaves a
    file beside the model whenever it is fetched from the registry.
    """
    found = root / "registered_model_meta"
    if not found.is_file():
        return None
    number = re.search(r"^model_version: '?(\d+)", found.read_text(encoding="utf-8"), re.MULTILINE)
    return int(number[1]) if number else None


def _module(folder: Path) -> Any:
    """Load the scoring package under a name of its own: two versions in one process never mix."""
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    name = f"pql_scoring_{hashlib.sha256(b'|'.join(sources)).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


set_model(PropensityPyfunc())
