"""Whether the data are fresh and whole enough to score tonight."""

from collections.abc import Callable

from pydantic import PositiveFloat

from features.clock import DAY_US, SECOND_US, to_text
from features.errors import NotFresh, SettingsError, few
from features.events import EventLog
from features.spec import Spec
from models.monitoring.volume import OddVolume, VolumeSpec, idle, judge_volumes, recent
from pipeline.wording import did_you_mean

_HOUR_US = 3600 * SECOND_US
_LOOK_BACK_DAYS = 35


class FreshnessSpec(Spec):
    """The ``freshness:`` block: whether `predict` may score tonight."""

    max_age_hours: PositiveFloat = 48.0
    """Refuse when the newest event became known longer before as_of. Days on which usually nothing
    comes, and those in ``volume.holidays``, are not counted."""
    volume: VolumeSpec = VolumeSpec()


def doubts(log: EventLog, as_of: int, spec: FreshnessSpec) -> tuple[list[str], list[str]]:
    """What speaks against scoring as of an instant, and what is only worth a look.

    Only events known before as_of are looked at.

    Returns
    -------
    list of str, list of str
        One sentence each: reasons to refuse, and hints.

    Raises
    ------
    SettingsError
        When ``freshness.volume.events`` names an event that is not in the data.
    """
    names = [event.name for event in log.event_names]
    unknown = [name for name in spec.volume.events or () if name not in log.event_codes]
    if unknown:
        raise SettingsError(
            f"freshness.volume.events: the data have no {few(unknown)}"
            f"{did_you_mean(unknown, names) or f'. There are {few(names)}.'}"
        )
    found = recent(log, as_of)
    reasons: list[str] = []
    hints: list[str] = []
    pause = idle(found, as_of, spec.volume.holidays)
    if found.newest_at is None:
        reasons.append("No event was known before.")
    elif as_of - found.newest_at - pause > spec.max_age_hours * _HOUR_US:
        reasons.append(_too_old(found.newest_at, as_of, pause, spec))
    for odd in judge_volumes(names, found, as_of, spec.volume):
        (reasons if odd.refused else hints).append(_told(odd, as_of))
    return reasons, hints


def check_freshness(
    log: EventLog, as_of: int, spec: FreshnessSpec, say: Callable[[str], None], *, stale_ok: bool
) -> None:
    """Say what is odd about the newest data, and stop where they are not fit to be scored.

    Raises
    ------
    NotFresh
        When there is a reason to, unless `stale_ok`.
    """
    reasons, hints = doubts(log, as_of, spec)
    for text in hints + reasons if stale_ok else hints:
        say(f"Data: {text}")
    if reasons and not stale_ok:
        raise NotFresh(
            f"The data are not fit to be scored as of {to_text(as_of)}. {' '.join(reasons)} Repair "
            f"the feed and import again; to score all the same: --stale-ok{_fit(log, as_of, spec)}."
        )


def _fit(log: EventLog, as_of: int, spec: FreshnessSpec) -> str:
    """Which earlier day could be scored, in words; empty where none of the last weeks can."""
    earlier = (as_of - days * DAY_US for days in range(1, _LOOK_BACK_DAYS + 1))
    fit = next((at for at in earlier if not doubts(log, at, spec)[0]), None)
    return "" if fit is None else f"; the newest day that is fit: --as-of {to_text(fit)}"


def _too_old(newest_at: int, as_of: int, pause: int, spec: FreshnessSpec) -> str:
    hours = (as_of - newest_at) / _HOUR_US
    due = hours - pause / _HOUR_US
    counted = f", {due:.0f} of them on days that usually have events" if pause else ""
    return (
        f"The newest event was known at {to_text(newest_at)}, {hours:.0f} hours before{counted}; "
        f"freshness.max_age_hours allows {spec.max_age_hours:g}."
    )


def _told(odd: OddVolume, as_of: int) -> str:
    days = "day" if odd.days == 1 else f"{odd.days} days"
    what = "is far off" if odd.refused else "is unusual, as on a holiday"
    return (
        f"{odd.event!r} {what}: {odd.seen:,} in the {days} before {to_text(as_of)}, and "
        f"{odd.expected:,.0f} were expected from the weeks before."
    )
