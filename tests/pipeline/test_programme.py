"""Programme metrics: what the ledger flagged, what the CRM says, and the lists of mistakes."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from features.clock import to_us
from features.errors import SettingsError
from pipeline.cli import main
from pipeline.crm import CrmSpec, amounts_won, first_reached, read_stages
from pipeline.programme import Programme, programme
from pipeline.settings import Run, load, parse
from tests.conftest import shop_events, silent
from tests.pipeline.test_monitor import as_of, day, write_night

CRM = """\
id,phase,when,worth
user 000,Demo booked,2024-05-05,
user 000,Signed,2024-05-09T10:00:00+02:00,1200.50
user 001,Demo booked,2024-05-06,
user 001,Gone,2024-05-20,
user 002,Newsletter,2024-05-06,
nobody,Signed,2024-05-07,10
user 003,Sighed,2024-05-07,10
user 004,Signed,some day,10
user 005,Signed,2024-05-07,ten
user 006,Signed,2024-07-30,99
"""
SETTINGS = """\
crm:
  file: crm.csv
  entity: id
  stage: phase
  time: when
  amount: worth
  stages: {Demo booked: opportunity, Signed: won, Gone: lost, Newsletter: null}
monitor: {programme_by: [plan]}
"""


def spec_of(**changes) -> CrmSpec:
    stages = {"Demo booked": "opportunity", "Signed": "won", "Gone": "lost", "Newsletter": None}
    given = {"file": "crm.csv", "entity": "id", "stage": "phase", "time": "when",
             "amount": "worth", "stages": stages}  # fmt: skip
    return CrmSpec(**(given | changes))


@pytest.fixture
def stages_in(tmp_path):
    def read(text: str = CRM, before: str = "2024-07-01", **changes):
        (tmp_path / "crm.csv").write_text(text)
        known = {f"user {number:03d}" for number in range(7)}
        return read_stages(spec_of(**changes), tmp_path, known, to_us(before))

    return read


def test_unreadable_rows_go_to_quarantine_with_line_and_reason(stages_in):
    stages = stages_in()
    found = stages.quarantine[["line", "reason", "id"]].to_numpy().tolist()
    assert found == [
        [7, "unknown entity", "nobody"],
        [8, "unknown stage", "user 003"],
        [9, "time can't be read", "user 004"],
        [10, "amount is no number", "user 005"],
    ]
    assert sum(stages.reasons.values()) == 4
    assert stages.ignored == 1
    assert len(stages.entity) == 4


def test_a_row_that_stands_there_twice_counts_once_and_is_told(stages_in):
    twice = """\
id,phase,when,worth
user 000,Signed,2024-05-09,100
user 000,Signed,2024-05-09,100
user 000,Signed,2024-05-10,100
user 001,Newsletter,2024-05-09,
user 001,Newsletter,2024-05-09,
"""
    stages = stages_in(twice)
    assert stages.quarantine[["line", "reason"]].to_numpy().tolist() == [[3, "the same row again"]]
    assert (stages.amount.tolist(), stages.ignored) == ([100, 100], 2)
    less = stages_in("id,phase,when,worth\nuser 000,Signed,2024-05-09,-50\n")
    assert (less.reasons, len(less.amount)) == ({"amount is negative": 1}, 0)
    who = pd.Series(["user 000"]).to_numpy(object)
    assert amounts_won(stages, who, pd.Series([day(0)]).to_numpy()).tolist() == [200]


def test_a_stage_after_the_date_does_not_exist_and_a_zone_is_heeded(stages_in):
    won = {"2024-05-09T07:59:00": False, "2024-05-09T08:00:00": False, "2024-05-09T08:00:01": True}
    for before, known in won.items():
        stages = stages_in(before=before)
        assert ("won" in stages.stage[stages.entity == "user 000"]) == known
    assert "user 006" in stages_in(before="2024-08-01").entity


def test_only_stages_from_the_flag_on_count(stages_in):
    stages = stages_in()
    who = pd.Series(["user 001", "user 000"]).to_numpy(object)
    early = pd.Series([day(0), day(0)]).to_numpy()
    late = pd.Series([to_us("2024-05-07"), to_us("2024-05-10")]).to_numpy()
    never = 2**62
    assert first_reached(stages, who, "opportunity", early, never).tolist() == [
        to_us("2024-05-06"),
        to_us("2024-05-05"),
    ]
    assert first_reached(stages, who, "won", late, never).tolist() == [never, never]
    assert amounts_won(stages, who, early).tolist() == [0, 1200.5]
    assert amounts_won(stages, who, late).tolist() == [0, 0]


def test_a_missing_column_and_stages_without_won_are_refused(stages_in):
    with pytest.raises(SettingsError, match="no column 'phase'"):
        stages_in("id,stage,when,worth\n")
    text = "name: x\ncrm: {file: a.csv, stages: {a: lost}}\n"
    with pytest.raises(SettingsError, match="means won"):
        parse(text)


FLAGS = {
    60: {"user 000": "hot", "user 001": "warm", "user 002": "cold"},
    63: {"user 000": "critical", "user 001": "hot", "user 002": "cold"},
    66: {"user 003": "critical", "user 005": "cold"},
}


def copy_of(shop, folder: Path, until: int | None = None) -> Run:
    """The shop with stages, and a ledger of three nights."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(shop.folder / "users.csv", folder / "users.csv")
    events = pd.read_csv(shop.folder / "events.csv")
    crm = pd.read_csv(StringIO(CRM), dtype=str, keep_default_na=False)
    if until is not None:
        end = pd.Timestamp(day(until), unit="us")
        events = events[pd.to_datetime(events["time"]) < end + pd.Timedelta(days=1)]
        when = pd.to_datetime(crm["when"], utc=True, errors="coerce", format="ISO8601")
        crm = crm[~(when >= end.tz_localize("UTC"))]
    events.to_csv(folder / "events.csv", index=False)
    crm.to_csv(folder / "crm.csv", index=False)
    (folder / "settings.yaml").write_text(shop.run.text + SETTINGS)
    run = load(folder / "settings.yaml")
    for number, said in FLAGS.items():
        if until is None or number < until:
            told = {name: (tier, 0.2) for name, tier in said.items()}
            write_night(run.store, run.model_name, day(number), told)
    return run


@pytest.fixture(scope="module")
def counted_run(shop, tmp_path_factory) -> Run:
    return copy_of(shop, tmp_path_factory.mktemp("programme"))


@pytest.fixture(scope="module")
def found(counted_run) -> Programme:
    return programme(counted_run, silent, as_of=as_of(100))


def test_the_ledger_and_the_crm_are_counted_as_by_hand(found):
    one = found.metrics[0]
    assert (one.scored, one.pqls, one.lost, one.still_open) == (5, 3, 1, 1)
    assert one.to_opportunity is not None
    assert one.to_won is not None
    assert (one.to_opportunity.n, one.to_won.n, one.to_won.of) == (2, 1, 3)
    # User 000 is hot on 30 April, and signs at 8 o'clock UTC on 9 May.
    assert one.mean_days == pytest.approx(9 + 8 / 24)
    assert one.revenue_per_pql == pytest.approx(1200.5 / 3)
    tiers = {m.group: m.pqls for m in found.metrics if m.by == "tier"}
    assert tiers == {"critical": 1, "hot": 2}
    plans = {m.group: m.scored for m in found.metrics if m.by == "plan"}
    assert plans == {"free": 3, "trial": 2}
    assert found.quarantined == {
        "amount is no number": 1,
        "time can't be read": 1,
        "unknown entity": 1,
        "unknown stage": 1,
    }


def test_a_look_with_backfilled_scores_has_lists_of_its_own_and_none_of_another_run(counted_run):
    one = programme(counted_run, silent, as_of=as_of(99))
    stale = one.files[0].parent / "of_another_run.csv"
    stale.write_text("")
    before = {path: path.read_bytes() for path in one.files}
    other = programme(counted_run, silent, as_of=as_of(99), with_backfilled=True)
    assert not set(one.files) & set(other.files)
    again = programme(counted_run, silent, as_of=as_of(99))
    assert {path: path.read_bytes() for path in again.files} == before
    assert not stale.exists()


def test_who_was_flagged_in_vain_and_who_was_missed_are_listed_with_what_was_said(found):
    events = shop_events()
    paid = dict(events[events["event"] == "paid"].groupby("user")["time"].min())
    flagged = {"user 000": 60, "user 001": 63, "user 003": 66}

    def in_time(user: str) -> bool:
        return user in paid and day(flagged[user]) <= paid[user].value // 1000 < day(
            flagged[user] + 7
        )

    assert set(found.wasted["entity_id"]) == {user for user in flagged if not in_time(user)}
    assert set(found.wasted["reasons"]) <= {"was hot on that day", "was critical on that day"}
    begin, end = (pd.Timestamp(day(number), unit="us") for number in (60, 100))
    missed = {
        user
        for user, time in paid.items()
        if begin <= time < end
        and not (user in flagged and pd.Timestamp(day(flagged[user]), unit="us") <= time)
    }
    assert set(found.missed["entity_id"]) == missed
    assert len(missed) > 5
    assert (found.missed["converted_at"].diff().dropna() <= pd.Timedelta(0)).all()
    for path in found.files:
        assert path.is_file()
    table = pd.read_csv(next(p for p in found.files if p.stem == "false_negatives"))
    assert table["entity_id"].tolist() == found.missed["entity_id"].tolist()


def test_a_past_date_counts_the_same_after_later_data_arrived(shop, tmp_path):
    def count(run: Run) -> tuple[str, list[list]]:
        result = programme(run, silent, as_of=as_of(70))
        told = result.as_dict() | {"files": None, "late_dates": None}
        lists = [result.missed.astype(str), result.wasted.astype(str)]
        return json.dumps(told), [one.to_numpy().tolist() for one in lists]

    then = copy_of(shop, tmp_path / "then", until=70)
    told = count(then)
    later = copy_of(shop, tmp_path / "later")
    write_night(
        later.store, later.model_name, day(63), {"user 002": ("hot", 0.9)},
        scored_at=day(80),
    )  # fmt: skip
    write_night(
        later.store, later.model_name, day(64), {"user 002": ("hot", 0.9)},
        scored_at=day(80), backfill=True,
    )  # fmt: skip
    write_night(
        later.store, later.model_name, day(65), {"user 002": ("hot", 0.9)},
        scored_at=day(80), version=2,
    )  # fmt: skip
    assert count(later) == told
    after = programme(later, silent, as_of=as_of(90))
    assert (after.late, after.metrics[0].pqls) == (2, 3)
    filled = programme(later, silent, as_of=as_of(90), with_backfilled=True)
    assert (filled.late, filled.metrics[0].pqls) == (0, 4)


def test_dates_that_were_scored_long_after_are_told_and_counted_when_asked_for(shop, sibling):
    run = sibling(shop)
    for number in (60, 61):
        said = {"user 000": ("hot", 0.5)}
        write_night(run.store, run.model_name, day(number), said, scored_at=day(99))
    words = ["programme", "--settings", str(run.path), "--as-of", as_of(70)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 3, result.output
    told = " ".join(result.output.split())
    assert "2 scored dates left out: scores written more than 2 days after their date" in told
    assert "--backfilled counts them" in told
    filled = CliRunner().invoke(main, [*words, "--backfilled", "--json"])
    assert (filled.exit_code, json.loads(filled.stdout)["late_dates"]) == (0, 0)


def test_who_had_bought_before_the_flag_is_neither_pql_nor_mistake(shop, tmp_path):
    """It bought on day 1, that was known on day 9, and it was flagged on day 2."""
    run = sibling_with_late_purchases(shop, tmp_path)
    for number, tiers in ((60, "cold cold cold"), (62, "cold hot hot")):
        said = {f"late {at}": (tier, 0.5) for at, tier in enumerate(tiers.split())}
        write_night(run.store, run.model_name, day(number), said)
    found = programme(run, silent, as_of=as_of(72))
    one = found.metrics[0]
    # The first was never flagged, the second flagged after its purchase, the third before.
    assert (one.scored, one.pqls, one.still_open) == (3, 1, 0)
    assert (one.to_won.n, one.to_won.of) == (1, 1)
    assert not set(found.wasted["entity_id"]) & {"late 0", "late 1", "late 2"}
    missed = set(found.missed["entity_id"])
    assert {name in missed for name in ("late 1", "late 2")} == {False}
    assert "late 0" in missed


def sibling_with_late_purchases(shop, folder: Path) -> Run:
    """The shop, and three users who pay on days 61, 61 and 63, known on day 69."""
    shutil.copyfile(shop.folder / "users.csv", folder / "users.csv")
    events = pd.read_csv(shop.folder / "events.csv").assign(known=lambda table: table["time"])
    rows = []
    for number, paid in enumerate((61, 61, 63)):
        for name, happened, known in (("opened", 50, 50), ("paid", paid, 69)):
            times = [str(pd.Timestamp(day(at), unit="us")) for at in (happened, known)]
            rows.append([name, f"late {number}", f"team l{number}", *times])
    late = pd.DataFrame(rows, columns=["event", "user", "team", "time", "known"])
    pd.concat([events, late]).to_csv(folder / "events.csv", index=False)
    text = shop.run.text.replace("time: time}", "time: time, known_at: known}")
    (folder / "settings.yaml").write_text(text)
    return load(folder / "settings.yaml")


def test_without_a_crm_table_conversions_of_the_log_stand_for_won(shop, tmp_path):
    run = copy_of(shop, tmp_path / "log")
    events = shop_events()
    user = events.loc[events["event"] == "paid", "user"].iloc[5]
    paid = events[(events["event"] == "paid") & (events["user"] == user)]["time"].iloc[0]
    number = (paid.value // 1000 - day(0)) // (24 * 3600 * 10**6) - 2
    run.path.write_text(shop.run.text)
    write_night(run.store, run.model_name, day(int(number)), {user: ("hot", 0.5)})
    found = programme(load(run.path), silent, as_of=None)
    one = next(m for m in found.metrics if m.group == "hot")
    assert one.to_won is not None
    assert one.to_won.n >= 1
    assert one.to_opportunity is None
    assert not found.with_crm


def test_an_empty_ledger_exits_3_and_says_what_to_do(shop, sibling):
    run = sibling(shop)
    result = CliRunner().invoke(main, ["programme", "--settings", str(run.path)])
    assert result.exit_code == 3, result.output
    assert "score some nights first" in " ".join(result.output.split())


def test_an_attribute_that_the_model_does_not_read_is_refused_by_name(shop, sibling):
    run = sibling(shop)
    run.path.write_text(run.text + "monitor: {programme_by: [plam]}\n")
    result = CliRunner().invoke(main, ["programme", "--settings", str(run.path)])
    assert result.exit_code == 2
    assert "'plam'" in result.output
    assert "'plan'" in result.output
