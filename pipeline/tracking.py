"""MLflow as the record of runs: where the store is, and what a training writes to it."""

import fcntl
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import SettingsError
from models.choosing.search import SPACE
from models.choosing.tuning import Tuning
from models.dataset import Dataset
from models.judging.backtest import Backtest
from models.judging.champion import AgainstChampion
from models.judging.evaluation import Evaluation
from models.splits import Split
from pipeline.portable import environment_kept, settle
from pipeline.settings import Run

if TYPE_CHECKING:
    import pandas as pd

PARAM_LENGTH = 500

# Set when this module is imported, not on connecting: MLflow reads these when it is imported
# itself, and would report to its makers from then on. What the user has set stays.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}.items():
    os.environ.setdefault(_name, _value)


def tracking_uri(run: Run) -> str:
    """The settings' store, else MLFLOW_TRACKING_URI, else a SQLite file in the run's own store."""
    configured = run.settings.mlflow.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if configured:
        return configured
    run.store.mkdir(parents=True, exist_ok=True)
    return _own_store(run)


def _own_store(run: Run) -> str:
    return f"sqlite:///{run.store / 'mlflow.db'}"


def _experiment(run: Run) -> str:
    return run.settings.mlflow.experiment or run.settings.name


def connect(run: Run) -> Any:
    """Point MLflow at the run's store and return a client; quiet about its own housekeeping.

    Raises
    ------
    SettingsError
        When the store is the run's own and its database is damaged.
    """
    import mlflow

    for name in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
    uri = tracking_uri(run)
    with environment_kept():
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
    # The client itself makes the tables on first use.
    with alone(run):
        if uri == _own_store(run):
            _refuse_damaged(run.store / "mlflow.db", run.store / "mlartifacts")
        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)
        if uri == _own_store(run):
            settle(run.store / "mlflow.db", _experiment(run), run.store / "mlartifacts")
    return client


def _refuse_damaged(database: Path, artefacts: Path) -> None:
    """Stop at a database that is none, or that is empty beside artefacts of an earlier one.

    SQLite makes an empty file a new database, and all models would seem never to have been there.
    """
    if not database.is_file():
        return
    if not database.stat().st_size and artefacts.is_dir() and any(artefacts.iterdir()):
        raise SettingsError(
            f"The registry {str(database)!r} is empty, but {str(artefacts)!r} holds models of it. "
            "Restore the file from a backup; to begin anew, remove both."
        )
    try:
        with closing(sqlite3.connect(database, timeout=60)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError:  # locked or not to be read, as MLflow will say
        return
    except sqlite3.DatabaseError as error:
        raise SettingsError(
            f"The registry {str(database)!r} is damaged ({error}). Restore it from a backup."
        ) from error


@contextmanager
def alone(run: Run) -> Iterator[None]:
    """Hold the store's lock, so that two first trainings at once don't both create the same thing.

    The lock goes with the process, however it ends. Do not nest.
    """
    run.store.mkdir(parents=True, exist_ok=True)
    with (run.store / ".mlflow.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def training_run(run: Run, title: str, note: str, tags: Mapping[str, str]) -> Iterator[str]:
    """An MLflow run in the settings' experiment; yields its id. A failed training is marked so.

    `title` and `note` (Markdown) are what MLflow's UI shows first.
    """
    import mlflow

    client = connect(run)
    name = _experiment(run)
    with alone(run):
        if client.get_experiment_by_name(name) is None:
            # A database holds no files, and MLflow would put them where one happens to be.
            served = mlflow.get_tracking_uri().startswith(("http", "databricks"))
            folder = (run.store / "mlartifacts").resolve().as_uri()
            place = run.settings.mlflow.artifacts or (None if served else folder)
            client.create_experiment(name, artifact_location=place)
    mlflow.set_experiment(name)
    with mlflow.start_run(run_name=title, description=note, tags=dict(tags)) as active:
        yield active.info.run_id


def log_settings(run: Run) -> None:
    """Every setting as a parameter under its dotted name, and the file itself."""
    import mlflow

    mlflow.log_params(
        {
            key: text[:PARAM_LENGTH]
            for key, text in flatten(run.settings.model_dump(mode="json"))
            if text
        }
    )
    mlflow.log_text(run.text, "settings.yaml")


def flatten(block: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and texts of nested settings.

    >>> list(flatten({"a": {"b": 1, "c": [2, 3]}, "d": None}))
    [('a.b', '1'), ('a.c', '[2, 3]')]
    """
    if isinstance(block, dict):
        for key, value in block.items():
            # MLflow allows fewer characters in a name than event names have.
            name = "".join(c if c.isalnum() or c in "_-. /" else "_" for c in str(key))
            yield from flatten(value, f"{prefix}.{name}" if prefix else name)
    elif block is not None:
        yield prefix, str(block)


def log_evaluation(evaluation: Evaluation, worth: "pd.DataFrame | None", split: Split) -> None:
    """Metrics with their intervals, under names that sort together in MLflow's UI."""
    import mlflow

    metrics = {"base_rate": evaluation.base_rate, "permuted_pr_auc": evaluation.permuted_pr_auc}
    metrics |= _metrics("", evaluation.table)
    if worth is not None:
        metrics |= _metrics("similarity_", worth)
    for fold in split.folds:
        metrics |= {f"{fold.name}.rows": fold.rows, f"{fold.name}.positives": fold.positives}
    mlflow.log_metrics(metrics)


def log_backtest(result: Backtest, champion: AgainstChampion | None) -> None:
    """Metrics of the pooled rows and of each fold, under names that sort together."""
    import mlflow

    tables = {f"fold_{at}.": fold.table for at, fold in enumerate(result.folds, 1)}
    tables[""] = result.table
    if champion is not None and champion.table is not None:
        tables["champion."] = champion.table
    metrics = {"base_rate": result.base_rate, "converting": float(result.converting)}
    for prefix, table in tables.items():
        metrics |= _metrics(prefix, table)
    for name, perfect in result.if_perfect.items():
        metrics[f"calibration_error_if_perfect.{_key(name)}"] = perfect.mean
    mlflow.log_metrics(metrics)


def _metrics(prefix: str, table: "pd.DataFrame") -> dict[str, float]:
    metrics = {}
    for row in table.to_dict("records"):
        key = f"{prefix}{row['metric']}.{_key(row['contender'])}"
        for suffix in ("", "low", "high", "difference", "difference_low", "difference_high"):
            value = row[suffix or "value"]
            if value == value:
                metrics[f"{key}.{suffix}" if suffix else key] = float(value)
    return metrics


def _key(name: str) -> str:
    return name.replace(" ", "_")


def log_tuning(tuning: Tuning) -> None:
    """The search as a nested run: its space, every trial, the verdict; runs for the best five."""
    import mlflow

    tags = {"kept": str(tuning.kept).lower(), "best_trial": str(tuning.best.number)}
    with mlflow.start_run(run_name="tuning", nested=True, description=tuning.verdict, tags=tags):
        for name, (_, low, high, is_log) in SPACE.items():
            mlflow.log_param(f"space.{name}", f"{low} to {high}{', log' if is_log else ''}")
        mlflow.log_params({f"best.{key}": value for key, value in tuning.best.params.items()})
        values = {"trials": len(tuning.trials), "folds.default": tuning.trials[0].value}
        values |= {"folds.best": tuning.best.value}
        if tuning.judged is not None:
            values |= {
                "later.standing": tuning.judged.standing_loss,
                "later.gain": tuning.judged.gain,
                "later.gain_error": tuning.judged.error,
            }
        mlflow.log_metrics({key: float(v) for key, v in values.items() if v is not None})
        mlflow.log_dict({"trials": tuning.describe()}, "trials.json")
        for trial in tuning.leaders(5):
            with mlflow.start_run(run_name=f"trial {trial.number}", nested=True):
                mlflow.log_params(trial.params)
                mlflow.log_metric("log_loss", trial.value)


def log_rows(name: str, rows: Dataset, source: Path, horizon_days: int) -> None:
    """Record which rows a step used through MLflow's data API: ids, as_of, label, fingerprint.

    The features' own schema is in the bundle; inferring it again for hundreds of columns takes
    MLflow longer than a training.
    """
    import mlflow
    import pandas as pd

    target = f"converts_within_{horizon_days}d"
    snapshots = rows.matrix.snapshots
    frame = pd.DataFrame(
        {
            "entity_id": snapshots.ids.astype(str),
            "as_of": snapshots.as_of.astype("datetime64[us]"),
            target: rows.label,
        }
    )
    with warnings.catch_warnings():
        # MLflow registers two equal readers for local files, then warns that it has a choice.
        warnings.filterwarnings("ignore", message="The specified dataset source can be interpreted")
        dataset = mlflow.data.from_pandas(
            frame,
            source=str(source),
            name=name,
            targets=target,
            digest=rows.matrix.fingerprint()[:36],
        )
    mlflow.log_input(dataset, context=name)


def log_folder(folder: Path, name: str) -> None:
    """Every file of a folder as artefacts under `name`."""
    import mlflow

    mlflow.log_artifacts(str(folder), artifact_path=name)
