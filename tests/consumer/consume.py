"""A program of somebody else: loads models from folders and checks what they say.

    python -I consume.py FOLDER ROWS BATCH [FOLDER ROWS BATCH ...]

Runs in an environment without this project. ROWS and BATCH are Parquet files: what to score, and
what the batch prediction said of it. Any difference ends it with a message.
"""

import importlib.util
import os
import sys

os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"

import mlflow
import numpy as np
import pandas as pd


def main(folders: list[str], rows: list[str], batches: list[str]) -> None:
    for name in ("features", "models", "pipeline"):
        if importlib.util.find_spec(name):
            sys.exit(f"{name} can be imported: this proves nothing")
    # All are loaded before any is asked: versions in one process must not mix.
    models = [mlflow.pyfunc.load_model(folder) for folder in folders]
    for model, row, batch in zip(models, map(pd.read_parquet, rows), batches, strict=True):
        compare(model.predict(row), pd.read_parquet(batch))
        fast = model.predict(row, params={"reasons": False, "look_alikes": False})
        if fast[["reasons", "look_alikes"]].notna().any(axis=None):
            sys.exit("reasons were told that nobody asked for")
        try:
            model.predict(row.rename(columns={row.columns[1]: "misspelt"}))
        except mlflow.exceptions.MlflowException as error:
            lines = error.message.splitlines()
            if not {f"- {row.columns[1]}", "+ misspelt"} <= {line.split(":")[0] for line in lines}:
                sys.exit(f"no diff: {error.message}")
        else:
            sys.exit("a column was missing, and nothing was said")


def compare(found: pd.DataFrame, batch: pd.DataFrame) -> None:
    for name in batch.columns:
        left, right = found[name].tolist(), batch[name].tolist()
        if isinstance(left[0], list):
            right = [list(texts) for texts in right]
        elif isinstance(left[0], float):
            left, right = [], np.flatnonzero(np.abs(found[name] - batch[name]) > 1e-9).tolist()
        if left != right:
            sys.exit(f"{name} differs from the batch prediction: {left} {right}")


if __name__ == "__main__":
    main(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3])
