"""Feature rows for a registered model, from nothing but events: what its `predict` takes."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.budget import events_per_shard
from features.clock import to_text, to_us
from features.definitions import Feature
from features.engine import build_features
from features.errors import EventLogError, NotEnoughHistory, SchemaMismatch
from features.events import EventLog
from features.labels import NEVER_US, Conversions, ConversionSpec, find_conversions
from features.matrix import FeatureMatrix, Snapshots
from features.needs import listed, unmet
from features.snapshots import eligible, own_rows
from models.dataset import Dataset
from pipeline.champion import Champion, emptied
from pipeline.dataset import kinship
from pipeline.event_frames import Source, data_of
from pipeline.importer.log import import_log
from pipeline.portable import environment_kept
from pipeline.registry import Version
from pipeline.signature import pyfunc_frame

if TYPE_CHECKING:
    import pandas as pd


def features_for(
    model_uri: str,
    events: Source,
    as_of: str | datetime,
    *,
    accounts: Source | None = None,
    users: Source | None = None,
    entities: Iterable[str] | None = None,
    allow_missing: bool = False,
    tracking_uri: str | None = None,
    memory_mb: int = 2000,
    threads: int = 1,
) -> "pd.DataFrame":
    """Rows for the registered model's ``predict``, computed by its own definitions.

    Give the events of everybody, from the beginning on: who converted before, who was active, and
    features that compare with others (``first_period_ratio``) are read from them. What is known at
    or after as_of changes nothing. Of the model's settings, the cohort, the conversion,
    ``data.exclude``, ``data.derived_events`` and ``data.drop_events`` hold here too.

    Parameters
    ----------
    model_uri
        ``models:/pql-demo@champion``, ``models:/pql-demo/3``, ``runs:/...`` or a folder that holds
        an MLflow model.
    events
        A frame, or a path or glob of CSV, Parquet or JSON lines, in the generic contract: columns
        event, time, user_id and/or account_id, optionally known_at and event_id. Event properties
        are columns of their own names.
    as_of
        ISO date (its midnight UTC) or time; only events with known_at < as_of exist.
    accounts, users
        Attributes: a row per account_id (user_id) and ``time`` from which on it holds; without
        that column the values are taken as known at every time. A table of users may name their
        account_id, and their ``email``, which keeps a row from meeting its own company.
    entities
        Ids to compute, in this order; None for the model's cohort, in the order of ids.
    allow_missing
        Leave features unknown whose property or attribute these data lack, instead of refusing.
    tracking_uri
        Of MLflow's store; None for the one that MLflow is set to.
    memory_mb
        Limit for the process, in megabytes.

    Returns
    -------
    DataFrame
        Index ``entity_id``; ``as_of``, the features by name (float32 or text), ``account_id`` and
        ``domain``.

    Raises
    ------
    SchemaMismatch
        When the data lack what the model reads or hold it as another type, with a list; or this
        program computes its features otherwise.
    EventLogError
        When the events can't be used, as_of is no time or lies before them, or an entity is not
        among them.
    NotEnoughHistory
        When there is no such model.
    """
    instant = _instant(as_of)
    with tempfile.TemporaryDirectory(prefix="pql-features-") as scratch:
        root = Path(scratch)
        champion = _fetch(model_uri, tracking_uri, root / "model")
        data = data_of(champion, events, accounts, users, root)
        log = import_log(
            data,
            root,
            root / "logs",
            champion.settings.entity,
            memory_mb=memory_mb,
            threads=threads,
            events_per_shard=events_per_shard(memory_mb, threads),
        )
        features = _known(champion, log, allow_missing)
        how: dict[str, Any] = {"threads": threads, "memory_mb": memory_mb}
        rows = _rows(champion, log, instant, entities, how)
        matrix = build_features(log, rows, features, spill=root / "spill", **how)
        frame = _frame(champion, log, matrix)
    if entities is None:
        return frame
    return frame.loc[[str(one) for one in entities]]


def _instant(as_of: str | datetime) -> int:
    try:
        return to_us(as_of)
    except (ValueError, TypeError) as error:
        raise EventLogError(
            f"as_of {as_of!r} is no time; give a datetime, or a text like '2024-06-01'."
        ) from error


def _fetch(model_uri: str, tracking_uri: str | None, folder: Path) -> Champion:
    """The model's bundle, which says by itself what it is."""
    folder.mkdir()
    if (Path(model_uri) / "MLmodel").is_file():
        found = Path(model_uri)
    else:
        import mlflow
        from mlflow.exceptions import MlflowException

        try:
            with _store(tracking_uri):
                found = Path(mlflow.artifacts.download_artifacts(model_uri, dst_path=str(folder)))
        except (MlflowException, OSError) as error:
            raise NotEnoughHistory(
                f"There is no model {model_uri!r} to be had from the store: {error}"
            ) from error
    bundle = found / "artifacts" / "bundle"
    if not bundle.is_dir():
        raise SchemaMismatch(
            f"The model {model_uri!r} was not registered by this program: it has no bundle."
        )
    return Champion.read(bundle, Version(model_uri, 0, (), ""))


@contextmanager
def _store(tracking_uri: str | None) -> Iterator[None]:
    """MLflow looks into this store inside, and where it did before from then on."""
    import mlflow

    if tracking_uri is None:
        yield
        return
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    with environment_kept():
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before[0])
            mlflow.set_registry_uri(before[1])


def _known(champion: Champion, log: EventLog, allow_missing: bool) -> tuple[Feature, ...]:
    """The features that these data can answer: all, unless others may stay unknown."""
    lacking = unmet(champion.needs, log)
    # A property that nobody happens to have is unknown of everybody; an attribute was not given.
    lacking |= {need: told for need, told in emptied(champion, log).items() if need.of != "event"}
    if not lacking:
        return champion.model.features
    if not allow_missing:
        raise SchemaMismatch(
            f"These data differ in {len(lacking)} things from what {champion.version.name} reads "
            f"(- is missing, ! is of another type):\n{listed(list(lacking.values()))}\n"
            "Give properties as columns of the events and attributes by `accounts` or `users`; "
            "allow_missing=True leaves what is made of them unknown."
        )
    return tuple(
        one for one in champion.model.features if champion.needs_of(one).isdisjoint(lacking)
    )


def _rows(
    champion: Champion,
    log: EventLog,
    as_of: int,
    entities: Iterable[str] | None,
    how: dict[str, Any],
) -> Snapshots:
    settings = champion.settings
    if as_of <= log.first_at:
        raise EventLogError(
            f"as_of {to_text(as_of)} lies before the events, which begin {to_text(log.first_at)}."
        )
    if entities is not None:
        ids = np.array([str(one) for one in entities], object)
        return own_rows(log, settings.entity, ids, np.full(len(ids), as_of))
    conversions = _conversions(log, champion, as_of)
    cohort = eligible(log, settings.entity, settings.cohort, np.array([as_of]), conversions, **how)
    return cohort.snapshots


def _conversions(log: EventLog, champion: Champion, as_of: int) -> Conversions:
    """Who had converted; nobody where the events hold no conversion at all."""
    level = champion.settings.entity
    seen = [one for one in champion.settings.conversion.events if one in log.event_codes]
    if not seen:
        never = np.full(len(log.entities(level)), NEVER_US)
        return Conversions(never, never)
    return find_conversions(log, level, ConversionSpec(events=tuple(seen)), known_before=as_of)


def _frame(champion: Champion, log: EventLog, matrix: FeatureMatrix) -> "pd.DataFrame":
    """All columns that the model takes, in its order; what could not be computed is unknown."""
    unlabelled = np.zeros(len(matrix), bool)
    frame = pyfunc_frame(Dataset(matrix, unlabelled, unlabelled, *kinship(log, matrix.snapshots)))
    frame.index = matrix.snapshots.ids.astype(str)
    frame.index.name = "entity_id"
    return _with_unknown(frame, champion.model.features)


def _with_unknown(frame: "pd.DataFrame", features: tuple[Feature, ...]) -> "pd.DataFrame":
    import pandas as pd

    empty = {
        one.name: pd.Series(
            [None] * len(frame) if one.dtype == "category" else np.nan,
            frame.index,
            "str" if one.dtype == "category" else "float32",
        )
        for one in features
        if one.name not in frame
    }
    names = ["as_of", *(one.name for one in features), "account_id", "domain"]
    return pd.concat([frame, pd.DataFrame(empty, frame.index)], axis=1)[names]
