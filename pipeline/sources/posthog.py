"""PostHog exports: `distinct_id`, `properties` as object or text, `$identify`, `$groups`."""

from pipeline.sources.canonical import NOTHING, Canonical
from pipeline.sources.rows import Rows
from pipeline.sources.spec import PostHogSource
from pipeline.storage import quote_text

KINDS = ("json", "parquet")


def read(spec: PostHogSource, rows: Rows) -> Canonical:
    """The canonical columns of an export.

    A `distinct_id` is anonymous when it is the device's own id (`$device_id`) or the export says
    `$is_identified: false`. `$identify` links `$anon_distinct_id` to the `distinct_id`;
    `$create_alias` and `$merge_dangerously` link `alias`.
    """
    rows.require("event", "distinct_id", "timestamp", spec.person_key, spec.known_at)
    properties = rows.inside("properties")
    event = rows.text("event")
    visitor = rows.text("distinct_id")
    of_group = (
        f"({event} = '$groupidentify' and "
        f"{properties.at('$group_type')} = {quote_text(spec.account_group)})"
    )
    return Canonical(
        event=event,
        visitor=visitor,
        account=(
            f"case when {of_group} then {properties.at('$group_key')} "
            f"else {properties.at('$groups', spec.account_group)} end"
        ),
        occurred_at=rows.time("timestamp"),
        known_at=rows.time(spec.known_at) if spec.known_at else "null::bigint",
        event_id=rows.text("uuid"),
        person=rows.text(spec.person_key) if spec.person_key else NOTHING,
        anonymous=(
            f"coalesce({visitor} = {properties.at('$device_id')}, false) "
            f"or coalesce({properties.at('$is_identified')} = 'false', false)"
        ),
        link_from=(
            f"case when {event} = '$identify' then {properties.at('$anon_distinct_id')} "
            f"when {event} in ('$create_alias', '$merge_dangerously') "
            f"then {properties.at('alias')} end"
        ),
        alias=f"coalesce({event} in ('$create_alias', '$merge_dangerously'), false)",
        broken=((properties.broken, "properties are not JSON"),),
        property=properties.text,
        names=properties.names,
        whole=properties.whole,
        user_trait=lambda name: properties.at("$set", name),
        user_trait_once=lambda name: properties.at("$set_once", name),
        account_trait=lambda name: (
            f"case when {of_group} then {properties.at('$group_set', name)} end"
        ),
    )


def statements(spec: PostHogSource) -> list[str]:
    """What this source does with the awkward parts of its data."""
    if spec.anonymous_history == "drop":
        history = "Events before $identify and of visitors never identified are left out."
    else:
        history = (
            "Events before $identify belong to the identified user, known only from the $identify "
            "on; an id linked to several users belongs to the one linked last before the event."
        )
    late = (
        f"An event is known from its {spec.known_at!r} on."
        if spec.known_at
        else "An event is taken as known the moment it occurred: the export names no arrival time."
    )
    person = (
        f"A person is what {spec.person_key!r} says, but an anonymous id that no $identify links "
        "stays anonymous: since when its person was known can't be told."
        if spec.person_key
        else "A person is the distinct_id that $identify, $create_alias and the like lead to."
    )
    return [
        history,
        person,
        "Rows with the same uuid are one event, the one known first; rows without uuid all count.",
        late,
        "Times without a zone are UTC.",
        f"The account is $groups.{spec.account_group}, else the user's account at that time.",
    ]
