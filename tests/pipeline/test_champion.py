"""A registered model meets other data: what it reads and they lack is refused, with a list."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.errors import SchemaMismatch
from features.needs import filled
from pipeline.champion import COMMON, events_for, load_champion, refuse_other_data
from pipeline.predict import predict
from pipeline.settings import load
from pipeline.train import train
from tests.conftest import replaced

SELLER = (
    ("name: shop", "name: seller"),
    ("data:\n", "data:\n  properties: {amount: number, page: category}\n"),
    (
        "features:\n",
        "features:\n  properties: {page: {dimension: value}}\n"
        "  custom: {spent: {dimension: value, days: 28, sql: sum(amount)}}\n",
    ),
    ("value: [exported]", "value: [exported, sang]"),
    ("allow: [exported]", "allow: [exported, amount, page, spent]"),
)


def silent(_: str) -> None:
    """Where progress lines go."""


@pytest.fixture(scope="module")
def trained(shop, tmp_path_factory):
    """A shop with two properties and an SQL feature; its model is ``pql-seller``."""
    folder = tmp_path_factory.mktemp("seller")
    text = shop.run.path.read_text()
    for old, new in SELLER:
        text = replaced(text, old, new)
    (folder / "settings.yaml").write_text(text)
    shutil.copy(shop.folder / "users.csv", folder)
    events = pd.read_csv(shop.folder / "events.csv")
    opened = events["event"].eq("opened")
    amount = pd.Series(np.arange(len(events)) % 7 / 2.0).where(opened)
    page = pd.Series(np.where(np.arange(len(events)) % 2, "home", "price")).where(opened)
    song = pd.DataFrame(
        {"event": ["sang"], "user": ["user 001"], "team": ["team 00"], "time": ["2024-05-01"]}
    )
    events = pd.concat([events.assign(amount=amount, page=page), song])
    events.to_csv(folder / "events.csv", index=False)
    run = load(folder / "settings.yaml")
    train(run, silent)
    return run


@pytest.fixture
def seller(trained, tmp_path):
    """The seller's data and settings elsewhere, to be changed: same registry, other log."""
    for name in ("events.csv", "users.csv", "settings.yaml"):
        shutil.copy(trained.base / name, tmp_path)
    return load(tmp_path / "settings.yaml")


def changed(run, change):
    """The run with other events; `change` gets and returns the frame."""
    path = run.base / "events.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)
    return run


def differences(run) -> list[str]:
    with pytest.raises(SchemaMismatch) as refused:
        events_for(run, load_champion(run, "champion"), silent)
    return re.findall(r"^[-!] .*$", str(refused.value), re.M)


def with_settings(run, old, new):
    text = run.path.read_text()
    assert old in text
    run.path.write_text(text.replace(old, new))
    return load(run.path)


def test_whatever_data_lack_is_refused_at_once_with_every_difference(seller):
    champion = load_champion(seller, "champion")
    assert champion.events["exported"] > COMMON
    log = events_for(seller, champion, silent)
    assert champion.filled == filled(log)

    def strip(events):
        events = events[events["event"] != "exported"]
        return events.assign(page=None)

    run = with_settings(changed(seller, strip), "amount: number", "amount: category")
    run = with_settings(run, "plan: category", "other: category")
    users = run.base / "users.csv"
    pd.read_csv(users).rename(columns={"plan": "other"}).to_csv(users, index=False)
    assert differences(run) == [
        "! property 'amount' (number): these data have a category",
        "- attribute of the user 'plan' (category)",
        "- property 'page' (category): no row has a value",
        "- event 'exported'",
    ]


def test_a_conversion_or_an_entrance_that_never_happens_is_a_difference(seller):
    run = changed(seller, lambda events: events[~events["event"].isin(["paid", "opened"])])
    lines = differences(run)
    assert "- event 'opened'" in lines
    assert "- event 'paid'" in lines


def test_predict_refuses_other_data_and_writes_nothing(seller):
    run = changed(seller, lambda events: events.assign(event=events["event"].str.upper()))
    with pytest.raises(SchemaMismatch, match=r"pql-seller version 1 reads"):
        predict(run, silent, as_of=None, model="champion", now=None)
    assert not (run.store / "scores").exists()


def test_an_sql_feature_is_the_models_whatever_the_settings_text_is_today(seller):
    before = predict(seller, silent, as_of="2024-06-20", model="champion", now=None).scores
    run = with_settings(seller, "sql: sum(amount)", "sql: count(page)")
    sql = {one.sql for one in load_champion(run, "champion").model.features}
    assert "sum(amount)" in sql
    after = predict(run, silent, as_of="2024-06-20", model="champion", now=None).scores
    pd.testing.assert_frame_equal(before, after)


def test_a_rare_event_that_is_gone_is_told_and_counts_nothing(seller):
    assert 0 < load_champion(seller, "champion").events["sang"] < COMMON
    run = changed(seller, lambda events: events[events["event"] != "sang"])
    told: list[str] = []
    scores = predict(run, told.append, as_of="2024-06-20", model="champion", now=None).scores
    assert [line for line in told if "counts 'sang', which these data do not have" in line]
    assert len(scores) > 20


def test_a_model_without_a_record_of_its_data_is_refused_only_what_it_cannot_compute(shop):
    """As models were before they kept one: an event that is gone counts as 0."""
    champion = load_champion(shop.run, "champion")
    log = events_for(shop.run, champion, silent)
    old = replace(champion, events={}, filled=frozenset())
    refuse_other_data(old, log, silent)
