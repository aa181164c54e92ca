"""From an imported log to the rows that a model is fitted on or scores."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from features.catalogue import catalogue_and_choice
from features.catalogue_checks import unknown_events
from features.clock import to_us
from features.definitions import Feature
from features.engine import build_features
from features.errors import SettingsError, few
from features.events import EventLog, Level
from features.kinship import accounts_as_of, domains_as_of
from features.labels import Conversions, Labels, find_conversions, label_snapshots
from features.matrix import FeatureMatrix, Snapshots
from features.snapshots import calendar, eligible, own_rows
from models.dataset import Customers, Dataset
from models.scorecard import resolved, with_rule_features
from models.scorecard.columns import not_in_log
from pipeline.actions_checks import check_signals
from pipeline.progress import Progress
from pipeline.settings import Run, Settings
from pipeline.tables import read_table
from pipeline.wording import did_you_mean

Say = Callable[[str], None]


@dataclass(frozen=True)
class Assembled:
    """Training rows and customers, with what a person wants to know about them."""

    log: EventLog
    features: tuple[Feature, ...]
    conversions: Conversions
    dataset: Dataset
    customers: Customers


def assemble(run: Run, log: EventLog, say: Say) -> Assembled:
    """Snapshots, labels and features of a run, and every customer as it looked before it bought.

    Raises
    ------
    SettingsError, EventLogError, NotEnoughHistory
        With one sentence that says what is wrong and what to do.
    """
    with engine_session(run.settings):
        return _assemble(run, log, say)


def engine_session(settings: Settings) -> AbstractContextManager:
    """One Spark session for all that is computed inside; nothing where the engine is local."""
    if settings.compute.engine == "local":
        return nullcontext()
    from pipeline.spark.session import open_session

    return open_session(settings.compute.spark, settings.name)


def _assemble(run: Run, log: EventLog, say: Say) -> Assembled:
    settings, level = run.settings, run.settings.entity
    conversions = find_conversions(log, level, settings.conversion)
    if unknown := unknown_events(settings.features, log):
        meant = did_you_mean(unknown, log.event_codes)
        say(f"Warning: features names events that never happened: {few(unknown)}{meant}")
    for told in check_signals(settings, log):
        say(f"Warning: {told}")
    features, choice = catalogue_and_choice(
        settings.features, log, level, settings.conversion.events
    )
    features = with_rule_features(features, settings.scorecard, settings.signals, log, level)
    rules = resolved(settings.scorecard, settings.signals, features).rules
    for told in not_in_log(rules, log, level):
        say(f"Warning: {told}")
    if choice.left_out:
        say(
            f"Features: {len(choice.by_coverage)} events have columns of their own, those that "
            f"most {level}s did; {len(choice.left_out)} things are left out (`python -m pipeline "
            "features` names them)"
        )
    snapshots, given = _snapshots(run, log, conversions, say)
    labels = label_snapshots(snapshots, conversions, settings.horizon_days, log.data_end)
    if given is not None:
        labels = Labels(given & labels.mature, labels.mature)
    say(
        f"Labels: {labels.label.sum():,} of {labels.mature.sum():,} mature snapshots convert "
        f"within {settings.horizon_days} days; {(~labels.mature).sum():,} are too recent to know"
    )
    if quiet := conversions.quiet_days(log.data_end):
        say(
            f"Warning: the newest conversion is known {quiet:.0f} days before the data end, far "
            "longer than usual; if some are still to come, set data.until to before them"
        )
    matrix = compute(log, snapshots, features, settings, "Features")
    say(f"Features: {len(features)} columns for {len(snapshots):,} snapshots")
    dataset = Dataset(matrix, labels.label, labels.mature, *kinship(log, snapshots))
    return Assembled(
        log,
        features,
        conversions,
        dataset,
        customers_of(log, level, features, conversions, settings),
    )


def compute(
    log: EventLog,
    snapshots: Snapshots,
    features: tuple[Feature, ...],
    settings: Settings,
    title: str,
) -> FeatureMatrix:
    """The run's engine: here, with its threads and a progress bar, or on Spark. Equal bytes."""
    if settings.compute.engine == "spark":
        from pipeline.spark.engine import compute_on_spark

        store = log.root.parents[1]
        return compute_on_spark(settings.compute.spark, store, log, snapshots, features)
    with Progress(title) as progress:
        return build_features(
            log,
            snapshots,
            features,
            threads=settings.compute.threads,
            memory_mb=settings.compute.memory_mb,
            spill=log.root.parents[1] / "spill",
            progress=progress.update,
        )


def customers_of(
    log: EventLog,
    level: Level,
    features: tuple[Feature, ...],
    conversions: Conversions,
    settings: Settings,
) -> Customers:
    """Every converted entity as it looked just before its conversion, and when that was known."""
    entity = np.flatnonzero(conversions.occurred_at <= log.data_end)
    rows = Snapshots.of(level, entity, conversions.occurred_at[entity], log.ids(level))
    matrix = compute(log, rows, features, settings, "Customers")
    account, domain = kinship(log, rows)
    return Customers(
        matrix=matrix,
        known_at=conversions.known_at[rows.entity],
        account=account,
        domain=domain,
        names=display_names(log, level, log.data_end)[rows.entity],
    )


def kinship(log: EventLog, snapshots: Snapshots) -> tuple[np.ndarray, np.ndarray]:
    """Account id and e-mail domain of each row as known at its as_of: whom it must not meet.

    A user in no account stands for itself, so that it never meets its own past.
    """
    code = accounts_as_of(log, snapshots)
    account = np.array([f"user {name}" for name in snapshots.ids], object)
    account[code >= 0] = log.ids("account")[code[code >= 0]]
    return account, domains_as_of(log, snapshots)


def display_names(log: EventLog, level: Level, before: int) -> np.ndarray:
    """What people call each entity: its latest ``name`` known before an instant, else its id."""
    names = log.ids(level).copy()
    kinds = [(item.of, item.name) for item in log.attributes]
    if (level, "name") in kinds:
        kind = kinds.index((level, "name"))
        values = log.attribute_values
        known = pc.and_(pc.equal(values["attribute"], kind), pc.less(values["at"], before))
        rows = values.filter(known)
        texts = rows["text"].to_numpy(zero_copy_only=False)
        # Rows are in time order within an entity: the latest wins.
        for code, text in zip(rows["code"].to_numpy(), texts, strict=True):
            if text:
                names[code] = text
    return names


def _snapshots(
    run: Run, log: EventLog, conversions: Conversions, say: Say
) -> tuple[Snapshots, np.ndarray | None]:
    settings = run.settings
    if settings.rows is not None:
        return _own_rows(run, log, conversions, say)
    as_ofs = calendar(log, settings.cohort.every_days)
    with Progress("Cohort") as progress:
        cohort = eligible(
            log,
            settings.entity,
            settings.cohort,
            as_ofs,
            conversions,
            threads=settings.compute.threads,
            memory_mb=settings.compute.memory_mb,
            progress=progress.update,
        )
    say(
        f"Cohort: {len(cohort.snapshots):,} snapshots of {cohort.n_entities:,} {settings.entity}s "
        f"at {len(as_ofs)} dates; {cohort.n_converted_before:,} converted before their first "
        "snapshot and are never asked about"
    )
    return cohort.snapshots, None


def _own_rows(
    run: Run, log: EventLog, conversions: Conversions, say: Say
) -> tuple[Snapshots, np.ndarray | None]:
    spec = run.settings.rows
    assert spec is not None
    frame = read_table(run.base / spec.file)
    wanted = [spec.entity, spec.as_of, *([spec.label] if spec.label else [])]
    if missing := [name for name in wanted if name not in frame.columns]:
        raise SettingsError(
            f"rows.file {spec.file!r} has no column {missing[0]!r}; it has {list(frame.columns)}."
        )
    ids = frame[spec.entity].astype(str).to_numpy(object)
    as_of = np.array([_instant(str(value), spec.file) for value in frame[spec.as_of]], np.int64)
    level = run.settings.entity
    snapshots = own_rows(log, level, ids, as_of)
    gone = conversions.converted_before(snapshots.entity, snapshots.as_of)
    say(
        f"Rows: {len(snapshots):,} from {spec.file!r} ({len(frame) - len(snapshots):,} repeated); "
        f"{gone.sum():,} had converted before their as_of and are left out"
    )
    kept = snapshots.take(~gone)
    if spec.label is None:
        return kept, None
    labels = [_outcome(str(value), spec.file) for value in frame[spec.label]]
    given = dict(zip(zip(ids, as_of, strict=True), labels, strict=True))
    keys = zip(kept.ids, kept.as_of, strict=True)
    return kept, np.array([given[key] for key in keys], bool)


def _instant(text: str, file: str) -> int:
    try:
        return to_us(text)
    except ValueError as error:
        raise SettingsError(
            f"rows.file {file!r} has the as_of {text!r}, which is no time."
        ) from error


def _outcome(text: str, file: str) -> bool:
    """A label as people write it; anything else is an error, never a guess."""
    known = {"1": True, "true": True, "0": False, "false": False, "1.0": True, "0.0": False}
    if text.lower() not in known:
        raise SettingsError(f"rows.file {file!r} has the label {text!r}; write 0 or 1.")
    return known[text.lower()]
