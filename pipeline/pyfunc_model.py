"""The registered model's own code: travels with the bundle, needs nothing of this project."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class PropensityPyfunc(PythonModel):
    """Raw score, probability, PQL score and tier of feature rows.

    Columns that the signature calls optional and that are absent count as unknown.
    """

    def load_context(self, context: PythonModelContext) -> None:
        module = _module(Path(context.artifacts["scoring"]))
        self.scorer = module.Scorer.load(context.artifacts["bundle"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict | None = None
    ) -> pd.DataFrame:
        n = len(model_input)
        values: dict[str, Any] = {}
        for column in self.scorer.columns:
            name, is_number = column["name"], column["dtype"] == "number"
            if name not in model_input:
                values[name] = [float("nan") if is_number else None] * n
            elif is_number:
                values[name] = model_input[name].to_numpy("float32")
            else:
                values[name] = _texts(model_input[name])
        values["as_of"] = model_input["as_of"].to_numpy("datetime64[us]")
        for key in ("account_id", "domain"):
            if key in model_input:
                values[key] = _texts(model_input[key])
        return pd.DataFrame(self.scorer.score(values), index=model_input.index)


def _texts(column: pd.Series) -> Any:
    texts = column.astype(object)
    return texts.where(texts.notna(), None).to_numpy()


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
