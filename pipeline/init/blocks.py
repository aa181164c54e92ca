"""The blocks after `data:`: what is asked (conversion, cohort) and what is looked at (features)."""

from features.definitions import DIMENSIONS, Dimension
from models.splits import FOLDS, FoldSpec
from pipeline.init.data import chosen_attributes, chosen_properties, usable_events
from pipeline.init.scorecard import Supply
from pipeline.init.yaml import Page, flow, mapping, shown, text
from pipeline.profile import Profile
from pipeline.profile.conversion import Candidate, evidence
from pipeline.profile.words import PRICES, dimension_of, has_word, is_sign_up, words

BLANK = "events: []"
"""The line of a conversion that is still to be filled in."""
_MOST_EVENTS = 60
_MOST_CARRIERS = 3
_WINDOWS_DAYS = (1, 7, 14, 28, 90)
_MEMBER_FACTS = {"role", "department", "title", "team", "function", "seniority"}
_ATTRIBUTE_WORDS: tuple[tuple[Dimension, frozenset[str]], ...] = (
    ("team", frozenset({"team", "members", "seats", "users"})),
    ("upgrade", frozenset({"plan", "trial", "tier", "subscription"})),
    ("value", frozenset({"used", "usage", "count", "storage", "files", "projects", "items"})),
)
_CALENDAR_DAYS = 28
_MOST_FIRST_VALUE = 2
_MOST_NEAR = 3
_ASKED = ("request", "ask", "creat", "open", "contact", "submit", "sent", "ticket", "fill")
# Beginnings of words; a name has one of every group.
_SIGNALS: dict[str, tuple[tuple[str, ...], ...]] = {
    "limit": (("limit", "quota"),),
    "pricing": (PRICES,),
    "paid_feature": (("paid", "premium"), ("tried", "try", "attempt", "feature")),
    "upsell": (("upgrad", "paywall", "upsell", "offer"), ("click",)),
    "form": (("demo", "form", "sales"), _ASKED),
    "support": (("support", "help"), _ASKED),
    "success": (("goal", "workflow", "complet"), ("reach", "complet", "achiev", "finish")),
}
_SIGNAL_MEANINGS = {
    "limit": "a limit of the free plan was reached",
    "pricing": "they looked at prices",
    "paid_feature": "they tried what a paid plan has",
    "upsell": "they clicked an offer",
    "form": "they asked to be called",
    "support": "they asked for help",
    "success": "they got something done",
}


def write_question(page: Page, profile: Profile) -> None:
    """Who is asked about, and whether they do what within how many days."""
    best = profile.conversion
    if best is None:
        _ask_for_conversion(page, profile)
    else:
        _propose_conversion(page, profile, best)
    page.gap()
    why = "short, as the log is" if profile.horizon_days == 7 else "two weeks: time for a call"
    page.add(0, f"horizon_days: {profile.horizon_days}", f"how far ahead is asked; {why}")
    page.gap()
    page.add(0, "cohort:", f"which {profile.entities} are asked about, and when")
    page.add(1, "every_days: 7", "once a week")
    page.add(1, f"active_within_days: {_CALENDAR_DAYS}", "four silent weeks: nobody would call")
    if profile.entered_by:
        page.add(
            1,
            f"entered_by: {flow([profile.entered_by])}",
            "nearly everybody did this once, at the start",
        )


def too_few(profile: Profile) -> str | None:
    """A clause on a conversion that fewer entities have than any training takes."""
    best, least = profile.conversion, len(FOLDS) * FoldSpec().min_positives
    if best is None or best.event.n_entities >= least:
        return None
    return (
        f"{shown(best.event.name)} makes customers of only {best.event.n_entities:,} of "
        f"{profile.totals.n_entities:,} {profile.entities}, and a training takes {least} at least"
    )


def _ask_for_conversion(page: Page, profile: Profile) -> None:
    """The block without its event, and the events that come nearest."""
    page.say(
        0,
        "PLEASE FILL IN: NO EVENT LOOKS LIKE A PURCHASE. WRITE THE NAME OF THE EVENT THAT MAKES A",
        "CUSTOMER BETWEEN THE BRACKETS, such as [subscription_started]; nothing trains before.",
        "If no event says it, name the table that does (data.conversions above, without its `# `),",
        "and write [converted] below.",
    )
    page.add(0, "conversion:", "what makes a customer")
    page.add(1, BLANK)
    for other in [one for one in profile.candidates if one.score > 0][:_MOST_NEAR]:
        found = evidence(other, profile.entities, profile.totals.n_entities)
        page.say(1, f"rare, but no purchase by its name: {shown(other.event.name)}: {found}")


def _propose_conversion(page: Page, profile: Profile, best: Candidate) -> None:
    if not best.convincing:
        page.say(
            0,
            "PLEASE CHECK: NO EVENT SURELY IS A PURCHASE. THE BEST GUESS STANDS BELOW; PUT THE",
            "EVENT THAT MAKES A CUSTOMER IN ITS PLACE, OR ADD A TABLE (data.conversions).",
        )
    page.add(0, "conversion:", "what makes a customer")
    page.add(1, f"events: {flow([best.event.name])}")
    page.say(1, evidence(best, profile.entities, profile.totals.n_entities))
    if few := too_few(profile):
        page.say(
            1,
            f"PLEASE CHECK: {few}.",
            "Name the event that makes a customer, if it is another, or bring a longer history.",
        )
    if best.consequences:
        names = ", ".join(shown(name) for name in best.consequences)
        page.say(
            1,
            f"Follows by construction, so never a feature: {names}.",
            "It does no harm: whoever has converted is not asked about any more.",
        )
    for other in [one for one in profile.candidates[1:] if one.plausible][:2]:
        found = evidence(other, profile.entities, profile.totals.n_entities)
        page.say(1, f"less likely: {shown(other.event.name)}: {found}")


def find_supply(profile: Profile) -> Supply:
    """What the features block will hold: the catalogue, the attributes, the windows."""
    chosen = [fact for fact in chosen_attributes(profile) if fact.verdict == "use"]
    members = [
        fact.name for fact in chosen if fact.of == "user" and _MEMBER_FACTS & set(words(fact.name))
    ]
    return Supply(
        profile,
        _catalogue(profile),
        tuple(fact for fact in chosen if fact.of in (profile.level, "account")),
        tuple(members),
        # A window needs a past to look back on; a week is always asked for.
        tuple(days for days in _WINDOWS_DAYS if days <= max(profile.days / 2, 7)),
    )


def write_features(page: Page, supply: Supply) -> None:
    """The event catalogue by dimension, then properties and attributes."""
    profile, catalogue = supply.profile, supply.catalogue
    windows = ", ".join(map(str, supply.windows_days))
    page.add(0, "features:")
    page.add(1, f"windows_days: [{windows}]", "look-backs, besides all time")
    page.say(1, "The catalogue: which event speaks for which dimension, guessed from its words.")
    if not any(catalogue.values()):
        page.add(1, "events: {}")
    else:
        page.add(1, "events:")
    facts = {event.name: event for event in profile.events}
    pages = {item.name: item for item in profile.pages}
    for dimension, names in catalogue.items():
        if names:
            page.add(2, f"{dimension}:")
        for name in names:
            counts = f"{facts[name].n_events:,} events" if name in facts else ""
            if name in facts:
                counts += f", {facts[name].n_entities:,} {profile.entities}"
            page.add(3, f"- {text(name)}", counts or f"{pages[name].n_events:,} views of pages")
    left = len(usable_events(profile)) - _MOST_EVENTS
    if left > 0:
        page.say(2, f"{left:,} rarer events count in the totals only.")
    _properties(page, profile)
    _attributes(page, supply)


def write_signals(page: Page, supply: Supply) -> None:
    """Which events mean what to sales, guessed from their words; kinds without a guess are told."""
    names = [name for found in supply.catalogue.values() for name in found]
    kinds = {kind: _named_so(names, groups) for kind, groups in _SIGNALS.items()}
    first_value = [name for name in supply.catalogue["value"] if name not in kinds["success"]]
    missing = [kind for kind, found in kinds.items() if not found]
    after = supply.profile.after_entry
    early = [name for name in kinds["pricing"] if supply.profile.is_early(name)]
    kinds["pricing"] = [name for name in kinds["pricing"] if name not in early]
    page.say(
        0,
        "PLEASE CHECK: what events mean to sales, guessed from their words. Hand-raises, next",
        "actions and message drafts follow from it (docs/actions.md).",
    )
    page.add(0, "signals:" if first_value or any(kinds.values()) else "signals: {}")
    for kind, found in kinds.items():
        if found:
            page.add(1, f"{kind}: {flow(found)}", _SIGNAL_MEANINGS[kind])
    if first_value:
        page.add(1, "first_value:", "nobody is called before any of these; raise at_least")
        for name in first_value[:_MOST_FIRST_VALUE]:
            page.add(2, f"- {{event: {text(name)}, at_least: 1}}")
    if early:
        page.say(1, "Left out of `pricing`, as most of it comes before sign-up (website visitors):")
    for name in early:
        known = f"known {supply.profile.entities}"
        page.say(1, f"  {shown(name)}: {after[name]:.0%} of what {known} did came after sign-up")
    if missing:
        page.say(1, f"No event looks like: {', '.join(missing)}. Name them where there are any.")


def _named_so(names: list[str], groups: tuple[tuple[str, ...], ...]) -> list[str]:
    """Names that have a word of every group, each once."""
    found = [name for name in names if all(has_word(name, group) for group in groups)]
    return list(dict.fromkeys(found))


def _catalogue(profile: Profile) -> dict[Dimension, list[str]]:
    catalogue: dict[Dimension, list[str]] = {dimension: [] for dimension in DIMENSIONS[:4]}
    derived = dict.fromkeys(item.name for item in profile.pages)
    for name in dict.fromkeys([*usable_events(profile)[:_MOST_EVENTS], *derived]):
        # Signing up creates an account, which is where it starts, not what it is good for.
        dimension = "engagement" if is_sign_up(name) else dimension_of(name)
        catalogue[dimension].append(name)
    return catalogue


def _properties(page: Page, profile: Profile) -> None:
    usable = usable_events(profile)
    chosen = chosen_properties(profile)
    if chosen:
        page.add(1, "properties:", "sums and maxima of numbers; latest and distinct categories")
    for fact in chosen:
        carriers = [name for name in fact.carriers if name in usable]
        parts = {"dimension": "engagement"}
        if len(carriers) <= _MOST_CARRIERS:
            parts = {"dimension": str(dimension_of(carriers[0])), "events": flow(carriers)}
        if fact.type == "number":
            parts["statistics"] = "[sum, max]"
        page.add(2, f"{text(fact.name)}: {mapping(parts)}")


def _attributes(page: Page, supply: Supply) -> None:
    if supply.attributes:
        page.add(1, "attributes:", "the latest value known at each time")
    for fact in supply.attributes:
        page.add(2, f"{text(fact.name)}: {_attribute_dimension(fact.name)}")
    if supply.member_attributes:
        names = flow(supply.member_attributes)
        page.add(1, f"member_attributes: {names}", "how many different ones a team has")


def _attribute_dimension(name: str) -> Dimension:
    found = set(words(name))
    return next((dimension for dimension, known in _ATTRIBUTE_WORDS if known & found), "fit")
