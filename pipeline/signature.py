"""What the registered model takes and gives: typed columns, and rows in that form."""

from typing import Any

import numpy as np

from features.definitions import Feature
from models.dataset import Dataset
from models.scoring import PARTS


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


def contract(features: tuple[Feature, ...]) -> dict[str, Any]:
    """What `mlflow.pyfunc.log_model` is told of inputs, parameters and outputs.

    Inputs are named and typed under ``metadata``, not as a signature: what MLflow enforces by one
    refuses whole numbers for a double (but not where all are 0 or 1) and texts that are all
    missing, says so with a print of the data, and drops what it does not know. The model checks
    its columns itself and says what differs.
    """
    inputs = {"as_of": "time"} | {feature.name: feature.dtype for feature in features}
    inputs |= {"account_id": "category", "domain": "category"}
    return {"signature": _signature(), "metadata": {"inputs": inputs}}


def _signature() -> Any:
    """Parameters and typed outputs of the registered model."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, DataType

    texts = Array(DataType.string)
    outputs = [
        ColSpec("double", "raw_score"),
        ColSpec("double", "probability"),
        ColSpec("double", "pql_score"),
        ColSpec("string", "tier"),
        ColSpec("double", "fit_score", required=False),
        ColSpec("string", "fit_tier", required=False),
        ColSpec("double", "usage_score", required=False),
        ColSpec("string", "usage_tier", required=False),
        *(ColSpec("double", f"{part}_points", required=False) for part in PARTS),
        ColSpec(texts, "reasons", required=False),
        ColSpec(texts, "reasons_against", required=False),
        ColSpec(texts, "look_alikes", required=False),
        ColSpec(texts, "look_alikes_share", required=False),
        ColSpec("long", "model_version", required=False),
    ]
    params = [
        ParamSpec("reasons", "boolean", default=True),
        ParamSpec("look_alikes", "boolean", default=True),
        ParamSpec("most", "long", 3),
        ParamSpec("missing", "string", "error"),
        ParamSpec("threads", "long", 1),
    ]
    return ModelSignature(outputs=Schema(outputs), params=ParamSchema(params))
