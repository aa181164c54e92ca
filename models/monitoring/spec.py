"""The ``monitor:`` block: limits beyond which `monitor` exits 1, and what counts as a PQL."""

from typing import Literal

from pydantic import Field, PositiveInt

from features.spec import Spec


class MonitorSpec(Spec):
    """The ``monitor:`` block: what `monitor` compares, and when it exits 1."""

    psi: float = Field(default=0.25, gt=0)
    """A column has drifted from here on (population stability index), or from twice its usual."""
    false_discoveries: float = Field(default=0.01, gt=0, lt=0.5)
    """Expected share of false ones among the columns called drifted (Benjamini-Hochberg)."""
    drifted_share: float = Field(default=0.05, gt=0, le=1)
    """Limit: share of the features that drifted."""
    newcomers_days: PositiveInt = 3
    """Who entered in these days is compared by fit features on its own."""
    vanished_below: float = Field(default=0.1, ge=0, lt=1)
    """Limit: an event with less than this share of its usual volume has vanished."""
    realised_days: PositiveInt = 28
    """Days in which the labels became mature that calibration and lift are judged on."""
    calibration_ratio: float = Field(default=1.25, gt=1)
    """Limit: conversions / promised ones, in either direction, the whole interval beyond it."""
    lift: float = Field(default=1.0, ge=0)
    """Limit: lift of the PQL tiers, the whole interval below it."""
    min_conversions: PositiveInt = 20
    """Accounts that converted, or were to: outcomes with fewer are not judged."""
    pql_tiers: tuple[Literal["critical", "hot", "warm", "cold"], ...] = Field(
        default=("critical", "hot"), min_length=1
    )
    """An entity becomes a PQL when it is first in one of these tiers."""
    programme_by: tuple[str, ...] = ()
    """Categorical attributes or event properties that programme metrics are split by."""
