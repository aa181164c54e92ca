"""Advice in the tables, the ledger and on the terminal; templates that nobody can misuse."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from features.clock import to_us
from features.errors import NotFresh, SettingsError
from models.actions.wording import FACT_MEANINGS, MESSAGES
from pipeline import ledger
from pipeline.actions import NOT_IN_LEDGER
from pipeline.actions_checks import check_signals
from pipeline.actions_messages import Templates
from pipeline.actions_printing import order_told, print_advice, to_do, what_to_do
from pipeline.actions_told import Told
from pipeline.backfill import backfill
from pipeline.cli_actions import message
from pipeline.explain import explain
from pipeline.init import write_settings
from pipeline.ledger_asks import asks_before
from pipeline.predict import predict
from pipeline.settings import load
from pipeline.train import import_events
from tests.conftest import replaced

SIGNALS = """\
signals:
  limit: [opened]
  first_value: [{event: opened}]
actions:                             # nearly everybody is cold in the shop
  limit_times: 1
  contact: mail
  rules: [{tiers: [cold], action: outreach today, text: Call.}]
"""
ADVICE = ["trigger", "trigger_fact", "next_action", "why_not_now", "message"]
NIGHTS = ["2024-06-10", "2024-06-11", "2024-06-12"]


@pytest.fixture(scope="module")
def signalling(shop, tmp_path_factory):
    """The shop with signals, and its log imported."""
    folder = tmp_path_factory.mktemp("signalling")
    shutil.copytree(
        shop.folder, folder, ignore=shutil.ignore_patterns("store", "data"), dirs_exist_ok=True
    )
    users = pd.read_csv(folder / "users.csv")
    users["mail"] = [f"{name.replace(' ', '.')}@shop.example" for name in users["user"]]
    users.to_csv(folder / "users.csv", index=False)
    path = folder / "settings.yaml"
    text = replaced(path.read_text(), "horizon_days: 7\n", f"horizon_days: 7\n{SIGNALS}")
    path.write_text(replaced(text, "{plan: category}", "{plan: category, mail: category}"))
    import_events(load(path), lambda _: None)
    return folder


@pytest.fixture
def store(signalling, tmp_path):
    """A copy of it with a ledger of its own."""
    shutil.copytree(signalling, tmp_path / "own")
    return load(tmp_path / "own" / "settings.yaml")


def night(run, as_of, **how):
    how = {"model": "1", "now": None, **how}
    return predict(run, lambda _: None, as_of=as_of, **how).scores


def files(run) -> dict[str, bytes]:
    return {
        str(path.relative_to(run.store)): path.read_bytes()
        for folder in ("scores", "ledger")
        for path in sorted((run.store / folder).rglob("*"))
        if path.is_file()
    }


def test_whoever_is_above_cold_has_a_trigger_and_an_action(scored):
    table = scored.scores
    above = table["tier"] != "cold"
    told = table[above]
    assert above.sum() > 20
    assert told[["trigger", "next_action", "action_text", "trigger_fact"]].notna().all(axis=None)
    asked = table[~above & table["trigger"].notna()]
    assert set(asked["trigger"]) <= {"support", "form"}
    moment = told["triggered_at"].notna()
    assert (told["trigger"][~moment].isin(["score", "look-alike"])).all()
    assert (told["triggered_at"][moment] < told["as_of"][moment]).all()
    late = told["trigger_fact"].str.endswith("which was known only lately")
    happened = told["triggered_at"][moment & ~late & (told["trigger"] != "milestone reached")]
    assert (happened >= told["as_of"].iloc[0] - pd.Timedelta(days=7)).all()


def test_the_trigger_of_the_demo_equals_what_the_files_say(demo, scored):
    """Read anew, without the importer: known before as_of, dated by when it happened."""
    paths = sorted((demo.folder / "world/events").glob("*.parquet"))
    raw = pd.concat([pd.read_parquet(path) for path in paths]).drop_duplicates("event_id")
    raw["known"] = raw["received_at"].dt.tz_localize(None)
    raw["happened"] = raw["time"].dt.tz_localize(None)
    as_of = scored.scores["as_of"].iloc[0]
    since = as_of - pd.Timedelta(days=7)
    recent = raw[(raw["known"] < as_of) & (raw["known"] >= since)]
    kinds = ["support_requested", "upgrade_prompt_clicked", "paid_feature_tried", "limit_reached"]
    names = ["support", "upsell click", "paid feature", "limit reached"]
    checked = 0
    for row in scored.scores[scored.scores["tier"] != "cold"].to_dict("records"):
        mine = recent[recent["account_id"] == row["entity_id"]]
        there = [kind for kind in kinds if (mine["event"] == kind).any()]
        if not there:
            assert row["trigger"] not in names
            continue
        event = there[0]
        times = mine.loc[mine["event"] == event, "happened"]
        assert row["trigger"] == names[kinds.index(event)]
        assert row["triggered_at"] == times.max()
        if (n := (times >= since).sum()) > 2:
            assert f"{n:,} times" in row["trigger_fact"]
        checked += 1
    assert checked > 10


def test_the_same_night_again_changes_no_byte_and_the_next_one_waits(store):
    first = night(store, NIGHTS[0])
    asked = first["asked_at"].notna()
    assert asked.any()
    assert (first["asked_at"][asked] == first["as_of"][asked]).all()
    before = files(store)
    again = night(store, NIGHTS[0])
    assert files(store) == before
    pd.testing.assert_frame_equal(first, again)
    second = night(store, NIGHTS[1])
    still = second[second["asked_at"] == first["as_of"].iloc[0]]
    assert len(still) > 0
    assert not (still["next_action"] == "outreach today").any()
    written = files(store)
    night(store, NIGHTS[0])
    night(store, NIGHTS[1])
    assert files(store) == written


def test_a_night_scored_again_is_not_changed_by_one_written_after_it(store):
    def at(hour):
        return datetime(2024, 6, 12, hour, tzinfo=UTC)

    night(store, NIGHTS[1], now=at(1))
    before = files(store)
    night(store, NIGHTS[0], now=at(2))
    night(store, NIGHTS[1], now=at(3))
    assert {name: files(store)[name] for name in before} == before
    assert len(ledger.entries(store.store, store.model_name)) == 2


def test_the_ledger_keeps_the_advice_but_no_address_and_no_draft(store):
    table = night(store, NIGHTS[0]).set_index("entity_id")
    kept = ledger.read(store.store, store.model_name).set_index("entity_id")
    assert not set(NOT_IN_LEDGER) & set(kept.columns)
    for name in [*ADVICE, "triggered_at", "asked_at"]:
        expected = table[name].reindex(kept.index)
        assert kept[name].isna().tolist() == expected.isna().tolist()
        assert kept[name].dropna().tolist() == expected.dropna().tolist()
    assert table["contact"].dropna().str.endswith("@shop.example").all()
    assert not any(
        b"@shop.example" in content
        for name, content in files(store).items()
        if name.startswith("ledger")
    )


def test_a_ledger_from_before_there_was_advice_is_read_and_asked_nobody(store):
    night(store, NIGHTS[0])
    entry = ledger.entries(store.store, store.model_name)[0]
    table = pq.read_table(entry.path)
    older = table.drop_columns([*ADVICE, "triggered_at", "asked_at"])
    pq.write_table(older.replace_schema_metadata(table.schema.metadata), entry.path)
    kept = ledger.read(store.store, store.model_name, columns=["entity_id", "trigger", "asked_at"])
    assert len(kept) > 0
    assert kept["trigger"].isna().all()
    assert kept["asked_at"].isna().all()
    second = night(store, NIGHTS[1])
    asked = second["asked_at"].dropna()
    assert (asked == pd.Timestamp(NIGHTS[1])).all()
    both = ledger.read(store.store, store.model_name)
    assert both.loc[both["as_of"] == pd.Timestamp(NIGHTS[0]), "trigger"].isna().all()


def test_a_backfill_asks_nobody_for_anything(store):
    backfill(
        store,
        lambda _: None,
        first=NIGHTS[0],
        last=NIGHTS[0],
        every_days=1,
        model="1",
        now=None,
        allow_seen=True,
    )
    kept = ledger.read(store.store, store.model_name)
    assert len(kept) > 0
    assert "trigger" not in kept or kept["trigger"].isna().all()
    version = explain(store, lambda _: None, entity="user 001", as_of=None, model="1").version
    assert asks_before(store, version, to_us(NIGHTS[1]), "1") == {}


def test_a_table_for_people_holds_the_advice_in_its_columns(store):
    table = night(store, NIGHTS[0])
    csv = pd.read_csv(next((store.store / "scores").glob("*.csv")))
    assert csv["next_action"].dropna().tolist() == table["next_action"].dropna().tolist()
    assert csv["draft"].dropna().tolist() == table["draft"].dropna().tolist()
    assert to_do(table).startswith("To do: ")
    assert order_told(table).startswith("First who is to be called today")
    assert order_told(table[table["next_action"] == "nurture"]) == "By score."


def test_what_is_the_first_reason_already_is_not_said_twice(store):
    rule = "actions: {rules: [{tiers: [cold], action: nurture, text: Wait.}]}\n"
    table = night(named(store, SIGNALS, rule), NIGHTS[0])
    rows = [row for row in table.to_dict("records") if len(row["reasons"])]
    by_score = [row for row in rows if row["trigger"] == "score"]
    assert by_score
    for row in by_score:
        assert row["trigger_fact"] == row["reasons"][0]
        assert row["trigger_fact"] not in what_to_do(row)
        assert what_to_do(row).startswith(row["next_action"])


def test_an_explanation_gives_the_advice_of_the_batch_and_the_rule(store):
    row = night(store, NIGHTS[0]).iloc[0]
    found = explain(
        store, lambda _: None, entity=row["entity_id"], as_of=NIGHTS[0], model="1"
    ).advice
    assert (found.advice.trigger, found.advice.action) == (row["trigger"], row["next_action"])
    assert found.advice.rule.startswith(f"{row['trigger']} x {row['tier']}: ")
    assert (found.draft or "") == (row["draft"] or "")
    assert json.dumps(found.as_dict())


def test_a_customer_gets_no_advice(store):
    events = pd.read_csv(store.base / "events.csv")
    paid = events[events["event"] == "paid"].sort_values("time")["user"].iloc[0]
    found = explain(store, lambda _: None, entity=paid, as_of=None, model="1")
    assert found.advice is None
    done = CliRunner().invoke(
        message, ["--settings", str(store.path), "--entity", paid, "--model", "1"]
    )
    assert (done.exit_code, "is a customer already" in done.stdout) == (3, True)


def test_no_letter_calls_anybody_by_an_id_of_our_tables(store):
    table = night(store, NIGHTS[0])
    assert (table["name"] == table["entity_id"]).all()
    drafted = table[table["draft"].notna()]
    assert len(drafted)
    assert not any(
        who in draft for who, draft in zip(drafted["entity_id"], drafted["draft"], strict=True)
    )


def test_the_verb_prints_the_draft_alone(store):
    table = night(store, NIGHTS[0])
    row = table[table["draft"].notna()].iloc[0]
    how = ["--settings", str(store.path), "--model", "1", "--as-of", NIGHTS[0], "--entity"]
    done = CliRunner().invoke(message, [*how, row["entity_id"]])
    assert done.exit_code == 0
    assert done.stdout == f"To: {row['contact']}\n{row['draft']}"
    told = json.loads(CliRunner().invoke(message, [*how, row["entity_id"], "--json"]).stdout)
    assert told["draft"] == row["draft"]
    refused = CliRunner().invoke(message, [*how, row["entity_id"], "--template", "poem"])
    assert "There is no template 'poem'" in str(refused.exception)


GERMAN = """\
language: de
names: {opened: geöffnet}
advice:
  counts: "{text} {when}, zuletzt {ago}"
  window: {one: "an {n} Tag", other: "in {n} Tagen"}
"""


def draft(run, entity, *how):
    command = ["--settings", str(run.path), "--model", "1", "--entity", entity, *how]
    return CliRunner().invoke(message, command)


def test_without_a_draft_it_is_told_which_fact_is_unknown_and_what_fits_instead(store):
    table = night(store, NIGHTS[0])
    row = table[table["message"] == "limit_reached"].iloc[0]
    done = draft(store, row["entity_id"], "--as-of", NIGHTS[0], "--template", "success")
    assert done.exit_code == 3
    assert "lacks what the template 'success' says: success (the last success" in done.stdout
    assert "success_on (date of the last success)" in done.stdout
    assert "plan" not in done.stdout  # only asked for inside an if
    assert "There is one with --template limit_reached" in done.stdout
    told = draft(store, row["entity_id"], "--as-of", NIGHTS[0], "--template", "success", "--json")
    assert json.loads(told.stdout)["why_none"] == done.stdout.rstrip()
    assert json.loads(told.stdout)["template"] == "success"


def test_where_no_template_can_be_filled_it_is_told_where_to_look(store):
    run = named(store, "  limit: [opened]\n  first_value: [{event: opened}]", "  pricing: [opened]")
    row = night(run, NIGHTS[0]).query("next_action == 'outreach today'").iloc[0]
    done = draft(run, row["entity_id"], "--as-of", NIGHTS[0])
    assert done.exit_code == 3
    why = f"No draft: no template is about what {row['entity_id']} did in the last 7 days. "
    assert done.stdout.startswith(why)
    for setting in ("signals.limit", "signals.success", "actions.milestones", "actions.templates"):
        assert setting in done.stdout


def test_without_a_template_of_its_own_the_next_action_is_told(store):
    night(store, NIGHTS[0])
    waiting = night(store, NIGHTS[1])
    row = waiting[waiting["next_action"] == "wait"].iloc[0]
    done = draft(store, row["entity_id"], "--as-of", NIGHTS[1])
    assert done.exit_code == 3
    assert done.stdout.startswith(
        f"No draft: the next action for {row['entity_id']} is wait ({row['why_not_now']}). "
    )


def test_a_day_that_predict_would_refuse_is_no_default_for_a_message(store):
    newest = night(store, None)
    assert len(newest) > 0
    who, day = newest["entity_id"].iloc[0], str(newest["as_of"].iloc[0].date())
    assert draft(store, who).stdout == draft(store, who, "--as-of", day).stdout
    path = store.path
    path.write_text(path.read_text() + "freshness: {max_age_hours: 0.001}\n")
    with pytest.raises(NotFresh):
        night(load(path), None)
    refused = draft(store, who)
    assert isinstance(refused.exception, NotFresh)
    assert f"as of {day}, the newest complete day. The newest event was known" in str(
        refused.exception
    )
    assert draft(store, who, "--as-of", day).exit_code in (0, 3)


def named(store, old, new):
    """The run with another text in its settings."""
    store.path.write_text(replaced(store.path.read_text(), old, new))
    return load(store.path)


def test_signals_that_never_happened_are_told_with_the_nearest_event(store):
    run, said = named(store, "  limit: [opened]", "  limit: [opening, zzz, opened]"), []
    predict(run, said.append, as_of=NIGHTS[0], model="1", now=None)
    warned = [told for told in said if told.startswith("Warning: ")]
    assert warned == [
        "Warning: signals and actions name events that never happened: 'opening', 'zzz'. Did you "
        "mean 'opened'?"
    ]


@pytest.mark.parametrize(
    ("old", "new", "block"),
    [
        ("  limit: [opened]", "  limit: [opened, opend]", "signals"),
        ("{event: opened}", "{event: opend}", "signals"),
        ("  limit_times: 1", "  milestones: [{event: opend}]", "actions.milestones"),
    ],
)
def test_a_slip_in_an_event_of_signals_or_actions_is_refused(store, old, new, block):
    run = named(store, old, new)
    told = rf"{block} names the event 'opend', which the log does not have. Did you mean 'opened'\?"
    with pytest.raises(SettingsError, match=told):
        night(run, NIGHTS[0])
    with pytest.raises(SettingsError, match=told):
        explain(run, lambda _: None, entity="user 001", as_of=NIGHTS[0], model="1")
    with pytest.raises(SettingsError, match=told):
        check_signals(run.settings, import_events(run, lambda _: None))


@pytest.mark.parametrize("kind", ["first_value: [{event: zzz}]", "success: [zzz]"])
def test_where_no_event_of_first_value_is_in_the_log_it_is_told_that_nobody_is_called(store, kind):
    called = ["outreach today", "outreach this week", "follow up", "upgrade offer"]
    assert night(store, NIGHTS[0])["next_action"].isin(called).any()
    run, said = named(store, "first_value: [{event: opened}]", kind), []
    table = predict(run, said.append, as_of=NIGHTS[1], model="1", now=None).scores
    assert not table["next_action"].isin(called).any()
    (told,) = [one for one in said if "nobody is ever called" in one]
    assert told.startswith(f"Warning: no event of signals.{kind.partition(':')[0]} is in the log")


def test_one_event_of_first_value_that_is_in_the_log_is_enough(store):
    run = named(store, "[{event: opened}]", "[{event: zzz}, {event: opened}]")
    (told,) = check_signals(run.settings, import_events(run, lambda _: None))
    assert "never happened: 'zzz'" in told
    run = named(store, "[{event: zzz}, {event: opened}]", "[{event: opened}]")
    assert check_signals(run.settings, import_events(run, lambda _: None)) == []


def test_advice_is_written_in_the_language_of_the_settings(store):
    plain = night(store, NIGHTS[0])
    (store.base / "de.yaml").write_text(GERMAN, encoding="utf-8")
    store.path.write_text(store.path.read_text() + "texts: de.yaml\n")
    german = night(load(store.path), NIGHTS[0])
    same = ["entity_id", "trigger", "next_action", "tier", "asked_at"]
    pd.testing.assert_frame_equal(plain[same], german[same])
    limit = german["trigger"] == "limit reached"
    told = german["trigger_fact"][limit & ~plain["trigger_fact"].str.contains("lately")]
    assert len(told) > 0
    assert told.str.fullmatch(r"geöffnet .* in 7 Tagen, zuletzt .*").all()


KNOWN = {name: f"the {name}" for name in FACT_MEANINGS} | {
    "days": 7, "limit_times": 3, "milestone_times": 1, "success_times": 2, "events": 4,
    "members": 5, "new_members": 1,
}  # fmt: skip


def test_the_shipped_templates_say_what_is_known_and_nothing_else():
    templates = Templates.load(None)
    for name in MESSAGES:
        full = templates.draft(name, KNOWN)
        assert full.startswith("Subject: ")
        assert "the name" in full
        assert "None" not in full
        nameless = templates.draft(name, KNOWN | {"name": None})
        assert "None" not in nameless
        assert "the name" not in nameless
        assert re.search(r"\b[Yy]ou\b", nameless)
        assert templates.draft(name, dict.fromkeys(KNOWN)) is None
        fewer = templates.draft(name, KNOWN | {"plan": None, "members": None, "new_members": None})
        assert "None" not in fewer
        assert "the plan" not in fewer


@pytest.mark.parametrize("said", ["{{ plan|upper }}", "{{ plan|title }}", "{{ 'on ' ~ plan }}"])
def test_an_unknown_fact_is_never_printed_as_a_word(folder, said):
    templates = own(folder, f"Hi {said}")
    assert templates.draft("success", KNOWN | {"plan": None}) is None
    assert templates.lacking("success", KNOWN | {"plan": None, "since": None}) == ("plan",)
    guarded = own(folder, "Hi{% if plan is not none and plan != none %} " + said + "{% endif %}")
    assert guarded.draft("success", KNOWN | {"plan": None}) == "Hi\n"


def test_one_day_and_one_member_are_told_as_such():
    templates = Templates.load(None)
    for name in MESSAGES:
        told = templates.draft(name, KNOWN | {"days": 1, "members": 1, "new_members": 1})
        assert "1 days" not in told
        assert "1 people" not in told
    assert "in the last day the name" in templates.draft("limit_reached", KNOWN | {"days": 1})


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def own(folder, text, name="success.txt"):
    (folder / name).write_text(text)
    return Templates.load(folder)


def test_a_template_of_ones_own_takes_the_place_of_the_shipped_one(folder):
    templates = own(folder, "Hi {{ name|upper }}{% if plan %}, on {{ plan }}{% endif %}!")
    assert templates.draft("success", KNOWN) == "Hi THE NAME, on the plan!\n"
    assert templates.draft("success", KNOWN | {"plan": None}) == "Hi THE NAME!\n"
    assert templates.draft("limit_reached", KNOWN).startswith("Subject:")
    assert own(folder, "{{ name }}: {{ '<b>' }}").draft("success", KNOWN) == "the name: <b>\n"


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ ''.__class__ }}",
        "{% if plan == 'x' %}{{ name.__class__.__mro__ }}{% endif %}",
        "{{ name['__class__'] }}",
        "{{ name|attr('__class__') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ name * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ name|center(1000000000) }}",
        "{{ name.ljust(1000000000) }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% set a = name ~ name %}{{ a }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ self }}",
        "{{ loop }}",
        "{{ days is divisibleby 0 }}",
        pytest.param("x" * 20_001, id="a book"),
    ],
)
def test_a_hostile_template_is_refused_when_it_is_loaded(folder, hostile):
    with pytest.raises(SettingsError, match=r"success\.txt"):
        own(folder, hostile)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ nam }} and {{ revenue }}", "asks for 'nam', 'revenue', and there is no such fact"),
        ("{{ name", "success.txt:1: not a valid template"),
        ("line\n{% if name %}", "success.txt:2: not a valid template"),
        ("{{ name|shout }}", "No filter named 'shout'"),
        ("{{ name + 1 }}", "the template fails"),
    ],
)
def test_a_template_that_can_not_work_is_an_error_that_says_why(folder, text, told):
    with pytest.raises(SettingsError) as error:
        own(folder, text)
    assert told in str(error.value)
    if "no such fact" in told:
        assert all(name in str(error.value) for name in FACT_MEANINGS)


def test_a_file_of_another_name_and_a_missing_folder_are_errors(folder):
    with pytest.raises(SettingsError, match=r"holds 'sucess\.txt', which nothing uses"):
        own(folder, "Hi", "sucess.txt")
    with pytest.raises(SettingsError, match="there is no folder"):
        Templates.load(folder / "none")
    (folder / "sucess.txt").unlink()
    (folder / "success.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="Can't read the template"):
        Templates.load(folder)


def test_advice_without_a_line_of_the_table_says_so(capsys):
    print_advice(Told("cold", None, None, None, None, None, {}))
    assert "nothing to do" in capsys.readouterr().out


def proposed(folder, names):
    """The signals that `init` proposes for a small log with these events."""
    days = pd.date_range("2024-01-01", periods=40)
    rows = [
        {"event": name, "user": f"u{who}", "account": f"a{who}", "time": days[(at + who) % 40]}
        for at, name in enumerate(("signed_up", *names, "subscription_started"))
        for who in range(20)
        if name != "subscription_started" or who % 3 == 0
    ]
    pd.DataFrame(rows).to_csv(folder / "events.csv", index=False)
    path = write_settings(
        (str(folder / "events.csv"),),
        folder / "settings.yaml",
        entity=None,
        force=False,
        say=lambda _: None,
    )
    return load(path).settings.signals


def test_init_proposes_signals_by_the_words_of_the_events(tmp_path):
    found = proposed(
        tmp_path,
        [
            "limit_reached",
            "pricing_viewed",
            "Upgrade Prompt Clicked",
            "demo_requested",
            "support_requested",
            "paid_feature_tried",
            "goal_reached",
            "report_created",
        ],
    )
    assert found.limit == ("limit_reached",)
    assert found.pricing == ("pricing_viewed",)
    assert found.upsell == ("Upgrade Prompt Clicked",)
    assert found.form == ("demo_requested",)
    assert found.support == ("support_requested",)
    assert found.paid_feature == ("paid_feature_tried",)
    assert found.success == ("goal_reached",)
    assert [one.event for one in found.first_value] == ["report_created"]
    assert "PLEASE CHECK: what events mean to sales" in (tmp_path / "settings.yaml").read_text()


def test_init_proposes_nothing_where_no_event_looks_like_a_signal(tmp_path):
    assert proposed(tmp_path, ["logged_in", "zoomed"]).events() == ()
