"""What a training shows for reading: counts that add up, the same every time, safe as HTML."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.matrix import FeatureMatrix
from features.rich_html import Html, definition, escaped, foldout, table
from models.bundle import load_bundle
from models.judging.data_quality import data_quality
from pipeline import registry
from pipeline.dataset import assemble
from pipeline.insights import Insights, insights_of
from pipeline.settings import load
from pipeline.train import import_events
from tests.conftest import SHOP, shop_events, silent

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def judged(shop):
    """The shop's rows, folds and champion."""
    run = shop.run
    data = assemble(run, import_events(run, silent), silent)
    folds = {"test": data.dataset.take(shop.training.split.test)}
    model = load_bundle(registry.fetch(run, registry.find(run, "1")))
    return run, model, data, folds


@pytest.fixture(scope="module")
def insights(judged) -> Insights:
    return insights_of(*judged, seed=3)


class Page(HTMLParser):
    """Tags, attributes and the cells of tables."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.attributes, self.rows = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_insights_are_the_same_every_time_and_json_ready(judged, insights):
    text = json.dumps(insights.as_dict(), allow_nan=False)
    assert json.dumps(insights_of(*judged, seed=3).as_dict()) == text


def test_what_the_shop_s_model_leans_on_is_told(insights):
    first = insights.dependence[0]
    assert first.direction == "raises"
    assert "exported" in first.meaning
    assert 0.99 < sum(one.importance for one in insights.dependence) <= 1 + 1e-9


def test_mistakes_are_of_the_test_rows(judged, insights):
    _, _, _, folds = judged
    ids = set(folds["test"].matrix.snapshots.ids)
    told = [*insights.false_positives, *insights.false_negatives]
    assert {one.entity for one in told} <= ids
    together = sum(one.n + one.n_right for one in insights.differences)
    assert together == len(ids)


def test_quality_counts_are_those_of_the_files(shop, insights):
    events = pd.read_csv(shop.folder / "events.csv")
    quality = insights.quality
    assert (quality.rows_read, quality.events_used) == (len(events), len(events))
    assert (quality.accounts, quality.users) == (events["team"].nunique(), events["user"].nunique())
    assert (quality.late, quality.late_median_hours, quality.duplicates) == (0, None, 0)
    assert quality.static_attributes == ("user: plan",)
    assert "can leak: 'plan'" in quality.text


def test_late_duplicate_and_bad_rows_are_counted_where_they_lie(tmp_path):
    """The shop with ids and times of arrival: some rows late, twice, without a time or a team."""
    events = shop_events()
    events["id"] = [f"e{at}" for at in range(len(events))]
    delay = pd.Series(np.where(np.arange(len(events)) % 10 == 0, 30, 0.5))
    events["known"] = events["time"] + pd.to_timedelta(delay, unit="h")
    events["known"] = events["known"].clip(upper=events["time"].max())
    events["team"] = events["team"].where(np.arange(len(events)) % 4 > 0)
    late = events["known"] - events["time"]
    # A file has to hold one row that can be used.
    bad = pd.concat([events.head(3).assign(time="never", id="bad"), events.tail(1)])
    pd.concat([events, events.tail(7)]).to_csv(tmp_path / "events.csv", index=False)
    bad.to_csv(tmp_path / "more.csv", index=False)
    users = pd.DataFrame({"user": events["user"].unique(), "plan": "free"})
    users.to_csv(tmp_path / "users.csv", index=False)
    text = SHOP.replace("[events.csv]", "[events.csv, more.csv]")
    text = text.replace("time: time}", "time: time, known_at: known, event_id: id}")
    text = text.replace("  tables:", "  max_bad_share: 0.5\n  tables:")
    (tmp_path / "settings.yaml").write_text(text)
    run = load(tmp_path / "settings.yaml")
    log = import_events(run, silent)
    matrix = _matrix(log)
    quality = data_quality(log, matrix, tmp_path)
    hour = pd.Timedelta("1h")
    assert quality.late == (late > hour).sum()
    assert quality.late_median_hours == late[late > hour].median() / hour
    assert (quality.duplicates, quality.rows_read) == (8, len(events) + 11)
    assert quality.quarantined_by_source == {"more.csv": 3}
    assert sum(quality.quarantined.values()) == 3
    assert quality.constant == ("visited_count_1d",)
    assert [one.feature for one in quality.mostly_unknown] == ["exported_days_since_last"]
    unknown = np.isnan(matrix.column("exported_days_since_last")).mean()
    assert quality.mostly_unknown[0].share == pytest.approx(unknown)


def _matrix(log) -> FeatureMatrix:
    """Every user at one instant: one feature that nobody has, one that many lack."""
    from features.clock import to_us
    from features.engine import build_features
    from features.naming import define
    from features.snapshots import own_rows

    ids = log.ids("user")
    rows = own_rows(log, "user", ids, np.full(len(ids), to_us("2024-06-20")))
    wanted = [
        define("count", "value", "entity", "visited", ("visited",), 1),
        define("days_since_last", "value", "entity", "exported", ("exported",), None),
    ]
    return build_features(log, rows, wanted)


def test_a_matrix_shows_its_shape_and_at_most_ten_features(judged):
    _, _, data, _ = judged
    matrix = data.dataset.matrix
    page = Page(matrix._repr_html_())
    assert len(page.rows) <= 11
    names = {feature.name for feature in matrix.features}
    assert {row[2] for row in page.rows[1:]} <= names
    counts = [int(row[1]) for row in page.rows[1:] if row[1]]
    assert sum(counts) == len(matrix.features)
    assert f"{len(matrix):,} snapshots x {len(names)} features" in matrix._repr_html_()


def test_a_matrix_without_rows_or_without_values_is_shown(judged):
    _, _, data, _ = judged
    empty = data.dataset.matrix.take(np.zeros(0, np.int64))
    assert "0 snapshots" in empty._repr_html_()


def test_no_name_or_value_becomes_markup(judged):
    _, _, data, _ = judged
    matrix = data.dataset.matrix.take(np.arange(20))
    place = matrix.table.column_names.index("plan")
    table_ = matrix.table.set_column(place, "plan", pa.array([HOSTILE] * 20))
    features = tuple(replace(one, meaning=HOSTILE) for one in matrix.features)
    page = Page(FeatureMatrix(matrix.snapshots, features, table_)._repr_html_())
    assert "script" not in page.tags
    assert any(HOSTILE in cell for row in page.rows for cell in row)


def test_an_evaluation_shows_its_verdict_every_metric_and_what_they_mean(shop):
    evaluation = shop.training.evaluation
    text = evaluation._repr_html_()
    page = Page(text)
    assert evaluation.verdict in text
    assert len(page.rows) == 1 + evaluation.table["metric"].nunique()
    model = evaluation.table[evaluation.table["contender"] == "model"]
    shown = [float(row[1].replace(",", "")) for row in page.rows[1:]]
    assert shown == pytest.approx(model["value"].tolist(), rel=5e-3)
    titles = [value for name, value in page.attributes if name == "title"]
    assert len(titles) == len(shown)
    assert "details" in page.tags


def test_rich_html_needs_nothing_from_outside(shop, judged):
    for shown in (shop.training.evaluation, judged[2].dataset.matrix):
        page = Page(shown._repr_html_())
        assert not {"script", "link", "img", "iframe"} & set(page.tags)
        assert not {"src", "href"} & {name for name, _ in page.attributes}


def test_a_table_escapes_heads_cells_captions_and_titles():
    text = table([HOSTILE], [[HOSTILE], [definition(HOSTILE, HOSTILE + '"')]], caption=HOSTILE)
    assert "script" not in Page(text + foldout(HOSTILE, {HOSTILE: HOSTILE})).tags
    assert dict(Page(text).attributes)["title"] == HOSTILE + '"'


def test_html_is_escaped_once_and_templates_leave_it_alone():
    from jinja2 import Environment

    made = table(["who"], [["Acme & Co"]])
    assert isinstance(made, Html)
    page = Environment(autoescape=True).from_string("{{ made }}{{ text }}")
    assert page.render(made=made, text="<b>") == f"{made}&lt;b&gt;"
    assert escaped(escaped("&")) == "&amp;"
