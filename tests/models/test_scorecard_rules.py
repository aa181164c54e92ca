"""Presets, hand-raises, and the columns that rules find or bring along."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from features.clock import to_us
from features.definitions import Feature
from features.engine import build_features
from features.errors import SettingsError
from features.naming import define
from features.signals import SignalSpec
from features.snapshots import own_rows
from models.scorecard import (
    PRESET_NAMES,
    Scorecard,
    ScorecardSpec,
    resolved,
    roles_of,
    with_rule_features,
)
from pipeline.importer.frame import import_frame

DAY = "2024-05-31"


def _spec(**block: object) -> ScorecardSpec:
    return ScorecardSpec.model_validate_json(json.dumps(block))


def _scored(spec: ScorecardSpec, log, signals: SignalSpec | None = None, as_of: str = "2024-06-01"):
    """Fired rules, points and tier by account."""
    signals = signals or SignalSpec()
    features = with_rule_features((), spec, signals, log, "account")
    card = resolved(spec, signals, features)
    ids = log.ids("account").tolist()
    rows = own_rows(log, "account", np.array(ids, object), np.full(len(ids), to_us(as_of)))
    result = Scorecard(card).score(build_features(log, rows, features, threads=1))
    names = [rule.name for rule in card.rules]
    fired = [
        {name for name, hit in zip(names, row, strict=True) if hit} for row in result.fired.tolist()
    ]
    return (
        dict(zip(rows.ids.tolist(), fired, strict=True)),
        dict(zip(rows.ids.tolist(), result.points.tolist(), strict=True)),
        dict(zip(rows.ids.tolist(), result.tier.tolist(), strict=True)),
    )


def _collaboration(messages: int, members: int, channels: int, days: int, tools: int) -> list:
    rows = [("message_sent", "u0", DAY)] * messages
    rows += [("opened", f"u{at}", DAY) for at in range(members)]
    rows += [("channel_created", "u0", DAY)] * channels
    rows += [("opened", "u0", f"2024-05-{31 - at:02d}") for at in range(days)]
    rows += [("calendar_connected", "u0", DAY)] * tools
    return rows


def test_the_collaboration_preset_fires_exactly_at_its_thresholds(tmp_path):
    worlds = {"meets": (2000, 10, 3, 7, 1), "misses": (1999, 9, 2, 6, 0)}
    rows = [
        (account, event, f"{account} {user}", f"{day} 10:00")
        for account, sizes in worlds.items()
        for event, user, day in _collaboration(*sizes)
    ]
    frame = pd.DataFrame(rows, columns=["account_id", "event", "user_id", "time"])
    log = import_frame(frame, tmp_path / "log")
    events = {
        "message": ["message_sent"],
        "channel": ["channel_created"],
        "integration": ["calendar_connected", "mail_connected"],
    }
    fired, points, tier = _scored(_spec(preset="collaboration", events=events), log)
    assert fired["misses"] == set()
    assert fired["meets"] == {
        "2,000 or more messages",
        "10 or more active members",
        "3 or more channels",
        "used daily for 7 days or more",
        "mail or calendar integrated",
    }
    assert points == {"meets": 110, "misses": 0}
    assert tier == {"meets": "critical", "misses": "cold"}


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_any_four_criteria_of_a_preset_are_hot_any_three_warm_and_two_cold(preset):
    points = sorted(rule.points for rule in _spec(preset=preset).written)
    limits = _spec(preset=preset).thresholds
    assert len(points) == 5
    assert limits.hot <= sum(points[:4]) <= sum(points[1:]) < limits.critical <= sum(points)
    assert limits.warm <= sum(points[:3]) <= sum(points[2:]) < limits.hot
    assert sum(points[3:]) < limits.warm


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_a_role_without_events_makes_a_rule_without_data(preset):
    roles = roles_of(preset)
    without = [rule for rule in _spec(preset=preset).written if rule.measure is None]
    assert len(without) == len(roles) > 0
    mapped = _spec(preset=preset, events={role: ["x"] for role in roles}).written
    assert all(rule.measure is not None for rule in mapped)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"preset": "collaboration", "events": {"mesage": ["x"]}}, "did you mean 'message'?"),
        ({"preset": "collaboration", "events": {"message": []}}, "role 'message' has no event"),
        ({"events": {"message": ["x"]}}, "only a preset has roles"),
        ({"preset": "colaboration"}, "collaboration"),
    ],
)
def test_roles_and_presets_that_do_not_exist_are_errors(block, said):
    with pytest.raises(ValidationError) as error:
        _spec(**block)
    assert said in str(error.value)


def test_rules_of_ones_own_join_a_preset_and_replace_its_rule_on_the_same_count():
    own = ["+40 team: >= 10 active members in 28 days", "+5 fit: feature employees >= 50"]
    lines = [rule.line for rule in _spec(preset="collaboration", rules=own).written]
    assert lines[-2:] == own
    assert len(lines) == 5 - 1 + 2
    assert sum("active members" in line for line in lines) == 1


SIGNALS = SignalSpec(
    form=("form_sent",), limit=("limit_hit", "quota_hit"), pricing=("pricing_seen",),
    upsell=("offer_clicked",), support=("ticket_opened",), paid_feature=("export_tried",),
)  # fmt: skip


def test_every_kind_of_hand_raise_is_a_rule_of_the_last_14_days():
    raised = resolved(_spec(rules=[]), SIGNALS, ()).rules
    assert [rule.line.split("|")[1].strip() for rule in raised] == [
        "+30 upgrade: form_sent >= 1 time in 14 days",
        "+20 upgrade: limit_hit or quota_hit >= 1 time in 14 days",
        "+20 upgrade: offer_clicked >= 1 time in 14 days",
        "+15 upgrade: pricing_seen >= 1 time in 14 days",
        "+10 upgrade: ticket_opened >= 1 time in 14 days",
    ]


def test_without_signals_nothing_is_added():
    spec = _spec(rules=["+5 fit: feature employees >= 50"])
    assert resolved(spec, SignalSpec(), ()).rules == spec.rules


def test_hand_raises_can_be_switched_off_and_given_other_points():
    assert resolved(_spec(rules=[], hand_raises=False), SIGNALS, ()).rules == ()
    points = {"limit": 40, "pricing": 0, "form": 0, "upsell": 0, "support": 0}
    (only,) = resolved(_spec(rules=[], hand_raises=points), SIGNALS, ()).rules
    assert (only.points, only.measure.events) == (40, ("limit_hit", "quota_hit"))


def test_a_hand_raise_gives_way_to_an_upgrade_rule_on_the_same_event_however_it_is_written():
    column = define("count", "upgrade", "entity", "some name", ("limit_hit",), 28)
    rules = [
        f"+30 upgrade: feature {column.name} >= 3",
        "+15 upgrade: pricing_seen >= 2 times in 7 days",
        "+15 value: ticket_opened >= 2 times in 7 days",
    ]
    found = resolved(_spec(rules=rules), SIGNALS, (column,)).rules[3:]
    assert [rule.measure.events for rule in found] == [
        ("form_sent",), ("quota_hit",), ("offer_clicked",), ("ticket_opened",),
    ]  # fmt: skip


def test_resolving_twice_changes_nothing():
    columns = (define("count", "upgrade", "entity", "x", ("form_sent",), 14),)
    once = resolved(_spec(rules=[]), SIGNALS, columns)
    assert resolved(once, SIGNALS, columns) == once
    assert once.rules[0].feature == columns[0].name
    assert once.rules[1].feature is None


LOG = """
    who | event | time
    a | sold | 2024-01-01
    a | shipped | 2024-01-02
"""


def test_an_equal_column_of_another_name_serves_and_no_double_is_made(log_of):
    group = define("count", "value", "entity", "business", ("shipped", "sold"), 28)
    spec = _spec(rules=["+5 upgrade: sold or shipped >= 1 time in 28 days"])
    features = with_rule_features((group,), spec, SignalSpec(), log_of(LOG), "account")
    assert features == (group,)
    assert resolved(spec, SignalSpec(), features).rules[0].feature == group.name


def test_a_column_that_is_missing_is_added_once_for_all_rules_that_read_it(log_of):
    rules = ["+5 upgrade: sold >= 1 time in 28 days", "+5 value: sold >= 9 times in 28 days"]
    features = with_rule_features((), _spec(rules=rules), SignalSpec(), log_of(LOG), "account")
    assert [(f.name, f.days, f.events) for f in features] == [("sold_count_28d", 28, ("sold",))]


def test_a_name_that_is_taken_by_another_definition_is_not_shared(log_of):
    other = define("count", "value", "entity", "sold", ("shipped",), 28)
    spec = _spec(rules=["+5 value: sold >= 1 time in 28 days"])
    features = with_rule_features((other,), spec, SignalSpec(), log_of(LOG), "account")
    assert features[0] == other
    assert features[1].events == ("sold",)
    assert features[1].name != other.name
    assert resolved(spec, SignalSpec(), features).rules[0].feature == features[1].name


@pytest.mark.parametrize("change", [{"days": 7}, {"scope": "account"}, {"against": ()}])
def test_a_column_of_another_definition_never_serves(change):
    column: Feature = replace(define("count", "value", "entity", "sold", ("sold",), 28), **change)
    spec = _spec(rules=["+5 value: sold >= 1 time in 28 days"])
    assert resolved(spec, SignalSpec(), (column,)).rules[0].feature is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("+5 value: sould >= 1 time in 28 days", "Did you mean 'sold'?"),
        ("+5 fit: employees >= 50", "'employees', which is no attribute of the accounts"),
        ("+5 fit: sold >= 50", "It is an event: write `sold >= 1 time in 28 days`"),
    ],
)
def test_a_rule_on_what_the_log_does_not_have_is_refused(log_of, line, said):
    with pytest.raises(SettingsError) as error:
        with_rule_features((), _spec(rules=[line]), SignalSpec(), log_of(LOG), "account")
    assert said in str(error.value)


def test_the_members_of_a_users_account_are_counted_for_a_user(log_of):
    spec = _spec(rules=["+5 team: >= 4 active members in 28 days"])
    (made,) = with_rule_features((), spec, SignalSpec(), log_of(LOG, "user"), "user")
    assert (made.statistic, made.scope) == ("members", "account")
    assert resolved(spec, SignalSpec(), (made,)).rules[0].feature == made.name


def test_a_scorecard_in_a_notebook_shows_its_rules_and_no_markup_of_theirs():
    spec = _spec(rules=["<b>bold</b> | +5 fit: feature employees >= 50"])
    html = Scorecard(spec)._repr_html_()
    assert "&lt;b&gt;bold" in html
    assert "<b>bold" not in html
    assert "feature employees &gt;= 50" in html
