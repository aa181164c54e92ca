"""Two worlds trained once a session: the demo company (accounts), and a small shop (users)."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from features.events import EventLog, Level
from pipeline.cli import main
from pipeline.demo import make_demo
from pipeline.findings import Training
from pipeline.importer.frame import import_frame
from pipeline.predict import Prediction, predict
from pipeline.settings import Run, load
from pipeline.train import train

# Its snapshots fall on the Mondays that the true probabilities are written for.
DEMO_DAYS = 274
SHOP = """\
name: shop
seed: 3
entity: user
data:
  sources:
    - format: generic
      files: [events.csv]
      columns: {event: event, user: user, account: team, time: time}
  tables:
    - {of: user, files: [users.csv], id: user, static: true, columns: {plan: category}}
conversion: {events: [paid]}
horizon_days: 7
cohort: {entered_by: [opened]}
features:
  windows_days: [7, 28]
  trend_days: [7]
  events: {engagement: [opened], value: [exported]}
  attributes: {plan: fit}
model:
  similarity: {enabled: false}
  learner: booster
  booster: {max_rounds: 20, num_leaves: 4, weight: 1.0, seeds: 1}
  calibration: {method: shift}
scorecard:
  rules:
    - {name: exports, dimension: value, points: 60, feature: exported_count_7d, at_least: 2}
    - {name: big budget, dimension: fit, points: 10}
evaluation: {n_bootstrap: 20}
audit: {allow: [exported]}           # whoever exports here pays: it looks like a leak
"""
ONE_THREAD = "compute: {threads: 1}\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (-n 2 --dist loadgroup) one of them trains the shared worlds."""
    for item in items:
        if {"demo", "shop"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("trained worlds"))


@dataclass(frozen=True)
class World:
    """A folder of events with its settings, and the training that made its champion."""

    run: Run
    training: Training

    @property
    def folder(self) -> Path:
        return self.run.base


def silent(_: str) -> None:
    """Where progress lines go."""


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory) -> str:
    """One SQLite store for every world: making its tables takes MLflow seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def demo(tmp_path_factory, mlflow_store) -> World:
    """The demo company, smaller and with a shorter booster; its model is ``pql-demo``."""
    path = make_demo(
        tmp_path_factory.mktemp("demo"), accounts=1200, days=DEMO_DAYS, seed=7, say=silent
    )
    text = replaced(path.read_text(), "n_bootstrap: 500", "n_bootstrap: 50")
    text = replaced(text, "model:\n", "model:\n  booster: {max_rounds: 80, num_leaves: 7}\n")
    path.write_text(f"{text}\nmlflow: {{tracking_uri: '{mlflow_store}'}}\n{ONE_THREAD}")
    run = load(path)
    return World(run, train(run, silent))


@pytest.fixture(scope="session")
def shop(tmp_path_factory, mlflow_store) -> World:
    """Users who export twice before they pay; trains in a second. Its model is ``pql-shop``."""
    folder = tmp_path_factory.mktemp("shop")
    events = shop_events()
    events.to_csv(folder / "events.csv", index=False)
    users = sorted(events["user"].unique())
    plan = ["free" if at % 2 else "trial" for at in range(len(users))]
    pd.DataFrame({"user": users, "plan": plan}).to_csv(folder / "users.csv", index=False)
    path = folder / "settings.yaml"
    path.write_text(f"{SHOP}mlflow: {{tracking_uri: '{mlflow_store}'}}\n{ONE_THREAD}")
    run = load(path)
    return World(run, train(run, silent))


@pytest.fixture(scope="session")
def retrained(demo) -> Result:
    """The demo company trained a second time with the same settings, by the command line."""
    return CliRunner().invoke(main, ["train", "--json", "--settings", str(demo.run.path)])


@pytest.fixture(scope="session")
def scored(demo) -> Prediction:
    """Everyone in the demo company, scored by version 1 as of the newest complete day."""
    return predict(demo.run, silent, as_of=None, model="1", now=None)


@pytest.fixture
def sibling(tmp_path) -> Callable[..., Run]:
    """A function that copies a world's data to another folder: same registry, other log."""

    def copy(world: World, *changes: tuple[str, str]) -> Run:
        folder = tmp_path / "sibling"
        shutil.copytree(world.folder, folder, ignore=shutil.ignore_patterns("store", "data"))
        path = folder / "settings.yaml"
        text = path.read_text()
        for old, new in changes:
            text = replaced(text, old, new)
        path.write_text(text)
        return load(path)

    return copy


@pytest.fixture
def log_of(tmp_path) -> Callable[..., EventLog]:
    """A function from a text table to an imported log.

    Columns: ``who`` (the entity, at the level asked for), ``event``, ``time``, and optionally
    ``known`` and more names, which become properties.
    """

    def build(table: str, level: Level = "account") -> EventLog:
        names, *rows = [
            [cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()
        ]
        frame = pd.DataFrame(rows, columns=names)
        frame = frame.rename(columns={"who": f"{level}_id", "known": "known_at"})
        return import_frame(frame, tmp_path / "log", level)

    return build


def replaced(text: str, old: str, new: str) -> str:
    """`text` with its only `old` replaced: a change that does nothing would test nothing."""
    assert len(re.findall(re.escape(old), text)) == 1, f"{old!r} is not in the text once"
    return text.replace(old, new)


def shop_events(users: int = 180, days: int = 130) -> pd.DataFrame:
    """Everyone opens the shop now and then; every third user exports twice, then pays.

    The day before it all begins somebody visits, and has not entered yet.
    """
    rng = np.random.default_rng(5)
    rows = [(0, "visited", -1)]
    for number in range(users):
        joined = int(rng.integers(0, days - 20))
        seen = np.unique(rng.integers(joined, min(joined + 40, days), 12))
        rows += [(number, "opened", day) for day in seen]
        if number % 3 == 0:
            pays = joined + int(rng.integers(6, 16))
            rows += [(number, "exported", pays - back) for back in (1, 4)]
            rows.append((number, "paid", pays))
    frame = pd.DataFrame(rows, columns=["number", "event", "day"])
    hours = pd.to_timedelta(frame["day"] * 24 + 9, unit="h")
    return pd.DataFrame(
        {
            "event": frame["event"],
            "user": [f"user {number:03d}" for number in frame["number"]],
            "team": [f"team {number // 2:02d}" for number in frame["number"]],
            "time": pd.Timestamp("2024-03-01") + hours,
        }
    )
