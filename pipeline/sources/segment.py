"""Segment-spec calls: track, identify, group, page, screen, alias, as JSON lines."""

from pipeline.sources.canonical import Canonical
from pipeline.sources.rows import Rows
from pipeline.sources.spec import SegmentSource

KINDS = ("json",)

_CALLS = {
    "page": "page_viewed",
    "screen": "screen_viewed",
    "identify": "identified",
    "group": "group_joined",
    "alias": "aliased",
}


def read(spec: SegmentSource, rows: Rows) -> Canonical:
    """The canonical columns of a stream of calls.

    `timestamp` is already corrected for the client's clock. Without it,
    occurred_at = receivedAt - (sentAt - originalTimestamp), else the times there are.
    Formula: Segment Spec, "Common fields", section Timestamps.
    """
    kind = rows.text("type")
    properties = rows.inside("properties")
    user, anonymous = rows.text("userId"), rows.text("anonymousId")
    original, sent, received = (
        rows.time(name) for name in ("originalTimestamp", "sentAt", "receivedAt")
    )
    names = " ".join(f"when '{call}' then '{name}'" for call, name in _CALLS.items())
    return Canonical(
        event=f"case {kind} when 'track' then {rows.text('event')} {names} end",
        visitor=f"coalesce(id_of({user}), {anonymous})",
        account=(
            f"case when {kind} = 'group' then {rows.text('groupId')} "
            f"else {rows.text('context.groupId')} end"
        ),
        occurred_at=(
            f"coalesce({rows.time('timestamp')}, {received} - ({sent} - {original}), "
            f"{original}, {received})"
        ),
        known_at=received,
        event_id=rows.text("messageId"),
        anonymous=f"id_of({user}) is null",
        link_from=(
            f"case {kind} when 'identify' then {anonymous} "
            f"when 'alias' then {rows.text('previousId')} end"
        ),
        alias=f"coalesce({kind} = 'alias', false)",
        broken=(
            (
                f"coalesce({kind} not in ('track', {', '.join(map(repr, _CALLS))}), true)",
                "unknown type of call",
            ),
        ),
        # Calls to page and screen keep their name outside of their properties.
        property=lambda name: (
            f"coalesce({properties.text(name)}, {rows.text('name')})"
            if name == "name"
            else properties.text(name)
        ),
        names=properties.names,
        whole=properties.whole,
        user_trait=lambda name: f"case when {kind} = 'identify' then {_trait(rows, name)} end",
        account_trait=lambda name: f"case when {kind} = 'group' then {_trait(rows, name)} end",
    )


def _trait(rows: Rows, name: str) -> str:
    return rows.inside("traits").at(name)


def statements(spec: SegmentSource) -> list[str]:
    """What this source does with the awkward parts of its data."""
    if spec.anonymous_history == "drop":
        history = "Calls before identify and of visitors never identified are left out."
    else:
        history = (
            "Calls before identify (or alias) belong to the identified user, known only from that "
            "call on; an anonymousId linked to several users belongs to the one linked last before "
            "the event."
        )
    return [
        history,
        "Calls with the same messageId are one event, the one received first.",
        "A call is known from receivedAt on; its time is corrected for the client's clock.",
        "Times without a zone are UTC.",
        "The account is the groupId of group calls and of context, else the user's account then.",
    ]
