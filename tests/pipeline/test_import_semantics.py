"""Who did what, and since when it is known: identity, accounts, attributes, exclusion, duplicates."""

import json
from pathlib import Path

import numpy as np
import pytest

from features.clock import to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from pipeline.import_log import import_log
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
    folder: Path, lines: list[str], level: str = "account", source: dict | None = None, **data: object
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
        [anonymous("viewed", "anon", day(1)), identify("ann", day(3), "anon"), posthog("used", "ann", day(2))],
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
def test_visitors_never_identified_are_users_of_their_own_at_user_level_only(tmp_path, level, users):
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
    rows = [("late", day(1), day(5)), ("clock", day(4), day(2))]
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


def test_attributes_have_one_row_per_change_known_when_it_was_told(tmp_path):
    def group_identify(time: str, **facts: object) -> str:
        account = {"$group_type": "account", "$group_key": "acme", "$group_set": facts}
        return posthog("$groupidentify", "ann", time, **account)

    log = imported(
        tmp_path,
        [
            group_identify(day(1), plan="free", seats="5"),
            group_identify(day(2), plan="free", seats="many"),
            group_identify(day(3), plan="pro", seats=7),
            posthog("used", "ann", day(4), **{"$set_once": {"source": "ad"}}),
            posthog("used", "ann", day(5), **{"$set_once": {"source": "web"}}),
            posthog("used", "ann", day(6), **{"$set": {"source": "mail"}}),
        ],
        attributes={
            "plan": {"of": "account", "type": "category"},
            "seats": {"of": "account", "type": "number"},
            "source": {"of": "user", "type": "category"},
        },
    )
    values = log.attribute_values.to_pylist()
    assert [(v["attribute"], to_text(v["at"]), v["text"]) for v in values if v["text"]] == [
        (0, "2024-01-01", "free"),
        (0, "2024-01-03", "pro"),
        (2, "2024-01-04", "ad"),
        (2, "2024-01-06", "mail"),
    ]
    assert [(to_text(v["at"]), v["number"]) for v in values if v["attribute"] == 1] == [
        ("2024-01-01", 5.0),
        ("2024-01-03", 7.0),
    ]
    assert log.manifest["counts"]["unreadable_attributes"] == 1


def test_domains_come_from_e_mails_and_free_mail_has_none(tmp_path):
    def member(who: str, email: str | None) -> str:
        facts = {"$set": {"email": email}} if email else {}
        return posthog("used", who, day(1), **of_account("acme"), **facts)

    lines = [
        member("ann", "Ann@Zeta.com"),
        member("bob", "bob@acme.io"),
        member("cat@acme.io", None),
        member("dan", "dan@gmail.com"),
    ]
    log = imported(tmp_path, lines)
    assert log.users["id"].to_pylist() == ["ann", "bob", "cat@acme.io", "dan"]
    assert log.users["domain"].to_pylist() == ["zeta.com", "acme.io", "acme.io", None]
    assert log.accounts["domain"].to_pylist() == ["acme.io"]


def test_a_tie_of_domains_goes_to_the_first_by_alphabet(tmp_path):
    lines = [
        posthog("used", who, day(1), **of_account("acme")) for who in ("a@zeta.com", "b@beta.com")
    ]
    assert imported(tmp_path, lines).accounts["domain"].to_pylist() == ["beta.com"]


def test_test_and_employee_traffic_is_left_out_and_counted(tmp_path):
    log = imported(
        tmp_path,
        [
            posthog("used", "real", day(1), **of_account("acme")),
            posthog("used", "staff", day(1), **{"$set": {"email": "x@US.com"}}),
            posthog("used", "staff", day(2), **of_account("acme")),
            posthog("used", "7", day(1)),
            posthog("used", "any", day(1), **of_account("test")),
            posthog("used", "real", day(2), is_internal=True),
        ],
        exclude={
            "email_domains": ["us.com"],
            "users": [7],
            "accounts": ["test"],
            "properties": {"is_internal": [True]},
        },
    )
    assert told(log) == [("used", "real", "acme", "2024-01-01", "2024-01-01")]
    assert log.ids("user").tolist() == ["real"]
    assert log.manifest["counts"]["left_out"] == {
        "excluded user or account": 4,
        "excluded by property": 1,
    }


def test_events_get_names_of_their_own_and_named_events_are_dropped(tmp_path):
    lines = [
        posthog("$pageview", "ann", day(1), **{"$pathname": "/pricing/"}),
        posthog("$pageview", "ann", day(2), **{"$pathname": "/"}),
        posthog("$flag", "ann", day(3)),
    ]
    log = imported(
        tmp_path,
        lines,
        derived_events=[
            {
                "name": "pricing_viewed",
                "event": "$pageview",
                "where": {"$pathname": ["/pricing", "/pricing/"]},
            }
        ],
        drop_events=["$flag", "$pageview"],
    )
    assert [row[0] for row in told(log)] == ["pricing_viewed"]
    assert log.manifest["counts"]["left_out"] == {"dropped by name": 2}


def test_properties_are_taken_by_key_by_dotted_path_and_from_text(tmp_path):
    lines = [
        posthog("a", "ann", day(1), rows=3, plan="pro", **{"a.b": "key", "deep": {"x": {"y": "1.5"}}}),
        json.dumps(
            {
                "event": "b",
                "distinct_id": "ann",
                "timestamp": day(2),
                "properties": json.dumps({"rows": "nan", "a": {"b": "path"}, "plan": None}),
            }
        ),
    ]
    kinds = {"rows": "number", "deep.x.y": "number", "plan": "category", "a.b": "category"}
    log = imported(tmp_path, lines, properties=kinds)
    table = log.shard(0)
    assert table.column_names[5:] == [f"property.{name}" for name in kinds]
    np.testing.assert_array_equal(table["property.rows"].to_numpy(), [3, np.nan])
    np.testing.assert_array_equal(table["property.deep.x.y"].to_numpy(), [1.5, np.nan])
    assert log.categories == {"plan": ["pro"], "a.b": ["key", "path"]}
    assert table["property.plan"].to_pylist() == [0, -1]
    assert table["property.a.b"].to_pylist() == [0, 1]
    assert log.manifest["counts"]["unreadable_numbers"] == 1


def test_until_ends_the_data_and_what_it_could_know(tmp_path):
    lines = [
        posthog("used", "ann", day(1)),
        anonymous("viewed", "anon", day(2)),
        identify("ann", day(5), "anon"),
        posthog("used", "ann", day(4)),
    ]
    log = imported(tmp_path, lines, until="2024-01-04")
    assert [row[0] for row in told(log)] == ["used"]
    assert log.data_end == to_us("2024-01-04")
    assert log.manifest["counts"]["left_out"]["at or after until"] == 2


def test_without_until_the_data_ends_after_the_last_event(tmp_path):
    log = imported(tmp_path, [posthog("used", "ann", day(1)), posthog("used", "ann", day(2))])
    assert (log.first_at, log.data_end) == (to_us("2024-01-01"), to_us("2024-01-02") + 1)


def test_a_log_without_events_is_refused_with_the_reason(tmp_path):
    with pytest.raises(EventLogError, match="1 at or after until"):
        imported(tmp_path, [posthog("used", "ann", day(3))], until="2024-01-02")


def test_names_that_look_like_sql_are_only_names(tmp_path):
    nasty = "x'); drop table staged; --\""
    lines = [posthog(nasty, nasty, day(1), **{nasty: "v"}, **{"$groups": {nasty: nasty}})]
    log = imported(
        tmp_path,
        lines,
        source={"account_group": nasty},
        properties={nasty: "category"},
        exclude={"users": ["o'hara"], "properties": {nasty: ["'"]}},
        drop_events=["it's"],
    )
    assert told(log)[0][:3] == (nasty, nasty, nasty)
    assert log.categories == {nasty: ["v"]}


def test_every_source_says_what_it_does_with_awkward_data(tmp_path):
    (source,) = imported(tmp_path, [posthog("used", "ann", day(1))]).manifest["statements"]
    text = " ".join(source["statements"]).lower()
    for topic in ("$identify", "uuid", "known", "zone", "exclude"):
        assert topic in text
