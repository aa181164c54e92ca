"""A real product's log: clean as it is used, and what its file of final states would do."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from features.labels import find_conversions
from pipeline.settings import load
from pipeline.train import import_events
from tests.conftest import replaced
from tests.leaks.worlds import audit_settings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "examples" / "hedgebox" / "settings.yaml"
DATA = ROOT / "data" / "hedgebox"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.hedgebox,
    pytest.mark.skipif(
        not (DATA / "groups.jsonl.gz").is_file(), reason="the hedgebox data is not here"
    ),
]
STATIC = "static: true, columns: "


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """The separate file of groups: id, plan and storage of every account."""
    folder = tmp_path_factory.mktemp("hedgebox")
    with gzip.open(DATA / "groups.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    table = [(row["group_key"], row["properties"]) for row in rows]
    _write(
        folder / "groups.csv",
        ("account", "plan", "end_mb"),
        [(name, facts["plan"], facts["used_mb"]) for name, facts in table],
    )
    return folder


@pytest.fixture(scope="module")
def path(groups):
    """Settings that read the groups file, and one with everybody's plan at the end."""
    text = SETTINGS.read_text().replace("../../data/hedgebox/events", f"{DATA}/events")
    tables = "".join(
        f"    - {{of: account, files: [{groups}/{file}.csv], id: account, {STATIC}{columns}}}\n"
        for file, columns in (
            ("groups", "{plan: category, end_mb: number}"),
            ("final", "{final_plan: category}"),
        )
    )
    text = replaced(
        text, "  attributes:\n    industry:", f"  tables:\n{tables}  attributes:\n    industry:"
    )
    text = replaced(
        text,
        "attributes: {industry: fit, used_mb: value}",
        "attributes: {industry: fit, used_mb: value, plan: fit, end_mb: fit, final_plan: fit}",
    )
    text = replaced(text, "store: ../../data/hedgebox", f"store: {groups}/store")
    path = groups / "settings.yaml"
    path.write_text(text + "\ncompute: {threads: 1}\n")
    _write_final_plans(groups, path)
    return path


def _write_final_plans(folder: Path, path: Path) -> None:
    """What a CRM export of the last day would say: whoever has upgraded is on a paid plan."""
    (folder / "final.csv").write_text("account,final_plan\n")
    run = load(path)
    log = import_events(run, lambda _: None)
    upgraded = find_conversions(log, "account", run.settings.conversion).occurred_at < log.data_end
    plans = [(name, "paid" if paid else "free")
             for name, paid in zip(log.ids("account"), upgraded, strict=True)]  # fmt: skip
    _write(folder / "final.csv", ("account", "final_plan"), plans)


def _write(path: Path, names: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


@pytest.fixture(scope="module")
def found(path):
    return audit_settings(path)


def test_the_plan_at_the_end_is_the_only_alarm(found):
    assert [(one.severity, one.name) for one in found.alarms] == [("fail", "final_plan")]
    assert not found.passed
    assert found.missed == ()


def test_the_bill_that_is_paid_within_a_second_is_told(found):
    bill = next(one for one in found.findings if one.name == "paid_bill")
    assert bill.severity == "told"
    assert "within 10 seconds after" in bill.evidence


def test_facts_without_history_that_know_nothing_are_told(found):
    """The groups file holds each account's state when it was made, not after the upgrade."""
    told = {one.name for one in found.findings if "no history" in one.evidence}
    assert {"plan", "end_mb"} <= told
