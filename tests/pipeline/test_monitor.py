"""Monitoring: what counts at a date, labels as far as known then, alarms, and the page."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from features.clock import DAY_US, to_us
from features.errors import SchemaMismatch
from features.labels import ConversionSpec, find_conversions
from pipeline import ledger
from pipeline.cli import main
from pipeline.ledger_outcomes import counted, joined
from pipeline.monitor import Monitoring, monitor
from pipeline.monitor_reference import read_reference, write_reference
from pipeline.report.monitor import write_monitor_page
from pipeline.settings import Run, load
from tests.conftest import shop_events, silent

START = to_us("2024-03-01")


def day(number: int) -> int:
    return START + number * DAY_US


def write_night(
    store: Path,
    model: str,
    as_of: int,
    said: dict[str, tuple[str, float]],
    *,
    version: int = 1,
    alias: str = "champion",
    backfill: bool = False,
    seen: bool = False,
    scored_at: int | None = None,
) -> ledger.Entry:
    """One night in the ledger: tier and probability by entity; written an hour after its as_of."""
    n = len(said)
    written = as_of + DAY_US // 24 if scored_at is None else scored_at
    tiers = [tier for tier, _ in said.values()]
    probability = [value for _, value in said.values()]
    scores = pd.DataFrame(
        {
            "entity_id": list(said),
            "name": list(said),
            "as_of": np.full(n, as_of).astype("datetime64[us]"),
            "model_version": version,
            "raw_score": probability,
            "probability": probability,
            "pql_score": probability,
            "tier": tiers,
            "tier_before": None,
            "reasons": [[f"was {tier} on that day"] for tier in tiers],
            "look_alikes": [[] for _ in tiers],
            "scored_at": np.full(n, written).astype("datetime64[us]"),
        }
    )
    return ledger.append(
        store,
        scores,
        model=model,
        version=version,
        as_of=as_of,
        alias=alias,
        backfill=backfill,
        seen=seen,
        settled_by=None,
        data_end=as_of,
        log_fingerprint="",
    )


def said_by(store: Path, model: str, before: int, **how: bool) -> pd.DataFrame:
    return counted(store, model, before, **how).rows


def tiers_of(rows: pd.DataFrame) -> dict[str, str]:
    return dict(zip(rows["entity_id"], rows["tier"], strict=True))


def test_of_several_entries_for_a_date_the_last_one_written_by_then_counts(tmp_path):
    write_night(tmp_path, "m", day(1), {"a": ("cold", 0.1)})
    write_night(tmp_path, "m", day(1), {"a": ("hot", 0.5)}, scored_at=day(3))
    assert tiers_of(said_by(tmp_path, "m", day(2))) == {"a": "cold"}
    assert tiers_of(said_by(tmp_path, "m", day(3))) == {"a": "cold"}
    assert tiers_of(said_by(tmp_path, "m", day(4))) == {"a": "hot"}


def test_a_date_scored_only_later_counts_when_asked_for_as_it_was_first_scored(tmp_path):
    write_night(tmp_path, "m", day(1), {"a": ("cold", 0.1)}, scored_at=day(50))
    write_night(tmp_path, "m", day(1), {"a": ("hot", 0.5)}, scored_at=day(60))
    assert tiers_of(said_by(tmp_path, "m", day(2), with_backfilled=True)) == {"a": "cold"}
    assert tiers_of(said_by(tmp_path, "m", day(70))) == {}


def test_a_night_at_the_date_itself_does_not_count(tmp_path):
    write_night(tmp_path, "m", day(1), {"a": ("cold", 0.1)})
    assert len(said_by(tmp_path, "m", day(1))) == 0
    assert len(said_by(tmp_path, "m", day(1) + DAY_US // 24 + 1)) == 1


def test_challengers_never_count_and_backfilled_scores_only_when_asked_for(tmp_path):
    write_night(tmp_path, "m", day(1), {"a": ("hot", 0.5)}, backfill=True)
    write_night(tmp_path, "m", day(2), {"b": ("hot", 0.5)}, alias="challenger", version=2)
    assert tiers_of(said_by(tmp_path, "m", day(9))) == {}
    assert tiers_of(said_by(tmp_path, "m", day(9), with_backfilled=True)) == {"a": "hot"}


def test_dates_that_the_champion_had_learnt_from_never_count_and_are_told(tmp_path):
    write_night(tmp_path, "m", day(1), {"a": ("hot", 0.9)}, seen=True)
    write_night(tmp_path, "m", day(2), {"a": ("hot", 0.9)}, seen=True, backfill=True)
    write_night(tmp_path, "m", day(3), {"a": ("hot", 0.9)}, seen=True)
    write_night(tmp_path, "m", day(3), {"a": ("cold", 0.1)}, version=2)
    found = counted(tmp_path, "m", day(9))
    assert (tiers_of(found.rows), found.seen) == ({"a": "cold"}, 1)
    assert counted(tmp_path, "m", day(9), with_backfilled=True).seen == 2


def test_labels_are_those_known_at_the_date_of_looking(tmp_path, log_of):
    log = log_of(
        """
        who | event | time       | known
        a   | open  | 2024-03-02 | 2024-03-02
        a   | paid  | 2024-03-10 | 2024-03-10
        b   | open  | 2024-03-02 | 2024-03-02
        b   | paid  | 2024-03-11 | 2024-03-11
        c   | open  | 2024-03-02 | 2024-03-02
        c   | paid  | 2024-03-05 | 2024-03-20
        d   | open  | 2024-03-02 | 2024-03-02
        d   | paid  | 2024-03-03 | 2024-03-03
        e   | open  | 2024-04-02 | 2024-04-02
        """
    )
    four = dict.fromkeys("abcdx", ("hot", 0.5))
    write_night(tmp_path, "m", to_us("2024-03-04"), four)

    def outcome(now: str):
        conversions = find_conversions(
            log, "account", ConversionSpec(events=("paid",)), known_before=to_us(now)
        )
        said = said_by(tmp_path, "m", to_us(now))
        found = joined(said, log, conversions, 7, to_us(now))
        return found, found.rows.label.tolist()

    # Seven days from 4 March: the 10th is inside, the 11th is not; d had paid before.
    found, labels = outcome("2024-03-11")
    assert labels == [True, False, False]
    assert (found.unknown, found.immature) == (1, 0)
    assert outcome("2024-03-10T23:59:59")[1] == []
    assert outcome("2024-03-20")[1] == [True, False, False]
    assert outcome("2024-03-20T00:00:01")[1] == [True, False, True]


@pytest.fixture(scope="module")
def nightly(shop, tmp_path_factory) -> Run:
    """The shop with a ledger of its own, in which everybody is told their share."""
    folder = tmp_path_factory.mktemp("nightly")
    for name in ("settings.yaml", "events.csv", "users.csv"):
        shutil.copyfile(shop.folder / name, folder / name)
    run = load(folder / "settings.yaml")
    write_nights(run, range(58, 100, 3))
    return run


@pytest.fixture(scope="module")
def looked(nightly) -> Monitoring:
    return monitor(nightly, silent, as_of=as_of(100))


def write_nights(run: Run, days: range, scored_at: int | None = None) -> None:
    """Users who have exported lately are hot, the others cold; both promises are about right."""
    events = shop_events()
    at = events["time"].to_numpy("datetime64[us]").astype(np.int64)
    paid = dict(events[events["event"] == "paid"].groupby("user")["time"].min())
    for number in days:
        before = events[at < day(number)]
        lately = before[at[at < day(number)] >= day(number - 3)]
        warm = set(lately.loc[lately["event"] == "exported", "user"])
        open_ = [
            user
            for user in sorted(before["user"].unique())
            if user not in paid or paid[user] >= pd.Timestamp(day(number), unit="us")
        ]
        said = {user: ("hot", 0.95) if user in warm else ("cold", 0.05) for user in open_}
        write_night(run.store, run.model_name, day(number), said, scored_at=scored_at)


def as_of(number: int) -> str:
    return str(pd.Timestamp(day(number), unit="us").date())


def test_the_reference_is_the_one_pinned_when_the_model_was_trained(looked):
    assert looked.pinned


def test_outcomes_are_counted_as_by_hand(nightly, looked):
    whole = next(o for o in looked.realised if (o.month, o.tier) == ("all", "all"))
    events = shop_events()
    paid = events[events["event"] == "paid"].set_index("user")["time"]
    said = said_by(nightly.store, nightly.model_name, day(100))
    said = said[said["as_of"] <= pd.Timestamp(day(93), unit="us")]
    when = said["entity_id"].map(paid)
    # Nobody in the ledger has paid by then, so only the end of the horizon is left to ask for.
    hits = (when < said["as_of"] + pd.Timedelta(days=7)).sum()
    assert (whole.rows, whole.conversions) == (len(said), hits)
    assert hits > 10
    assert whole.to_come == 0
    hot = next(o for o in looked.realised if (o.month, o.tier) == ("all", "hot"))
    assert hot.lift_low > 1


def test_a_date_gives_later_what_it_gave_then(nightly, tmp_path):
    def look(run: Run):
        return json.dumps(monitor(run, silent, as_of=as_of(90)).as_dict())

    events = pd.read_csv(nightly.base / "events.csv")
    known = pd.to_datetime(events["time"]) < pd.Timestamp(day(91), unit="us")
    events[known].to_csv(tmp_path / "events.csv", index=False)
    for name in ("settings.yaml", "users.csv"):
        shutil.copyfile(nightly.base / name, tmp_path / name)
    then = load(tmp_path / "settings.yaml")
    write_nights(then, range(58, 90, 3))
    assert look(then) == look(nightly)


def test_a_second_look_writes_the_same_page_with_the_meaning_of_its_numbers(nightly, looked):
    text = write_monitor_page(nightly, looked).read_bytes()
    arguments = ["monitor", "--settings", str(nightly.path), "--as-of", as_of(100), "--json"]
    result = CliRunner().invoke(main, arguments)
    told = json.loads(result.stdout)
    assert result.exit_code == bool(looked.verdict.crossed)
    assert told["realised"] == json.loads(json.dumps(looked.as_dict()["realised"]))
    assert Path(told["page"]).read_bytes() == text
    html = text.decode()
    for word in ("PSI:", "Lift:", "Promised:", "Still to come:", "Vanished:", "<svg"):
        assert word in html
    assert not re.search(r'(src|href)="(?!#)', html)
    assert told["line"] in html.replace("&#39;", "'")


def test_scores_of_a_past_made_today_are_judged_only_when_asked_for(shop, tmp_path):
    """Whoever tries it on old data has nothing else; it is what would have been said."""
    for name in ("settings.yaml", "events.csv", "users.csv"):
        shutil.copyfile(shop.folder / name, tmp_path / name)
    run = load(tmp_path / "settings.yaml")
    write_nights(run, range(58, 100, 3), scored_at=day(700))
    arguments = ["monitor", "--settings", str(run.path), "--as-of", as_of(100), "--json"]

    def look(*more: str) -> dict:
        return json.loads(CliRunner().invoke(main, [*arguments, *more]).stdout)

    without, told = look(), look("--backfilled")
    assert (without["realised"], without["late_dates"]) == ([], 14)
    assert told["late_dates"] == 0
    assert sum(one["conversions"] for one in told["realised"]) > 10
    assert without["page"] != told["page"]


def test_a_lost_event_exits_1_and_is_named(nightly, looked, tmp_path):
    assert looked.inputs.gone == []
    events = pd.read_csv(nightly.base / "events.csv")
    lost = (events["event"] == "opened") & (pd.to_datetime(events["time"]) >= as_of(92))
    events[~lost].to_csv(tmp_path / "events.csv", index=False)
    for name in ("settings.yaml", "users.csv"):
        shutil.copyfile(nightly.base / name, tmp_path / name)
    shutil.copytree(nightly.store / "ledger", tmp_path / "data" / "ledger")
    path = tmp_path / "settings.yaml"
    result = CliRunner().invoke(main, ["monitor", "--settings", str(path), "--as-of", as_of(100)])
    assert result.exit_code == 1, result.output
    assert "Vanished: opened (0" in result.output
    assert "Retrain: events have vanished ('opened' came 0 times" in " ".join(result.output.split())


def wrong_nights(
    shop,
    folder: Path,
    nights: dict[int, int],
    *,
    least: int = 5,
    days: int = 14,
    promise: float = 0.004,
) -> Run:
    """The shop promised too little, or too much, on these nights, by the versions given."""
    for name in ("settings.yaml", "events.csv", "users.csv"):
        shutil.copyfile(shop.folder / name, folder / name)
    path = folder / "settings.yaml"
    path.write_text(
        f"{path.read_text()}monitor: {{min_conversions: {least}, realised_days: {days}}}\n"
    )
    run = load(path)
    events = shop_events()
    paid = dict(events[events["event"] == "paid"].groupby("user")["time"].min())
    for number, version in nights.items():
        moment = pd.Timestamp(day(number), unit="us")
        before = events[events["time"] < moment]
        open_ = sorted(u for u in before["user"].unique() if u not in paid or paid[u] >= moment)
        write_night(
            run.store,
            run.model_name,
            day(number),
            dict.fromkeys(open_, ("cold", promise)),
            version=version,
        )
    return run


def test_a_champion_that_changes_every_week_is_judged_by_what_sales_saw(shop, tmp_path):
    run = wrong_nights(shop, tmp_path, {number: 10 + number // 7 for number in range(70, 100)})
    found = monitor(run, silent, as_of=as_of(100))
    # Fourteen dates are mature since two weeks: days 80 to 93.
    assert found.judged == (21, 22, 23)
    assert found.verdict.action == "recalibrate"
    told = "scores of versions 21, 22 and 23, since too few of version 1 are mature"
    assert told in found.verdict.line


def test_a_version_with_enough_scores_of_its_own_is_judged_by_those_alone(shop, tmp_path):
    nights = {number: 1 if number >= 84 else 7 for number in range(70, 100)}
    found = monitor(wrong_nights(shop, tmp_path, nights), silent, as_of=as_of(100))
    assert found.judged == (1,)
    assert found.verdict.action == "recalibrate"
    assert "scores of version" not in found.verdict.line


def test_scores_of_months_ago_decide_nothing(shop, tmp_path):
    run = wrong_nights(shop, tmp_path, dict.fromkeys(range(40, 70), 1))
    assert monitor(run, silent, as_of=as_of(84)).verdict.action == "recalibrate"
    found = monitor(run, silent, as_of=as_of(100))
    assert found.realised
    assert (found.recent, found.judged) == ([], ())
    assert "calibration_ratio" not in [one.limit for one in found.verdict.crossed]
    assert "Outcomes are not judged: no score after 2024-05-19" in found.verdict.line


@pytest.mark.parametrize(("days", "action"), [(28, "do nothing"), (14, "recalibrate")])
def test_conversions_that_stopped_are_no_alarm_until_the_whole_window_is_empty(
    shop, tmp_path, days, action
):
    run = wrong_nights(
        shop, tmp_path, dict.fromkeys(range(66, 94), 1), least=20, days=days, promise=0.4
    )
    events = pd.read_csv(tmp_path / "events.csv")
    lost = (events["event"] == "paid") & (pd.to_datetime(events["time"]) >= as_of(72))
    events[~lost].to_csv(tmp_path / "events.csv", index=False)
    found = monitor(run, silent, as_of=as_of(100))
    assert [one.limit for one in found.verdict.crossed if one.action == "recalibrate"] == (
        ["calibration_ratio"] if action == "recalibrate" else []
    )
    assert ("some may still come" in found.verdict.line) == (action == "do nothing")


def test_too_few_converting_accounts_are_said_and_not_judged(shop, tmp_path):
    run = wrong_nights(shop, tmp_path, dict.fromkeys(range(70, 100), 1), least=500)
    found = monitor(run, silent, as_of=as_of(100))
    assert "calibration_ratio" not in [one.limit for one in found.verdict.crossed]
    converting = next(one.converting for one in found.recent if one.tier == "all")
    assert f"{converting} of the 500 converting accounts" in found.verdict.line


def test_a_reference_is_read_as_it_was_written_and_refused_when_damaged(tmp_path):
    path = tmp_path / "reference.json"
    assert read_reference(path) is None
    made = {"format": 1, "events": {"opened": [0.1, 2.0]}}
    write_reference(made, path)
    assert read_reference(path) == made
    path.write_text("{")
    with pytest.raises(SchemaMismatch, match="damaged"):
        read_reference(path)
    path.write_text('{"format": 99}')
    with pytest.raises(SchemaMismatch, match="format 99"):
        read_reference(path)


def test_without_a_ledger_there_is_drift_but_no_outcome(shop, sibling):
    run = sibling(shop)
    found = monitor(run, silent, as_of=as_of(100))
    assert (found.realised, found.recent) == ([], [])
    assert found.inputs.scores is not None
    assert found.reference[0] < found.reference[1]
    again = monitor(run, silent, as_of=as_of(100))
    assert again.as_dict() == found.as_dict()
