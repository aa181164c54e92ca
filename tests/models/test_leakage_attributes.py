"""Facts that were filled in because of the outcome are told from facts that were known before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from features.clock import SECOND_US
from models.leakage.attributes import check_attributes
from models.leakage.two_by_two import Split, best_split
from tests.leaks.cases import START, Company, attribute_of, case_of

SIGN_UP = START // SECOND_US


def check(company, folder, rows, *, kind="category", static=False, read=True):
    """Write ``account,since,fact`` rows as a table, and audit with a feature of the fact."""
    folder.mkdir(exist_ok=True)
    (folder / "facts.csv").write_text("\n".join(["account,since,fact", *rows]))
    when = {"static": True} if static else {"time": "since"}
    table = {"of": "account", "files": ["facts.csv"], "id": "account", "columns": {"fact": kind}}
    log = company.log(folder, tables=[{**table, **when}])
    fact = attribute_of("fact", kind)
    other = attribute_of("unread")
    empty = lambda label, gap, entity, rng: [None] * len(label)  # noqa: E731
    found = check_attributes(case_of(log, {(fact if read else other): empty}))
    assert [one.caught for one in found.planted] == [True, True]
    return [(one.name, one.severity) for one in found.findings]


@pytest.fixture
def company():
    return Company()


def test_a_final_plan_without_history_is_the_outcome(company, tmp_path):
    plans = [
        f"{name},,{('team', 'pro')[int(name[1:]) % 2] if name in company.buyers else 'free'}"
        for name in company.names
    ]
    assert check(company, tmp_path, plans, static=True) == [("fact", "fail")]


def test_it_is_caught_where_a_quarter_converts_only_after_the_rows_end(company, tmp_path):
    """They have the final plan too, and are not yet known to have converted."""
    final = set(company.buyers) | set(company.names[40:50])
    plans = [f"{name},,{'pro' if name in final else 'free'}" for name in company.names]
    assert check(company, tmp_path, plans, static=True) == [("fact", "fail")]


def test_a_plan_with_history_set_by_the_purchase_is_innocent(company, tmp_path):
    plans = [f"{name},{SIGN_UP},free" for name in company.names]
    plans += [f"{name},{company.pays(name) // SECOND_US + 1},pro" for name in company.buyers]
    assert check(company, tmp_path, plans) == []


def test_a_plan_dated_back_to_the_sign_up_is_the_outcome(company, tmp_path):
    plans = [
        f"{name},{SIGN_UP},{'pro' if name in company.buyers else 'free'}" for name in company.names
    ]
    assert check(company, tmp_path, plans) == [("fact", "fail")]


def test_a_trial_that_everyone_needs_before_buying_is_innocent(company, tmp_path):
    """All buyers had it, and as many others: it comes before, and decides nothing."""
    on_trial = company.names[:100]
    rows = [f"{name},{SIGN_UP},{'trial' if name in on_trial else 'free'}" for name in company.names]
    assert check(company, tmp_path, rows) == []


def test_an_industry_is_only_told_where_its_table_has_no_history(company, tmp_path):
    rows = [f"{name},{SIGN_UP},{'abc'[int(name[1:]) % 3]}" for name in company.names]
    assert check(company, tmp_path / "dated", rows) == []
    assert check(company, tmp_path / "static", rows, static=True) == [("fact", "told")]


def test_a_headcount_found_out_for_buyers_and_dated_back_fails(company, tmp_path):
    known = company.buyers[:38] + company.names[40::12]
    rows = [f"{name},{SIGN_UP},{7 * int(name[1:]) % 90 + 5}" for name in known]
    assert check(company, tmp_path, rows, kind="number") == [("fact", "fail")]


def test_the_same_headcount_dated_when_it_was_found_out_is_innocent(company, tmp_path):
    rows = [
        f"{name},{company.pays(name) // SECOND_US + 3600},{7 * int(name[1:]) % 90 + 5}"
        for name in company.buyers
    ]
    rows += [f"{name},{SIGN_UP + 2_000_000},50" for name in company.names[40::12]]
    assert check(company, tmp_path, rows, kind="number") == []


def test_a_headcount_bought_for_some_regardless_is_innocent(company, tmp_path):
    rows = [f"{name},{SIGN_UP + 400_000},{int(name[1:])}" for name in company.names[::2]]
    assert check(company, tmp_path, rows, kind="number") == []


def test_a_number_that_only_buyers_have_in_excess_is_the_outcome(company, tmp_path):
    rows = [
        f"{name},,{1000 + int(name[1:]) if name in company.buyers else int(name[1:])}"
        for name in company.names
    ]
    assert check(company, tmp_path, rows, kind="number", static=True) == [("fact", "fail")]


def test_what_no_feature_reads_is_not_judged(company, tmp_path):
    rows = [f"{name},,{name in company.buyers}" for name in company.names]
    assert check(company, tmp_path, rows, static=True, read=False) == []


@pytest.mark.parametrize(("buyers", "others"), [(20, 20), (20, 400), (60, 20), (21, 60)])
def test_it_never_misses_its_own_leaks_where_it_claims_to_see(tmp_path, buyers, others):
    log = Company(n_buyers=buyers, n_others=others).log(tmp_path)
    found = check_attributes(case_of(log, {attribute_of("unread"): lambda *a: [None] * len(a[0])}))
    assert found.blind or [one.caught for one in found.planted] == [True, True]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(*(st.integers(1, 400) for _ in range(4)))
def test_the_odds_ratio_interval_is_woolfs(a, b, c, d):
    half = np.array([a, b, c, d]) + 0.5
    log_ratio = np.log(half[0] / half[1]) - np.log(half[2] / half[3])
    expected = log_ratio - norm.ppf(0.975) * np.sqrt(np.sum(1 / half))
    assert np.log(Split("", a, a + b, c, c + d).odds_low) == pytest.approx(expected, abs=1e-3)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 1000))
def test_a_strange_value_of_a_few_entities_is_no_split(seed):
    """Five buyers share a value that nobody else has; twenty are needed."""
    rng = np.random.default_rng(seed)
    outcome = rng.random(300) < 0.2
    value = rng.choice(["a", "b", "c"], 300).astype(object)
    value[np.flatnonzero(outcome)[:5]] = "rare"
    split = best_split(value, np.ones(300, bool), outcome, "category", 20)
    assert "rare" not in split.words
    assert split.n_inside >= 20
    assert split.n_outside >= 20
