"""Segment-spec calls: names, identity, clocks, duplicates."""

import json
from pathlib import Path

from features.clock import to_text
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec


def imported(folder: Path, calls: list[dict], level: str = "account", **data: object) -> EventLog:
    (folder / "calls.jsonl").write_text("".join(json.dumps(call) + "\n" for call in calls))
    settings = {"sources": [{"format": "segment", "files": ["calls.jsonl"]}], **data}
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, folder, folder / "store", level, threads=1)  # type: ignore[arg-type]


def told(log: EventLog) -> list[tuple]:
    users, accounts = [*log.ids("user"), None], [*log.ids("account"), None]
    return [
        (
            log.event_names[row["event"]].name,
            users[row["user"]],
            accounts[row["account"]],
            to_text(row["at"]),
            to_text(row["occurred_at"]),
        )
        for row in log.shard(0).to_pylist()
    ]


def call(kind: str, time: str, **rest: object) -> dict:
    return {"type": kind, "timestamp": time, **rest}


def test_calls_become_events_of_users_and_accounts(tmp_path):
    log = imported(
        tmp_path,
        [
            call("page", "2024-01-01", anonymousId="a1", name="Pricing", properties={"path": "/p"}),
            call("screen", "2024-01-02", userId="ann", name="Home"),
            call(
                "identify", "2024-01-03", userId="ann", anonymousId="a1", traits={"role": "admin"}
            ),
            call("group", "2024-01-04", userId="ann", groupId="acme", traits={"plan": "free"}),
            call("track", "2024-01-05", userId="ann", event="Exported", properties={"rows": 3}),
            call(
                "track", "2024-01-06", userId="ann", event="Exported", context={"groupId": "beta"}
            ),
        ],
        derived_events=[
            {"name": "pricing_viewed", "event": "page_viewed", "where": {"path": ["/p"]}}
        ],
        properties={"name": "category", "rows": "number"},
        attributes={
            "role": {"of": "user", "type": "category"},
            "plan": {"of": "account", "type": "category"},
        },
    )
    assert told(log) == [
        ("pricing_viewed", "ann", "acme", "2024-01-04", "2024-01-01"),
        ("screen_viewed", "ann", "acme", "2024-01-04", "2024-01-02"),
        ("identified", "ann", "acme", "2024-01-04", "2024-01-03"),
        ("group_joined", "ann", "acme", "2024-01-04", "2024-01-04"),
        ("Exported", "ann", "acme", "2024-01-05", "2024-01-05"),
        ("Exported", "ann", "beta", "2024-01-06", "2024-01-06"),
    ]
    assert log.categories["name"] == ["Home", "Pricing"]
    told_of = [
        (v["attribute"], to_text(v["at"]), v["text"]) for v in log.attribute_values.to_pylist()
    ]
    # The role is known from the identify call on, though its account is known only a day later.
    assert told_of == [(0, "2024-01-03", "admin"), (1, "2024-01-04", "free")]


def test_a_wrong_client_clock_is_corrected_and_the_event_known_when_received(tmp_path):
    clocks = {
        "originalTimestamp": "2024-01-01T12:00:00Z",
        "sentAt": "2024-01-01T12:00:10Z",
        "receivedAt": "2024-03-01T00:00:10Z",
    }
    calls = [
        {"type": "track", "event": "skewed", "userId": "ann", **clocks},
        {"type": "track", "event": "given", "userId": "ann", **clocks, "timestamp": "2024-02-01"},
    ]
    assert sorted(told(imported(tmp_path, calls))) == [
        ("given", "ann", None, "2024-03-01T00:00:10", "2024-02-01"),
        ("skewed", "ann", None, "2024-03-01T00:00:10", "2024-03-01"),
    ]


def test_a_message_sent_twice_is_one_event(tmp_path):
    sent = call("track", "2024-01-01", userId="ann", event="e", messageId="m")
    calls = [{**sent, "receivedAt": "2024-01-03"}, {**sent, "receivedAt": "2024-01-02"}]
    assert told(imported(tmp_path, calls)) == [("e", "ann", None, "2024-01-02", "2024-01-01")]


def test_an_alias_moves_the_previous_id_at_user_level(tmp_path):
    calls = [
        call("track", "2024-01-01", userId="old", event="e"),
        call("alias", "2024-01-02", userId="new", previousId="old"),
    ]
    log = imported(tmp_path, calls, level="user")
    assert told(log)[0] == ("e", "new", None, "2024-01-02", "2024-01-01")


def test_an_unknown_type_of_call_is_quarantined(tmp_path):
    calls = [
        call("track", "2024-01-01", userId="ann", event="e"),
        call("poll", "2024-01-01", userId="b"),
    ]
    log = imported(tmp_path, calls, max_bad_share=0.5)
    assert log.manifest["counts"]["quarantined"] == {"unknown type of call": 1}
