"""The leak audit of a training: the order of its checks, and what is said while they run."""

import time
from collections.abc import Callable
from dataclasses import replace

from features.errors import FeatureLeak
from models.dataset import Dataset
from models.leakage.attributes import check_attributes
from models.leakage.case import Case
from models.leakage.events import check_events
from models.leakage.finding import Audit, Check
from models.leakage.power import check_power
from models.leakage.scrambled import check_scrambled_future
from models.leakage.spec import AuditSpec
from pipeline.dataset import Assembled
from pipeline.report.audit import unused
from pipeline.settings import Run

Say = Callable[[str], None]
_MOST_TOLD = 5


def audit(run: Run, data: Assembled, train_rows: Dataset, say: Say) -> Audit:
    """Look for leaks in what a model is about to be fitted on.

    Parameters
    ----------
    train_rows
        Rows of the training and calibration folds; labels of the test fold are not looked at.

    Returns
    -------
    Audit
        `passed` is False where a leak reaches these rows, or where the audit misses one of the
        leaks planted to test it.
    """
    settings, spec = run.settings, run.settings.audit
    case = Case(
        log=data.log,
        level=settings.entity,
        features=data.features,
        conversions=data.conversions,
        conversion_events=settings.conversion.events,
        rows=train_rows,
        horizon_days=settings.horizon_days,
        spec=spec,
        seed=settings.seed,
    )
    say("Auditing for leaks: event times, known-at times, single features, another future")
    checks = (
        *_timed(lambda: (check_events(case),)),
        *_timed(lambda: (check_attributes(case),)),
        *_timed(lambda: check_power(case)),
        *_timed(lambda: (check_scrambled_future(case),)),
    )
    found = Audit(checks, spec.allow, spec.strict)
    refusing = found.refused_by if spec.fail else ()
    for one in (one for one in found.alarms if one not in refusing):
        say(f"Leak audit, {one.severity}: {one.origin}: {one.evidence} {one.remedy}")
    say(f"Leak audit: {found.verdict}")
    if found.unused_allowances:
        say(f"Leak audit: {unused(found)}")
    return found


def refuse_leaks(found: Audit, spec: AuditSpec) -> None:
    """Stop a training whose audit does not pass, unless the settings only want to be told.

    Raises
    ------
    FeatureLeak
        With the leaks, the evidence for the gravest, and the setting that removes it.
    """
    if spec.fail and not found.passed:
        raise FeatureLeak(
            f"The training is refused. {found.verdict}{_evidence(found)} (`audit.fail: false` "
            "trains nevertheless.)"
        )


def _evidence(found: Audit) -> str:
    told = [f" {one.evidence} {one.remedy}" for one in found.refused_by[:_MOST_TOLD]]
    more = len(found.refused_by) - len(told)
    return "".join(told) + (f" And {more} more." if more > 0 else "")


def _timed(check: Callable[[], tuple[Check, ...]]) -> list[Check]:
    """The checks with the CPU seconds that each took; several from one pass share them."""
    begun = time.process_time()
    checks = check()
    seconds = (time.process_time() - begun) / len(checks)
    return [replace(one, seconds=seconds) for one in checks]
