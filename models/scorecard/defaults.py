"""The shipped twenty rules, to be pointed at a product's own events."""

from features.definitions import Dimension
from models.scorecard.rules import Rule


def _rule(dimension: Dimension, points: int, name: str) -> Rule:
    return Rule(dimension=dimension, points=points, name=name)


def _generic(points: int, name: str, dimension: Dimension, feature: str, at_least: float) -> Rule:
    return Rule(dimension=dimension, points=points, name=name, feature=feature, at_least=at_least)


# Points follow what practitioners' guides agree on: rules of thumb, never evidence; the report says
# what they are worth on your rows. Where events differ from product to product there is no feature
# until the settings name one: the rule is then listed and never counts.
DEFAULT_RULES: tuple[Rule, ...] = (
    _generic(20, "active daily", "engagement", "any_event_active_days_7d", 5),
    _generic(15, "uses 5 or more features", "engagement", "any_event_breadth_28d", 5),
    _rule("engagement", 10, "uses an advanced feature"),
    _generic(
        10, "sessions of 15 minutes or more", "engagement", "any_event_session_minutes_28d", 15
    ),
    _generic(25, "3 or more teammates", "team", "any_event_members_28d", 4),
    _rule("team", 15, "5 or more invites sent"),
    _rule("team", 20, "several departments"),
    _rule("team", 15, "workspace set up"),
    _rule("value", 30, "aha moment reached"),
    _rule("value", 20, "10 or more workflows completed"),
    _rule("value", 25, "stated goal reached"),
    _rule("value", 15, "50 or more items created"),
    _rule("upgrade", 30, "limit hit 3 or more times"),
    _rule("upgrade", 25, "paid feature tried"),
    _rule("upgrade", 15, "pricing page viewed"),
    _rule("upgrade", 20, "upgrade prompt clicked"),
    _rule("fit", 20, "50 to 500 employees"),
    _rule("fit", 15, "target industry"),
    _rule("fit", 10, "revenue above $10M"),
    _rule("fit", 10, "integrated tools in use"),
)
