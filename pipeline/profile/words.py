"""What the words in a name suggest: a role, a dimension, a purchase, a bill, a sign-up, noise."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from features.definitions import Dimension

# Beginnings of words. The first dimension that matches wins: an upgrade prompt is no report.
_DIMENSIONS: tuple[tuple[Dimension, tuple[str, ...]], ...] = (
    (
        "upgrade",
        (
            "limit", "pricing", "upgrad", "paid", "checkout", "trial", "quota", "billing",
            "paywall", "premium", "subscri", "plan", "plans", "invoice", "support", "sales",
        ),
    ),
    (
        "team",
        ("invit", "member", "join", "team", "shar", "role", "collab", "workspace", "seat"),
    ),
    (
        "value",
        (
            "complet", "creat", "export", "publish", "goal", "workflow", "report", "upload",
            "import", "integrat", "deploy",
        ),
    ),
)  # fmt: skip
_WHOLE_WORDS = {"plan", "plans", "role", "team", "sales"}

_BUYS = ("subscri", "upgrad", "convert", "conversion", "purchas", "paid", "bought", "customer")
_MAY_BUY = ("plan", "checkout", "order", "payment", "licen", "contract", "premium", "redeem")
_NO_SALE = (
    "view", "visit", "click", "prompt", "abandon", "cancel", "fail", "declin", "downgrad", "churn",
    "refund", "expir", "attempt", "tried", "limit", "open", "request", "newsletter", "email",
    "page", "shown", "show", "feature", "survey", "remind",
)  # fmt: skip
_BEGINS = ("start", "begin", "began", "trial")
_BILLS = ("invoic", "paid", "bill", "payment", "charg", "renew", "receipt")
_ENTERS = ("account", "user", "workspace", "organization", "organisation", "company", "tenant")
_SIGN_UP_PAIRS = {
    ("signed", "up"), ("sign", "up"), ("signs", "up"),
    *((who, "created") for who in _ENTERS),
    *((made, who) for made in ("created", "create", "new") for who in _ENTERS),
}  # fmt: skip
_SIGN_UPS = ("signup", "signedup", "regist", "onboard")

PRICES = ("pricing", "checkout", "billing")
"""Beginnings of words of an event with which somebody looks at prices."""

_SOFTWARE = {"browser", "os", "device", "viewport", "lib", "sdk", "useragent"}
_SOFTWARE_WITH = {
    "screen": {"width", "height", "size", "resolution", "density"},
    "library": {"context", "version"},
    "user": {"agent"},
    "operating": {"system"},
}
"""Words that mean the visitor's software only beside one of these."""
_OF_SOFTWARE = {
    "name", "type", "version", "major", "model", "manufacturer", "brand", "width", "height",
    "size", "raw", "initial", "context", "client",
}  # fmt: skip

_KEPT_INTERNAL = {"$pageview", "$screen", "$autocapture"}
_ACCOUNTING = "says who someone is, which is kept; nobody did anything"
DROPPED = {
    "$pageleave": "comes in a pair with every $pageview",
    "$feature_flag_called": "the software asking, not the user",
    "$web_vitals": "measurements of the browser",
    "$$heatmap": "movements of the mouse",
    **dict.fromkeys(
        ("$identify", "$groupidentify", "$set", "$create_alias", "$merge_dangerously",
         "identified", "group_joined", "aliased"),
        _ACCOUNTING,
    ),
}  # fmt: skip
"""Events that say nothing about what the user does, and why. Their identities and attributes are
used all the same: the importer reads both before it drops an event by name."""


def words(name: str) -> list[str]:
    """Lower-case words of a name, in any of the usual spellings.

    >>> words("planUpgraded"), words("Invited Team-Member")
    (['plan', 'upgraded'], ['invited', 'team', 'member'])
    """
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())


def named(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """The name that fits the earliest of `wanted` best; ties by name."""
    ranked = [(place, name) for name in names if (place := rank(name, wanted)) is not None]
    return min(ranked)[1] if ranked else None


def rank(name: str, wanted: Sequence[str]) -> float | None:
    """Position of the word that a column's name is, a little later where only its ending is it.

    >>> rank("userId", ["user_id"]), rank("actor.user_id", ["user_id"]), rank("users", ["user"])
    (0, 0.5, None)
    """
    plain = "_".join(words(name))
    last = "_".join(words(name.rsplit(".", 1)[-1]))
    for position, word in enumerate(wanted):
        if plain == word:
            return position
        if last == word or last.endswith("_" + word):
            return position + 0.5
    return None


def dimension_of(name: str) -> Dimension:
    """A guess at the dimension that an event speaks for.

    >>> dimension_of("invited_team_member"), dimension_of("limit_reached"), dimension_of("zoomed")
    ('team', 'upgrade', 'engagement')
    """
    for dimension, stems in _DIMENSIONS:
        if has_word(name, stems):
            return dimension
    return "engagement"


def is_internal(name: str) -> bool:
    """Bookkeeping of the analytics tool, which no feature should count.

    >>> is_internal("$groupidentify"), is_internal("$pageview"), is_internal("signed_up")
    (True, False, False)
    """
    return name in DROPPED or (name.startswith("$") and name not in _KEPT_INTERNAL)


def purchase_words(name: str) -> int:
    """3 for a name that says somebody bought, 1 for one that may, -3 for a mere step towards it.

    >>> purchase_words("upgraded_plan"), purchase_words("upgrade_prompt_clicked")
    (3, -3)
    >>> purchase_words("subscription_started"), purchase_words("checkout_started")
    (3, -3)
    """
    begun = has_word(name, _BEGINS) and not has_word(name, ("subscri", "convert"))
    if begun or has_word(name, _NO_SALE):
        return -3
    return 3 if has_word(name, _BUYS) else 1 if has_word(name, _MAY_BUY) else 0


def is_bill(name: str) -> bool:
    """Something that customers get and others do not."""
    return has_word(name, _BILLS)


def is_sign_up(name: str) -> bool:
    """The event by which an entity enters.

    >>> is_sign_up("signed_up"), is_sign_up("Account Created"), is_sign_up("sign_in")
    (True, True, False)
    """
    return bool(set(pairwise(words(name))) & _SIGN_UP_PAIRS) or has_word(name, _SIGN_UPS)


def is_software(name: str) -> bool:
    """A property that tells the visitor's browser, system, device or screen, or a tool's library.

    >>> is_software("$browser_version"), is_software("context.screen.width")
    (True, True)
    >>> is_software("device_count"), is_software("user_name"), is_software("library_size")
    (False, False, False)
    """
    found = set(words(name))
    beside = {word for word in found if _SOFTWARE_WITH.get(word, set()) & found}
    meant = found & _SOFTWARE | beside.union(*(_SOFTWARE_WITH[word] & found for word in beside))
    return bool(meant) and found <= meant | _OF_SOFTWARE


def page_event(path: str) -> str | None:
    """What to call a view of this page, when it is one about money.

    >>> page_event("/pricing/"), page_event("/account/billing"), page_event("/files/price-list.pdf")
    ('pricing_viewed', 'billing_viewed', None)
    """
    steps = set(re.split(r"[/?#&=.]+", path.lower()))
    if steps & {"pricing", "prices", "plans"}:
        return "pricing_viewed"
    if steps & {"billing", "checkout", "upgrade", "subscribe", "subscription", "payment"}:
        return "billing_viewed"
    return None


def has_word(name: str, stems: tuple[str, ...]) -> bool:
    """Whether a word of the name begins with a stem (some stems must be the whole word).

    >>> has_word("UpgradePrompt shown", ("upgrad",)), has_word("steam_bought", ("team",))
    (True, False)
    """
    return any(
        word == stem if stem in _WHOLE_WORDS else word.startswith(stem)
        for word in words(name)
        for stem in stems
    )
