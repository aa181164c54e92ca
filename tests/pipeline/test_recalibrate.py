"""A champion moved to today's base rate: same order, other probabilities, a version of its own."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US, to_us
from features.errors import NotEnoughHistory, SettingsError
from features.labels import NEVER_US, Conversions
from pipeline import registry
from pipeline.champion import load_champion
from pipeline.fresh_rows import fresh_rows, nearly_known
from pipeline.predict import predict
from pipeline.recalibrate import Recalibration, recalibrate
from pipeline.settings import load
from pipeline.train import import_events, train
from tests.conftest import World, replaced, silent


def _scores(run, number: int, as_of: str | None = None) -> pd.DataFrame:
    return predict(run, silent, as_of=as_of, model=str(number), now=None).scores


@pytest.fixture(scope="module")
def moved(shop, tmp_path_factory) -> World:
    """A shop of its own, so that its versions and aliases trouble nobody else's."""
    folder = tmp_path_factory.mktemp("moved")
    for name in ("events.csv", "users.csv"):
        shutil.copyfile(shop.folder / name, folder / name)
    path = folder / "settings.yaml"
    path.write_text(replaced(shop.run.text, "name: shop", "name: recalibrated"))
    run = load(path)
    return World(run, train(run, silent))


def _recalibrated(moved: World, **how: object) -> Recalibration:
    return recalibrate(moved.run, silent, model=str(moved.training.version.number), **how)


def test_a_known_rate_moves_the_probabilities_and_nothing_else(moved) -> None:
    run, trained = moved.run, moved.training.version.number
    champion = registry.find(run).number
    result = _recalibrated(moved, rate=0.3)
    number = result.version.number
    assert (result.before.number, result.version.aliases) == (trained, ("challenger",))
    assert registry.find(run).number == champion
    assert result.shift.rate == 0.3
    old, new = _scores(run, trained), _scores(run, number)
    assert (old["entity_id"] == new["entity_id"]).all()
    assert (old["raw_score"] == new["raw_score"]).all()
    odds = [table["probability"] / (1 - table["probability"]) for table in (old, new)]
    np.testing.assert_allclose(odds[1] / odds[0], result.shift.factor[0], rtol=1e-9)
    folders = [registry.fetch(run, registry.find(run, str(n))) for n in (trained, number)]
    names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert names[0] == names[1]
    changed = {
        name
        for name in names[0]
        if (folders[0] / name).read_bytes() != (folders[1] / name).read_bytes()
    }
    views = {"fit-view.json", "usage-view.json"}
    # The card says what moved, and the reference holds the newest scores.
    told = {"model_card.md", "reference.json"}
    assert changed == {"bundle.json", "calibration.json", "tiers.json"} | views | told
    for view in ("fit_score", "usage_score"):
        odds = [table[view] / (1 - table[view]) for table in (old, new)]
        np.testing.assert_allclose(odds[1] / odds[0], result.shift.factor[0], rtol=1e-9)
    for view in ("fit_tier", "usage_tier"):
        assert (old[view] == new[view]).all()
    assert json.loads((folders[1] / "calibration.json").read_text())["base_rate"]["how"] == "known"


def test_the_rate_is_read_from_mature_labels_only(moved) -> None:
    """Counted with pandas: who was active, not yet a customer, and paid within seven days."""
    result = _recalibrated(moved, days=28)
    end = import_events(moved.run, silent).data_end
    newest = end // DAY_US * DAY_US
    dates = [newest - week * 7 * DAY_US for week in range(60)]
    mature = [date for date in dates if date + 7 * DAY_US <= end][:4]
    assert (result.first_as_of, result.last_as_of) == (mature[-1], mature[0])
    events = pd.read_csv(moved.folder / "events.csv")
    events["at"] = [to_us(text.replace(" ", "T")) for text in events["time"]]
    paid = events[events["event"] == "paid"].groupby("user")["at"].min()
    opened = events[events["event"] == "opened"].groupby("user")["at"].min()
    rows = positives = 0
    for date in mature:
        before = events[events["at"] < date]
        for user, own in before.groupby("user"):
            if own["at"].max() < date - 28 * DAY_US or not opened.get(user, date) < date:
                continue
            when = paid.get(user, np.inf)
            rows += when >= date
            positives += date <= when < date + 7 * DAY_US
    assert (result.observed.rows, result.observed.positives) == (rows, positives)
    assert (result.shift.rows, result.shift.positives) == (rows, positives)
    low, high = sorted((result.claimed, result.observed.rate))
    assert low - 1e-9 <= result.claims <= high + 1e-9
    assert result.observed.low < result.observed.rate < result.observed.high


def test_moves_do_not_pile_up(moved) -> None:
    first = _recalibrated(moved, as_champion=True)
    second = recalibrate(moved.run, silent)
    assert registry.find(moved.run).number == first.version.number
    assert second.before.number == first.version.number
    assert second.shift == first.shift
    assert second.cutoffs == first.cutoffs
    folders = [registry.fetch(moved.run, one.version) for one in (first, second)]
    for name in ("fit-view.json", "calibration.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_programs_read_the_result_as_json(moved) -> None:
    told = json.loads(json.dumps(_recalibrated(moved).as_dict(), allow_nan=False))
    assert told["version"] > told["from_version"] == moved.training.version.number
    assert told["odds_factor"][1] <= told["odds_factor"][0] <= told["odds_factor"][2]


@pytest.mark.parametrize("rate", [0.0, 1.0, 5.0])
def test_a_rate_that_is_no_share_is_refused(shop, rate) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        recalibrate(shop.run, silent, rate=rate)


def test_rows_that_the_model_was_trained_on_tell_no_rate(shop, sibling) -> None:
    run = sibling(shop)
    file = run.base / "events.csv"
    events = pd.read_csv(file)
    events[events["time"] < "2024-04-20"].to_csv(file, index=False)
    with pytest.raises(NotEnoughHistory, match="where the training ends"):
        recalibrate(run, silent)


def test_a_model_of_a_users_own_rows_has_no_recent_dates(shop, sibling) -> None:
    made = sibling(
        shop,
        ("name: shop", "name: rowed"),
        ("cohort: {entered_by: [opened]}\n", "rows: {file: rows.csv}\n"),
    )
    users = pd.read_csv(made.base / "users.csv")["user"]
    dates = [f"2024-{month:02d}-{day:02d}" for month in (4, 5, 6) for day in (1, 8, 15, 22)]
    seen = pd.read_csv(made.base / "events.csv").groupby("user")["time"].min()
    rows = [(u, d) for u in users for d in dates if seen[u] < d]
    pd.DataFrame(rows, columns=["entity_id", "as_of"]).to_csv(made.base / "rows.csv", index=False)
    train(made, silent)
    with pytest.raises(SettingsError, match="trained on a table of rows"):
        recalibrate(made, silent)


def _simulated(mean_delay: float, seed: int) -> tuple[Conversions, np.ndarray, int]:
    """A year of conversions with exponential delays, when they happened, and the data's end."""
    rng = np.random.default_rng(seed)
    occurred = (rng.uniform(0, 365, 900) * DAY_US).astype(np.int64)
    known = occurred + (rng.exponential(mean_delay, 900) * DAY_US).astype(np.int64)
    end = 365 * DAY_US
    shown = np.where(known < end, occurred, NEVER_US), np.where(known < end, known, NEVER_US)
    return Conversions(*shown), occurred, end


def test_dates_whose_conversions_are_not_nearly_all_known_are_left_out_and_counted() -> None:
    """With a mean delay of a fortnight the newest four weeks show three quarters of what came."""

    def share(conversions: Conversions, occurred: np.ndarray, dates: np.ndarray) -> float:
        def count(when: np.ndarray) -> int:
            return sum(((when >= day) & (when < day + 14 * DAY_US)).sum() for day in dates)

        return count(conversions.occurred_at) / count(occurred)

    end = 365
    dates = np.arange(end - 14 - 182, end - 13, 7) * DAY_US
    all_told, told, lines = [], [], []
    for seed in range(12):
        conversions, occurred, last = _simulated(14, seed)
        kept = nearly_known(dates, conversions, 14, last, lines.append)
        assert (kept == dates[: len(kept)]).all()
        all_told.append(share(conversions, occurred, dates[-4:]))
        told.append(share(conversions, occurred, kept[-4:]))
    assert np.mean(all_told) < 0.8
    assert np.mean(told) > 0.95
    assert len(lines) == 12
    assert "of 27 dates, the newest" in lines[0]


def test_without_delays_no_date_is_left_out_and_nothing_is_said() -> None:
    conversions, _, end = _simulated(0, 1)
    dates = np.arange(5) * 7 * DAY_US + end - 42 * DAY_US
    lines: list[str] = []
    assert nearly_known(dates, conversions, 14, end, lines.append).tolist() == dates.tolist()
    assert lines == []


def test_late_conversions_move_the_newest_dates_that_are_read(shop, sibling) -> None:
    """Every payment is known twenty days later: dates younger than that tell nothing yet."""
    run = sibling(
        shop, ("name: shop", "name: late"), ("time: time}", "time: time, known_at: known}")
    )
    file = run.base / "events.csv"
    events = pd.read_csv(file)
    at = pd.to_datetime(events["time"])
    events["known"] = at + pd.to_timedelta(np.where(events["event"] == "paid", 20, 0), unit="D")
    events[events["known"] <= at.max()].to_csv(file, index=False)
    train(run, silent)
    lines: list[str] = []
    result = recalibrate(run, lines.append)
    end = import_events(run, silent).data_end
    horizon, delay = 7 * DAY_US, 20 * DAY_US
    assert end - delay - 8 * DAY_US < result.last_as_of + horizon <= end - delay + DAY_US
    assert any("the newest: by the delays so far over 5 %" in line for line in lines)
    number = str(result.before.number)
    judged = fresh_rows(run, load_champion(run, number), None, lines.append)
    assert judged.rows.as_of.max() == result.last_as_of
