"""The search for milestones from beginning to end: compare, search, confirm, describe."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from features.clock import DAY_US
from features.errors import few
from features.labels import NEVER_US
from models.milestones.combining import combine
from models.milestones.confirm import Effect, confirm
from models.milestones.controls import controls_of
from models.milestones.describing import describe
from models.milestones.eligible import Eligible
from models.milestones.found import CAVEAT, Examined, Milestones
from models.milestones.journeys import Journeys
from models.milestones.landmarks import HoldOut
from models.milestones.lasting import is_step_of_buying
from models.milestones.moments import draw_moments
from models.milestones.search import Case, Chosen, Looked, families_of, look, search
from models.milestones.spec import MilestoneSpec

_MOSTLY = 0.5
"""Share of those who ever did an event that did it first with their conversion, or after it."""


def find(
    journeys: Journeys,
    eligible: Eligible,
    spec: MilestoneSpec,
    *,
    set_aside: Mapping[str, str],
    seed: int,
) -> Milestones:
    """Find the milestones that precede conversion, beyond tenure and overall activity.

    Parameters
    ----------
    set_aside
        Events that are not searched: name -> reason, a key of `REASONS`.

    Notes
    -----
    1. *Compare* every conversion, as things stood `gap_days` before it, with random moments of
       all who had not converted (`moments`): who stays longer has no advantage.
    2. *Search* the conversions before the split: for each event the best threshold, window and
       scope, given tenure, date and all other activity; the multiplicity of all is paid for.
       Whatever adds to those found joins them, until chance can't be excluded (`search`).
    3. *Confirm* on the conversions after the split (`confirm`), where all figures come from; what
       speaks only for those who are buying already leaves (`is_step_of_buying`).
    """
    rng = np.random.default_rng(seed)
    moments = draw_moments(journeys, eligible, spec.gap_days * DAY_US, rng)
    n = moments.n_converting
    if n < spec.min_conversions:
        return _too_few(spec, n)
    cluster = journeys.cluster[moments.entity]
    order = np.lexsort((moments.at, moments.entity, cluster))
    moments = moments.take(order)
    case = Case(moments, controls_of(journeys, moments), cluster[order])
    times = np.sort(moments.at[moments.converts])
    split_at = int(times[int(n * (1 - spec.holdout_share))])
    early, late = case.take(moments.at < split_at), case.take(moments.at >= split_at)

    aside = dict(set_aside) | _side_effects(journeys, spec.gap_days * DAY_US, set_aside)
    codes = [code for code, name in enumerate(journeys.names) if name not in aside]
    families = families_of(journeys, early, codes, spec)
    looked = look(early, families, rng)
    chosen = search(early, families, looked, spec, rng)
    moved = [_moved(journeys, one, late) for one in chosen]
    confirmed, bought = _without_steps(journeys, late, moved, spec.gap_days * DAY_US)
    aside |= dict.fromkeys(bought, "step of buying")
    shown = confirmed[: spec.most]

    # What is told follows up as long as the hold-out allows.
    follow_up = min(spec.follow_up_days, max(1, (journeys.data_end - split_at) // DAY_US // 2))
    holdout = HoldOut(split_at, follow_up, spec.n_bootstrap, rng)
    found = tuple(
        describe(journeys, eligible, one.candidate, effect, one.q_value, holdout)
        for one, effect in shown
    )
    candidates = [one.candidate for one, _ in shown]
    pairs = combine(journeys, eligible, candidates, holdout, spec.most) if len(found) > 1 else ()
    examined = _examined(journeys, aside, looked, chosen, confirmed, spec)
    tried = sum(len(family.candidates) for family in families)
    result = Milestones(
        found, pairs, examined, tried, (early.moments.n_converting, late.moments.n_converting),
        split_at, follow_up, True, "",
    )  # fmt: skip
    return replace(result, verdict=_verdict(result, len(families)))


def _without_steps(
    journeys: Journeys, late: Case, moved: Sequence[Chosen], gap_us: int
) -> tuple[list[tuple[Chosen, Effect]], list[str]]:
    """Confirmed milestones, and confirmed events that are steps of buying.

    The others are judged again without them.
    """
    confirmed = confirm(late, moved)
    standing = [one for one, _ in confirmed]
    steps = [is_step_of_buying(journeys, late, one, standing, gap_us) for one in standing]
    if any(steps):
        lasting = [one for one, step in zip(standing, steps, strict=True) if not step]
        confirmed = confirm(late, lasting)
    return confirmed, [
        one.candidate.event for one, step in zip(standing, steps, strict=True) if step
    ]


def _moved(journeys: Journeys, one: Chosen, case: Case) -> Chosen:
    """A chosen milestone at other moments."""
    moments, candidate = case.moments, one.candidate
    reached = candidate.reached_at(journeys, candidate.steps(journeys), moments.entity)
    return replace(one, reached=reached < moments.at)


def _side_effects(journeys: Journeys, gap_us: int, set_aside: Mapping[str, str]) -> dict[str, str]:
    """Events that most had first less than a gap before their conversion, or after it."""
    found = {}
    for code, name in enumerate(journeys.names):
        if name in set_aside:
            continue
        steps = journeys.steps(code, by_one_member=False)
        ever = np.flatnonzero(steps.counts > 0)
        begins = journeys.converted_at[ever]
        begins = np.where(begins < NEVER_US, begins - gap_us, NEVER_US)
        late = steps.time[steps.start[ever]] >= begins
        if len(ever) and late.mean() > _MOSTLY:
            found[name] = "side effect"
    return found


def _examined(
    journeys: Journeys,
    aside: Mapping[str, str],
    looked: Sequence[Looked],
    chosen: Sequence[Chosen],
    confirmed: Sequence[tuple[Chosen, Effect]],
    spec: MilestoneSpec,
) -> tuple[Examined, ...]:
    """Every event that is not shown with its reason, the likeliest first."""
    found = [one.candidate.event for one, _ in confirmed]
    searched = {one.candidate.event for one in chosen}
    rows = [
        Examined(
            one.event,
            aside.get(one.event) or _reason(one, found, searched, spec),
            one.n_candidates,
            one.q_value,
        )
        for one in sorted(looked, key=lambda one: one.q_value)
        if one.event not in found[: spec.most]
    ]
    seen = {one.event for one in looked}
    rows += [
        Examined(name, aside.get(name, "too few")) for name in journeys.names if name not in seen
    ]
    return tuple(rows)


def _reason(one: Looked, found: Sequence[str], searched: set[str], spec: MilestoneSpec) -> str:
    if one.event in found:
        return "surplus"
    if one.event in searched:
        return "hold-out"
    if one.q_value <= spec.false_discovery:
        return "stand-in"
    if one.q_by_tenure <= spec.false_discovery:
        return "activity"
    return "tenure" if one.q_by_nothing <= spec.false_discovery else "chance"


def _verdict(result: Milestones, n_events: int) -> str:
    n, later = len(result.found), result.conversions[1]
    tried = f"{result.tried:,} thresholds of {n_events} events"
    if n:
        noun, verb = ("milestone", "goes") if n == 1 else ("milestones", "go")
        return (
            f"{n} {noun} {verb} with converting beyond tenure and activity, of {tried}, and the "
            f"{later} latest conversions confirm {'it' if n == 1 else 'them'}. {CAVEAT}"
        )
    if steps := [one.event for one in result.examined if one.reason == "step of buying"]:
        return (
            f"No milestone is shown: of {tried}, what later conversions confirm ({few(steps)}) is "
            "probably a step of buying: done by those who have decided, and followed within days."
        )
    if result.rejected.get("hold-out"):
        return (
            f"No milestone is shown: of {tried}, what the search found is not confirmed by the "
            f"{later} latest conversions."
        )
    return (
        f"No milestone is shown: of {tried}, none is shown to go with converting beyond tenure and "
        f"activity. Among {sum(result.conversions):,} conversions weaker ones are easily missed."
    )


def _too_few(spec: MilestoneSpec, n: int) -> Milestones:
    verdict = (
        f"No milestone is searched: there are {n} conversions of entities that could be asked "
        f"about, and milestones.min_conversions is {spec.min_conversions}."
    )
    return Milestones((), (), (), 0, (n, 0), 0, spec.follow_up_days, False, verdict)
