"""Scrambled future: features computed again with another future, which must not move them."""

import numpy as np

from features.arrow import numbers
from features.clock import DAY_US
from features.definitions import Feature
from features.errors import FeatureLeak
from features.proof import check_point_in_time
from features.scramble import moved_by, sample_of
from models.leakage.case import Case
from models.leakage.finding import Check, Finding, Planted
from models.leakage.origin import Origin

NAME = "scrambled future"
_TOO_FAR = "a count that reaches a horizon too far"
_EVERYTHING = Feature(
    "everything", "engagement", "count", (), None, None, "entity", "number", "events", meaning=""
)


def check_scrambled_future(case: Case) -> Check:
    """Every feature of some entities, with everything at or after as_of moved, renamed or removed.

    The planted leak is a count of all events that reaches one horizon too far: it must differ from
    the honest one.
    """
    as_of = int(np.sort(case.rows.as_of)[len(case.rows) // 2])
    part = sample_of(case.log, case.level, as_of, case.spec.max_entities)
    later = as_of + case.horizon_days * DAY_US
    at = numbers(part.shard(0)["at"])
    if not ((at >= as_of) & (at < later)).any():
        return Check(NAME, "", blind="nobody tried has an event in the horizon after as_of")
    moved = moved_by(part, case.level, (_EVERYTHING,), as_of, later)
    findings: tuple[Finding, ...] = ()
    cells = 0
    try:
        cells = check_point_in_time(part, case.level, case.features, [as_of])
    except FeatureLeak as leak:
        findings = (
            Finding(
                NAME,
                "fail",
                Origin("feature", "with the future"),
                str(leak),
                "Correct their definitions under `features.custom`, or take them out.",
            ),
        )
    return Check(
        NAME,
        f"{cells:,} values of {len(case.features)} features",
        findings,
        (Planted(_TOO_FAR, moved > 0),),
    )
