"""One YAML file is the run: read strictly, assembled from the specs that the modules obey."""

import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from features.catalogue_spec import FeatureSpec
from features.errors import SettingsError
from features.labels import ConversionSpec
from features.signals import SignalSpec
from features.snapshots import CohortSpec
from features.spec import Spec
from models.actions.spec import ActionSpec
from models.choosing.tuning import TuningSpec
from models.heads.heads import HeadsSpec
from models.judging.gate import GateSpec
from models.judging.rolling import BacktestSpec
from models.judging.segments import SegmentSpec
from models.leakage.spec import AuditSpec
from models.learners.rungs import ModelSpec
from models.milestones.spec import MilestoneSpec
from models.monitoring.spec import MonitorSpec
from models.scorecard import ScorecardSpec
from models.splits import FoldSpec
from pipeline.crm import CrmSpec
from pipeline.freshness import FreshnessSpec
from pipeline.mistakes import line_of, mistakes
from pipeline.settings_hints import cut_line, in_words
from pipeline.sources.postgres import holds_password
from pipeline.sources.spec import DataSpec
from pipeline.spark.spec import SparkSpec


class PathSpec(Spec):
    """The ``paths:`` block: where results go; paths start at the settings file's folder."""

    store: str = "data"
    """Imported logs, scores, reports and MLflow's SQLite store. MLflow keeps absolute paths: don't
    move the folder."""


class MLflowSpec(Spec):
    """The ``mlflow:`` block: where runs and models are registered.

    Credentials come from MLflow's environment variables only.
    """

    tracking_uri: str | None = None
    """Any MLflow server or database, never with a password; none: what the environment variable
    ``MLFLOW_TRACKING_URI`` says, else a SQLite file in ``paths.store``."""
    artifacts: str | None = None
    """Where a database's runs and models keep their files, such as ``s3://...``; none: in
    ``paths.store``. It holds for new experiments."""
    experiment: str | None = None
    """Name of the experiment; none: the run's name."""

    # Of the block, not of the field: errors of a field quote its value.
    @model_validator(mode="after")
    def _no_password(self) -> "MLflowSpec":
        if self.tracking_uri is not None and holds_password(self.tracking_uri):
            raise ValueError(
                "tracking_uri holds a password; take it out and set PGPASSWORD, or put the whole "
                "address into the environment variable MLFLOW_TRACKING_URI"
            )
        return self


class RowsSpec(Spec):
    """A user's own table of (entity, as_of[, label]) in place of the cohort's calendar."""

    file: str
    """Your own table (CSV or Parquet) of rows to train on."""
    entity: str = "entity_id"
    """Its column of account or user ids."""
    as_of: str = "as_of"
    """Its column of dates or times."""
    label: str | None = None
    """Its column of labels (0 or 1); without it labels come from ``conversion``."""


class EvaluationSpec(Spec):
    """The ``evaluation:`` block: folds, bootstrap, and the accounts sales can call."""

    folds: FoldSpec = FoldSpec()
    backtest: BacktestSpec = BacktestSpec()
    segments: SegmentSpec = SegmentSpec()
    n_bootstrap: PositiveInt = 500
    """Draws behind each interval."""
    capacity_per_week: PositiveInt | None = None
    """How many entities sales can call in a week; none: that of tiers by capacity, else 60."""


class ComputeSpec(Spec):
    """The ``compute:`` block: what the machine may be used for. Results do not depend on it.

    Import and features keep the limit of memory: a matrix that does not fit is built in
    ``paths.store``, needs twice its size there for a while, and is read from there as it is used.
    Fitting the booster takes what it needs.
    """

    memory_mb: int = Field(default=2000, ge=500)
    """Memory to keep within; Python and its libraries take 300 of it before the first event."""
    threads: PositiveInt = 2
    """Threads that import, features and the booster use."""
    events_per_shard: PositiveInt | None = None
    """Events in one file of the imported log, which one task holds in memory; none: 1,000,000,
    500,000, 250,000 or 125,000, as fit."""
    engine: Literal["local", "spark"] = "local"
    """``spark`` computes features and scores on [Spark](spark.md)."""
    spark: SparkSpec = SparkSpec()


class Settings(Spec):
    """A whole run."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)
    """Names the MLflow experiment and the registered model ``pql-<name>``."""
    seed: NonNegativeInt = 0
    """Same data, settings and seed give byte-equal models and scores."""
    entity: Literal["account", "user"] = "account"
    """What is scored."""
    data: DataSpec
    conversion: ConversionSpec
    horizon_days: PositiveInt = 14
    """The label: converts in [as_of, as_of + horizon_days)."""
    cohort: CohortSpec = CohortSpec()
    rows: RowsSpec | None = None
    features: FeatureSpec = FeatureSpec()
    signals: SignalSpec = SignalSpec()
    model: ModelSpec = ModelSpec()
    scorecard: ScorecardSpec = ScorecardSpec()
    milestones: MilestoneSpec = MilestoneSpec()
    actions: ActionSpec = ActionSpec()
    heads: HeadsSpec = HeadsSpec()
    audit: AuditSpec = AuditSpec()
    tuning: TuningSpec = TuningSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    promotion: GateSpec = GateSpec()
    freshness: FreshnessSpec = FreshnessSpec()
    monitor: MonitorSpec = MonitorSpec()
    crm: CrmSpec | None = None
    texts: str | None = None
    """A YAML file with [your own words](texts.md) for reasons; none: the shipped English ones."""
    paths: PathSpec = PathSpec()
    mlflow: MLflowSpec = MLflowSpec()
    compute: ComputeSpec = ComputeSpec()

    @model_validator(mode="after")
    def _heads_fit_the_run(self) -> "Settings":
        if self.heads.accounts is not None and self.entity == "account":
            raise ValueError("heads.accounts needs entity: user")
        days = self.heads.days
        if days is not None and (days.within_days or self.horizon_days) < self.horizon_days:
            raise ValueError("heads.days.within_days must be at least horizon_days")
        return self

    @model_validator(mode="after")
    def _cohort_and_rows_are_one_choice(self) -> "Settings":
        if self.rows is not None and "cohort" in self.model_fields_set:
            raise ValueError("give either cohort (a calendar) or rows (your own table), not both")
        return self


class Run:
    """Settings with where they came from: what a command works with."""

    def __init__(self, settings: Settings, path: Path, text: str):
        self.settings, self.path, self.text = settings, path, text

    @property
    def base(self) -> Path:
        """Folder that relative paths in the settings start at."""
        return self.path.resolve().parent

    @property
    def store(self) -> Path:
        return (self.base / self.settings.paths.store).resolve()

    @property
    def model_name(self) -> str:
        """Name in the registry."""
        return f"pql-{self.settings.name}"


def load(path: Path) -> Run:
    """Read a settings file.

    Raises
    ------
    SettingsError
        When the file can't be read, or says something unknown: with file, line and the nearest
        valid name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"Can't read the settings file {str(path)!r}: {reason}.") from error
    return Run(parse(text, str(path)), path, text)


def parse(text: str, source: str = "settings") -> Settings:
    """Settings from YAML 1.2 text (`no` is a word, `012` is twelve).

    Parameters
    ----------
    source
        What errors call the text.

    Raises
    ------
    SettingsError
        As `load`.
    """
    data = _read(text, source)
    try:
        # JSON mode: lists may fill tuples, while numbers, texts and booleans stay strict.
        return Settings.model_validate_json(json.dumps(_plain(data, source), default=str))
    except ValidationError as error:
        found = [in_words(item, Settings) for item in error.errors()]
        lines = mistakes(found, Settings, data, source)
        more = f"\n... and {len(lines) - 5} more." if len(lines) > 5 else ""
        raise SettingsError("\n".join(lines[:5]) + more) from None


def _read(text: str, source: str) -> Any:
    """The file's mapping with its line marks."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import RoundTripConstructor
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    class DatesAsText(RoundTripConstructor):
        """YAML 1.2 knows no dates; left as text, a wrong one is reported with its line."""

    DatesAsText.add_constructor(
        "tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str
    )
    yaml = YAML(typ="rt")
    yaml.Constructor = DatesAsText
    yaml.allow_duplicate_keys = False
    try:
        data = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        if mark and (cut := cut_line(text.splitlines()[mark.line :])):
            raise SettingsError(f"{source}{line}: scorecard.rules: {cut}") from error
        problem = str(error.problem).rstrip(".")
        raise SettingsError(f"{source}{line}: not valid YAML: {problem}.") from error
    except (YAMLError, ValueError, RecursionError) as error:
        problem = str(error).splitlines()[0].rstrip(".")
        raise SettingsError(f"{source}: not valid YAML: {problem}.") from error
    if not isinstance(data, dict):
        found = "an empty file" if data is None else "a list" if isinstance(data, list) else "text"
        raise SettingsError(f"{source}: expected settings such as `name: demo`, found {found}.")
    return data


def _plain(value: Any, source: str) -> Any:
    """Without the marks, which make a number of an anchored boolean."""
    from ruamel.yaml.scalarbool import ScalarBoolean

    if isinstance(value, list):
        return [_plain(item, source) for item in value]
    if not isinstance(value, dict):
        return bool(value) if isinstance(value, ScalarBoolean) else value
    for key in value:
        if not isinstance(key, str):
            raise SettingsError(
                f"{source}:{line_of([key], value)}: names are text; put {key!r} in quotes."
            )
    return {key: _plain(item, source) for key, item in value.items()}


def slug_name(text: str) -> str:
    """A valid run name from any text.

    >>> slug_name("Acme Events (2024)")
    'acme-events-2024'
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name if name[:1].isalpha() else f"run-{name}".strip("-")
