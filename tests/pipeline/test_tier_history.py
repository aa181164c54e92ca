"""Which earlier scores a tier is settled against."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, to_us
from features.errors import SettingsError
from features.matrix import Snapshots
from models.scoring import TIERS
from models.tiering.hysteresis import HysteresisSpec, settle
from pipeline import ledger
from pipeline.champion import load_champion
from pipeline.dataset import compute
from pipeline.registry import Version
from pipeline.tier_history import (
    LAST_EVENT,
    History,
    history_of,
    scores_stem,
    settled_tiers,
    unrecorded,
)
from pipeline.train import import_events
from tests.conftest import silent

VERSION = Version("pql-shop", 1, ("champion",), "run")
FIRST = to_us("2024-06-03")


def _write(
    run,
    version: Version,
    as_of: int,
    tiers: dict[str, str],
    *,
    backfill: bool = False,
    settled_by: tuple[int, int] | None = None,
) -> ledger.Entry:
    frame = pd.DataFrame(
        {
            "entity_id": list(tiers),
            "as_of": np.full(len(tiers), as_of).astype("datetime64[us]"),
            "tier": list(tiers.values()),
        }
    )
    return ledger.append(
        run.store,
        frame,
        model=version.name,
        version=version.number,
        as_of=as_of,
        alias="champion",
        backfill=backfill,
        seen=False,
        settled_by=settled_by,
        data_end=as_of,
        log_fingerprint="events",
    )


@pytest.fixture
def run(shop, sibling):
    """The shop's data and registry with a folder of scores of its own."""
    return sibling(shop)


def test_the_newest_earlier_entry_of_the_same_version_counts(run) -> None:
    week = 7 * DAY_US
    other = replace(VERSION, number=10)
    _write(run, VERSION, FIRST, {"ann": "hot"})
    _write(run, VERSION, FIRST + week, {"ann": "warm", "bob": "cold"})
    _write(run, VERSION, FIRST + 2 * week, {"ann": "critical"})
    _write(run, VERSION, FIRST + 3 * week, {"ann": "cold"})
    _write(run, other, FIRST + week + DAY_US, {"ann": "cold"})
    _write(run, replace(VERSION, name="pql-shop-v1-2"), FIRST + week + DAY_US, {"ann": "cold"})
    history = history_of(run, VERSION, FIRST + 2 * week - 1)
    assert (history.as_of, dict(history.tier)) == (FIRST + week, {"ann": "warm", "bob": "cold"})
    assert history.of(np.array(["bob", "eve", "ann"], object)).tolist() == ["cold", None, "warm"]
    assert history_of(run, VERSION, FIRST) is None
    assert history_of(run, VERSION, FIRST + 1).as_of == FIRST


def test_a_date_scored_once_is_settled_as_it_was_then_whatever_is_written_later(run) -> None:
    _write(run, VERSION, FIRST, {"ann": "warm"})
    _write(run, VERSION, FIRST + 9 * DAY_US, {"ann": "hot"}, settled_by=(FIRST, 1))
    _write(run, VERSION, FIRST + 5 * DAY_US, {"ann": "cold"}, backfill=True, settled_by=(FIRST, 1))
    _write(run, VERSION, FIRST - DAY_US, {"ann": "cold"})
    assert history_of(run, VERSION, FIRST + 9 * DAY_US).as_of == FIRST
    assert history_of(run, VERSION, FIRST) is None
    # A date that was only backfilled is settled by what there is now.
    _write(run, VERSION, FIRST + 4 * DAY_US, {"ann": "critical"})
    assert history_of(run, VERSION, FIRST + 5 * DAY_US).as_of == FIRST + 4 * DAY_US


def test_a_date_is_settled_by_the_very_entry_that_it_was_settled_by_first(run) -> None:
    _write(run, VERSION, FIRST, {"ann": "hot"}, backfill=True)
    before = history_of(run, VERSION, FIRST + DAY_US)
    kept = (before.as_of, before.sequence)
    _write(run, VERSION, FIRST + DAY_US, {"ann": "hot"}, settled_by=kept)
    _write(run, VERSION, FIRST - DAY_US, {"ann": "warm"}, backfill=True)
    _write(run, VERSION, FIRST, {"ann": "warm"}, settled_by=(FIRST - DAY_US, 1))
    again = history_of(run, VERSION, FIRST + DAY_US)
    assert (again.as_of, again.sequence, again.of(["ann"]).tolist()) == (FIRST, 1, ["hot"])
    # Another date had no word of its own yet: the last entry of the newest date.
    assert history_of(run, VERSION, FIRST + DAY_US // 2).of(["ann"]).tolist() == ["warm"]


def test_an_entry_that_was_moved_away_leaves_the_last_of_its_date_or_the_newest(run) -> None:
    _write(run, VERSION, FIRST - DAY_US, {"ann": "cold"})
    first = _write(run, VERSION, FIRST, {"ann": "hot"})
    second = _write(run, VERSION, FIRST, {"ann": "warm"})
    _write(run, VERSION, FIRST + DAY_US, {"ann": "hot"}, settled_by=(FIRST, 1))
    found = []
    for gone in (None, first.path, second.path):
        if gone is not None:
            gone.unlink()
        found += history_of(run, VERSION, FIRST + DAY_US).of(["ann"]).tolist()
    assert found == ["hot", "warm", "cold"]
    for entry in ledger.entries(run.store, VERSION.name):
        if entry.as_of < FIRST:
            entry.path.unlink()
    assert history_of(run, VERSION, FIRST + DAY_US) is None


acts = st.lists(
    st.tuples(st.sampled_from(["predict", "predict", "backfill"]), st.integers(0, 4)), max_size=9
)


# A date is backfilled, the next one scored; then its own past changes, and it is scored as well.
@example(
    odds=[0.48, 0.51, 0.51, 0.5, 0.5],
    done=[("backfill", 1), ("predict", 2), ("backfill", 0), ("predict", 1), ("predict", 2)],
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(odds=st.lists(st.sampled_from([0.45, 0.48, 0.51, 0.55]), min_size=5, max_size=5), done=acts)
def test_a_tier_once_given_is_given_again_whatever_was_scored_between(odds, done, tmp_path_factory):
    """The data of a date never change here, so neither may what `predict` says of it."""
    tiers = {"by": "probability", "cutoffs": {"warm": 0.1, "hot": 0.5, "critical": 0.9}}
    run = SimpleNamespace(store=tmp_path_factory.mktemp("ledger"))
    given_tier: dict[int, str] = {}
    for verb, number in done:
        as_of = FIRST + number * DAY_US
        entries = ledger.entries(run.store, VERSION.name)
        if verb == "backfill" and any(entry.as_of == as_of for entry in entries):
            continue
        history = history_of(run, VERSION, as_of)
        before = np.array([None if history is None else history.tier["ann"]], object)
        share, nothing = np.array([odds[number]]), np.array([False])
        tier = str(settle(share, before, nothing, tiers, 0.15)[0])
        settled_by = None if history is None else (history.as_of, history.sequence)
        backfilled = verb == "backfill"
        _write(run, VERSION, as_of, {"ann": tier}, backfill=backfilled, settled_by=settled_by)
        if verb == "predict":
            assert given_tier.setdefault(number, tier) == tier


def test_before_the_first_entry_there_is_no_history(run) -> None:
    assert history_of(run, VERSION, FIRST) is None


def test_of_several_entries_for_a_date_the_last_counts(run) -> None:
    for tier in ("hot", "warm", "cold"):
        _write(run, VERSION, FIRST, {"ann": tier})
    assert dict(history_of(run, VERSION, FIRST + 1).tier) == {"ann": "cold"}


def test_an_entry_that_can_not_be_read_is_an_error_that_names_it(run) -> None:
    path = _write(run, VERSION, FIRST, {"ann": "hot"}).path
    path.write_bytes(b"half a file")
    with pytest.raises(SettingsError, match=r"2024-06-03-v1-1\.parquet"):
        history_of(run, VERSION, FIRST + 1)


def test_scores_from_before_the_ledger_are_told_until_it_has_an_entry(run) -> None:
    folder = run.store / "scores"
    folder.mkdir(parents=True)
    assert unrecorded(run, VERSION) is None
    (folder / f"{scores_stem(VERSION, FIRST)}.parquet").write_bytes(b"an older table")
    assert history_of(run, VERSION, FIRST + DAY_US) is None
    assert "has 1 score table of pql-shop version 1" in unrecorded(run, VERSION)
    _write(run, VERSION, FIRST + DAY_US, {"ann": "hot"})
    assert unrecorded(run, VERSION) is None


def test_tiers_are_settled_by_what_was_written_and_by_what_happened_since(run) -> None:
    champion = load_champion(run, "1")
    log = import_events(run, silent)
    events = pd.read_csv(run.base / "events.csv")
    as_of = FIRST + 7 * DAY_US
    at = np.array([to_us(text.replace(" ", "T")) for text in events["time"]])
    busy = set(events["user"][(at >= FIRST) & (at < as_of)])
    codes = np.flatnonzero(np.isin(log.ids("user"), events["user"][at < FIRST]))
    rows = Snapshots.of("user", codes, np.full(len(codes), as_of), log.ids("user"))
    matrix = compute(log, rows, champion.model.features, run.settings, "Features")
    hot = champion.model.scorer.tiers["cutoffs"]["hot"]
    # A hair above the cut-off: hot, unless it was warm and nothing happened since.
    probability = np.full(len(rows), hot * 1.001)
    bare = np.full(len(rows), "hot", object)
    last_event = compute(log, rows, (LAST_EVENT,), run.settings, "").column(LAST_EVENT.name)
    arguments = (champion, matrix, last_event, probability, bare)
    first, nobody = settled_tiers(*arguments, None)
    assert (first == "hot").all()
    assert all(tier is None for tier in nobody)
    known = rows.ids[::2]
    history = History(FIRST, 1, dict.fromkeys(known, "warm"))
    settled, previous = settled_tiers(*arguments, history)
    expected = ["warm" if name in set(known) and name not in busy else "hot" for name in rows.ids]
    assert settled.tolist() == expected
    assert previous[::2].tolist() == ["warm"] * len(known)
    assert set(expected) == {"warm", "hot"} < set(TIERS)
    still = HysteresisSpec(enabled=False)
    model = champion.settings.model.model_copy(update={"hysteresis": still})
    without = replace(champion, settings=champion.settings.model_copy(update={"model": model}))
    off, _ = settled_tiers(without, *arguments[1:], history)
    assert (off == "hot").all()
