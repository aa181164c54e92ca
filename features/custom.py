"""A data scientist's own features, from the settings or from Python."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from features.catalogue_spec import CustomSpec
from features.definitions import Condition, Feature, Hours, slug
from features.errors import SettingsError
from features.events import EventLog
from features.naming import words
from features.statistics import STATISTICS
from features.wording import meaning


def own_feature(
    name: str,
    spec: CustomSpec | Mapping[str, Any],
    log: EventLog,
    hours: Hours | None = None,
) -> Feature:
    """The definition behind an entry of ``features.custom``; `name` becomes the column.

    Parameters
    ----------
    spec
        The entry, as a mapping or checked already.

    Raises
    ------
    SettingsError
        When the entry is not what the settings would take.
    """
    if not isinstance(spec, CustomSpec):
        spec = _checked(name, spec)
    types = {item.name: item.type for item in log.properties}
    picked = spec.statistic in ("last", "first") and types.get(spec.property or "") == "category"
    unit = STATISTICS[spec.statistic].unit if spec.statistic else ""
    feature = Feature(
        name=slug(name, 80),
        dimension=spec.dimension,
        statistic=spec.statistic or "sql",
        events=tuple(sorted(spec.events)),
        property=spec.property,
        days=spec.days,
        scope=spec.scope,
        dtype="category" if picked else "number",
        unit=spec.unit or ("category" if picked else unit or "as given"),
        meaning="",
        subject=words(name),
        against=spec.against,
        where=tuple(
            Condition(of, one.one_of, one.at_least, one.at_most)
            for of, one in sorted(spec.where.items())
        ),
        hours=(hours or Hours()) if spec.statistic == "business_share" else None,
        sql=spec.sql,
    )
    return replace(feature, meaning=spec.meaning or meaning(feature))


def _checked(name: str, entry: Mapping[str, Any]) -> CustomSpec:
    try:
        return CustomSpec.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"Feature {name!r}{': ' if where else ''}{where}: {said}.") from error
