"""What follows a conversion or belongs to it is found, and graded by who can see it."""

import numpy as np
import pytest

from features.clock import DAY_US, SECOND_US
from models.leakage.events import check_events
from tests.leaks.cases import Company, case_of, count_of

LOGIN = count_of("login")


def found(company, folder, *read, **more):
    """The findings of the check, by name."""
    features = dict.fromkeys((LOGIN, *read))
    check = check_events(case_of(company.log(folder), features, **more))
    assert all(one.caught for one in check.planted)
    assert len(check.planted) == 2
    return {finding.name: finding for finding in check.findings}


@pytest.fixture
def company():
    return Company()


def happening(company, names, event, seconds):
    return [(name, event, company.pays(name) + seconds * SECOND_US) for name in names]


def test_ordinary_events_are_not_mentioned(company, tmp_path):
    assert found(company, tmp_path) == {}


def test_an_event_a_second_before_every_conversion_is_part_of_it(company, tmp_path):
    company.events = happening(company, company.buyers, "charged", -1)
    finding = found(company, tmp_path, count_of("charged"))["charged"]
    assert finding.severity == "warn"
    assert "40 of 40 conversions" in finding.evidence
    assert "data.drop_events: [charged]" in finding.remedy


def test_it_fails_where_rows_lie_in_that_second(company, tmp_path):
    company.events = happening(company, company.buyers, "charged", -1)
    instants = [company.pays(name) - SECOND_US // 2 for name in company.buyers]
    finding = found(company, tmp_path, count_of("charged"), as_ofs=instants)["charged"]
    assert finding.severity == "fail"


def test_it_is_only_told_where_no_feature_reads_it(company, tmp_path):
    company.events = happening(company, company.buyers, "charged", -1)
    assert found(company, tmp_path)["charged"].severity == "told"


def test_a_page_that_others_open_too_is_no_part_of_the_conversion(company, tmp_path):
    """Everyone who buys opens it seconds before; as many open it and go away."""
    company.events = happening(company, company.buyers, "billing", -2)
    others = company.names[40:80]
    company.events += [(name, "billing", company.login(name, 20) + 90) for name in others]
    assert found(company, tmp_path, count_of("billing"))["billing"].severity == "told"


def test_an_event_hours_after_every_conversion_warns(company, tmp_path):
    company.events = happening(company, company.buyers, "welcomed", 7000)
    finding = found(company, tmp_path, count_of("welcomed"))["welcomed"]
    assert finding.severity == "warn"
    assert "only after" in finding.evidence


def test_an_event_that_half_of_its_accounts_had_before_is_innocent(company, tmp_path):
    company.events = happening(company, company.buyers, "exported", 7000)
    company.events += happening(company, company.buyers[:20], "exported", -500_000)
    assert "exported" not in found(company, tmp_path, count_of("exported"))


def test_few_accounts_prove_nothing(company, tmp_path):
    company.events = happening(company, company.buyers[:19], "welcomed", 7000)
    assert found(company, tmp_path, count_of("welcomed")) == {}


def test_nothing_after_the_last_horizon_is_looked_at(company, tmp_path):
    """Everyone has it in the end, long after the training rows' labels are known."""
    company.events = happening(company, company.buyers, "welcomed", 7000)
    before = found(company, tmp_path / "before", count_of("welcomed"), until_week=5)
    company.events += [(name, "welcomed", company.login(name, 34)) for name in company.names]
    after = found(company, tmp_path / "after", count_of("welcomed"), until_week=5)
    assert after == before


def test_a_plan_set_with_the_purchase_is_told_and_keeps_its_date(company, tmp_path):
    """Its history says when it was known, so no row before the purchase has it."""
    rows = [
        f"{name},{(company.pays(name) + SECOND_US) // SECOND_US},pro" for name in company.buyers
    ]
    (tmp_path / "plans.csv").write_text("\n".join(["account,since,plan", *rows]))
    table = {"of": "account", "files": ["plans.csv"], "id": "account", "time": "since"}
    log = company.log(tmp_path, tables=[{**table, "columns": {"plan": "category"}}])
    case = case_of(log, {LOGIN: None})
    assert [one.severity for one in check_events(case).findings] == ["told"]


def test_with_too_few_conversions_the_check_says_so(tmp_path):
    case = case_of(Company(n_buyers=19).log(tmp_path), {LOGIN: None})
    check = check_events(case)
    assert "19 conversions" in check.blind
    assert (check.findings, check.planted) == ((), ())


def test_the_time_of_day_does_not_matter(company, tmp_path):
    """All of it a third of a day later: gaps are what counts."""
    company.events = happening(company, company.buyers, "charged", -1)
    first = found(company, tmp_path / "a", count_of("charged"))["charged"]

    class Later(Company):
        def login(self, name, place):
            return super().login(name, place) + DAY_US // 3

    later = Later()
    later.events = happening(later, later.buyers, "charged", -1)
    second = found(later, tmp_path / "b", count_of("charged"))["charged"]
    assert (first.severity, first.origin) == (second.severity, second.origin)
    assert np.array_equal(first.evidence.split()[:4], second.evidence.split()[:4])
