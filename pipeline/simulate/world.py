"""What is true of the demo world: its settings, its events, and the hazard that makes customers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType

import numpy as np
from pydantic import Field

from features.clock import DAY_US, to_us
from features.spec import Spec

WORLD_VERSION = 1
"""Raised when the same settings would no longer give the same world; older folders are remade."""

BLOCK_ACCOUNTS = 256
"""Accounts drawn together from one seed: fixed, so that no other size can change the world."""

HORIZON_DAYS = 14
SNAPSHOT_EVERY_DAYS = 7
PRICE_CHANGE_SHARE = 0.55
"""The price rises once this share of the world's days has passed."""

STAFF_DOMAIN = "tessera.example"
"""Tessera's own people use the product too; the settings exclude them by this e-mail domain."""

EVENTS = (
    "visited_site",
    "signed_up",
    "logged_in",
    "workspace_set_up",
    "report_created",
    "report_shared",
    "report_exported",
    "dashboard_created",
    "data_source_connected",
    "comment_added",
    "template_used",
    "workflow_completed",
    "goal_reached",
    "item_created",
    "api_called",
    "scheduled_report_created",
    "integration_enabled",
    "invite_sent",
    "member_joined",
    "limit_reached",
    "paid_feature_tried",
    "upgrade_prompt_shown",
    "upgrade_prompt_clicked",
    "pricing_viewed",
    "checkout_started",
    "support_requested",
    "subscription_started",
    "invoice_paid",
    "plan_changed",
)
CODES: Mapping[str, int] = MappingProxyType({name: code for code, name in enumerate(EVENTS)})

CONVERSION = "subscription_started"
SIZE_BAND = (50, 500)
"""Employees, both ends included."""
TARGET_INDUSTRIES = ("software", "finance")


class SimulateSpec(Spec):
    """How large a world, over which days, from which seed.

    Parameters
    ----------
    accounts
        Sign-ups over the whole span, Tessera's own test accounts included (one in 256).
    days
        Events lie in [start, start + days).
    start
        Weekly true probabilities are given at start, start + 7 days ...; 2024-01-01 is a Monday.
    seed
        Other seeds give other worlds of the same kind.
    events_per_file
        A part file holds at most this many events.
    milestone_strength
        What the weights of milestones in the hazard are multiplied by: 0 plants none. Behaviour
        does not depend on it, conversions do.
    """

    accounts: int = Field(default=6_000, ge=1)
    days: int = Field(default=365, ge=60, le=3_660)
    start: date = date(2024, 1, 1)
    seed: int = Field(default=7, ge=0)
    events_per_file: int = Field(default=250_000, ge=1_000)
    milestone_strength: float = Field(default=1.0, ge=0, le=10)

    @property
    def start_us(self) -> int:
        return to_us(self.start)

    @property
    def end_us(self) -> int:
        return self.start_us + self.days * DAY_US

    @property
    def price_change_day(self) -> int:
        """Days from `start` to the new price."""
        return int(self.days * PRICE_CHANGE_SHARE)

    @property
    def price_change(self) -> date:
        return self.start + timedelta(days=self.price_change_day)

    @property
    def effects(self) -> "tuple[Effect, ...]":
        """`EFFECTS` with the weights of this world."""
        return tuple(
            replace(effect, weight=effect.weight * self.milestone_strength)
            if effect.of_milestone
            else effect
            for effect in EFFECTS
        )

    @property
    def n_blocks(self) -> int:
        return -(-self.accounts // BLOCK_ACCOUNTS)

    def rng(self, block: int) -> np.random.Generator:
        """The only randomness of a block: nothing drawn for another block can move it."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))


@dataclass(frozen=True)
class Milestone:
    """An aha moment: the team, or one of its members, sent `event` at least `at_least` times."""

    name: str
    event: str
    at_least: int
    by_one_member: bool


MILESTONES = (
    Milestone("sources_milestone", "data_source_connected", 3, by_one_member=False),
    Milestone("reports_milestone", "report_created", 20, by_one_member=False),
    Milestone("workflows_milestone", "workflow_completed", 10, by_one_member=True),
)

BASE_LOG_HAZARD = -6.62


@dataclass(frozen=True)
class Effect:
    """One term of the log hazard: `weight` times a daily value of the account.

    `of_milestone` says that the value needs a milestone to be reached.
    """

    name: str
    weight: float
    meaning: str
    of_milestone: bool = False


EFFECTS = (
    Effect("size_in_band", 0.5, "50 to 500 employees (0 or 1)"),
    Effect("target_industry", 0.5, "software or finance (0 or 1)"),
    Effect(
        "sources_milestone",
        0.6,
        "the team has connected 3 data sources (0 or 1)",
        of_milestone=True,
    ),
    Effect("reports_milestone", 0.4, "the team has created 20 reports (0 or 1)", of_milestone=True),
    Effect(
        "workflows_milestone",
        0.5,
        "one member has completed 10 workflows (0 or 1)",
        of_milestone=True,
    ),
    Effect("active_members", 0.3, "log of the members active in 7 days, 0 for none"),
    Effect("limit_hit", 0.2, "a limit reached in 14 days (0 or 1)"),
    Effect(
        "limit_after_milestone",
        0.6,
        "limit_hit and at least one milestone (0 or 1)",
        of_milestone=True,
    ),
    Effect("pricing_viewed", 1.1, "pricing page viewed in 3 days (0 or 1)"),
    Effect("trend", 0.3, "member-days active in 7 days against the 7 before, in [-1, 1]"),
    Effect("dormant", -2.3, "no event in 7 days (0 or 1)"),
    Effect("gone", -4.0, "no event in 28 days, on top of dormant (0 or 1)"),
    Effect("first_week", -1.0, "signed up less than 7 days ago (0 or 1)"),
    Effect("weekend", -0.8, "Saturday or Sunday (0 or 1)"),
    Effect("after_price_change", -0.4, "the higher price holds (0 or 1)"),
    Effect("unobserved", 0.3, "what no event shows: a standard normal draw per account"),
)


def describe(spec: SimulateSpec) -> dict:
    """The world in words and numbers, for `world.json`."""
    said = spec.model_dump(mode="json")
    if spec.milestone_strength == 1:
        # Worlds made before it was a setting say nothing of it, and are the same worlds.
        del said["milestone_strength"]
    return {
        "world_version": WORLD_VERSION,
        "spec": said,
        "company": "Tessera, a collaborative reporting tool with a free plan",
        "conversion": CONVERSION,
        "horizon_days": HORIZON_DAYS,
        "hazard": "P(convert on a day) = 1 - exp(-exp(base + sum of weight x value)); "
        "values are taken at the end of that day, windows include it",
        "base_log_hazard": BASE_LOG_HAZARD,
        "effects": [
            {"name": effect.name, "weight": effect.weight, "meaning": effect.meaning}
            for effect in spec.effects
        ],
        "milestones": [
            {
                "name": milestone.name,
                "event": milestone.event,
                "at_least": milestone.at_least,
                "by": "one member" if milestone.by_one_member else "the whole team",
            }
            for milestone in MILESTONES
        ],
        "price_change": spec.price_change.isoformat(),
        "staff_domain": STAFF_DOMAIN,
        "events": list(EVENTS),
    }
