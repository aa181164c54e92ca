"""Simulated events as the table a data team would export, with the dirt such tables have."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import SECOND_US, to_us
from pipeline.simulate.accounts import CAMPAIGNS_PER_CHANNEL, CHANNELS, HOUR_US, Accounts
from pipeline.simulate.attributes import account_ids, user_ids
from pipeline.simulate.behaviour import Members
from pipeline.simulate.events import ALLOWED, LIMIT_KINDS, Events
from pipeline.simulate.files import moment, number, text
from pipeline.simulate.world import EVENTS, SimulateSpec

LATE_SHARE = 0.02
DUPLICATE_SHARE = 0.001
SERVER_SIDE = ("signed_up", "subscription_started", "invoice_paid", "plan_changed")
"""Sent by our own servers, which are never offline: known as they happen."""

PLANS = ("team", "business")
PLAN_SHOWN = ("checkout_started", "subscription_started", "invoice_paid", "plan_changed")
PRICES_USD = np.array([[49.0, 199.0], [59.0, 239.0]])
"""Per month: rows before and after the price change, columns as `PLANS`."""

FEATURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "template_used": ("sales_template", "finance_template", "blank_template"),
        "integration_enabled": ("crm_sync", "chat_sync", "sheet_sync"),
        "paid_feature_tried": ("forecast", "audit_log", "white_label"),
    }
)
"""Values of the property `feature`, by event."""


def event_table(
    spec: SimulateSpec,
    accounts: Accounts,
    members: Members,
    events: Events,
    rng: np.random.Generator,
) -> pa.Table:
    """Events of a block as they arrived; what arrives after the world's end is not here.

    Users beyond the members are strangers, known by their browser's anonymous id only. An
    anonymous visit of a later founder carries the founder's ids, but is received with the
    sign-up: nothing links the two before.
    """
    received = _received(accounts, events, rng)
    order = np.lexsort((events.user, events.time, received))
    order = order[received[order] < spec.end_us]
    events, received = events.take(order), received[order]
    columns = _ids(accounts, members, events) | {
        "time": moment(events.time),
        "received_at": moment(received),
    }
    table = pa.table(columns | _properties(spec, accounts, events, rng))
    copies = 1 + (rng.random(len(events)) < DUPLICATE_SHARE)
    return _with_broken_rows(table.take(pa.array(np.repeat(np.arange(len(events)), copies))))


def _received(accounts: Accounts, events: Events, rng: np.random.Generator) -> np.ndarray:
    """When each event reached us: within two seconds, or 1 to 72 hours late for 2 % of them."""
    n = len(events)
    delay = rng.uniform(0.05, 2, n) * SECOND_US
    delay = np.where(rng.random(n) < LATE_SHARE, rng.uniform(1, 72, n) * HOUR_US, delay)
    received = events.time + np.where(events.is_named(*SERVER_SIDE), 0, delay).astype(np.int64)
    linked = events.is_named("visited_site") & (events.account >= 0)
    return np.where(linked, accounts.signed_up[events.account], received)


def _ids(accounts: Accounts, members: Members, events: Events) -> dict[str, pa.Array]:
    first = accounts.number[0]
    n_strangers = max(0, int(events.user.max()) + 1 - len(members))
    strangers = [f"anon_s{first:07d}_{k:03d}" for k in range(n_strangers)]
    browsers = [f"anon_{number:07d}" for number in accounts.number] + strangers
    stranger = events.user - len(members)
    browser = np.where(stranger < 0, events.account, stranger + len(accounts))
    browser = np.where(events.is_named("visited_site", "signed_up"), browser, -1)
    digits = pc.utf8_lpad(pa.array(np.arange(len(events))).cast(pa.string()), 8, "0")
    return {
        "event_id": pc.binary_join_element_wise(f"evt_{first:07d}", digits, "_"),
        "event": text(events.name, EVENTS),
        "user_id": text(events.user, user_ids(accounts, members) + strangers),
        "account_id": text(events.account, account_ids(accounts)),
        "anonymous_id": text(browser, browsers),
    }


def _properties(
    spec: SimulateSpec, accounts: Accounts, events: Events, rng: np.random.Generator
) -> dict[str, pa.Array]:
    plan, amount = _plans(spec, accounts, events)
    reached = events.limit >= 0
    allowed = np.array([ALLOWED[kind] for kind in LIMIT_KINDS], float)[events.limit]
    return _marketing(accounts, events, rng) | {
        "feature": _features(events, rng),
        "plan": text(plan, PLANS),
        "limit": text(events.limit, LIMIT_KINDS),
        "used": number(np.where(reached, events.used, np.nan)),
        "allowed": number(np.where(reached, allowed, np.nan)),
        "rows": _lognormal(events.is_named("report_created", "report_exported"), 6, 1.4, rng),
        "seconds": _lognormal(events.is_named("report_created", "workflow_completed"), 4, 0.8, rng),
        "amount_usd": number(amount),
    }


def _marketing(accounts: Accounts, events: Events, rng: np.random.Generator) -> dict[str, pa.Array]:
    """Channel and campaign of visits and sign-ups; a stranger comes through any channel."""
    known = events.account >= 0
    shown = events.is_named("visited_site", "signed_up")
    n = len(events)
    channel = np.where(known, accounts.channel[events.account], rng.integers(len(CHANNELS), size=n))
    campaign = np.where(
        known, accounts.campaign[events.account], rng.integers(CAMPAIGNS_PER_CHANNEL, size=n)
    )
    campaigns = [f"{name}_{k + 1}" for name in CHANNELS for k in range(CAMPAIGNS_PER_CHANNEL)]
    return {
        "channel": text(np.where(shown, channel, -1), CHANNELS),
        "campaign": text(
            np.where(shown, channel * CAMPAIGNS_PER_CHANNEL + campaign, -1), campaigns
        ),
    }


def _features(events: Events, rng: np.random.Generator) -> pa.Array:
    code = np.full(len(events), -1)
    values: list[str] = []
    for name, choices in FEATURES.items():
        mask = events.is_named(name)
        code[mask] = len(values) + rng.integers(len(choices), size=int(mask.sum()))
        values += choices
    return text(code, values)


def _lognormal(
    mask: np.ndarray, location: float, spread: float, rng: np.random.Generator
) -> pa.Array:
    values = np.full(len(mask), np.nan)
    values[mask] = np.round(np.exp(rng.normal(location, spread, int(mask.sum()))), 1)
    return number(values)


def _plans(spec: SimulateSpec, accounts: Accounts, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Code of the plan bought, -1 for none, and US dollars invoiced by the day's price list.

    Companies above 200 people buy the larger plan; `plan_changed` is the move to the other one.
    """
    changed_at = np.full(len(accounts), spec.end_us)
    changes = events.named("plan_changed")
    changed_at[changes.account] = changes.time
    larger = accounts.employees[events.account] > 200
    plan = (larger ^ (events.time >= changed_at[events.account])).astype(np.int64)
    later_price = (events.time >= to_us(spec.price_change)).astype(np.int64)
    amount = np.where(events.is_named("invoice_paid"), PRICES_USD[later_price, plan], np.nan)
    return np.where(events.is_named(*PLAN_SHOWN), plan, -1), amount


def _with_broken_rows(table: pa.Table) -> pa.Table:
    """Append two rows that no import can use: one without a name, one in the year 9999."""
    sound = table.slice(0, 1)
    event_id = sound["event_id"][0].as_py()
    nameless = _replaced(sound, event_id=f"{event_id}_nameless", event=None)
    far_future = _replaced(sound, event_id=f"{event_id}_far", time=datetime(9999, 1, 1, tzinfo=UTC))
    return pa.concat_tables([table, nameless, far_future])


def _replaced(row: pa.Table, **values: object) -> pa.Table:
    """The one-row table with other values in some columns."""
    for name, value in values.items():
        at = row.schema.get_field_index(name)
        field = row.schema.field(at)
        row = row.set_column(at, field, pa.array([value], field.type))
    return row
