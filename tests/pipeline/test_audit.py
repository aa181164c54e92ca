"""The audit of a run: what it says, what it accepts, and when it refuses."""

import json

import pytest

from features.errors import FeatureLeak
from models.leakage.finding import Audit, Check, Finding, Planted
from models.leakage.origin import Origin
from models.leakage.spec import AuditSpec
from pipeline.audit import refuse_leaks
from pipeline.report.audit import audit_section, finding_rows
from tests.browser.reader import read_sections
from tests.leaks.worlds import audit_settings


def finding(severity="fail", name="charged", kind="event"):
    origin = Origin(kind, name)
    return Finding("event time", severity, origin, "40 of 40 have it.", origin.remedy)


def audit(*findings, caught=True, **more):
    planted = (Planted("a leak of ours", caught),)
    return Audit((Check("event time", "9 events", tuple(findings), planted),), **more)


def test_a_leak_refuses_with_its_name_evidence_and_setting():
    with pytest.raises(FeatureLeak) as refused:
        refuse_leaks(audit(finding()), AuditSpec())
    text = str(refused.value)
    assert "event 'charged'" in text
    assert "40 of 40 have it." in text
    assert "data.drop_events: [charged]" in text


def test_it_trains_nevertheless_where_the_settings_say_so():
    refuse_leaks(audit(finding()), AuditSpec(fail=False))


def test_an_accepted_finding_does_not_refuse_and_stays_visible():
    found = audit(finding(), allow=("charged",))
    assert found.passed
    assert found.alarms == ()
    assert finding_rows(found)[0][0] == "fail, accepted"


def test_accepting_one_leak_does_not_accept_another():
    found = audit(finding(), finding(name="other"), allow=("charged",))
    assert [one.name for one in found.refused_by] == ["other"]


def test_a_warning_refuses_only_where_the_audit_is_strict():
    assert audit(finding("warn")).passed
    assert not audit(finding("warn"), strict=True).passed
    assert audit(finding("told"), strict=True).passed


def test_an_audit_that_misses_its_own_leak_is_not_believed():
    found = audit(caught=False)
    with pytest.raises(FeatureLeak, match=r"can't be trusted.*'a leak of ours'"):
        refuse_leaks(found, AuditSpec())


def test_a_name_that_is_accepted_without_need_is_told():
    found = audit(finding(), allow=("charged", "chargd"))
    assert found.unused_allowances == ("chargd",)
    assert "'chargd'" in read_sections(audit_section(found)).text


def test_the_section_shows_the_gravest_first_and_what_was_looked_at():
    found = audit(finding("told", "a | b"), finding("warn", "w"), finding("fail", "f"))
    page = read_sections(audit_section(found))
    assert [row[1] for row in page.table("What leaks").rows] == ["event 'f'", "event 'w'"]
    assert [row[1] for row in page.table("No alarm").rows] == ["event 'a | b'"]
    checks = next(table for table in page.tables if "not believed" in table.caption)
    assert checks.rows == [["event time", "9 events", "1 of 1"]]


def test_the_section_of_a_blind_check_says_why():
    blind = Audit((Check("hidden hours", "", blind="3 rows; something can be said from 20 on"),))
    assert "nothing can be said: 3 rows" in read_sections(audit_section(blind)).text
    assert blind.passed


def test_what_programs_get_is_json():
    told = json.loads(json.dumps(audit(finding()).as_dict()))
    assert told["passed"] is False
    assert told["findings"][0]["name"] == "charged"


SETTINGS = """\
name: shop
seed: 3
data:
  sources:
    - {format: generic, files: [events.csv], columns: {event: event, account: who, time: time}}
conversion: {events: [paid]}
horizon_days: 7
features:
  windows_days: [7, 28]
  trend_days: []
  events: {value: [opened, exported]}
evaluation: {folds: {min_positives: 2}}
compute: {threads: 1}
"""


@pytest.fixture
def shop(tmp_path):
    """Accounts that open the shop twice a week; every second one exports, then pays a day later."""
    lines = ["who,event,time"]
    for number in range(160):
        joined = number // 2 % 60
        days = range(joined, joined + 50, 3)
        lines += [f"a{number},opened,{_time(day, number)}" for day in days]
        if number % 2:
            pays = joined + 20 + number % 11
            lines.append(f"a{number},exported,{_time(pays - 3, number)}")
            lines.append(f"a{number},paid,{_time(pays, number)}")
    (tmp_path / "events.csv").write_text("\n".join(lines))
    path = tmp_path / "settings.yaml"
    path.write_text(SETTINGS)
    return path


def _time(day, number):
    return f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}T{9 + number % 8:02d}:{number % 60:02d}:00"


def test_a_deterministic_signal_is_named_until_it_is_accepted(shop):
    """Whoever exports pays three days later, without exception: a rule of nature or a leak."""
    found = audit_settings(shop)
    assert [(one.severity, one.name) for one in found.alarms] == [("fail", "exported")]
    shop.write_text(SETTINGS + "audit: {allow: [exported]}\n")
    accepted = audit_settings(shop)
    assert accepted.passed
    assert [one.evidence for one in accepted.findings] == [one.evidence for one in found.findings]
    assert audit_section(accepted) == audit_section(audit_settings(shop))
