"""What to do about whom: never too early, never twice, and a hand that is raised comes first."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.clock import DAY_US, to_text, to_us
from features.matrix import Snapshots
from features.signals import FirstValue, SignalSpec
from features.texts import english, translation
from models.actions import words
from models.actions.advice import OUTREACH, advise, events_read
from models.actions.facts import NEVER, Facts, read_facts
from models.actions.spec import TRIGGERS, ActionRule, ActionSpec, TableAction
from models.actions.standing import Ask, asks_of
from models.actions.table import DEFAULT_RULES, rule_for
from models.actions.wording import FACT_MEANINGS, Person, message_facts, message_for, trigger_fact
from models.actions.words import Words

JUNE = to_us("2024-06-03")
VALUE = FirstValue(event="report_made", at_least=3)
SIGNALS = SignalSpec(
    limit=("limit_reached", "export_blocked"),
    pricing=("pricing_viewed",),
    form=("form_sent",),
    support=("help_asked",),
    success=("goal_reached",),
    first_value=(VALUE,),
)
SPEC = ActionSpec()
WORDS = Words(english())
ASKED_FOR_IT = ("form", "support")
SOON = ("outreach today", "outreach this week")


def facts_of(n=1, as_of=JUNE, spec=SPEC, signals=SIGNALS, **given):
    """Facts of rows that saw value long ago, are as active as ever, and did nothing else.

    `given` replaces columns; an event's name gives its latest time, and one event at it.
    """
    names, milestones = events_read(signals, spec)
    never, long_ago = np.full(n, NEVER), np.full(n, as_of - 90 * DAY_US)
    last = {name: np.array(given.pop(name, never), np.int64) for name in names}
    columns = {
        "first_at": long_ago,
        "last_at": np.full(n, as_of - DAY_US // 2),
        "week": np.full(n, 10),
        "week_before": np.full(n, 10),
        "members": np.full(n, 3),
        "new_members": np.zeros(n, np.int64),
        "joined_at": never,
        "contact": np.full(n, -1),
        "reached": {one: long_ago if one == VALUE else never for one in milestones},
        "count": {name: (times < NEVER).astype(int) for name, times in last.items()},
    }
    columns |= given
    # Known as they happened, where nothing else is said.
    columns = {
        "known": {one: at.copy() for one, at in {**last, **columns["reached"]}.items()},
        "joined_known": columns["joined_at"],
        "lately": {name: at.copy() for name, at in last.items()},
        **columns,
    }
    return Facts(as_of=as_of, days=spec.recent_days, last=last, **columns)


def advice_on(
    facts, tier="hot", before=None, spec=SPEC, asks=None, alike=False, signals=SIGNALS, texts=WORDS
):
    n = len(facts.week)
    return advise(
        facts,
        signals,
        spec,
        ids=[f"entity {row}" for row in range(n)],
        tier=np.full(n, tier, object),
        tier_before=np.full(n, before, object),
        alike=np.full(n, alike),
        asks=asks or {},
        words=texts,
    )


def one(facts, *args, **more):
    return advice_on(facts, *args, **more)[0]


def ago(days):
    return [JUNE - int(days * DAY_US)]


TIMES = st.one_of(st.just(NEVER), st.integers(JUNE - 20 * DAY_US, JUNE - 1))


@st.composite
def histories(draw):
    """Any facts at all: a row's parts need not even fit each other."""
    kinds = {name: [draw(TIMES)] for name in SIGNALS.events() if name != VALUE.event}
    reached = {m: np.array([draw(TIMES)]) for m in events_read(SIGNALS, SPEC)[1]}
    week, before = draw(st.integers(0, 30)), draw(st.integers(0, 30))
    return facts_of(
        **kinds,
        reached=reached,
        week=np.array([week]),
        week_before=np.array([before]),
        first_at=np.array([draw(TIMES)]),
        last_at=np.array([draw(TIMES)]),
        new_members=np.array([draw(st.integers(0, 4))]),
        joined_at=np.array([draw(TIMES)]),
    )


@settings(deadline=None, derandomize=True, max_examples=400)
@given(
    facts=histories(),
    tier=st.sampled_from(["critical", "hot", "warm", "cold"]),
    before=st.sampled_from([None, "warm", "hot"]),
    trial_days=st.sampled_from([None, 10]),
    asked=st.tuples(
        st.booleans(),
        st.integers(0, 12),
        st.sampled_from(TRIGGERS),
        st.sampled_from(["outreach today", "outreach this week", "upgrade offer", "help"]),
    ),
)
def test_nobody_is_called_who_saw_no_value_or_grows_quiet_unless_they_asked(
    facts, tier, before, trial_days, asked
):
    spec = ActionSpec(trial_days=trial_days)
    there, days, trigger, action = asked
    said = said_of([("entity 0", JUNE - days * DAY_US, trigger, "hot", action)])
    asks = asks_of(said, JUNE, 28) if there else {}
    found = one(facts, tier, before, spec, asks)
    if found is None:
        return
    ask = asks.get("entity 0")
    asked_since = found.trigger in ASKED_FOR_IT and (not ask or found.triggered_at >= ask.at)
    answer_stands = ask and ask.trigger in ASKED_FOR_IT and found.action == ask.action
    if asked_since or answer_stands:
        return
    too_early = facts.reached[VALUE][0] == NEVER
    fell = facts.week[0] * 2 < facts.week_before[0]
    silent = facts.last_at[0] == NEVER or facts.last_at[0] < JUNE - 7 * DAY_US
    tried = facts.first_at[0] < NEVER and JUNE - facts.first_at[0] >= 10 * DAY_US
    if too_early or fell or silent or (trial_days and tried):
        assert found.action not in (*SOON, "follow up", "upgrade offer")
        assert found.why_not_now or found.action in ("nurture", "wait")


def test_the_property_above_can_fail():
    """With value seen and steady use there is outreach, so the test above tests something."""
    assert one(facts_of(limit_reached=ago(1)), before="warm").action == "outreach today"


@pytest.mark.parametrize(
    ("changes", "action", "why"),
    [
        ({"reached": {}}, "nurture", "too early: they have not seen value yet"),
        ({"last_at": ago(7.5)}, "nurture", "no event for 7 days"),
        ({"week": [4], "week_before": [10]}, "wait", "4 events this week, 10 the week before"),
    ],
)
def test_a_bad_time_holds_outreach_back_and_says_why(changes, action, why):
    reached = dict.fromkeys(events_read(SIGNALS, SPEC)[1], np.array([NEVER]))
    given = {name: reached if name == "reached" else np.array(v) for name, v in changes.items()}
    held = one(facts_of(pricing_viewed=ago(0.5), **given))
    assert (held.trigger, held.action) == ("pricing view", action)
    assert why in held.why_not_now
    assert held.asked_at is None
    asked = one(facts_of(pricing_viewed=ago(0.5), form_sent=ago(6), **given))
    assert (asked.trigger, asked.action, asked.why_not_now) == ("form", "outreach today", None)


def test_a_last_event_seven_days_old_is_not_quiet_yet_and_half_the_activity_not_falling():
    found = one(facts_of(limit_reached=ago(1), last_at=np.array(ago(7)), week=np.array([5])))
    assert found.action in SOON


def test_without_first_value_any_success_counts_and_without_either_nobody_is_too_early():
    bare = SignalSpec(limit=("limit_reached",))
    free = facts_of(signals=bare, limit_reached=ago(1), reached={})
    assert one(free, signals=bare).action in SOON
    success = SignalSpec(limit=("limit_reached",), success=("goal_reached",))
    none_yet = facts_of(signals=success, limit_reached=ago(1))
    assert one(none_yet, signals=success).why_not_now.startswith("too early")


def test_the_strongest_trigger_is_told_and_it_must_be_recent():
    found = facts_of(limit_reached=ago(3), pricing_viewed=ago(1), goal_reached=ago(0.5))
    assert one(found).trigger == "limit reached"
    assert one(found).triggered_at == JUNE - 3 * DAY_US
    assert one(facts_of(limit_reached=ago(7))).trigger == "limit reached"
    assert one(facts_of(limit_reached=ago(7.01))).trigger == "score"
    assert one(facts_of(), alike=True).trigger == "look-alike"
    grown = {"new_members": np.array([2]), "joined_at": np.array(ago(2))}
    assert one(facts_of(**grown), alike=True).trigger == "team growth"


def test_a_milestone_is_a_trigger_when_it_is_reached_and_not_for_ever():
    reached = {m: np.array([NEVER]) for m in events_read(SIGNALS, SPEC)[1]}
    new = facts_of(reached={**reached, VALUE: np.array(ago(1))})
    assert (one(new).trigger, one(new).triggered_at) == ("milestone reached", JUNE - DAY_US)
    assert one(facts_of()).trigger == "score"


def test_today_needs_a_good_moment_and_one_limit_is_none():
    limit = facts_of(limit_reached=ago(1))
    assert one(limit).action == "outreach this week"
    assert "nothing of the last 2 days calls for it" in one(limit).why_not_now
    assert one(limit, before="hot").action == "outreach this week"
    assert one(limit, before="warm").moment == "turned hot since the last scoring"
    twice = facts_of(limit_reached=ago(1), export_blocked=ago(4))
    assert one(twice).action == "outreach today"
    assert one(twice).moment == "limits reached twice, the last 1 day ago"
    assert one(facts_of(pricing_viewed=ago(2))).action == "outreach today"
    assert one(facts_of(pricing_viewed=ago(2.01))).action == "outreach this week"


def test_a_weaker_trigger_makes_today_a_good_moment_where_the_strongest_is_old():
    """Prices of last week must not hide the success of yesterday."""
    old = {"pricing_viewed": ago(6)}
    assert one(facts_of(**old)).action == "outreach this week"
    both = one(facts_of(**old, goal_reached=ago(1)))
    assert (both.trigger, both.action) == ("pricing view", "outreach today")
    assert both.moment == "success 1 day ago"
    # One limit is none, beside another trigger as alone.
    limit = one(facts_of(limit_reached=ago(1), pricing_viewed=ago(3)))
    assert (limit.trigger, limit.action) == ("limit reached", "outreach this week")
    # Nor is what the settings do not call for today.
    rule = ActionRule(triggers=("success",), tiers=(), action="nurture", text="Wait.")
    found = one(facts_of(**old, goal_reached=ago(1)), spec=ActionSpec(rules=(rule,)))
    assert found.action == "outreach this week"


@pytest.mark.parametrize(
    ("age", "action"),
    [(6.9, "outreach this week"), (7, "outreach today"), (13.9, "outreach today"), (14, "nurture")],
)
def test_the_second_half_of_a_trial_is_a_good_moment_and_its_end_the_end(age, action):
    spec = ActionSpec(trial_days=14)
    facts = facts_of(limit_reached=ago(1), first_at=np.array(ago(age)))
    assert one(facts, spec=spec).action == action
    assert one(facts).action == "outreach this week"


def test_the_cold_are_left_alone_unless_they_asked():
    assert one(facts_of(limit_reached=ago(1), export_blocked=ago(1)), "cold") is None
    assert one(facts_of(form_sent=ago(1)), "cold").action == "outreach this week"
    assert one(facts_of(help_asked=ago(1)), "cold").action == "help"


def test_every_tier_above_cold_has_a_line_for_every_trigger():
    for tier in ("critical", "hot", "warm"):
        assert all(rule_for(trigger, tier, ()) for trigger in TRIGGERS)
    assert len(DEFAULT_RULES) > len(TRIGGERS)


def test_every_word_of_the_actions_is_in_the_catalogue_of_sentences_and_is_used():
    def keys(section):
        found = (key.partition(".") for key in english().sentences)
        return [name for start, _, name in found if start == section]

    assert keys("triggers") == list(TRIGGERS)
    assert set(keys("actions")) == {*get_args(TableAction), "follow up"}
    others = {"standing", "follow_up", "nurture", "wait"}
    assert set(keys("how")) == {rule.text for rule in DEFAULT_RULES} | others
    sources = "".join(path.read_text() for path in Path(words.__file__).parent.glob("*.py"))
    assert [key for key in keys("advice") if f'"{key}"' not in sources.replace("advice.", "")] == []


def shouting():
    """A language that English can't hide in."""
    sections = {"language": "xx", "names": {name: name.upper() for name in SIGNALS.events()}}
    for key, forms in english().sentences.items():
        section, _, name = key.partition(".")
        told = {form: re.sub(r"(\{\w+\})|(.)", _shout, text) for form, text in forms.items()}
        sections.setdefault(section, {})[name] = told
    return Words(translation(sections, english(), "loud.yaml"))


def _shout(part):
    return part[1] or part[2].upper()


LOUD = shouting()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    facts=histories(),
    tier=st.sampled_from(["critical", "hot", "warm", "cold"]),
    before=st.sampled_from([None, "warm"]),
    trial_days=st.sampled_from([None, 10]),
    days=st.integers(0, 20),
    trigger=st.sampled_from(TRIGGERS),
    action=st.sampled_from(["outreach today", "outreach this week", "help"]),
    followed_up=st.booleans(),
)
def test_advice_is_said_in_the_language_of_the_texts_and_is_otherwise_the_same(
    facts, tier, before, trial_days, days, trigger, action, followed_up
):
    spec = ActionSpec(trial_days=trial_days)
    asks = {"entity 0": Ask(JUNE - days * DAY_US, trigger, "hot", action, followed_up)}
    for asked in (asks, {}):
        plain = one(facts, tier, before, spec, asked)
        loud = one(facts, tier, before, spec, asked, texts=LOUD)
        if plain is None:
            assert loud is None
            continue
        same = ("trigger", "triggered_at", "action", "asked_at", "rule")
        assert all(getattr(plain, name) == getattr(loud, name) for name in same)
        fact = trigger_fact(
            *(loud, 0, facts, SIGNALS, spec.milestones_of(SIGNALS), LOUD),
            alike="ACME",
            reason="ACTIVE DAILY",
        )
        for told in (loud.text, loud.why_not_now, loud.moment, fact):
            assert told is None or not re.search("[a-z]", told), told


def test_a_rule_of_the_settings_comes_before_the_table():
    own = ActionRule(triggers=("limit reached",), tiers=("cold",), action="nurture", text="Wait.")
    found = one(facts_of(limit_reached=ago(1)), "cold", spec=ActionSpec(rules=(own,)))
    assert (found.action, found.text) == ("nurture", "Wait.")
    assert found.rule == "limit reached x cold: nurture (the settings)"
    everything = ActionRule(action="wait", text="We are closed in August.")
    closed = ActionSpec(rules=(everything,))
    assert one(facts_of(limit_reached=ago(1)), "critical", spec=closed).action == "wait"


@pytest.mark.parametrize(
    "wrong",
    [
        {"rules": [{"triggers": ["limit"], "action": "help", "text": "x"}]},
        {"rules": [{"action": "follow up", "text": "x"}]},
        {"rules": [{"action": "help", "text": ""}]},
        {"follow_up_after_days": 8},
    ],
)
def test_a_table_that_says_nothing_is_refused(wrong):
    with pytest.raises(ValidationError):
        ActionSpec.model_validate(wrong, strict=False)


COLUMNS = ("entity_id", "as_of", "trigger", "tier", "next_action")


def said_of(rows):
    """A ledger of rows that each asked on their own date."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(asked_at=frame["as_of"])


def nights(n, facts_at, tier_at=lambda day: "hot", every=1):
    """What is said on each night when every night reads what the ones before it said."""
    said, actions = [], []
    for day in range(0, n, every):
        as_of = JUNE + day * DAY_US
        frame = pd.DataFrame(said, columns=[*COLUMNS, "asked_at"])
        asks = asks_of(frame, as_of, SPEC.rest_days)
        found = one(facts_at(day), tier_at(day), spec=SPEC, asks=asks)
        actions.append(found.action)
        if found.asked_at is not None:
            row = ("entity 0", as_of, found.trigger, tier_at(day), found.action, found.asked_at)
            said.append(row)
    return actions


def limits_every_day(day, **more):
    """Limits reached twice, an hour before as_of: every night is a good moment."""
    as_of = JUNE + day * DAY_US
    hour = [as_of - DAY_US // 24]
    return facts_of(as_of=as_of, limit_reached=hour, export_blocked=hour, **more)


def test_outreach_is_asked_for_once_then_followed_up_once_then_left_to_nurture():
    expected = ["outreach today", "wait", "wait", "follow up", *["nurture"] * 24]
    assert nights(28, limits_every_day) == expected
    assert nights(30, limits_every_day)[28:] == ["outreach today", "wait"]


def test_outreach_this_week_stands_for_a_week_before_it_is_waited_for():
    def once(day):
        as_of = JUNE + day * DAY_US
        return facts_of(as_of=as_of, limit_reached=[as_of - DAY_US])

    expected = [*["outreach this week"] * 7, "wait", "wait", "follow up", "nurture"]
    assert nights(11, once) == expected


def test_a_weekly_run_follows_up_a_week_later():
    assert nights(28, limits_every_day, every=7) == [
        "outreach today",
        "follow up",
        "nurture",
        "nurture",
    ]


def test_a_night_that_failed_does_not_lose_the_follow_up():
    def asked(days):
        said = said_of([("entity 0", JUNE - days * DAY_US, "limit reached", "hot", SOON[0])])
        return one(limits_every_day(0), asks=asks_of(said, JUNE, 28))

    assert [asked(days).action for days in (5, 7, 8)] == ["follow up", "follow up", "nurture"]
    assert "too long ago" in asked(8).why_not_now
    assert asked(1).why_not_now == (
        f"outreach today was asked for on 2024-06-02; follow up on {to_text(JUNE + 2 * DAY_US)}"
    )


def test_a_higher_tier_is_asked_for_anew_and_a_lower_one_is_not():
    found = nights(4, limits_every_day, lambda day: ["hot", "critical", "hot", "hot"][day])
    assert found == ["outreach today", "outreach today", "wait", "wait"]


def test_who_rises_is_not_sold_to_right_after_help_nor_helped_again_with_the_same():
    def said(days):
        return asks_of(
            said_of([("entity 0", JUNE - days * DAY_US, "support", "warm", "help")]), JUNE, 28
        )

    asked = {"help_asked": ago(5)}
    assert one(facts_of(**asked), asks=said(1)).action == "wait"
    assert one(facts_of(**asked), asks=said(4)).action == "follow up"
    more = facts_of(**asked, pricing_viewed=ago(0.5))
    assert one(more, asks=said(1)).action == "wait"
    assert one(more, asks=said(3)).action == "outreach today"
    again = facts_of(help_asked=ago(0.5))
    assert one(again, asks=said(1)).action == "help"


def test_what_stands_is_told_with_its_own_trigger_and_an_answered_request_does_not_return():
    asks = open_ask(3, "outreach this week", "limit reached")
    found = one(facts_of(limit_reached=ago(4), help_asked=ago(6)), asks=asks)
    assert (found.trigger, found.action) == ("limit reached", "outreach this week")
    # The limit has left the window: what else there is, but not the request of before the ask.
    found = one(facts_of(help_asked=ago(6), goal_reached=ago(5)), asks=asks)
    assert (found.trigger, found.action) == ("success", "outreach this week")


def test_a_second_limit_makes_outreach_this_week_outreach_today():
    def second(day):
        as_of = JUNE + day * DAY_US
        more = {"export_blocked": [as_of - DAY_US // 2]} if day == 2 else {}
        return facts_of(as_of=as_of, limit_reached=[as_of - DAY_US], **more)

    assert nights(4, second) == [SOON[1], SOON[1], SOON[0], "wait"]


def test_who_asks_is_answered_whatever_was_asked_for_before():
    def form(day):
        as_of = JUNE + day * DAY_US
        sent = {"form_sent": [JUNE + DAY_US]} if day > 1 else {}
        return limits_every_day(day, **sent) if day < 5 else facts_of(as_of=as_of, **sent)

    assert nights(6, form) == [SOON[0], "wait", SOON[0], "wait", "wait", "follow up"]


def open_ask(days, action="outreach today", trigger="limit reached", tier="hot"):
    return asks_of(said_of([("entity 0", JUNE - days * DAY_US, trigger, tier, action)]), JUNE, 28)


@pytest.mark.parametrize(
    ("days", "action", "why"),
    [
        (2, "wait", "outreach today was asked for on 2024-06-01; follow up on 2024-06-04"),
        (3, "follow up", None),
        (7, "follow up", None),
        (8, "nurture", None),
    ],
)
def test_a_promised_follow_up_comes_though_the_trigger_expired_and_the_tier_fell(days, action, why):
    found = one(facts_of(), "warm", asks=open_ask(days))
    assert (found.trigger, found.action, found.why_not_now) == ("score", action, why)
    assert found.asked_at == JUNE - days * DAY_US


def test_who_fell_to_cold_is_not_followed_up_and_it_is_said_while_it_was_promised():
    found = one(facts_of(), "cold", asks=open_ask(3))
    assert found.action == "nurture"
    assert found.why_not_now == (
        "follow-up dropped: outreach today was asked for on 2024-05-31, they are cold now"
    )
    assert found.rule == "score x cold: nothing (the default table)"
    assert one(facts_of(), "cold", asks=open_ask(8)) is None
    due = one(facts_of(), "cold", asks=open_ask(2, "outreach this week"))
    assert due.why_not_now.startswith("outreach this week dropped: ")


def test_the_cold_who_had_asked_are_followed_up_after_their_trigger_expired():
    assert one(facts_of(), "cold", asks=open_ask(4, "help", "support")).action == "follow up"
    form = open_ask(9, "outreach this week", "form", "cold")
    assert one(facts_of(), "cold", asks=form).action == "follow up"


def test_a_rule_of_the_settings_drops_a_follow_up_and_says_so():
    closed = ActionSpec(rules=(ActionRule(action="wait", text="We are closed in August."),))
    found = one(facts_of(), spec=closed, asks=open_ask(4))
    assert found.why_not_now.endswith("on 2024-05-30, the settings say wait now")
    other = ActionSpec(rules=(ActionRule(triggers=("score",), action="nurture", text="Leave."),))
    assert one(facts_of(), spec=other, asks=open_ask(4)).action == "follow up"


FELL = {"week": np.array([1]), "week_before": np.array([40])}


def test_a_follow_up_is_held_back_though_the_trigger_is_an_old_support_request():
    asked = facts_of(help_asked=ago(4), **FELL)
    found = one(asked, "cold", asks=open_ask(3, "help", "support", "cold"))
    assert (found.trigger, found.action) == ("support", "wait")
    assert "activity is falling" in found.why_not_now
    assert found.asked_at == JUNE - 3 * DAY_US
    week = one(asked, "warm", asks=open_ask(2, "outreach this week"))
    assert (week.action, week.text) == ("wait", "Do nothing now; look again at the next scoring.")


def test_the_answer_to_a_form_stands_for_its_week_at_a_bad_time_but_its_follow_up_does_not():
    form = facts_of(form_sent=ago(5), **FELL)
    asks = open_ask(4, "outreach this week", "form", "cold")
    assert one(form, "cold", asks=asks).action == "outreach this week"
    asks = open_ask(9, "outreach this week", "form", "cold")
    assert one(facts_of(**FELL), "cold", asks=asks).action == "wait"


def test_what_stands_is_told_in_its_own_words_and_not_in_those_of_help():
    found = one(facts_of(help_asked=ago(4)), "warm", asks=open_ask(2, "outreach this week"))
    assert (found.action, found.text) == (
        "outreach this week",
        "Name the limit and the plan that lifts it.",
    )


def test_an_event_that_came_in_late_is_a_trigger_and_is_dated_by_when_it_happened():
    facts = facts_of(limit_reached=ago(10))
    facts.known["limit_reached"][0] = JUNE - DAY_US
    facts.count["limit_reached"][0] = 0
    found = one(facts, asks=open_ask(8, "outreach today", "score"))
    # It was known after the ask, so it asks anew, though it happened before.
    assert (found.trigger, found.triggered_at) == ("limit reached", JUNE - 10 * DAY_US)
    assert (found.asked_at, found.action) == (JUNE, "outreach this week")
    told = trigger_fact(found, 0, facts, SIGNALS, [VALUE], WORDS, alike=None, reason=None)
    assert told == "limit reached 10 days ago, which was known only lately"
    known = message_facts(0, facts, SIGNALS, [VALUE], Person("Acme", None, None), WORDS)
    assert (known["limit"], known["limit_on"]) == (None, None)


def test_of_two_events_the_one_that_came_in_late_is_the_one_that_crossed(log_of):
    """A limit of 12 days ago arrives today; that of 8 days ago has been known since then."""
    log = log_of(
        """who | event | time | known
        ann | opened | 2024-05-01 | 2024-05-01
        ann | limit_reached | 2024-05-22 | 2024-06-02
        ann | limit_reached | 2024-05-26 | 2024-05-26
        """
    )
    rows = Snapshots.of("account", np.array([0]), np.array([JUNE]), log.ids("account"))
    names, milestones = events_read(SIGNALS, SPEC)
    facts = read_facts(log, rows, names=names, milestones=milestones, recent_days=7)
    found = one(facts, asks={})
    assert found.trigger == "limit reached"
    assert found.triggered_at == to_us("2024-05-22")


def test_another_trigger_asks_anew_a_week_after_and_sooner_after_help():
    def said(action, days):
        return asks_of(
            said_of([("entity 0", JUNE - days * DAY_US, "support", "hot", action)]), JUNE, 28
        )

    facts = facts_of(help_asked=ago(7), pricing_viewed=ago(1))
    assert one(facts, asks=said("help", 2)).action == "wait"
    assert one(facts, asks=said("help", 3)).action == "outreach today"
    assert one(facts, asks=said("help", 3)).trigger == "pricing view"
    viewed = facts_of(pricing_viewed=ago(1))
    assert one(viewed, asks=said("outreach today", 6)).action == "follow up"
    assert one(viewed, asks=said("outreach today", 7)).action == "outreach today"


def test_what_is_said_at_as_of_or_later_was_not_said_yet():
    said = said_of(
        [("ann", JUNE, "score", "hot", SOON[1]), ("bob", JUNE - 1, "form", "hot", "help")]
    )
    assert list(asks_of(said, JUNE, 28)) == ["bob"]
    assert asks_of(said, JUNE + 29 * DAY_US, 28) == {}


def test_a_trigger_is_told_with_its_own_numbers():
    facts = facts_of(limit_reached=ago(2), export_blocked=ago(5))
    facts.count["limit_reached"][0] = 3
    told = trigger_fact(one(facts), 0, facts, SIGNALS, [VALUE], WORDS, alike=None, reason=None)
    assert told == "limit reached 3 times, export blocked once in 7 days, last 2 days ago"
    reached = {m: np.array(ago(1)) for m in events_read(SIGNALS, SPEC)[1]}
    new = facts_of(reached=reached)
    told = trigger_fact(one(new), 0, new, SIGNALS, [VALUE], WORDS, alike=None, reason=None)
    assert told == "report made 3 times, reached 1 day ago"
    plain = facts_of()
    assert (
        trigger_fact(
            one(plain), 0, plain, SIGNALS, [VALUE], WORDS, alike=None, reason="active daily"
        )
        == "active daily"
    )
    alike = trigger_fact(
        one(plain, alike=True),
        0,
        plain,
        SIGNALS,
        [VALUE],
        WORDS,
        alike="Acme: 3 limits",
        reason=None,
    )
    assert alike == "looks like Acme: 3 limits"


def test_one_day_is_not_told_as_days():
    spec = ActionSpec(recent_days=1, quiet_days=1, fresh_days=1, trial_days=1)
    day = facts_of(limit_reached=ago(0.5), spec=spec)
    told = trigger_fact(one(day), 0, day, SIGNALS, [VALUE], WORDS, alike=None, reason=None)
    assert told == "limit reached once in 1 day, last less than a day ago"
    assert one(day, spec=spec).why_not_now == "the trial of 1 day is over"
    spec = ActionSpec(quiet_days=1, fresh_days=1)
    quiet = facts_of(pricing_viewed=ago(3), last_at=np.array(ago(3)))
    assert one(quiet, spec=spec).why_not_now == "no event for 1 day"
    stale = facts_of(pricing_viewed=ago(3))
    assert one(stale, spec=spec).why_not_now == "not today: nothing of the last day calls for it"


def test_the_message_is_about_the_trigger_or_about_what_happened_beside_it():
    def fits(tier="hot", **events):
        facts = facts_of(**events)
        person = Person("Acme", None, None)
        return message_for(
            one(facts, tier), lambda: message_facts(0, facts, SIGNALS, [VALUE], person, WORDS)
        )

    assert fits(limit_reached=ago(1)) == "limit_reached"
    assert fits(goal_reached=ago(1)) == "success"
    assert fits(pricing_viewed=ago(1), goal_reached=ago(3)) == "success"
    assert fits(pricing_viewed=ago(1)) is None
    assert fits(form_sent=ago(1), limit_reached=ago(1)) is None
    assert fits("warm", goal_reached=ago(1)) is None


def test_a_message_says_only_what_is_known():
    nothing = facts_of(members=np.array([0]))
    person = Person("Acme\n Corp", None, None)
    known = message_facts(0, nothing, SIGNALS, [VALUE], person, WORDS)
    assert known.keys() == FACT_MEANINGS.keys()
    unknown = {name for name, fact in known.items() if fact is None}
    assert unknown >= {"contact", "plan", "limit", "limit_times", "milestone", "success", "members"}
    assert (known["name"], known["events"], known["date"]) == ("Acme Corp", 10, "2024-06-03")
    facts = facts_of(limit_reached=ago(3), export_blocked=ago(1), goal_reached=ago(2))
    known = message_facts(
        0, facts, SIGNALS, [VALUE], Person("Acme", "a@acme.example", "free"), WORDS
    )
    assert (known["limit"], known["limit_times"], known["limit_on"]) == (
        "export blocked",
        2,
        "2024-06-02",
    )
    assert (known["success"], known["success_times"]) == ("goal reached", 1)


def test_outreach_is_all_that_goes_to_people_who_did_not_ask():
    assert set(OUTREACH) == {*SOON, "follow up", "upgrade offer"}
