"""Features as of the end of the data, for the one table that needs them."""

from pathlib import Path

import pytest

from features.clock import to_us
from models.judging.shortcuts import spread
from pipeline.dataset import Assembled, assemble
from pipeline.settings import Run, load
from pipeline.train import import_events
from pipeline.whole_history import whole_history

SETTINGS = """\
name: tiny
entity: user
data:
  sources: [{format: generic, files: [events.csv], columns: {event: event, user: user, time: time}}]
  until: 2024-03-01
conversion: {events: [paid]}
horizon_days: 7
features: {windows_days: [7], trend_days: [], events: {engagement: [login]}}
compute: {threads: 1}
"""
EVENTS = """\
event,user,time
login,ann,2024-01-01T10:00:00
login,ann,2024-01-09T10:00:00
paid,ann,2024-01-20T10:00:00
login,ann,2024-02-27T10:00:00
login,bob,2024-01-05T10:00:00
login,bob,2024-02-20T10:00:00
paid,dan,2024-01-03T10:00:00
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("tiny")
    (folder / "settings.yaml").write_text(SETTINGS)
    (folder / "events.csv").write_text(EVENTS)
    return load(folder / "settings.yaml")


@pytest.fixture(scope="module")
def data(run: Run) -> Assembled:
    return assemble(run, import_events(run, lambda _: None), lambda _: None)


def test_each_entity_of_rows_or_customers_has_one_row_at_the_end_of_the_data(
    run: Run, data: Assembled
) -> None:
    ends = whole_history(data, run.settings)
    assert ends.features == data.features
    assert set(data.dataset.matrix.snapshots.ids) == {"ann", "bob"}
    assert ends.snapshots.ids.tolist() == ["ann", "bob", "dan"]
    assert set(ends.snapshots.as_of) == {to_us("2024-03-01")}


def test_spread_over_the_rows_it_knows_what_came_after_each_of_them(
    run: Run, data: Assembled
) -> None:
    life = next(f for f in data.features if f.statistic == "count" and f.days is None and f.events)
    matrix = data.dataset.matrix
    wide = spread(whole_history(data, run.settings), matrix)
    ann = matrix.snapshots.ids == "ann"
    assert set(matrix.column(life.name)[ann]) == {2.0}
    assert set(wide.column(life.name)[ann]) == {3.0}
    assert (wide.snapshots.as_of == matrix.snapshots.as_of).all()
