"""Who did it, and since when it is known: links, aliases, memberships, duplicates."""

import json
from pathlib import Path

import pytest

from features.clock import to_text
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec


def day(n: int, hour: int = 0) -> str:
    return f"2024-01-{n:02d}T{hour:02d}:00:00Z"


def posthog(event: str, who: str, time: str, **properties: object) -> str:
    row = {"event": event, "distinct_id": who, "timestamp": time, "properties": properties}
    return json.dumps(row)


def anonymous(event: str, who: str, time: str, **properties: object) -> str:
    return posthog(event, who, time, **{"$device_id": who}, **properties)


def identify(who: str, time: str, anonymous_id: str) -> str:
    return posthog("$identify", who, time, **{"$anon_distinct_id": anonymous_id})


def of_account(account: str) -> dict:
    return {"$groups": {"account": account}}


def imported(
    folder: Path,
    lines: list[str],
    level: str = "account",
    source: dict | None = None,
    **data: object,
) -> EventLog:
    folder.mkdir(exist_ok=True)
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    settings = {
        "sources": [{"format": "posthog", "files": ["events.jsonl"], **(source or {})}],
        "max_bad_share": 0.5,
        **data,
    }
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, folder, folder / "store", level, threads=1)  # type: ignore[arg-type]


def told(log: EventLog) -> list[tuple]:
    """(event, user, account, at, occurred_at) of every event, in words, sorted by time."""
    users, accounts = [*log.ids("user"), None], [*log.ids("account"), None]
    rows = [row for i in range(log.n_shards) for row in log.shard(i).to_pylist()]
    return [
        (
            log.event_names[row["event"]].name,
            users[row["user"]],
            accounts[row["account"]],
            to_text(row["at"]),
            to_text(row["occurred_at"]),
        )
        for row in sorted(rows, key=lambda row: (row["at"], row["occurred_at"]))
    ]


def test_an_event_before_identify_belongs_to_the_user_but_is_known_only_from_then_on(tmp_path):
    log = imported(
        tmp_path,
        [
            anonymous("viewed", "anon", day(1)),
            identify("ann", day(3), "anon"),
            posthog("used", "ann", day(2)),
        ],
    )
    assert told(log) == [
        ("used", "ann", None, "2024-01-02", "2024-01-02"),
        ("viewed", "ann", None, "2024-01-03", "2024-01-01"),
        ("$identify", "ann", None, "2024-01-03", "2024-01-03"),
    ]


def test_a_device_of_several_users_belongs_to_the_one_linked_last_before_the_event(tmp_path):
    log = imported(
        tmp_path,
        [
            anonymous("first", "anon", day(1)),
            identify("ann", day(2), "anon"),
            anonymous("second", "anon", day(3)),
            identify("bob", day(4), "anon"),
            anonymous("third", "anon", day(5)),
        ],
        drop_events=["$identify"],
    )
    assert [row[:2] + row[3:4] for row in told(log)] == [
        ("first", "ann", "2024-01-02"),
        ("second", "ann", "2024-01-03"),
        ("third", "bob", "2024-01-05"),
    ]


def test_an_alias_of_an_alias_is_followed_to_the_end_at_user_level(tmp_path):
    log = imported(
        tmp_path,
        [
            posthog("used", "a", day(1)),
            posthog("$create_alias", "b", day(2), alias="a"),
            posthog("$create_alias", "c", day(3), alias="b"),
        ],
        level="user",
    )
    assert log.ids("user").tolist() == ["c"]
    assert told(log)[0] == ("used", "c", None, "2024-01-03", "2024-01-01")
    assert {row[3] for row in told(log)} == {"2024-01-03"}


def test_two_ids_that_name_each_other_are_one_user(tmp_path):
    lines = [
        posthog("used", "a", day(1)),
        posthog("$create_alias", "b", day(2), alias="a"),
        posthog("$create_alias", "a", day(3), alias="b"),
    ]
    assert imported(tmp_path, lines, level="user").ids("user").tolist() == ["b"]


def test_at_account_level_a_renamed_user_keeps_the_old_id_up_to_the_alias(tmp_path):
    lines = [
        posthog("used", "old", day(1), **of_account("acme")),
        posthog("$create_alias", "new", day(9), alias="old"),
        posthog("used", "old", day(10), **of_account("acme")),
    ]
    log = imported(tmp_path, lines, drop_events=["$create_alias"])
    assert [(row[1], row[3]) for row in told(log)] == [("old", "2024-01-01"), ("new", "2024-01-10")]


def test_anonymous_history_can_be_dropped(tmp_path):
    lines = [
        anonymous("before", "anon", day(1)),
        anonymous("never", "other", day(1)),
        identify("ann", day(2), "anon"),
        anonymous("after", "anon", day(3)),
    ]
    log = imported(tmp_path, lines, level="user", source={"anonymous_history": "drop"})
    assert [row[0] for row in told(log)] == ["$identify", "after"]
    assert log.manifest["counts"]["left_out"] == {
        "anonymous history": 1,
        "anonymous visitor never identified": 1,
    }


@pytest.mark.parametrize(("level", "users"), [("user", ["ann", "anon"]), ("account", ["ann"])])
def test_visitors_never_identified_are_users_of_their_own_at_user_level_only(
    tmp_path, level, users
):
    lines = [
        anonymous("viewed", "anon", day(1)),
        anonymous("viewed", "guest", day(1), **of_account("acme")),
        posthog("used", "ann", day(2)),
    ]
    log = imported(tmp_path, lines, level=level)
    assert log.ids("user").tolist() == users
    assert ("viewed", None, "acme", "2024-01-01", "2024-01-01") in told(log)


def test_an_event_without_account_gets_the_account_its_user_had_or_first_gets(tmp_path):
    lines = [
        posthog("signed_up", "ann", day(1)),
        posthog("used", "ann", day(3), **of_account("acme")),
        posthog("invited", "ann", day(4)),
        posthog("used", "ann", day(6), **of_account("beta")),
        posthog("invited", "ann", day(7)),
    ]
    assert [row[2:] for row in told(imported(tmp_path, lines))] == [
        ("acme", "2024-01-03", "2024-01-01"),  # known to be acme's only when ann joined it
        ("acme", "2024-01-03", "2024-01-03"),
        ("acme", "2024-01-04", "2024-01-04"),
        ("beta", "2024-01-06", "2024-01-06"),
        ("beta", "2024-01-07", "2024-01-07"),
    ]


def test_at_user_level_the_past_of_a_user_does_not_wait_for_an_account(tmp_path):
    lines = [
        posthog("signed_up", "ann", day(1)),
        posthog("used", "ann", day(3), **of_account("acme")),
        posthog("used", "bob", day(3), **of_account("acme")),
    ]
    log = imported(tmp_path, lines, level="user")
    assert told(log)[0] == ("signed_up", "ann", None, "2024-01-01", "2024-01-01")


def test_known_at_is_never_before_occurred_at(tmp_path):
    rows = [("late", day(1), day(5)), ("clock", day(4), day(3))]
    lines = [
        json.dumps({"event": e, "distinct_id": "ann", "timestamp": t, "created_at": k})
        for e, t, k in rows
    ]
    log = imported(tmp_path, lines, source={"known_at": "created_at"})
    assert [(row[0], row[3], row[4]) for row in told(log)] == [
        ("clock", "2024-01-04", "2024-01-04"),
        ("late", "2024-01-05", "2024-01-01"),
    ]
    assert log.manifest["counts"]["late"] == 1
    assert log.manifest["counts"]["known_before_occurred"] == 1


def test_a_person_key_identifies_people_but_not_before_their_link(tmp_path):
    rows = [
        (anonymous("viewed", "anon", day(1)), "P"),
        (anonymous("viewed", "tablet", day(1)), "P"),
        (identify("ann", day(3), "anon"), "P"),
    ]
    lines = [json.dumps({**json.loads(line), "person_key": key}) for line, key in rows]
    log = imported(tmp_path, lines, source={"person_key": "person_key"})
    assert told(log) == [
        ("viewed", "P", None, "2024-01-03", "2024-01-01"),
        ("$identify", "P", None, "2024-01-03", "2024-01-03"),
    ]
    assert log.manifest["counts"]["left_out"] == {"anonymous visitor never identified": 1}


def test_of_equal_uuids_the_one_known_first_counts(tmp_path):
    rows = [("b", "u1", day(2)), ("a", "u1", day(1)), ("c", None, day(3)), ("c", None, day(3))]
    lines = [
        json.dumps({"event": e, "distinct_id": "ann", "timestamp": t, **({"uuid": u} if u else {})})
        for e, u, t in rows
    ]
    log = imported(tmp_path, lines)
    assert [row[0] for row in told(log)] == ["a", "c", "c"]
    assert log.manifest["counts"]["duplicates"] == 1
