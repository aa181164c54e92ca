"""The companies of the demo world: who they are, and how their interest comes and goes."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US, MINUTE_US
from pipeline.simulate.world import SimulateSpec

INDUSTRIES = ("software", "finance", "retail", "manufacturing", "healthcare", "education", "media")
INDUSTRY_SHARES = (0.26, 0.12, 0.16, 0.14, 0.11, 0.12, 0.09)
COUNTRIES = ("US", "GB", "DE", "FR", "NL", "BR", "IN", "PL")
COUNTRY_SHARES = (0.42, 0.13, 0.13, 0.08, 0.06, 0.06, 0.08, 0.04)
UTC_OFFSET_HOURS = np.array([-6, 0, 1, 1, 1, -3, 5, 1])
CHANNELS = ("organic", "paid_search", "social", "referral", "partner", "content")
CHANNEL_SHARES = (0.34, 0.22, 0.15, 0.12, 0.05, 0.12)
CHANNEL_INTENT = np.array([0.0, -0.2, -0.5, 0.4, 0.7, 0.1])
CAMPAIGNS_PER_CHANNEL = 3

HOUR_US = 60 * MINUTE_US

EXPLORING, ADOPTING, DORMANT = range(3)
STATE_RATE = np.array([0.55, 1.0, 0.006])
"""Sessions per member and day, relative to a member of an adopting team."""

# Monday first; report tools rest at the weekend.
WEEKDAY_RATE = np.array([1.05, 1.15, 1.15, 1.1, 0.95, 0.16, 0.14])


@dataclass(frozen=True)
class Accounts:
    """A block of accounts; every array has shape (n_accounts,) unless said otherwise.

    Parameters
    ----------
    number
        Position in the whole world: the account's identity.
    staff
        One of Tessera's own test accounts.
    signed_up
        Microseconds UTC.
    intent
        Latent interest, mean about 0: moves behaviour only, never the hazard directly.
    activity
        Session rate by day, shape (n_accounts, n_days); 0 before the sign-up.
    state
        EXPLORING, ADOPTING or DORMANT by day, shape (n_accounts, n_days).
    seats
        People the team can grow to.
    enriched, changed
        When firmographics became known, and when they changed once; microseconds UTC, beyond the
        end of the world for never.
    later_employees, later_tools
        Values in force from `changed` on.
    """

    number: np.ndarray
    staff: np.ndarray
    signed_up: np.ndarray
    intent: np.ndarray
    unobserved: np.ndarray
    activity: np.ndarray
    state: np.ndarray
    seats: np.ndarray
    channel: np.ndarray
    campaign: np.ndarray
    free_mail: np.ndarray
    industry: np.ndarray
    country: np.ndarray
    employees: np.ndarray
    revenue_musd: np.ndarray
    tools: np.ndarray
    enriched: np.ndarray
    changed: np.ndarray
    later_employees: np.ndarray
    later_tools: np.ndarray

    def __len__(self) -> int:
        return len(self.number)

    def employees_at(self, time: np.ndarray) -> np.ndarray:
        """True employees by account and time, shape (n_accounts, n_times), known to us or not."""
        changed = time >= self.changed[:, None]
        return np.where(changed, self.later_employees[:, None], self.employees[:, None])


def draw_accounts(spec: SimulateSpec, numbers: np.ndarray, rng: np.random.Generator) -> Accounts:
    """Accounts of one block, with their daily activity for the whole span."""
    n = len(numbers)
    staff = np.arange(n) == 0
    channel = rng.choice(len(CHANNELS), n, p=CHANNEL_SHARES)
    intent = np.where(staff, 2.0, rng.normal(size=n) * 0.9 + CHANNEL_INTENT[channel])
    employees = np.clip(np.exp(rng.normal(3.4, 1.7, n)), 1, 50_000).astype(np.int64)
    tools = rng.binomial(6, 0.25, n)
    country = rng.choice(len(COUNTRIES), n, p=COUNTRY_SHARES)
    signed_up = _sign_up_times(spec, UTC_OFFSET_HOURS[country], rng)
    state, activity = _activity(spec, signed_up, intent, staff, rng)
    appetite = np.exp(rng.normal(1.0, 0.9, n) + 0.25 * intent)
    return Accounts(
        number=numbers,
        staff=staff,
        signed_up=signed_up,
        intent=intent,
        unobserved=rng.normal(size=n),
        activity=activity,
        state=state,
        seats=np.clip(np.minimum(appetite, employees), 1, 60).astype(np.int64),
        channel=channel,
        campaign=rng.integers(CAMPAIGNS_PER_CHANNEL, size=n),
        free_mail=(rng.random(n) < 0.25) & (employees < 20) & ~staff,
        industry=rng.choice(len(INDUSTRIES), n, p=INDUSTRY_SHARES),
        country=country,
        employees=employees,
        revenue_musd=employees * 0.14 * np.exp(rng.normal(0, 0.5, n)),
        tools=tools,
        enriched=signed_up + _rarely(rng, n, share=0.85, days=(0.5, 9), spec=spec),
        changed=signed_up + _rarely(rng, n, share=0.2, days=(20, 200), spec=spec),
        later_employees=np.maximum(1, employees * rng.uniform(0.9, 1.5, n)).astype(np.int64),
        later_tools=tools + 1,
    )


def _sign_up_times(
    spec: SimulateSpec, utc_offset_hours: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Moments in working hours where the account lives; sign-ups grow denser towards the end."""
    n = len(utc_offset_hours)
    day = (spec.days * rng.random(n) ** 0.9).astype(np.int64)
    hour = rng.normal(11.5, 3.0, n) - utc_offset_hours
    time = spec.start_us + day * DAY_US + (hour * HOUR_US).astype(np.int64)
    return np.clip(time, spec.start_us, spec.end_us - HOUR_US)


def _rarely(
    rng: np.random.Generator, n: int, share: float, days: tuple[float, float], spec: SimulateSpec
) -> np.ndarray:
    """Delays in microseconds, uniform in `days`; for 1 - `share` of the accounts beyond the end."""
    delay = (rng.uniform(*days, n) * DAY_US).astype(np.int64)
    return np.where(rng.random(n) < share, delay, (spec.days + 1) * DAY_US)


def _activity(
    spec: SimulateSpec,
    signed_up: np.ndarray,
    intent: np.ndarray,
    staff: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """States and session rates by day, both of shape (n_accounts, n_days)."""
    n, n_weeks = len(intent), spec.days // 7 + 1
    weekly = _weekly_states(n_weeks, intent, staff, rng)
    # Busy and quiet weeks of the same team differ by about a half; the swing lasts some weeks.
    swing = np.exp(_smooth(rng.normal(0, 0.5, (n, n_weeks))))

    day = np.arange(spec.days)
    age = day - ((signed_up - spec.start_us) // DAY_US)[:, None]
    week = np.clip(age // 7, 0, n_weeks - 1)
    state = np.take_along_axis(weekly, week, axis=1)
    rate = STATE_RATE[state] * np.take_along_axis(swing, week, axis=1)
    rate *= WEEKDAY_RATE[(day + spec.start.weekday()) % 7] * (age >= 0)
    one_day = (rng.random(n) < 1 / (1 + np.exp(0.8 * intent + 0.2))) & ~staff
    rate[one_day[:, None] & (age > 0)] *= 0.001
    return state, rate


def _weekly_states(
    n_weeks: int, intent: np.ndarray, staff: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Markov chain over weeks since sign-up, shape (n_accounts, n_weeks).

    Interest makes adoption likelier and abandoning rarer. A dormant team seldom comes back.
    """
    adopt = 0.30 / (1 + np.exp(-0.9 * intent))
    give_up = 0.72 / (1 + np.exp(0.6 * intent))
    lose = 0.22 / (1 + np.exp(0.6 * intent))
    draws = rng.random((n_weeks, len(intent)))
    states = np.full((n_weeks, len(intent)), EXPLORING)
    for week in range(1, n_weeks):
        before, draw = states[week - 1], draws[week]
        from_exploring = np.where(
            draw < adopt, ADOPTING, np.where(draw > 1 - give_up, DORMANT, EXPLORING)
        )
        from_adopting = np.where(draw < lose, DORMANT, ADOPTING)
        from_dormant = np.where(draw < 0.015, EXPLORING, DORMANT)
        states[week] = np.choose(before, [from_exploring, from_adopting, from_dormant])
    states[:, staff] = ADOPTING
    return states.T


def _smooth(noise: np.ndarray) -> np.ndarray:
    """Mean of each week and the two before it, rescaled to keep the spread of single weeks."""
    padded = np.pad(noise, ((0, 0), (2, 0)), mode="edge")
    return (padded[:, 2:] + padded[:, 1:-1] + padded[:, :-2]) / np.sqrt(3)
