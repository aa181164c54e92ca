"""One YAML file is the run: read strictly, assembled from the specs that the modules obey."""

import json
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from features.catalogue_spec import FeatureSpec
from features.errors import SettingsError, few
from features.labels import ConversionSpec
from features.snapshots import CohortSpec
from features.spec import Spec
from models.propensity import ModelSpec
from models.scorecard import ScorecardSpec
from models.splits import FoldSpec
from pipeline.sources.spec import DataSpec
from pipeline.spark.spec import SparkSpec


class PathSpec(Spec):
    """The ``paths:`` block; relative paths start at the settings file's folder."""

    store: str = "data"
    """Imported logs, score tables and reports."""


class MLflowSpec(Spec):
    """The ``mlflow:`` block. Credentials come from MLflow's environment variables only."""

    tracking_uri: str | None = None
    """None: a SQLite file in ``paths.store``."""
    experiment: str | None = None
    """None: the run's name."""


class RowsSpec(Spec):
    """A user's own table of (entity, as_of[, label]) in place of the cohort's calendar."""

    file: str
    entity: str = "entity_id"
    as_of: str = "as_of"
    label: str | None = None


class EvaluationSpec(Spec):
    """The ``evaluation:`` block: folds, bootstrap, and the accounts sales can call."""

    folds: FoldSpec = FoldSpec()
    n_bootstrap: PositiveInt = 500
    capacity_per_week: PositiveInt = 60


class ComputeSpec(Spec):
    """The ``compute:`` block: what the machine may be used for. Results do not depend on it."""

    memory_mb: PositiveInt = 2000
    threads: PositiveInt = 2
    events_per_shard: PositiveInt | None = None
    """None: as many as the memory allows, at most one million."""
    engine: Literal["local", "spark"] = "local"
    spark: SparkSpec = SparkSpec()


class Settings(Spec):
    """A whole run."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)
    seed: NonNegativeInt = 0
    entity: Literal["account", "user"] = "account"
    data: DataSpec
    conversion: ConversionSpec
    horizon_days: PositiveInt = 14
    cohort: CohortSpec = CohortSpec()
    rows: RowsSpec | None = None
    features: FeatureSpec = FeatureSpec()
    model: ModelSpec = ModelSpec()
    scorecard: ScorecardSpec = ScorecardSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    paths: PathSpec = PathSpec()
    mlflow: MLflowSpec = MLflowSpec()
    compute: ComputeSpec = ComputeSpec()

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
        lines = _lines(error.errors(), data, source)
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
                f"{source}:{_line([key], value)}: names are text; put {key!r} in quotes."
            )
    return {key: _plain(item, source) for key, item in value.items()}


def _lines(errors: list, data: Any, source: str) -> list[str]:
    """One line per mistake, without those that only follow from another."""
    outer = {item["loc"][:n] for item in errors for n in range(len(item["loc"]))}
    told: dict[tuple, str] = {}
    for item in errors:
        # A list is not too short as well because its items are wrong.
        if item["type"] != "too_short" or item["loc"] not in outer:
            keys = _keys_only(item, data)
            # A value that fits no member of a union is one mistake, not one per member.
            told.setdefault(tuple(keys), _explain(item, keys, data, source))
    # Nor is a block the wrong word because of what is wrong inside it.
    inner = {keys[:n] for keys in told for n in range(len(keys))}
    return [line for keys, line in told.items() if keys not in inner]


def _explain(item: Any, keys: list, data: Any, source: str) -> str:
    """file:line, the key's path, what is wrong, the nearest valid name."""
    where = ".".join(str(part) for part in keys) or "settings"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        names = _names_at(item["loc"][:-1])
        near = get_close_matches(str(keys[-1]), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {few(names, 12)}"
        message = f"unknown setting; {hint}"
    elif item["type"] == "missing":
        message = "is missing and has no default"
    elif "input" in item and not isinstance(item["input"], dict | list):
        message = f"{message} (got {item['input']!r})"
    return f"{source}:{_line(keys, data)}: {where}: {message}"


def _keys_only(item: Any, data: Any) -> list:
    """Drop the names of union members that pydantic puts between and after the file's keys."""
    keys: list = []
    for part in item["loc"]:
        if _holds(data, part):
            data = data[part]
            keys.append(part)
    return [*keys, item["loc"][-1]] if item["type"] == "missing" else keys


def _holds(data: Any, key: Any) -> bool:
    if isinstance(data, list):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, dict) and key in data


def _line(keys: list, data: Any) -> int:
    """Line of the deepest key that the file has, counted from 1."""
    line = 1
    for key in keys:
        place = getattr(data, "lc", None)
        if place is None or not _holds(data, key):
            break
        line = (place.key(key) if isinstance(data, dict) else place.item(key))[0] + 1
        data = data[key]
    return line


def _names_at(loc: tuple) -> list[str]:
    """Names of the settings that are valid in a block, in the member of a union that it is."""
    models: list[Any] = [Settings]
    for part in loc:
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        inner = [model for field in fields for model in _models_in(field.annotation)]
        chosen = [model for model in models if part in _tags(model)]
        models = inner or chosen or models
    return [name for model in models for name in model.model_fields]


def _tags(model: Any) -> set[Any]:
    """Values by which a union tells this member from the others."""
    kinds = [field.annotation for field in model.model_fields.values()]
    return {value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)}


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def slug_name(text: str) -> str:
    """A valid run name from any text.

    >>> slug_name("Acme Events (2024)")
    'acme-events-2024'
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name if name[:1].isalpha() else f"run-{name}".strip("-")
