"""Whether to retrain, to recalibrate or to do nothing, in one line with its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from features.errors import few
from models.monitoring.drift import Drift
from models.monitoring.event_volumes import Vanished
from models.monitoring.realised import ALL, Realised
from models.monitoring.spec import MonitorSpec

Action = Literal["retrain", "recalibrate", "do nothing"]


@dataclass(frozen=True)
class Crossed:
    """A limit that was crossed: its name in the settings, what was found, and what helps."""

    limit: str
    found: str
    action: Action


@dataclass(frozen=True)
class Verdict:
    """What to do, and why: empty `crossed` means all that could be judged is well.

    Parameters
    ----------
    note
        Whole sentences on what could not be judged, or on whose scores were; empty for none.
    """

    crossed: tuple[Crossed, ...]
    note: str = ""

    @property
    def action(self) -> Action:
        actions = {one.action for one in self.crossed}
        if "retrain" in actions:
            return "retrain"
        return "recalibrate" if actions else "do nothing"

    @property
    def line(self) -> str:
        """
        >>> Verdict((), "Nothing is mature.").line
        'Do nothing: no limit is crossed. Nothing is mature.'
        """
        why = "; ".join(one.found for one in self.crossed) or "no limit is crossed"
        return f"{self.action.capitalize()}: {why}. {self.note}".rstrip()


def judge(
    scores: Drift | None,
    features: Sequence[Drift],
    newcomers: Sequence[Drift],
    gone: Sequence[Vanished],
    recent: Sequence[Realised],
    spec: MonitorSpec,
    *,
    about: str = "",
    quiet_days: float = 0.0,
) -> Verdict:
    """Compare everything found with the limits.

    Parameters
    ----------
    recent
        Of the rows whose labels became mature in the last `MonitorSpec.realised_days` days: one
        for all rows, tier ``all``, and one for those in the PQL tiers, tier ``pql``. Empty where
        there are none.
    about
        A sentence on whose scores these are, or why there are none: noted where one of their
        limits is crossed, or there are none. Empty where all is as it should be.
    quiet_days
        Days since a conversion became known last, if alarmingly many, else 0
        (`features.labels.Conversions.quiet_days`). Outcomes may then still come, so that too few
        of them are no alarm.
    """
    found = [*_inputs(features, newcomers, gone, spec)]
    if scores is not None and scores.drifted:
        found.append(
            Crossed("psi", f"scores have a PSI of {scores.psi:.2f} (limit {scores.limit:.2f})",
                    "retrain")
        )  # fmt: skip
    notes = []
    if quiet_days:
        notes.append(
            f"Too few outcomes are no alarm now, since some may still come: the newest conversion "
            f"became known {quiet_days:.0f} days ago, far longer than usual."
        )
    outcomes = _outcomes(recent, spec, low_counts=not quiet_days)
    if recent and not judgeable(recent, spec):
        converting = sum(one.converting for one in recent if one.tier == ALL)
        notes.append(
            f"Outcomes are not judged: {converting:,} of the {spec.min_conversions:,} converting "
            "accounts that it takes."
        )
    elif about and (outcomes or not recent):
        notes.append(about)
    return Verdict((*found, *outcomes), " ".join(notes))


def judgeable(recent: Sequence[Realised], spec: MonitorSpec) -> bool:
    """Whether as many accounts converted as it takes, or were to: few may be what is wrong."""
    return any(
        max(one.converting, one.expected) >= spec.min_conversions
        for one in recent
        if one.tier == ALL
    )


def _outcomes(recent: Sequence[Realised], spec: MonitorSpec, *, low_counts: bool) -> list[Crossed]:
    if not judgeable(recent, spec):
        return []
    found: list[Crossed] = []
    # Few conversions among the PQLs are what a bad lift looks like: those of all rows decide.
    converting = sum(one.converting for one in recent if one.tier == ALL)
    for one in recent:
        if one.tier == ALL:
            found += _calibration(one, spec, low_counts=low_counts)
        elif converting >= spec.min_conversions:
            found += _lift(one, spec)
    return found


def _inputs(
    features: Sequence[Drift],
    newcomers: Sequence[Drift],
    gone: Sequence[Vanished],
    spec: MonitorSpec,
) -> list[Crossed]:
    found: list[Crossed] = []
    if gone:
        told = ", ".join(
            f"{one.name!r} came {one.count:,} times in {one.days} "
            f"day{'' if one.days == 1 else 's'}, not {one.expected:,.0f}"
            for one in gone[:3]
        )
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        found.append(
            Crossed(
                "vanished_below",
                f"events have vanished ({told}{more}): mend the source, else train without them",
                "retrain",
            )
        )
    drifted = [one.name for one in features if one.drifted]
    if features and len(drifted) >= spec.drifted_share * len(features):
        found.append(
            Crossed(
                "drifted_share",
                f"{len(drifted)} of {len(features)} features have drifted ({few(drifted, 3)})",
                "retrain",
            )
        )
    mixed = [one.name for one in newcomers if one.drifted]
    if mixed:
        found.append(Crossed("psi", f"those who sign up now differ in {few(mixed, 3)}", "retrain"))
    return found


def _calibration(one: Realised, spec: MonitorSpec, *, low_counts: bool) -> list[Crossed]:
    low = low_counts and one.ratio_high < 1 / spec.calibration_ratio
    if not low and not one.ratio_low > spec.calibration_ratio:
        return []
    return [
        Crossed(
            "calibration_ratio",
            f"{one.ratio:.2f} times as many converted as promised (95 %: {one.ratio_low:.2f} to "
            f"{one.ratio_high:.2f})",
            "recalibrate",
        )
    ]


def _lift(one: Realised, spec: MonitorSpec) -> list[Crossed]:
    if one.lift_high >= spec.lift or one.lift_high != one.lift_high:
        return []
    return [
        Crossed(
            "lift",
            f"PQLs convert {one.lift:.2f} times as often as everybody (95 %: {one.lift_low:.2f} to "
            f"{one.lift_high:.2f})",
            "retrain",
        )
    ]
