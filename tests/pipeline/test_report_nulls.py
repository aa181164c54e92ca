"""Sections on nulls, shortcuts and segments: every number with its range and meaning."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.judging.bootstrap import Contender
from models.judging.nulls import Null, beside_nulls, nearest_null
from models.judging.parts import PART_METRICS
from models.judging.segment_metrics import measure_segments
from models.judging.segment_verdict import worst_segment
from models.judging.segments import Segmentation, SegmentSpec
from models.judging.shortcuts import SHORTCUTS
from pipeline.report.against import nulls_section, shortcuts_section
from pipeline.report.segments import segments_section
from tests.browser.reader import read_sections


@pytest.fixture(scope="module")
def rows() -> SimpleNamespace:
    rng = np.random.default_rng(0)
    probability = rng.random(600) * 0.4
    return SimpleNamespace(
        label=rng.random(600) < probability,
        probability=probability,
        cluster=np.arange(600) // 3,
        as_of=np.arange(600) % 3,
        noise=rng.random(600),
    )


def test_nulls_stand_beside_the_model_and_are_explained(rows: SimpleNamespace) -> None:
    guess = Contender(rows.noise, np.full(600, 0.2))
    found = (Null("noise 1", "drawn at random", guess), Null("noise 2", "drawn at random", guess))
    who = Contender(rows.probability, rows.probability)
    table = beside_nulls(who, found, rows, capacity=10, n_bootstrap=30, seed=0)
    sentence = nearest_null(table, 60)
    page = read_sections(nulls_section(table, found, sentence))
    (told,) = page.tables
    assert [row[0] for row in told.rows] == ["model", "noise 1", "noise 2"]
    assert told.rows[0][-1] == ""
    assert " to " in told.rows[1][-1]
    assert "noise 1, noise 2: drawn at random." in page.text
    assert sentence in page.text


def test_each_shortcut_has_honest_claimed_and_price_and_says_what_it_does() -> None:
    values = {"honest": 0.8, "claimed": 0.9, "price": 0.1, "same_price": 0.2}
    row = {"same_rows": 12, "same_converting": 3}
    row |= {f"{k}{end}": v for k, v in values.items() for end in ("", "_low", "_high")}
    table = pd.DataFrame(
        [
            {"shortcut": name, "metric": metric, "rows": 1_234, "converting": 56} | row
            for name in SHORTCUTS
            for metric in PART_METRICS
        ]
    )
    page = read_sections(shortcuts_section(table, "A sentence."))
    assert page.tables[0].caption == "ROC-AUC"
    assert len(page.tables) == 5
    for told in page.tables:
        assert told.names == ["shortcut", "honest", "claimed", "price", "on the same rows"]
        assert [line[0] for line in told.rows] == list(SHORTCUTS)
        for line in told.rows:
            assert line[1:] == [f"{v:.3f} | {v:.3f} to {v:.3f}" for v in values.values()]
    for name, how in SHORTCUTS.items():
        begins = f"{name}: {how}; tested on 1,234 rows with 56 converting, 12 with 3 of"
        assert begins.replace("`", "") in page.text


def test_a_shortcut_of_which_too_little_is_known_says_so() -> None:
    numbers = {f"{name}{end}": np.nan for name in ("honest", "claimed", "price", "same_price")
               for end in ("", "_low", "_high")}  # fmt: skip
    counts = {"rows": 1, "converting": 0, "same_rows": 0, "same_converting": 0}
    table = pd.DataFrame(
        [{"shortcut": "random rows", "metric": m} | counts | numbers for m in PART_METRICS]
    )
    page = read_sections(shortcuts_section(table, ""))
    assert page.tables[0].rows == [["random rows", *["too few"] * 4]]


def test_segments_with_few_conversions_show_their_calibration_and_no_ranking(
    rows: SimpleNamespace,
) -> None:
    member = (np.arange(600) < 9).astype(int)
    by = Segmentation("plan", None, ("big|bold", "tiny"), member)
    who, spec = Contender(rows.probability, rows.probability), SegmentSpec()
    table = measure_segments(rows.label, who, rows.cluster, [by], spec, n_bootstrap=30, seed=0)
    page = read_sections(segments_section(table, worst_segment(table), spec))
    told = page.table("Metrics within each segment")
    assert [row[0] for row in told.rows] == ["all rows", "plan: big|bold", "plan: tiny"]
    tiny = told.row("plan: tiny")
    assert tiny["rows"] == "9"
    assert list(tiny.values())[-3:] == ["too few"] * 3
    assert "too few" not in " ".join(told.row("plan: big|bold").values())
    assert worst_segment(table) in page.text
