"""What members of the demo world do: sessions, the events inside them, and whom they invite."""

from dataclasses import dataclass, fields, replace

import numpy as np

from features.clock import DAY_US, MINUTE_US, SECOND_US
from pipeline.simulate.accounts import HOUR_US, UTC_OFFSET_HOURS, Accounts
from pipeline.simulate.events import Events
from pipeline.simulate.world import CODES, SimulateSpec

EDITOR, VIEWER, ADMIN = range(3)
ROLES = ("editor", "viewer", "admin")
DEPARTMENTS = ("operations", "marketing", "sales", "finance", "engineering", "support")

INVITES_ACCEPTED = 0.6
MOST_GENERATIONS = 8
"""Founder, whom the founder invites, whom those invite ...: no chain of invitations is longer."""


@dataclass(frozen=True)
class Action:
    """How often something is done in a session, before it is shared out to sum to 1.

    `weight` holds for an exploring editor; the others multiply it. `intent` is the change of its
    logarithm per unit of the account's intent.
    """

    event: str
    weight: float
    viewer: float
    admin: float
    adopting: float
    intent: float


ACTIONS = (
    Action("template_used", 1.2, 0.3, 0.5, 0.4, 0.0),
    Action("report_created", 1.8, 0.15, 0.7, 1.2, 0.2),
    Action("report_shared", 0.8, 0.3, 0.8, 1.6, 0.2),
    Action("report_exported", 0.7, 1.2, 0.8, 1.2, 0.1),
    Action("dashboard_created", 0.5, 0.05, 0.7, 1.2, 0.2),
    Action("data_source_connected", 0.10, 0.02, 2.0, 1.0, 0.4),
    Action("comment_added", 0.8, 3.0, 0.8, 1.5, 0.0),
    Action("workflow_completed", 0.5, 0.2, 0.7, 1.6, 0.3),
    Action("goal_reached", 0.08, 0.3, 1.0, 2.0, 0.3),
    Action("item_created", 2.2, 0.2, 0.8, 1.2, 0.1),
    Action("api_called", 0.15, 0.0, 2.0, 2.5, 0.5),
    Action("scheduled_report_created", 0.06, 0.02, 1.5, 3.0, 0.4),
    Action("integration_enabled", 0.05, 0.0, 4.0, 1.5, 0.4),
    Action("invite_sent", 0.15, 0.3, 2.5, 1.3, 0.3),
    Action("paid_feature_tried", 0.06, 0.3, 1.0, 1.2, 0.5),
    Action("pricing_viewed", 0.035, 0.1, 2.0, 1.2, 0.6),
    Action("support_requested", 0.05, 0.5, 2.0, 1.0, 0.0),
)
ACTION_CODES = np.array([CODES[action.event] for action in ACTIONS], np.int8)


@dataclass(frozen=True)
class Members:
    """People of a block of accounts; every array has shape (n_members,).

    Parameters
    ----------
    account
        Row of the account in its block.
    joined, left
        Active in [joined, left), microseconds UTC.
    rate
        Sessions per day in an adopting team.
    depth
        Mean number of events in a session after the log-in.
    pause_seconds
        Mean time between two events of a session.
    """

    account: np.ndarray
    joined: np.ndarray
    left: np.ndarray
    role: np.ndarray
    department: np.ndarray
    rate: np.ndarray
    depth: np.ndarray
    pause_seconds: np.ndarray

    def __len__(self) -> int:
        return len(self.account)

    @classmethod
    def concat(cls, parts: "list[Members]") -> "Members":
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def simulate_members(
    spec: SimulateSpec, accounts: Accounts, rng: np.random.Generator
) -> tuple[Members, Events]:
    """Everyone who ever joins, and all they do in sessions, before the product reacts to it.

    A member is simulated only after the invitation that brings them, so a team grows out of its
    own activity.
    """
    mix = _action_mix(accounts, rng)
    arriving = _founders(accounts, rng)
    generations, events = [arriving], []
    n_members, open_seats = len(arriving), accounts.seats - 1
    for _ in range(MOST_GENERATIONS):
        done = _sessions(spec, accounts, arriving, mix, rng).shift_users(n_members - len(arriving))
        events.append(done)
        arriving, open_seats = _accept_invites(spec, done, open_seats, rng)
        if not len(arriving):
            break
        generations.append(arriving)
        n_members += len(arriving)
        joins = Events.of("member_joined", arriving.account, arriving.joined)
        events.append(joins.of_users(np.arange(n_members - len(arriving), n_members)))
    return Members.concat(generations), Events.concat(events)


def _founders(accounts: Accounts, rng: np.random.Generator) -> Members:
    n = len(accounts)
    never = np.full(n, np.iinfo(np.int64).max)
    founders = _people(np.arange(n), accounts.signed_up, never, rng)
    eager = np.exp(0.25 * accounts.intent) * np.where(accounts.staff, 1.5, 1.0)
    role = np.where(rng.random(n) < 0.7, ADMIN, EDITOR)
    return replace(founders, role=role, rate=founders.rate * eager)


def _people(
    account: np.ndarray, joined: np.ndarray, left: np.ndarray, rng: np.random.Generator
) -> Members:
    n = len(account)
    return Members(
        account=account,
        joined=joined,
        left=left,
        role=rng.choice(3, n, p=(0.5, 0.42, 0.08)),
        department=rng.choice(6, n, p=(0.3, 0.2, 0.15, 0.15, 0.12, 0.08)),
        rate=0.55 * np.exp(rng.normal(0, 0.6, n)),
        depth=1.5 + rng.gamma(2.0, 1.6, n),
        pause_seconds=40 + rng.gamma(2.0, 50.0, n),
    )


def _accept_invites(
    spec: SimulateSpec, done: Events, open_seats: np.ndarray, rng: np.random.Generator
) -> tuple[Members, np.ndarray]:
    """Members who follow the invitations in `done`, first come first seated; seats still open."""
    invites = done.named("invite_sent")
    accepted = rng.random(len(invites)) < INVITES_ACCEPTED
    delay = 2 * MINUTE_US + rng.exponential(DAY_US, len(invites)).astype(np.int64)
    account, joined = invites.account[accepted], (invites.time + delay)[accepted]
    order = np.lexsort((joined, account))
    account, joined = account[order], joined[order]
    place = np.arange(len(account)) - np.searchsorted(account, account)
    seated = (place < open_seats[account]) & (joined < spec.end_us)
    account, joined = account[seated], joined[seated]
    left = joined + rng.exponential(150 * DAY_US, len(account)).astype(np.int64)
    taken = np.bincount(account, minlength=len(open_seats))
    return _people(account, joined, left, rng), open_seats - taken


def _action_mix(accounts: Accounts, rng: np.random.Generator) -> np.ndarray:
    """Cumulative shares of the actions, shape (n_accounts, 3 states, 3 roles, n_actions).

    Every account has its own taste: log weights differ by a normal draw of 0.4 per action.
    """
    weight = np.array([action.weight for action in ACTIONS])
    role = np.array([[1.0, action.viewer, action.admin] for action in ACTIONS]).T
    state = np.array([[1.0, action.adopting, 1.0] for action in ACTIONS]).T
    tilt = np.array([action.intent for action in ACTIONS])
    taste = accounts.intent[:, None] * tilt + rng.normal(0, 0.4, (len(accounts), len(ACTIONS)))
    share = (
        np.exp(taste)[:, None, None, :]
        * state[None, :, None, :]
        * (role * weight)[None, None, :, :]
    )
    cumulative = np.cumsum(share, axis=-1)
    return cumulative / cumulative[..., -1:]


def _sessions(
    spec: SimulateSpec,
    accounts: Accounts,
    members: Members,
    mix: np.ndarray,
    rng: np.random.Generator,
) -> Events:
    """Events of all sessions of `members`, users numbered from 0.

    Each session is a log-in followed by actions a minute or two apart. Everyone's first session
    begins as they join.
    """
    member, start = _session_starts(spec, accounts, members, rng)
    n_actions = rng.geometric(1 / members.depth[member])
    session = np.repeat(np.arange(len(member)), n_actions + 1)
    first = np.cumsum(n_actions + 1) - n_actions - 1
    user = member[session]
    pause = rng.standard_exponential(len(session)) * members.pause_seconds[user] + 1
    pause[first] = 0
    elapsed = np.cumsum(pause)
    elapsed -= elapsed[first][session]
    time = start[session] + (elapsed * SECOND_US).astype(np.int64)

    account = members.account[user]
    day = np.minimum((start[session] - spec.start_us) // DAY_US, spec.days - 1)
    state = accounts.state[account, day]
    shares = mix[account, state, members.role[user]]
    action = (shares < rng.random(len(session))[:, None]).sum(axis=1)
    name = ACTION_CODES[np.minimum(action, len(ACTIONS) - 1)]
    name[first] = CODES["logged_in"]
    keep = time < spec.end_us
    return Events.of(name, account, time).of_users(user).take(keep)


def _session_starts(
    spec: SimulateSpec, accounts: Accounts, members: Members, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Member and start of every session, shapes (n_sessions,): a Poisson number a day."""
    midnight = spec.start_us + np.arange(spec.days) * DAY_US
    here = (midnight > members.joined[:, None]) & (midnight < members.left[:, None])
    member, day = np.nonzero(here & (accounts.activity[members.account] > 0))
    rate = members.rate[member] * accounts.activity[members.account[member], day]
    several = rng.poisson(rate)
    member, day = np.repeat(member, several), np.repeat(day, several)
    # Mornings and afternoons of the account's own zone, and one session in twelve at any hour.
    morning = rng.random(len(member)) < 0.55
    hour = np.where(morning, rng.normal(10, 1.2, len(member)), rng.normal(14.7, 1.6, len(member)))
    hour -= UTC_OFFSET_HOURS[accounts.country[members.account[member]]]
    hour = np.where(rng.random(len(member)) < 1 / 12, rng.uniform(0, 24, len(member)), hour) % 24
    start = midnight[day] + (hour * HOUR_US).astype(np.int64)
    arrival = np.arange(len(members))
    return np.concatenate([arrival, member]), np.concatenate([members.joined + SECOND_US, start])
