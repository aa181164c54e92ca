"""Leaks planted into raw files are caught and named, with the setting that removes them."""

import numpy as np
import pandas as pd
import pytest

from tests.leaks.worlds import DAY, HOUR, SECOND, Company, Leak, at, audit_company

READ_EVENT = "value: [report_created,"
TABLES = "# attributes with history: each row holds from its time on\n"


def _event(name: str) -> tuple[tuple[str, str], ...]:
    return ((READ_EVENT, f"value: [{name}, report_created,"),)


def _attribute(name: str, kind: str, when: str) -> tuple[tuple[str, str], ...]:
    table = (
        f"    - {{of: account, files: [world/facts.csv], id: account_id, {when}, "
        f"columns: {{{name}: {kind}}}}}\n"
    )
    return (
        (TABLES, TABLES + table),
        ("attributes: {employees", f"attributes: {{{name}: fit, employees"),
    )


def _onboarding(company: Company, rng: np.random.Generator) -> pd.DataFrame:
    """A call with the new customer, hours after the purchase."""
    buyers = company.buyers
    hours = rng.uniform(1, 40, len(buyers))
    return at(buyers["account_id"], "onboarding_call", buyers["converted"] + hours * HOUR)


def _payment(company: Company, rng: np.random.Generator) -> pd.DataFrame:
    """The payment provider's own record of the purchase, a second earlier."""
    buyers = company.buyers
    return at(buyers["account_id"], "card_charged", buyers["converted"] - SECOND)


def _deal_notes(company: Company, rng: np.random.Generator) -> pd.DataFrame:
    """Notes that sales enters when a deal is won, dated back over the weeks before."""
    buyers = company.buyers
    buyers = buyers.loc[buyers.index.repeat(rng.poisson(4, len(buyers)))]
    others = company.accounts.sample(40, random_state=1)
    won = at(
        buyers["account_id"],
        "deal_note_added",
        buyers["converted"] - rng.uniform(0.1, 14, len(buyers)) * DAY,
    )
    lost = at(others["account_id"], "deal_note_added", others["signed_up"] + 3 * DAY)
    return pd.concat([won, lost], ignore_index=True)


def _plan_at_the_end(company: Company, rng: np.random.Generator) -> pd.DataFrame:
    accounts = company.accounts
    paid = np.where(rng.random(len(accounts)) < 0.7, "team", "business")
    plan = np.where(accounts["converted"].notna(), paid, "free")
    return pd.DataFrame({"account_id": accounts["account_id"], "plan": plan})


def _headcount_of_the_won(company: Company, rng: np.random.Generator) -> pd.DataFrame:
    """Researched when a deal is won, for others now and then; dated at the sign-up."""
    accounts = company.accounts
    known = rng.random(len(accounts)) < np.where(accounts["converted"].notna(), 0.97, 0.15)
    table = pd.DataFrame(
        {
            "account_id": accounts["account_id"],
            "since": accounts["signed_up"],
            "headcount": rng.integers(5, 900, len(accounts)),
        }
    )
    return table[known]


PLANTED = {
    "an event that follows the conversion": (
        Leak(events=_onboarding, settings=_event("onboarding_call")),
        ("event", "onboarding_call", "warn", "data.drop_events: [onboarding_call]"),
    ),
    "an event that follows a conversion dated too late": (
        Leak(settings=_event("invoice_paid"), late_days=9),
        ("event", "invoice_paid", "fail", "data.drop_events: [invoice_paid]"),
    ),
    "an event one second before the conversion": (
        Leak(events=_payment, settings=_event("card_charged")),
        ("event", "card_charged", "warn", "data.drop_events: [card_charged]"),
    ),
    "a count made from the outcome": (
        Leak(events=_deal_notes, settings=_event("deal_note_added")),
        ("event", "deal_note_added", "fail", "data.drop_events: [deal_note_added]"),
    ),
    "an attribute in its final state": (
        Leak(facts=_plan_at_the_end, settings=_attribute("plan", "category", "static: true")),
        ("attribute", "plan", "fail", "features.attributes"),
    ),
    "a firmographic filled in for those who converted": (
        Leak(
            facts=_headcount_of_the_won, settings=_attribute("headcount", "number", "time: since")
        ),
        ("attribute", "headcount", "fail", "features.attributes"),
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_leak_is_caught_and_named(planted, tmp_path):
    leak, (kind, name, severity, remedy) = PLANTED[planted]
    found = audit_company(tmp_path, seed=11, leak=leak)
    gravest = {finding.origin: finding for finding in reversed(found.alarms)}
    assert {(origin.kind, origin.name) for origin in gravest} == {(kind, name)}
    finding = next(iter(gravest.values()))
    assert finding.severity == severity
    assert remedy in finding.remedy
    assert f"audit.allow: [{name}]" in finding.remedy
    assert found.passed == (severity == "warn")


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_a_clean_company_raises_no_alarm(seed, tmp_path):
    found = audit_company(tmp_path, seed=seed)
    assert found.alarms == ()
    assert found.passed
    blind = {check.name for check in found.checks if check.blind}
    assert blind <= {"hidden hours"}, "a check that sees nothing raises no alarm either"
