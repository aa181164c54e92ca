"""The `data:` block: sources, properties, attributes, derived events, and what is left out."""

import os
from pathlib import Path

from features.clock import to_text
from pipeline.init.yaml import Page, flow, mapping, shown, text
from pipeline.profile import Profile
from pipeline.profile.sources import SourceProfile
from pipeline.profile.values import ValueFacts, choose
from pipeline.profile.words import DROPPED, is_internal, is_software
from pipeline.sources.spec import GenericSource, PostHogSource

_MOST_PROPERTIES = 4
_MOST_ATTRIBUTES = 12


def usable_events(profile: Profile) -> list[str]:
    """Events that features may count: no bookkeeping, not the conversion nor what follows it."""
    never = profile.after_conversion
    return [e.name for e in profile.events if e.name not in never and not is_internal(e.name)]


def chosen_properties(profile: Profile) -> list[ValueFacts]:
    """The few properties that get features."""
    facts = [fact for fact in profile.properties if not is_software(fact.name)]
    return choose(facts, usable_events(profile), _MOST_PROPERTIES)


def chosen_attributes(profile: Profile) -> list[ValueFacts]:
    """Attributes to take with their history, those that only name somebody included."""
    good = [
        fact
        for fact in profile.attributes
        if fact.verdict in ("use", "declare") and not is_software(fact.name)
    ]
    return good[:_MOST_ATTRIBUTES]


def write_data(page: Page, profile: Profile, folder: Path) -> None:
    """Write the block; paths become relative to `folder`."""
    page.add(0, "data:")
    page.add(1, "sources:")
    for source in profile.sources:
        _source(page, source, folder)
    if profile.skipped:
        names = [relative(str(one.path), folder) for one in profile.skipped]
        page.say(2, f"left out, as they hold no events: {_some(names)}")
        page.say(2, "for files to come, write a glob that leaves those out")
    page.say(
        1,
        "Facts kept elsewhere (CRM, billing) come in as tables. One without a time column must say",
        "`static: true`; its values then count as known at every time: a plan or size filled in",
        "after the sale gives the sale away.",
    )
    page.offer(
        1,
        "tables:",
        "  - {of: account, files: [accounts.csv], id: account_id, time: valid_from,",
        "     columns: {company_size: number, region: category}}",
    )
    if profile.conversion is None:
        page.offer(
            1,
            f"conversions: {{of: {profile.level}, files: [customers.csv], id: {profile.level}_id, "
            "time: paid_at} # who bought, and when",
        )
    _values(page, profile)
    _attributes(page, profile)
    _derived(page, profile)
    dropped = [event.name for event in profile.events if event.name in DROPPED]
    if dropped:
        page.add(1, "drop_events:", "no use of the product; left out of every count")
    for name in dropped:
        page.add(2, f"- {text(name)}", DROPPED[name])
    page.say(
        1,
        "Your own people and test accounts are no leads (users, accounts and properties can be",
        "named as well). Take away the `# ` and write your domain:",
    )
    page.offer(1, "exclude: {email_domains: [your-company.com]}")
    if profile.until is not None:
        page.add(
            1,
            f'until: "{to_text(profile.until)}"',
            "after it the events only trickle in (clock errors, a simulation running on)",
        )


def _source(page: Page, source: SourceProfile, folder: Path) -> None:
    spec = source.spec
    page.add(2, f"- format: {spec.format}")
    page.sequence(3, "files", [relative(name, folder) for name in spec.files])
    if isinstance(spec, PostHogSource):
        page.add(3, f"account_group: {text(spec.account_group)}", "the group that is the account")
        if spec.person_key:
            page.add(3, f"person_key: {text(spec.person_key)}", "names the person on every row")
        if spec.known_at:
            page.add(3, f"known_at: {text(spec.known_at)}", _ROLES["known_at"])
    elif isinstance(spec, GenericSource):
        page.add(3, "columns:")
        for role, column in spec.columns.model_dump().items():
            if column:
                page.add(4, f"{role}: {text(column)}", _ROLES[role])
        if spec.event:
            page.add(3, f"event: {text(spec.event)}", "no column names the events: one for all")
        if source.time_kind == "naive" or spec.daily:
            page.add(3, f"timezone: {spec.timezone}", "assumed, as the times name no zone")
        if spec.daily:
            page.add(3, "daily: true", "times are dates: known from the end of the day on")


_ROLES = {
    "event": "what happened",
    "user": "who did it",
    "account": "for which organisation",
    "time": "when it happened",
    "known_at": "when it arrived: late events are used from then on",
    "event_id": "duplicates are removed by it",
}


def relative(name: str, folder: Path) -> str:
    """A path or glob as seen from `folder`.

    >>> relative("/data/in/*.csv", Path("/data/out"))
    '../in/*.csv'
    """
    return os.path.relpath(name, folder)


def _values(page: Page, profile: Profile) -> None:
    chosen = chosen_properties(profile)
    if chosen:
        page.add(1, "properties:", "values that events carry, in the share of events given")
    for fact in chosen:
        page.add(2, f"{text(fact.name)}: {fact.type}", _carried(fact))
    usable = set(usable_events(profile))
    rest = [fact for fact in profile.properties if fact not in chosen]
    software = [fact.name for fact in rest if is_software(fact.name)]
    rest = [fact for fact in rest if fact.name not in software]
    more = [fact.name for fact in rest if fact.verdict == "use" and set(fact.carriers) & usable]
    late = [fact.name for fact in rest if not set(fact.carriers) & usable]
    # Bookkeeping of the tool is no news to anybody; what only buyers carry may be.
    late = [name for name in late if not name.startswith("$")]
    odd = [fact for fact in rest if fact.verdict != "use" and fact.name not in late]
    if more:
        page.say(1, f"also there: {_some(more)}")
    software += [fact.name for fact in profile.attributes if is_software(fact.name)]
    if software:
        told = _some(list(dict.fromkeys(software)))
        page.say(1, f"not taken, as they tell of browsers and devices, not of use: {told}")
    if late:
        page.say(1, f"only on the conversion and what follows it, so of no use: {_some(late)}")
    if odd:
        listed = ", ".join(f"{shown(fact.name)} ({fact.verdict})" for fact in odd[:6])
        page.say(1, f"not taken: {listed}" + (", ..." if len(odd) > 6 else ""))


def _attributes(page: Page, profile: Profile) -> None:
    chosen = chosen_attributes(profile)
    if not chosen:
        return
    page.add(1, "attributes:", "of accounts and users, as they were known at each time")
    for fact in chosen:
        value = mapping({"of": str(fact.of), "type": fact.type})
        why = "for exclusions and for reading, never a feature" if fact.verdict == "declare" else ""
        page.add(2, f"{text(fact.name)}: {value}", why)


def _derived(page: Page, profile: Profile) -> None:
    if profile.pages:
        page.add(1, "derived_events:", "views of pages about money get a name of their own")
    for item in profile.pages:
        page.add(2, f"- name: {item.name}", f"{item.n_events:,} views")
        page.add(3, f"event: {text(item.event)}")
        page.add(3, f"where: {mapping({item.property: flow(item.paths)})}")
    _other_pages(page, profile)


def _other_pages(page: Page, profile: Profile) -> None:
    """Pages that many view, each as a line that is a setting without its ``# ``."""
    taken = {event.name for event in profile.events}
    others = [item for item in profile.other_pages if item.name not in taken]
    if not others:
        return
    page.say(
        1,
        "Other pages, by the users who viewed them. Take away the `# ` to give views of one a",
        "name, and write the name under features.events:",
    )
    depth = 2 if profile.pages else 1
    if not profile.pages:
        page.offer(1, "derived_events:")
    indent = "" if profile.pages else "  "
    for item in others:
        where = mapping({item.property: flow(item.paths)})
        when = ", mostly before sign-up" if item.early else ""
        page.offer(
            depth,
            f"{indent}- {{name: {item.name}, event: {text(item.event)}, where: {where}}} "
            f"# {item.n_users:,} users{when}",
        )


def _carried(fact: ValueFacts) -> str:
    where = ", ".join(shown(name, 30) for name in fact.carriers[:2])
    more = f" and {len(fact.carriers) - 2} more" if len(fact.carriers) > 2 else ""
    return f"{fact.coverage:.1%}: {where}{more}"


def _some(names: list[str]) -> str:
    return ", ".join(shown(name, 40) for name in names[:8]) + (", ..." if len(names) > 8 else "")
