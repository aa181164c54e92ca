"""The edges of an account's life: visits before the sign-up, and what follows a conversion."""

import numpy as np

from features.clock import DAY_US, MINUTE_US, SECOND_US
from pipeline.simulate.accounts import HOUR_US, UTC_OFFSET_HOURS, Accounts
from pipeline.simulate.events import Events
from pipeline.simulate.hazard import NOT_CONVERTED
from pipeline.simulate.world import CONVERSION, SimulateSpec

NEVER_US = np.iinfo(np.int64).max
BILLING_EVERY_DAYS = 30
FREE_PLAN_ONLY = (
    "limit_reached",
    "paid_feature_tried",
    "upgrade_prompt_shown",
    "upgrade_prompt_clicked",
    "pricing_viewed",
    "checkout_started",
)


def sign_ups(accounts: Accounts) -> Events:
    return Events.of("signed_up", np.arange(len(accounts)), accounts.signed_up)


def visits_of_founders(spec: SimulateSpec, accounts: Accounts, rng: np.random.Generator) -> Events:
    """Anonymous visits in the days before the sign-up; none before the world's start."""
    founders = np.repeat(np.arange(len(accounts)), rng.poisson(1.6, len(accounts)))
    ago = MINUTE_US + rng.exponential(4 * DAY_US, len(founders)).astype(np.int64)
    visits = Events.of("visited_site", founders, accounts.signed_up[founders] - ago)
    return visits.take(visits.time >= spec.start_us)


def visits_of_strangers(
    spec: SimulateSpec, n_visitors: int, first_user: int, rng: np.random.Generator
) -> Events:
    """Visits of people who never sign up: users from `first_user` on, without an account."""
    visitor = np.repeat(np.arange(n_visitors), 1 + rng.poisson(0.7, n_visitors))
    time = spec.start_us + (rng.random(len(visitor)) * spec.days * DAY_US).astype(np.int64)
    visits = Events.of("visited_site", np.full(len(visitor), -1), time)
    return visits.of_users(first_user + visitor)


def conversion_times(
    spec: SimulateSpec,
    accounts: Accounts,
    events: Events,
    converted: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """When each account subscribes, in microseconds (`NEVER_US` for never), and who does.

    Minutes after the last event of its conversion day and by the same member; on a day without
    events in the morning, by the founder. Both arrays have shape (n_accounts,).
    """
    midnight = spec.start_us + converted * DAY_US
    day = (events.time - spec.start_us) // DAY_US
    that_day = events.take(day == converted[events.account])
    that_day = that_day.take(np.argsort(that_day.time, kind="stable"))
    last_seen = midnight + (9 - UTC_OFFSET_HOURS[accounts.country]) * HOUR_US
    buyer = np.arange(len(accounts))
    # In time order, so that of an account's several events the latest one stays.
    last_seen[that_day.account] = that_day.time
    buyer[that_day.account] = that_day.user
    delay = (rng.uniform(3, 25, len(accounts)) * MINUTE_US).astype(np.int64)
    # A late session must not carry the conversion into a day whose hazard did not make it.
    time = np.minimum(last_seen + delay, midnight + DAY_US - SECOND_US)
    return np.where(converted == NOT_CONVERTED, NEVER_US, time), buyer


def without_free_plan(events: Events, converted_at: np.ndarray) -> Events:
    """Drop what only a free account can meet, from the conversion of its account on."""
    late = events.time >= converted_at[events.account]
    return events.take(~(late & events.is_named(*FREE_PLAN_ONLY)))


def purchases(
    spec: SimulateSpec, converted_at: np.ndarray, buyer: np.ndarray, rng: np.random.Generator
) -> Events:
    """Checkout, subscription, and the invoices and plan changes that follow it.

    The checkout begins seconds to minutes before the subscription, the first invoice is paid
    seconds after it: both would give the conversion away if time were handled loosely.
    """
    account = np.flatnonzero(converted_at < spec.end_us)
    n = len(account)
    subscribed = Events.of(CONVERSION, account, converted_at[account]).of_users(buyer[account])
    checkout = subscribed.then("checkout_started", -rng.uniform(20, 170, n))
    invoice_delay = rng.uniform(1, 9, n)
    invoices = [
        subscribed.then("invoice_paid", invoice_delay + month * BILLING_EVERY_DAYS * 86_400)
        for month in range(spec.days // BILLING_EVERY_DAYS + 1)
    ]
    changing = subscribed.take(rng.random(n) < 0.15)
    changes = changing.then("plan_changed", rng.uniform(25, 150, len(changing)) * 86_400)
    bought = Events.concat([checkout, subscribed, *invoices, changes])
    return bought.take(bought.time < spec.end_us)
