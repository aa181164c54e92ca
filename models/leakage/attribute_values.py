"""Values of attributes as an audit reads them: who had which one, since when."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from features.arrow import numbers, texts
from features.events import Attribute
from models.leakage.case import Case

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_VALUES = 50
"""Values of one attribute that are looked at as changes, the commonest first."""


@dataclass(frozen=True)
class Values:
    """Rows of one attribute, sorted by entity, then time.

    Parameters
    ----------
    entity, at
        Codes and microseconds UTC, shape (n,); `at` is `ALWAYS_US` where there is no history.
    value
        float64, or object array of str and None.
    """

    attribute: Attribute
    entity: np.ndarray
    at: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Change:
    """The times at which entities got one value of an attribute, and their codes, shape (n,)."""

    attribute: Attribute
    value: str
    entity: np.ndarray
    at: np.ndarray


def values_of(case: Case) -> Iterator[Values]:
    """Attributes of what is scored, as far as they were told before the case's end."""
    table: pa.Table = case.log.attribute_values
    for kind, attribute in enumerate(case.log.attributes):
        if attribute.of != case.level:
            continue
        rows = table.filter(
            pc.and_(pc.equal(table["attribute"], kind), pc.less(table["at"], case.until))
        )
        number = attribute.type == "number"
        value = numbers(rows["number"].fill_null(np.nan)) if number else texts(rows["text"])
        yield Values(attribute, numbers(rows["code"]), numbers(rows["at"]), value)


def changes_of(case: Case) -> Iterator[Change]:
    """Per attribute with history its commonest values, each as if it were an event."""
    import pyarrow as pa

    for values in values_of(case):
        if values.attribute.static or not len(values.entity):
            continue
        coded = pa.array(values.value, from_pandas=True).dictionary_encode()
        code = numbers(coded.indices.fill_null(-1))
        names = coded.dictionary.to_pylist()
        count = np.bincount(code[code >= 0], minlength=len(names))
        for place in np.argsort(-count, kind="stable")[:_MOST_VALUES]:
            if count[place] >= case.spec.min_entities:
                rows = code == place
                yield Change(
                    values.attribute, f"{names[place]}", values.entity[rows], values.at[rows]
                )


def latest_before(values: Values, end: np.ndarray) -> np.ndarray:
    """Position of each entity's latest value told before `end`, -1 for none.

    Parameters
    ----------
    end
        int64, by entity code.

    Returns
    -------
    ndarray of int64, shape (n_entities,)
    """
    known = np.flatnonzero(values.at < end[values.entity])
    found = np.full(len(end), -1, np.int64)
    # Rows are in time order within an entity: the latest wins.
    found[values.entity[known]] = known
    return found
