"""The base of every settings block: frozen, strict, closed."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A block of the settings file. Unknown keys are errors, values are not coerced or changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
