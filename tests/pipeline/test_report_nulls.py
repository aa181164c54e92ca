"""The report's words on nulls, shortcuts and segments: every number with its range and meaning."""

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
from pipeline.report_nulls import nulls_section, shortcuts_section
from pipeline.report_segments import segments_section


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


def _cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_nulls_stand_beside_the_model_and_are_explained(rows: SimpleNamespace) -> None:
    guess = Contender(rows.noise, np.full(600, 0.2))
    found = (Null("noise 1", "drawn at random", guess), Null("noise 2", "drawn at random", guess))
    who = Contender(rows.probability, rows.probability)
    table = beside_nulls(who, found, rows, capacity=10, n_bootstrap=30, seed=0)
    sentence = nearest_null(table, 60)
    text = nulls_section(table, found, sentence)
    head, _, *lines = _cells(text)
    assert [line[0] for line in lines] == ["model", "noise 1", "noise 2"]
    assert all(len(line) == len(head) for line in lines)
    assert lines[0][-1] == ""
    assert " to " in lines[1][-1]
    assert "- *noise 1*, *noise 2*: drawn at random." in text
    assert sentence in text
    for name in head[1:-1]:
        assert f"- {name}: " in text


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
    text = shortcuts_section(table, "A sentence.")
    head, _, *lines = _cells(text)
    assert head == ["shortcut", "metric", "honest", "claimed", "price", "on the same rows"]
    assert {line[0] for line in lines} == set(SHORTCUTS)
    assert {tuple(line[2:]) for line in lines} == {
        tuple(f"{value:.3f} ({value:.3f} to {value:.3f})" for value in values.values())
    }
    for name, told in SHORTCUTS.items():
        assert f"- *{name}*: {told}; tested on 1,234 rows with 56 converting, 12 with 3 of" in text
    for name in {line[1] for line in lines}:
        assert f"- {name}: " in text


def test_segments_with_few_conversions_show_their_calibration_and_no_ranking(
    rows: SimpleNamespace,
) -> None:
    member = (np.arange(600) < 9).astype(int)
    by = Segmentation("plan", None, ("big|bold", "tiny"), member)
    who, spec = Contender(rows.probability, rows.probability), SegmentSpec()
    table = measure_segments(rows.label, who, rows.cluster, [by], spec, n_bootstrap=30, seed=0)
    text = segments_section(table, worst_segment(table), spec)
    assert "plan: big\\|bold" in text
    tiny = text.split("| plan: tiny | 9 |")[1].splitlines()[0]
    assert tiny.count("too few") == 3
    assert tiny.count("%") == 3
    assert "No segment stands out among 2 comparisons" in text or "2 comparisons" not in text
    assert text.count("too few") == 4
