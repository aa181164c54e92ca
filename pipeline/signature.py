"""What the registered model takes and gives: typed columns, and rows in that form."""

from typing import Any

import numpy as np

from features.definitions import Feature
from models.dataset import Dataset


def pyfunc_frame(rows: Dataset) -> Any:
    """Rows as the registered model takes them: ``as_of``, the keys, and the features by name."""
    frame = rows.matrix.frame().drop(columns="entity_id")
    frame["account_id"] = pd_text(rows.account)
    frame["domain"] = pd_text(rows.domain)
    return frame


def pd_text(values: np.ndarray) -> Any:
    """Texts with None for missing, which a pyfunc signature takes as an optional string."""
    import pandas as pd

    return pd.Series(values, dtype=object)


def signature(features: tuple[Feature, ...]) -> Any:
    """Typed inputs (every feature may be missing) and outputs."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec("datetime", "as_of")]
    inputs += [
        ColSpec("float" if f.dtype == "number" else "string", f.name, required=False)
        for f in features
    ]
    inputs += [ColSpec("string", name, required=False) for name in ("account_id", "domain")]
    outputs = [
        ColSpec("double", "raw_score"),
        ColSpec("double", "probability"),
        ColSpec("double", "pql_score"),
        ColSpec("string", "tier"),
        ColSpec("double", "fit_score", required=False),
        ColSpec("string", "fit_tier", required=False),
        ColSpec("double", "usage_score", required=False),
        ColSpec("string", "usage_tier", required=False),
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
