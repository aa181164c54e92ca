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
    """What to do, and why: empty `crossed` means all is well."""

    crossed: tuple[Crossed, ...]

    @property
    def action(self) -> Action:
        actions = {one.action for one in self.crossed}
        if "retrain" in actions:
            return "retrain"
        return "recalibrate" if actions else "do nothing"

    @property
    def line(self) -> str:
        """
        >>> Verdict(()).line
        'Do nothing: no limit is crossed.'
        """
        if not self.crossed:
            return "Do nothing: no limit is crossed."
        why = "; ".join(one.found for one in self.crossed)
        return f"{self.action.capitalize()}: {why}."


def judge(
    scores: Drift | None,
    features: Sequence[Drift],
    newcomers: Sequence[Drift],
    gone: Sequence[Vanished],
    recent: Sequence[Realised],
    spec: MonitorSpec,
) -> Verdict:
    """Compare everything found with the limits.

    Parameters
    ----------
    recent
        Of the newest `MonitorSpec.realised_days` dates: one for all rows, tier ``all``, and one
        for those in the PQL tiers, tier ``pql``. Empty before any label is mature.
    """
    found = [*_inputs(features, newcomers, gone, spec)]
    if scores is not None and scores.drifted:
        found.append(
            Crossed("psi", f"scores have a PSI of {scores.psi:.2f} (limit {scores.limit:.2f})",
                    "retrain")
        )  # fmt: skip
    conversions = sum(one.conversions for one in recent if one.tier == ALL)
    # Few conversions among the PQLs are what a bad lift looks like: those of all rows decide.
    if conversions >= spec.min_conversions:
        for one in recent:
            found += _calibration(one, spec) if one.tier == ALL else _lift(one, spec)
    return Verdict(tuple(found))


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


def _calibration(one: Realised, spec: MonitorSpec) -> list[Crossed]:
    if 1 / spec.calibration_ratio <= one.ratio_high and one.ratio_low <= spec.calibration_ratio:
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
