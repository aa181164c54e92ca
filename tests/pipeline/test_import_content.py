"""What the log says: attributes, domains, exclusion, names, properties, the end of the data."""

import json
from pathlib import Path

import numpy as np
import pytest

from features.clock import to_text, to_us
from features.errors import EventLogError
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec


def day(n: int, hour: int = 0) -> str:
    return f"2024-01-{n:02d}T{hour:02d}:00:00Z"


def posthog(event: str, who: str, time: str, **properties: object) -> str:
    row = {"event": event, "distinct_id": who, "timestamp": time, "properties": properties}
    return json.dumps(row)


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
    # The account's is the one known first: an id that looks like an e-mail is always known.
    assert log.accounts["domain"].to_pylist() == ["acme.io"]


def test_one_event_far_ahead_does_not_move_the_end_of_the_data(tmp_path):
    usual = [posthog("used", f"u{i}", day(1 + i % 3), **of_account("acme")) for i in range(600)]
    log = imported(tmp_path, [*usual, posthog("used", "u1", day(29), **of_account("acme"))])
    assert log.data_end == to_us("2024-01-03") + 1
    assert log.manifest["counts"]["beyond_end"] == 1


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
        posthog(
            "a", "ann", day(1), rows=3, plan="pro", **{"a.b": "key", "deep": {"x": {"y": "1.5"}}}
        ),
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
        posthog("viewed", "anon", day(2), **{"$device_id": "anon"}),
        posthog("$identify", "ann", day(5), **{"$anon_distinct_id": "anon"}),
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


def test_event_names_say_how_many_entities_did_them_and_properties_how_many_events(tmp_path):
    lines = [
        posthog("used", "ann", day(1), size=1, **of_account("acme")),
        posthog("used", "ann", day(2), size="x", **of_account("beta")),
        posthog("used", "bob", day(3), size=2, **of_account("acme")),
        posthog("seen", "cid", day(4)),
    ]
    log = imported(tmp_path, lines, level="user", properties={"size": "number"})
    assert [(e.name, e.n_events, e.n_users, e.n_accounts) for e in log.event_names] == [
        ("seen", 1, 1, 0),
        ("used", 3, 2, 2),
    ]
    assert [(p.name, p.n_events) for p in log.properties] == [("size", 2)]


def test_an_id_is_the_same_as_number_and_as_text_in_any_file(tmp_path):
    spelt = ["12", 12, 12.0, " 12 ", "12.0", "012", 1e16, 10**16, "10000000000000000"]
    lines = [posthog("used", who, day(1 + i)) for i, who in enumerate(spelt)]
    log = imported(tmp_path, lines, level="user")
    assert log.ids("user").tolist() == ["012", "10000000000000000", "12"]
    assert [row[1] for row in told(log)].count("12") == 5


def test_ten_thousand_names_and_long_and_foreign_ones_are_only_names(tmp_path):
    names = [f"event {i}" for i in range(10_000)] + ["\u00e9v\u00e9nement \U0001f600", "x" * 500]
    lines = [posthog(name, name, day(1 + i % 28)) for i, name in enumerate(names)]
    log = imported(tmp_path, lines, level="user")
    assert [one.name for one in log.event_names] == sorted(names)
    assert log.ids("user").tolist() == sorted(names)
