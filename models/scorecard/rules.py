"""One rule of the scorecard: a line of text, or the same as a mapping of settings."""

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from features.definitions import Dimension
from features.spec import Spec
from models.scorecard.lines import read_line, to_quote, write_line
from models.scorecard.measures import Measure


class Rule(Spec):
    """Points for one fact about the row; a line of text is read as `models.scorecard.lines` says.

    Exactly one condition: ``at_least`` (value >= it), ``between`` (both ends included),
    ``equals`` or ``one_of``. A missing value never earns points. Without `feature` and `measure`
    the data for the rule do not exist; the rule is then listed, never counted.
    """

    dimension: Dimension
    """Which of the five dimensions the points belong to."""
    points: int = Field(ge=-100, le=100)
    """What the fact earns; negative points speak against the entity."""
    name: str
    """What people call the rule."""
    feature: str | None = None
    """Column of the catalogue that is read."""
    measure: Measure | None = None
    """What is read, for a rule that brings its own column, as a line of text does."""
    at_least: float | None = None
    """The fact holds from this value on."""
    between: tuple[float, float] | None = None
    """The fact holds from the first value to the second, both included."""
    equals: float | str | None = None
    """The fact holds at this value only."""
    one_of: tuple[str, ...] | None = None
    """The fact holds at these categories."""
    explanation: str = ""
    """Why the rule is there, for readers of the settings."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if isinstance(given, str):
            return read_line(given)
        if isinstance(given, dict):
            told = [to_quote(key, str(value)) for key, value in given.items()]
            if cut := next(filter(None, told), None):
                raise ValueError(cut)
        return _with_tuples(given)

    @model_validator(mode="after")
    def _check(self) -> "Rule":
        conditions = (self.at_least, self.between, self.equals, self.one_of)
        reads = self.feature is not None or self.measure is not None
        if reads and sum(value is not None for value in conditions) != 1:
            raise ValueError("needs exactly one of at_least, between, equals, one_of")
        if self.between is not None and self.between[0] > self.between[1]:
            raise ValueError("between must rise from its first value to its second")
        return self

    @property
    def line(self) -> str:
        """The rule as one line of text; without its explanation, which a line has no place for."""
        return write_line(self)

    @property
    def reads_numbers(self) -> bool:
        """Whether the condition is one on numbers, not on categories."""
        return self.one_of is None and not isinstance(self.equals, str)

    def fires(self, values: np.ndarray) -> np.ndarray:
        """Where the condition holds, bool, shape (n,)."""
        if self.at_least is not None:
            return values >= self.at_least
        if self.between is not None:
            return (values >= self.between[0]) & (values <= self.between[1])
        if self.one_of is not None:
            return np.isin(values.astype(np.str_), self.one_of) & (values != None)  # noqa: E711
        return np.array(values == self.equals, bool)


def _with_tuples(given: Any) -> Any:
    """Lists as tuples: once read by Python, strict specs no longer take one for the other."""
    if isinstance(given, dict):
        return {key: _with_tuples(value) for key, value in given.items()}
    return tuple(map(_with_tuples, given)) if isinstance(given, list) else given
