"""`init` on small logs in every format: what it writes loads, imports, and names what is there."""

import csv
import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from features.catalogue import build_catalogue
from features.errors import EventLogError, SettingsError
from pipeline.cli import main
from pipeline.importer.log import import_log
from pipeline.init import write_settings
from pipeline.init.yaml import text
from pipeline.settings import Run, load, parse

HEDGEBOX = Path(__file__).parents[2] / "data" / "hedgebox" / "events.jsonl.gz"
START = datetime(2024, 1, 1, tzinfo=UTC)
ACCOUNTS = 30


def company() -> list[dict]:
    """Accounts of one to three users over 120 days; every third one buys and is billed at once."""
    rng, rows = random.Random(5), []

    def add(hours: float, account: int, user: int, event: str, **properties: object) -> None:
        rows.append(
            {
                "time": START + timedelta(hours=hours),
                "user": f"u{account}-{user}",
                "account": f"acme {account}",
                "event": event,
                "properties": properties,
            }
        )

    for account in range(ACCOUNTS):
        begin = 24 * account
        add(begin, account, 0, "signed_up", channel=rng.choice(["ads", "web"]))
        for _ in range(40):
            hours = begin + rng.uniform(1, 24 * 90)
            event = rng.choice(["report_created", "invite_sent", "limit_reached", "searched"])
            rows_ = {"rows": rng.randrange(50)} if event == "report_created" else {}
            add(hours, account, rng.randrange(1 + account % 3), event, **rows_)
        if account % 3 == 0:
            add(begin + 800, account, 0, "plan_upgraded", amount=rng.choice([10, 20, 30]))
            add(begin + 800.001, account, 0, "invoice_paid", amount=20)
    return sorted(rows, key=lambda row: row["time"])


def flat(rows: list[dict]) -> list[dict]:
    names = ("channel", "rows", "amount")
    return [
        {
            "action": row["event"],
            "userId": row["user"],
            "org_id": row["account"],
            "ts": row["time"].isoformat(),
            "received_at": (row["time"] + timedelta(seconds=30 * (i % 5))).isoformat(),
            "event_id": f"e{i}",
            **{name: row["properties"].get(name) for name in names},
        }
        for i, row in enumerate(rows)
    ]


def posthog(rows: list[dict]) -> list[dict]:
    out: list[dict] = []
    seen = set()

    def add(row: dict, visitor: str, event: str, **properties: object) -> None:
        stamp = row["time"].isoformat()
        out.append(
            {"event": event, "distinct_id": visitor, "timestamp": stamp, "properties": properties}
        )

    for row in rows:
        user, account = row["user"], row["account"]
        anonymous, groups = f"anon-{user}", {"company": account}
        if user not in seen:
            seen.add(user)
            add(row, anonymous, "$pageview", **{"$pathname": "/pricing", "$device_id": anonymous})
            traits = {"email": f"{user}@acme.co", "role": "admin" if user.endswith("0") else "dev"}
            known = {"$anon_distinct_id": anonymous, "$set": traits, "$groups": groups}
            add(row, user, "$identify", **known)
            size = {"employees": 10 * len(account), "name": account}
            group = {"$group_type": "company", "$group_key": account, "$group_set": size}
            add(row, user, "$groupidentify", **group, **{"$groups": groups})
        add(row, user, row["event"], **row["properties"], **{"$groups": groups, "$os": "Linux"})
    return out


def segment(rows: list[dict]) -> list[dict]:
    out: list[dict] = []
    seen = set()

    def call(row: dict, kind: str, **more: object) -> None:
        stamp, user = row["time"].isoformat(), row["user"]
        ids = {"messageId": f"m{len(out)}", "userId": user, "anonymousId": f"anon-{user}"}
        out.append({"type": kind, **ids, "timestamp": stamp, "receivedAt": stamp, **more})

    for row in rows:
        if row["user"] not in seen:
            seen.add(row["user"])
            call(row, "page", name="Plans", properties={"path": "/plans"})
            call(row, "identify", traits={"email": f"{row['user']}@acme.co"})
            call(row, "group", groupId=row["account"], traits={"industry": "software"})
        call(row, "track", event=row["event"], properties=row["properties"])
    return out


def as_json(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_csv(path: Path, rows: list[dict], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path: Path, rows: list[dict]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def as_gzip(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return packed


WRITERS = {
    "csv": lambda folder: as_csv(folder / "log.csv", flat(company()), ";"),
    "csv.gz": lambda folder: as_gzip(as_csv(folder / "log.csv", flat(company()))),
    "json": lambda folder: as_json(folder / "log.jsonl", flat(company())),
    "parquet": lambda folder: as_parquet(folder / "log.parquet", flat(company())),
    "posthog": lambda folder: as_json(folder / "log.jsonl", posthog(company())),
    "posthog-text": lambda folder: as_parquet(
        folder / "log.parquet",
        [row | {"properties": json.dumps(row["properties"])} for row in posthog(company())],
    ),
    "segment": lambda folder: as_json(folder / "log.jsonl", segment(company())),
}


def init(*files: Path | str, entity: str | None = None, out: Path) -> tuple[Run, list[str]]:
    told: list[str] = []
    names = tuple(str(file) for file in files)
    write_settings(names, out, entity=entity, force=True, say=told.append)
    return load(out), told


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_loads_and_asks_the_right_question(kind, tmp_path):
    run, _ = init(WRITERS[kind](tmp_path), out=tmp_path / "settings.yaml")
    asked = run.settings
    assert asked.entity == "account"
    assert asked.conversion.events == ("plan_upgraded",)
    assert asked.cohort.entered_by == ("signed_up",)
    catalogue = asked.features.events
    assert "report_created" in catalogue.value
    assert catalogue.team == ("invite_sent",)
    assert "limit_reached" in catalogue.upgrade
    named = {name for names in catalogue.model_dump().values() for name in names}
    assert not named & {"plan_upgraded", "invoice_paid", "$identify", "$groupidentify"}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_imports_without_a_bad_row_and_has_features(kind, tmp_path):
    run, told = init(WRITERS[kind](tmp_path), out=tmp_path / "settings.yaml")
    log = import_log(run.settings.data, run.base, tmp_path / "store", "account", threads=1)
    assert len(log.accounts) == ACCOUNTS
    assert pq.read_table(log.root / "quarantine.parquet").num_rows == 0
    features = build_catalogue(run.settings.features, log, "account", ("plan_upgraded",))
    names = {feature.name for feature in features}
    assert {"report_created_count_28d", "rows_sum_28d"} <= names
    rules = {rule.name: rule.feature for rule in run.settings.scorecard.rules}
    assert rules["5 or more invites sent"] == "invite_sent_count_life"
    assert {feature for feature in rules.values() if feature} <= names
    assert any("followed by 'invoice_paid' within 4 s in 100%" in line for line in told)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_columns_of_a_generic_file_are_told_by_name(kind, tmp_path):
    run, _ = init(WRITERS[kind](tmp_path), out=tmp_path / "settings.yaml")
    [source] = run.settings.data.sources
    assert source.columns.model_dump() == {
        "event": "action",
        "user": "userId",
        "account": "org_id",
        "time": "ts",
        "known_at": "received_at",
        "event_id": "event_id",
    }


def test_posthog_gives_its_group_its_traits_and_its_pricing_page(tmp_path):
    run, _ = init(WRITERS["posthog"](tmp_path), out=tmp_path / "settings.yaml")
    data = run.settings.data
    assert data.sources[0].account_group == "company"
    assert {name: one.of for name, one in data.attributes.items()} == {
        "employees": "account",
        "name": "account",
        "email": "user",
        "role": "user",
    }
    assert run.settings.features.attributes == {"employees": "fit"}
    assert run.settings.features.member_attributes == ("role",)
    [page] = data.derived_events
    assert (page.name, page.event) == ("pricing_viewed", "$pageview")
    assert page.where == {"$pathname": ("/pricing",)}


def test_segment_gives_its_traits_and_its_pricing_page(tmp_path):
    run, _ = init(WRITERS["segment"](tmp_path), out=tmp_path / "settings.yaml")
    data = run.settings.data
    assert {name: one.of for name, one in data.attributes.items()} == {
        "email": "user",
        "industry": "account",
    }
    assert [(page.name, page.event) for page in data.derived_events] == [
        ("pricing_viewed", "page_viewed")
    ]


def test_properties_that_only_buyers_carry_get_no_feature(tmp_path):
    run, _ = init(WRITERS["csv"](tmp_path), out=tmp_path / "settings.yaml")
    assert set(run.settings.data.properties) == {"rows", "channel"}
    assert "only on the conversion and what follows it, so of no use: 'amount'" in run.text


def test_the_scorecard_has_its_twenty_rules_whatever_the_data_can_feed(tmp_path):
    rows = [{"user_id": r["user"], "day": r["time"].date(), "event": r["event"]} for r in company()]
    run, _ = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    rules = {rule.name: rule.feature for rule in run.settings.scorecard.rules}
    assert len(rules) == 20
    assert rules["active daily"] == "any_event_active_days_7d"
    # Neither minutes in dates, nor teammates of users without an account.
    assert rules["sessions of 15 minutes or more"] is None
    assert rules["3 or more teammates"] is None


def test_the_order_of_rows_changes_nothing(tmp_path):
    rows = flat(company())
    one, _ = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    random.Random(3).shuffle(rows)
    two, _ = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    assert one.text == two.text


@pytest.mark.parametrize("given", ["{}/in/*.csv", "in/*.csv", "./in/*.csv"])
def test_paths_are_relative_to_the_settings_file_and_globs_stay(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = flat(company())
    (tmp_path / "in").mkdir()
    as_csv(tmp_path / "in" / "a.csv", rows[:600])
    as_csv(tmp_path / "in" / "b.csv", rows[600:])
    (tmp_path / "deep" / "down").mkdir(parents=True)
    run, told = init(given.format(tmp_path), out=tmp_path / "deep" / "down" / "settings.yaml")
    assert run.settings.data.sources[0].files == ("../../in/*.csv",)
    log = import_log(run.settings.data, run.base, tmp_path / "store", "account", threads=1)
    assert told[0].startswith(f"{log.n_events:,} events")


def test_files_of_two_layouts_become_two_sources(tmp_path):
    rows = flat(company())
    as_csv(tmp_path / "old.csv", rows[:600])
    as_json(tmp_path / "new.jsonl", rows[600:])
    run, _ = init(tmp_path / "old.csv", tmp_path / "new.jsonl", out=tmp_path / "settings.yaml")
    assert sorted(source.files for source in run.settings.data.sources) == [
        ("new.jsonl",),
        ("old.csv",),
    ]


@pytest.mark.parametrize(
    ("spell", "told"),
    [
        (lambda time: int(time.timestamp()), None),
        (lambda time: int(time.timestamp() * 1000), None),
        (lambda time: time.replace(tzinfo=None), "names no time zone: UTC is assumed"),
    ],
    ids=["seconds", "milliseconds", "naive"],
)
def test_times_are_read_however_they_are_spelled(spell, told, tmp_path):
    rows = [row | {"ts": spell(datetime.fromisoformat(row["ts"]))} for row in flat(company())]
    for row in rows:
        del row["received_at"]
    run, lines = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    [source] = run.settings.data.sources
    assert (source.columns.time, source.daily) == ("ts", False)
    assert lines[0].split(", ")[1] == f"2024-01-01 to {company()[-1]['time'].date()}"
    assert any(told in line for line in lines) if told else not any("zone" in x for x in lines)


def test_dates_without_a_time_of_day_are_daily(tmp_path):
    rows = [
        {"household_id": row["user"], "day": row["time"].date(), "event": row["event"]}
        for row in company()
    ]
    run, told = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    [source] = run.settings.data.sources
    assert (source.columns.time, source.columns.user, source.daily) == ("day", "household_id", True)
    assert run.settings.entity == "user"
    assert "No account was found in the events: users are scored." in told


def test_a_group_that_users_wander_between_is_no_account(tmp_path):
    rng = random.Random(1)
    rows = [row | {"org_id": rng.choice("ABCDEFGH")} for row in flat(company())]
    run, told = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    assert run.settings.entity == "user"
    assert run.settings.data.sources[0].columns.account is None
    assert any("users do not stay within one value of it" in line for line in told)


def test_a_file_of_one_kind_of_event_is_named_after_the_file(tmp_path):
    rows = [{"customer_id": row["user"], "ts": row["time"].isoformat()} for row in company()]
    run, _ = init(as_csv(tmp_path / "orders.csv", rows), out=tmp_path / "settings.yaml")
    [source] = run.settings.data.sources
    assert (source.event, source.columns.event) == ("orders", None)


def test_users_can_be_asked_for_where_there_are_accounts(tmp_path):
    out = tmp_path / "settings.yaml"
    run, _ = init(WRITERS["csv"](tmp_path), entity="user", out=out)
    assert run.settings.entity == "user"
    assert run.settings.conversion.events == ("plan_upgraded",)


def test_accounts_can_not_be_asked_for_where_there_are_none(tmp_path):
    rows = [{"user_id": r["user"], "time": r["time"], "event": r["event"]} for r in company()]
    with pytest.raises(SettingsError, match="no event names an account"):
        init(as_csv(tmp_path / "a.csv", rows), entity="account", out=tmp_path / "settings.yaml")


def without_purchase() -> list[dict]:
    """The company with a rare event that is no purchase by its name, and none that is."""
    renamed = {"plan_upgraded": "theme_changed"}
    rows = [row for row in company() if row["event"] != "invoice_paid"]
    return [row | {"event": renamed.get(row["event"], row["event"])} for row in rows]


def test_without_a_purchase_the_conversion_is_left_to_be_filled_in(tmp_path):
    out, told = tmp_path / "settings.yaml", []
    log = as_csv(tmp_path / "log.csv", flat(without_purchase()))
    write_settings((str(log),), out, entity=None, force=False, say=told.append)
    text = out.read_text(encoding="utf-8")
    assert "# PLEASE FILL IN: NO EVENT LOOKS LIKE A PURCHASE." in text
    assert "rare, but no purchase by its name: 'theme_changed': 10 of 30 accounts" in text
    assert any(line.startswith("PLEASE FILL IN: no event looks like a purchase") for line in told)
    assert "Name the conversion in it, then: make train" in told[-1]
    line = 1 + text.splitlines().index("  events: []")
    done = CliRunner().invoke(main, ["train", "--settings", str(out)])
    assert done.exit_code == 2
    told_so = f"settings.yaml:{line}: conversion.events: needs 1 or more entries, none given"
    assert told_so in done.stderr
    assert done.stderr.count("\n") == 1
    # With a name in its place the file is sound, and the sign-up is still the entry.
    out.write_text(text.replace("  events: []", "  events: [searched]"), encoding="utf-8")
    assert load(out).settings.cohort.entered_by == ("signed_up",)


@pytest.mark.parametrize("name", ["signed_up", "User Registered", "customer_signup", "new_account"])
def test_a_sign_up_is_never_taken_for_the_purchase(name, tmp_path):
    # Rare, once each, and billed at once: all that speaks for a purchase but its name.
    rows = [row for row in company() if row["event"] in ("searched", "report_created")]
    for account in range(0, ACCOUNTS, 3):
        begin = START + timedelta(days=account)
        for event, minute in ((name, 0), ("invoice_paid", 1)):
            rows.append(
                {
                    "time": begin + timedelta(minutes=minute),
                    "user": f"u{account}-0",
                    "account": f"acme {account}",
                    "event": event,
                    "properties": {},
                }
            )
    told: list[str] = []
    log = as_csv(tmp_path / "log.csv", flat(rows))
    write_settings((str(log),), tmp_path / "s.yaml", entity=None, force=False, say=told.append)
    assert load(tmp_path / "s.yaml").settings.conversion.events == ("invoice_paid",)
    assert not any(name in line for line in told if line.startswith(("Conversion", "Less likely")))


@pytest.mark.parametrize(("buyers", "warned"), [(1, True), (14, True), (15, False)])
def test_a_purchase_that_too_few_have_to_train_on_is_told(buyers, warned, tmp_path):
    rows = without_purchase()
    rows += [
        rows[0] | {"account": f"acme {account}", "user": f"u{account}-0", "event": "plan_upgraded"}
        for account in range(buyers)
    ]
    run, told = init(as_csv(tmp_path / "log.csv", flat(rows)), out=tmp_path / "settings.yaml")
    sentence = f"PLEASE CHECK: 'plan_upgraded' makes customers of only {buyers} of 30 accounts"
    assert any(line.startswith(sentence) for line in told) == warned
    assert (f"# {sentence}" in run.text) == warned


def visits(known_after: int) -> list[dict]:
    """Each account's first user looks at prices nine times before $identify, then so often."""
    out = posthog(company())
    for account in range(ACCOUNTS):
        user = f"u{account}-0"
        begin = START + timedelta(days=account)
        for i in range(9 + known_after):
            before = i < 9
            out.append(
                {
                    "event": "$pageview",
                    "distinct_id": f"anon-{user}" if before else user,
                    "timestamp": (begin + timedelta(hours=-1 if before else i)).isoformat(),
                    "properties": {"$pathname": "/pricing", "$device_id": f"anon-{user}"},
                }
            )
    return out


def test_prices_looked_at_before_sign_up_are_no_signal(tmp_path):
    run, _ = init(as_json(tmp_path / "a.jsonl", visits(0)), out=tmp_path / "a.yaml")
    assert run.settings.signals.pricing == ()
    assert "Left out of `pricing`, as most of it comes before sign-up" in run.text
    assert "# pricing:" not in run.text
    assert "No event looks like: pricing" not in run.text
    # The page keeps its name: it is a feature all the same.
    assert "pricing_viewed" in run.settings.features.events.upgrade
    run, _ = init(as_json(tmp_path / "b.jsonl", visits(20)), out=tmp_path / "b.yaml")
    assert run.settings.signals.pricing == ("pricing_viewed",)
    assert rule(run, "pricing page viewed") == "pricing_viewed_count_28d"


def rule(run: Run, name: str) -> str | None:
    """The feature that a rule of the scorecard reads."""
    (found,) = [one for one in run.settings.scorecard.rules if one.name == name]
    return found.feature


def test_a_rule_on_what_comes_before_sign_up_is_a_comment_with_the_reason(tmp_path):
    run, _ = init(as_json(tmp_path / "a.jsonl", visits(0)), out=tmp_path / "a.yaml")
    names = [one.name for one in run.settings.scorecard.rules]
    assert len(names) == 19
    assert "pricing page viewed" not in names
    assert "    # left out: most of 'pricing_viewed' comes before sign-up (" in run.text
    text = uncommented(run.text, "- {name: pricing page viewed")
    again = parse(text, "a.yaml")
    (added,) = [one for one in again.scorecard.rules if one.name not in names]
    assert added.feature == "pricing_viewed_count_28d"


@pytest.mark.parametrize(("hours", "written"), [(1, False), (24 * 30, True)])
def test_a_rule_on_what_all_have_from_their_first_day_on_is_a_comment(hours, written, tmp_path):
    rows = company()
    begun = {row["account"]: row for row in rows if row["event"] == "signed_up"}
    rows += [
        row | {"event": "workspace_setup", "time": row["time"] + timedelta(hours=hours)}
        for row in begun.values()
    ]
    run, _ = init(as_csv(tmp_path / "log.csv", flat(rows)), out=tmp_path / "settings.yaml")
    names = [one.name for one in run.settings.scorecard.rules]
    assert ("workspace set up" in names) == written
    reason = "# left out: nearly all accounts have 'workspace_setup' from their first day on"
    assert (reason in run.text) != written


def uncommented(text: str, first: str) -> str:
    """The text after taking ``# `` away from the line that begins so, and from those under it."""
    lines = text.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.lstrip().startswith(f"# {first}")]
    indent = lines[at].index("#")
    end = at + 1
    while end < len(lines) and lines[end].startswith(" " * indent + "#  "):
        end += 1
    for i in range(at, end):
        lines[i] = lines[i].replace("# ", "", 1)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("money", [True, False])
def test_what_is_offered_as_a_comment_is_a_setting_without_its_hash(money, tmp_path):
    rows = posthog(without_purchase())
    for row in rows[: 0 if money else None]:
        if row["properties"].get("$pathname"):
            row["properties"]["$pathname"] = "/files/"
    rows += [
        row | {"properties": row["properties"] | {"$pathname": "/home"}}
        for row in rows
        if row["event"] == "$pageview"
    ]
    out, log = tmp_path / "settings.yaml", as_json(tmp_path / "log.jsonl", rows)
    write_settings((str(log),), out, entity=None, force=True, say=[].append)
    text = out.read_text(encoding="utf-8").replace("events: []", "events: [converted]", 1)
    offered = ["exclude:", "tables:", "conversions:"]
    offered += ["- {name: home_viewed"] if money else ["derived_events:"]
    for first in offered:
        text = uncommented(text, first)
    data = parse(text, "settings.yaml").data
    assert data.exclude.email_domains == ("your-company.com",)
    assert data.tables[0].columns == {"company_size": "number", "region": "category"}
    assert data.conversions.files == ("customers.csv",)
    views = {one.name for one in data.derived_events}
    assert views == (
        {"pricing_viewed", "home_viewed"} if money else {"files_viewed", "home_viewed"}
    )


def test_a_preset_that_fits_is_offered_as_two_lines(tmp_path):
    renamed = {
        "report_created": "dashboard_created",
        "searched": "report_shared",
        "invite_sent": "event_tracked",
    }
    rows = [row | {"event": renamed.get(row["event"], row["event"])} for row in company()]
    run, _ = init(as_csv(tmp_path / "log.csv", flat(rows)), out=tmp_path / "settings.yaml")
    text = uncommented(uncommented(run.text, "preset:"), "events: {")
    assert run.settings.scorecard.preset is None
    assert parse(text, "settings.yaml").scorecard.preset == "analytics"


def test_the_pages_that_most_users_viewed_are_listed_with_how_many(tmp_path):
    rows = posthog(company())
    users = {row["distinct_id"]: row for row in rows if row["event"] == "$identify"}
    for i, (user, row) in enumerate(sorted(users.items())):
        for n, path in enumerate([f"/p{k}" for k in range(12)]):
            if i >= 4 * n:
                properties = {"$pathname": path + "/" * (i % 2), "$groups": {"company": "acme 0"}}
                view = {"event": "$pageview", "distinct_id": user, "properties": properties}
                rows.append(row | view)
    # Seen often, by one person and by strangers: no page of the product.
    rows += [
        {
            "event": "$pageview",
            "distinct_id": f"d{i}" if i < 99 else "u0-0",
            "timestamp": START.isoformat(),
            "properties": {"$pathname": "/blog", "$device_id": f"d{i}"},
        }
        for i in range(200)
    ]
    run, _ = init(as_json(tmp_path / "log.jsonl", rows), out=tmp_path / "settings.yaml")
    listed = [line for line in run.text.splitlines() if "# - {name: p" in line]
    assert len(listed) == 8
    assert listed[0].strip() == (
        '# - {name: p0_viewed, event: $pageview, where: {$pathname: [/p0, "/p0/"]}} # 60 users'
    ).replace('"/p0/"', "/p0/")
    assert listed[7].endswith("# 32 users")
    assert "blog" not in run.text


def test_browsers_and_devices_get_no_feature_and_are_told(tmp_path):
    rng = random.Random(2)
    noise = ("browser", "os_version", "device_type", "screen_width", "lib")
    rows = [
        row
        | {name: rng.choice([1, 2, 3]) if "width" in name else rng.choice("abc") for name in noise}
        | {"device_count": rng.randrange(9), "$os": rng.choice(["Linux", "Mac"])}
        for row in flat(company())
    ]
    run, _ = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    assert set(run.settings.data.properties) == {"rows", "channel", "device_count"}
    (line,) = [line for line in run.text.splitlines() if "tell of browsers and devices" in line]
    assert all(repr(name) in line for name in (*noise, "$os"))


def imported_told(run: Run, store: Path, level: str) -> str:
    told: list[str] = []
    import_log(run.settings.data, run.base, store, level, threads=1, report=told.append)
    return "\n".join(told)


@pytest.mark.parametrize("entity", ["account", "user"])
def test_users_and_accounts_are_counted_as_the_import_counts_them(entity, tmp_path):
    rows = posthog(company())
    visit = {"event": "$pageview", "timestamp": START.isoformat()}
    for i in range(50):
        nobody = {"$device_id": f"d{i}", "$pathname": "/"}
        rows.append({**visit, "distinct_id": f"d{i}", "properties": nobody})
    # Somebody of whom nothing but bookkeeping is known.
    rows.append({**visit, "event": "$set", "distinct_id": "quiet", "properties": {"$set": {}}})
    log = as_json(tmp_path / "log.jsonl", rows)
    run, told = init(log, entity=entity, out=tmp_path / "settings.yaml")
    said = imported_told(run, tmp_path / "store", entity)
    users = 60 if entity == "account" else 110
    assert f"{users + 1} users, 30 accounts" in told[0]
    (counted,) = [line for line in told if line.startswith("An import counts")]
    assert f"An import counts {users} users and 30 accounts" in counted
    assert ("50 anonymous visitors were never identified" in counted) == (entity == "account")
    assert f"of 30 accounts and {users} users" in said


def test_a_trickle_at_the_end_is_cut_off_at_midnight(tmp_path):
    rows = []
    for hour in range(24 * 40):
        for user in range(3):
            moment = START + timedelta(hours=hour, minutes=user)
            rows.append({"user_id": f"u{user}", "time": moment.isoformat(), "event": "searched"})
    late = [START + timedelta(days=days) for days in (43, 55, 4000)]
    rows += [{"user_id": "u0", "time": t.isoformat(), "event": "searched"} for t in late]
    rows.append(rows[0] | {"event": "plan_upgraded"})
    run, _ = init(as_csv(tmp_path / "log.csv", rows), out=tmp_path / "settings.yaml")
    assert run.settings.data.until == "2024-02-10"
    assert run.settings.horizon_days == 7


def test_a_steady_log_is_not_cut_and_asks_for_two_weeks(tmp_path):
    run, _ = init(WRITERS["csv"](tmp_path), out=tmp_path / "settings.yaml")
    assert run.settings.data.until is None
    assert run.settings.horizon_days == 14


NASTY = [
    "no",
    "1e3",
    "a: b # c",
    'said "hi"',
    "back\\slash",
    "two\nlines",
    "tab\there",
    "наименование",
    "- dash",
    "{brace}",
    "*star",
    "&amp",
    "%percent",
    "😀",
    "null",
    "2024-01-01",
    "next\u0085line",
    "x" * 500,
]


def test_event_names_that_yaml_would_misread_survive(tmp_path):
    rows = flat(company())
    for i, name in enumerate(NASTY):
        rows += [rows[i] | {"action": name, "event_id": f"n{i}{k}"} for k in range(3)]
    run, told = init(as_parquet(tmp_path / "log.parquet", rows), out=tmp_path / "settings.yaml")
    named = {name for names in run.settings.features.events.model_dump().values() for name in names}
    assert set(NASTY) <= named
    assert all("\n" not in line.strip("\n") for line in told)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_reads_back_as_itself(value):
    again = YAML(typ="safe").load(f"key: [{text(value)}]\n{text('k' + value)}: 1\n")
    assert again == {"key": [value], "k" + value: 1}


def test_an_existing_file_is_kept_unless_forced(tmp_path):
    out = tmp_path / "settings.yaml"
    out.write_text("mine", encoding="utf-8")
    log = WRITERS["csv"](tmp_path)
    told = CliRunner().invoke(main, ["init", "--events", str(log), "--out", str(out)])
    assert (told.exit_code, out.read_text(encoding="utf-8")) == (2, "mine")
    assert "add --force" in told.stderr
    forced = ["init", "--events", str(log), "--out", str(out), "--force"]
    told = CliRunner().invoke(main, forced)
    assert told.exit_code == 0
    assert f"make train SETTINGS={out}" in told.stdout
    assert load(out).settings.entity == "account"


def test_a_gzip_that_ends_early_is_read_as_far_as_it_goes(tmp_path):
    whole = as_gzip(as_json(tmp_path / "log.jsonl", posthog(company())))
    whole.write_bytes(whole.read_bytes()[:-400])
    run, told = init(whole, out=tmp_path / "settings.yaml")
    assert run.settings.data.sources[0].files == ("log.jsonl.gz",)
    assert any("the gzip ends early" in line for line in told)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"user_id,event,time\n", "holds no readable event"),
        ("times.csv", b"user_id,event\nu1,login\n", "looks like a time"),
        ("ids.csv", b"event,time\nlogin,2024-01-01T00:00:00Z\n", "looks like a user or an account"),
        ("log.xlsx", b"PK", "Can't tell the format"),
        ("log.csv.gz", b"no gzip", "is not gzipped; name it 'log.csv'"),
        ("log.jsonl", b'[{"event": 1}]', "one object per line"),
        ("prose.jsonl", b"no json\nat all\n", "holds no readable event"),
        ("log.parquet", b"no parquet at all", "can't be read"),
        (
            "late.csv",
            b"user_id,event,time\nu1,a,1900-01-01T00:00:00Z\n",
            "None of the 1 rows can be used: 1 x time out",
        ),
    ],
)
def test_a_file_that_is_no_log_is_refused_in_one_sentence(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EventLogError, match=message) as error:
        init(tmp_path / name, out=tmp_path / "settings.yaml")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "settings.yaml").exists()


def test_rows_that_are_no_events_are_told_with_their_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = posthog(company())
    as_json(tmp_path / "events.jsonl", rows)
    bad = [{"key": str(i), "plan": "pro"} for i in range(103)]
    as_json(tmp_path / "more.jsonl", [*bad[:3], *rows[:1]])
    _, told = init(Path("*.jsonl"), out=tmp_path / "few.yaml")
    (line,) = [line for line in told if "can't be used" in line]
    assert line.startswith(
        f"3 of {len(rows) + 4:,} rows can't be used, in 'more.jsonl' (3): 3 x event name is "
        """missing. Example (event name is missing): '{"key": "0", "plan": "pro"}'."""
    )
    assert line.endswith(" They are left out.")
    as_json(tmp_path / "most.jsonl", [*bad, *rows[:1]])
    as_gzip(tmp_path / "most.jsonl")
    (tmp_path / "most.jsonl").unlink()
    packed = (tmp_path / "most.jsonl.gz").read_bytes()
    (tmp_path / "most.jsonl.gz").write_bytes(packed[:-9])
    _, told = init(Path("*.jsonl*"), out=tmp_path / "many.yaml")
    (line,) = [line for line in told if "can't be used" in line]
    assert line.startswith("PLEASE CHECK: ")
    assert "in 'most.jsonl.gz' (" in line
    assert "'more.jsonl' (3): " in line
    assert "More than 1% stop a training: mend the export, run init again without" in line
    (line,) = [line for line in told if "the gzip ends early" in line]
    assert "A training refuses it: bring the whole file" in line


def german(rows: list[dict], column: str, every: int) -> list[dict]:
    """The rows with the time of every so manieth written as 31.12.2024."""
    return [
        row | {column: datetime.fromisoformat(row[column]).strftime("%d.%m.%Y")}
        if i % every == 0
        else row
        for i, row in enumerate(rows)
    ]


READ = "A time is read as 2024-07-15, 2024-07-15 10:00:00, 2024-07-15T10:00:00Z, 20240715, or "


@pytest.mark.parametrize("write", [as_csv, as_json])
@pytest.mark.parametrize(("every", "share"), [(1, "1,000"), (10, "100")])
def test_a_column_of_dates_in_another_spelling_is_named_with_an_example(
    write, every, share, tmp_path
):
    rows = [{**row, "received_at": None} for row in german(flat(company()), "ts", every)]
    name = "log.csv" if write is as_csv else "log.jsonl"
    with pytest.raises(EventLogError) as error:
        init(write(tmp_path / name, rows), out=tmp_path / "settings.yaml")
    assert str(error.value).startswith(
        f"No column of '{name}' looks like a time: of the first 1,000 values of 'ts' {share} "
        f"can't be read, such as '01.01.2024'. {READ}"
    )


@pytest.mark.parametrize("write", [as_csv, as_json])
def test_a_few_dates_in_another_spelling_are_told_with_column_and_example(
    write, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rows = [{**row, "received_at": None} for row in german(flat(company()), "ts", 25)]
    name = "log.csv" if write is as_csv else "log.jsonl"
    _, told = init(write(tmp_path / name, rows), out=tmp_path / "settings.yaml")
    (line,) = [line for line in told if "can't be used" in line]
    n_bad = len(rows[::25])
    assert line.startswith(
        f"PLEASE CHECK: {n_bad} of {len(rows):,} rows can't be used, in '{name}' ({n_bad}): "
        f"{n_bad} x time is missing or can't be read. Example: 'ts' holds '"
    )
    assert READ in line
    assert ".2024'." in line


def test_a_posthog_export_of_dates_in_another_spelling_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = posthog(company())
    bad = as_json(tmp_path / "bad.jsonl", german(rows, "timestamp", 1))
    with pytest.raises(EventLogError) as error:
        init(bad, out=tmp_path / "settings.yaml")
    assert str(error.value).startswith(
        f"None of the {len(rows):,} rows can be used: {len(rows):,} x time is missing or can't be "
        f"read. Example: 'timestamp' holds '01.01.2024'. {READ}"
    )
    # Beside a good file it is no file without events.
    as_json(tmp_path / "good.jsonl", rows)
    run, told = init(Path("*.jsonl"), out=tmp_path / "settings.yaml")
    assert run.settings.data.sources[0].files == ("*.jsonl",)
    assert any("'timestamp' holds '01.01.2024'" in line for line in told)


PEOPLE = [
    {"id": f"p{i}", "created_at": START.isoformat(), "properties": '{"email": "a@b.co"}'}
    for i in range(400)
]


@pytest.mark.parametrize("write", [as_json, as_parquet])
@pytest.mark.parametrize("people", ["a_persons", "persons"], ids=["before", "behind"])
def test_people_beside_the_events_are_left_out_and_told(write, people, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [row | {"properties": json.dumps(row["properties"])} for row in posthog(company())]
    names = ("events-1", "events-2", people)
    for name, part in zip(names, (rows[:700], rows[700:], PEOPLE), strict=True):
        write(tmp_path / f"{name}.data", part)
        (tmp_path / f"{name}.data").rename(f"{name}.{'jsonl' if write is as_json else 'parquet'}")
    run, told = init(Path("*.*"), out=tmp_path / "settings.yaml")
    [source] = run.settings.data.sources
    assert [name.split(".")[0] for name in source.files] == ["events-1", "events-2"]
    assert source.account_group == "company"
    assert any("eft out, as no" in line and f"'{people}." in line for line in told)
    assert any("write a glob that leaves those out" in line for line in told)
    assert f"'{people}." in run.text
    assert "kept" in imported_told(run, tmp_path / "store", "account")
    # Whoever keeps the glob is refused, and told to narrow it.
    glob = {"files": ("*.jsonl" if write is as_json else "*.parquet",)}
    data = run.settings.data.model_copy(update={"sources": (source.model_copy(update=glob),)})
    with pytest.raises(EventLogError, match="narrower glob"):
        import_log(data, run.base, tmp_path / "other", "account", threads=1)


def test_a_file_without_event_names_counts_when_it_is_named_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    as_csv(tmp_path / "events.csv", flat(company()))
    orders = [{"org_id": f"acme {i % 9}", "ts": START.isoformat()} for i in range(20)]
    as_csv(tmp_path / "orders.csv", orders)
    run, told = init(Path("*.csv"), out=tmp_path / "a.yaml")
    assert [source.files for source in run.settings.data.sources] == [("events.csv",)]
    assert any(
        line.startswith("PLEASE CHECK: left out, as no column is called event: 'orders.csv'")
        for line in told
    )
    run, _ = init(Path("events.csv"), Path("orders.csv"), out=tmp_path / "b.yaml")
    assert {source.event for source in run.settings.data.sources} == {None, "orders"}


def test_a_file_that_is_named_itself_and_holds_no_events_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    as_csv(tmp_path / "events.csv", flat(company()))
    as_csv(tmp_path / "people.csv", [{"id": "p1", "plan": "pro"}])
    with pytest.raises(EventLogError, match=r"No column of 'people\.csv' looks like a time"):
        init(Path("events.csv"), Path("people.csv"), out=tmp_path / "a.yaml")


def test_files_are_named_from_here_and_a_folder_among_them_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "d.csv").mkdir(parents=True)
    as_csv(tmp_path / "in" / "events.csv", flat(company()))
    _, told = init(Path("in/*.csv"), out=tmp_path / "settings.yaml")
    assert any(line.startswith("skipped 1 folder") and "'in/d.csv'" in line for line in told)
    (tmp_path / "in" / "broken.csv").write_text("a,a\n1,2\n")
    with pytest.raises(EventLogError, match=r"^The header of 'in/broken\.csv' has"):
        init(Path("in/*.csv"), out=tmp_path / "other.yaml")


def test_a_file_that_is_not_there_is_named_with_the_nearest(tmp_path):
    as_csv(tmp_path / "events.csv", flat(company()))
    with pytest.raises(EventLogError, match=r"Did you mean 'events\.csv'"):
        init(tmp_path / "event.csv", out=tmp_path / "settings.yaml")


@pytest.mark.hedgebox
@pytest.mark.skipif(not HEDGEBOX.exists(), reason=f"third-party data not here: {HEDGEBOX}")
def test_hedgebox_is_understood(tmp_path):
    run, told = init(HEDGEBOX, out=tmp_path / "settings.yaml")
    asked = run.settings
    assert asked.entity == "account"
    assert asked.conversion.events == ("upgraded_plan",)
    assert asked.cohort.entered_by == ("signed_up",)
    pages = {page.name: page.where for page in asked.data.derived_events}
    assert pages["pricing_viewed"] == {"$pathname": ("/pricing/",)}
    assert "paid_bill" not in str(asked.features.events)
    assert "pricing page viewed" not in [one.name for one in asked.scorecard.rules]
    assert "- {name: files_viewed, event: $pageview, where: {$pathname: [/files/]}}" in run.text
    assert asked.data.until == "2024-07-02"
    assert any("645 of 2,377 accounts" in line and "'paid_bill'" in line for line in told)
