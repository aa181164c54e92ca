"""A search that is killed, torn or started twice is the search that never stopped."""

import fcntl
import json
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from features.errors import EventLogError
from models.choosing.tuning import Budget, Tuning, TuningSpec
from models.dataset import Customers, Dataset
from models.learners.booster import BoosterSpec
from models.learners.columns import ColumnSpec
from models.learners.rungs import ModelSpec
from pipeline.tuning import tune
from tests.models.conftest import build_world, fit_world

# Steps so large that the search finds something better, and there is something to judge.
MODEL = ModelSpec(
    booster=BoosterSpec(
        max_rounds=60,
        patience_rounds=10,
        learning_rate=0.9,
        lambda_l1=0,
        lambda_l2=0.1,
        num_leaves=31,
    )
)
TRIALS = 7
WHOLE = Budget(TRIALS, None)

CHILD = """
    from pathlib import Path
    from tests.pipeline.test_tuning import rows, run

    run(Path({store!r}), rows(), say=lambda text: print(text, flush=True))
"""

Rows = tuple[Dataset, Dataset, Customers]


def rows() -> Rows:
    fitted = fit_world(build_world(n_entities=250, n_weeks=10, seed=2))
    return fitted.train, fitted.calibrate, fitted.world.customers


def run(store: Path, data: Rows, say, budget: Budget = WHOLE, seed: int = 4) -> Tuning:
    return tune(
        store,
        *data,
        MODEL,
        ColumnSpec(),
        TuningSpec(folds=2, min_positives=5),
        budget,
        horizon_days=7,
        seed=seed,
        threads=1,
        say=say,
    )


@pytest.fixture(scope="module")
def data() -> Rows:
    return rows()


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> tuple[Path, Tuning]:
    """A search that nothing interrupted."""
    store = tmp_path_factory.mktemp("whole")
    return store, run(store, data, say=lambda _: None)


def journal(store: Path) -> Path:
    (path,) = (store / "tuning").glob("*.log")
    return path


def untimed(tuning: Tuning) -> Tuning:
    return replace(tuning, trials=tuple(replace(t, seconds=0.0) for t in tuning.trials))


def test_a_search_killed_in_a_trial_goes_on_without_a_lost_or_doubled_trial(tmp_path, data, whole):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD).format(store=str(tmp_path))],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    # The first trial is always told; the next has just begun.
    told = next(line for line in child.stdout if "1 trial in" in line)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    finished = journal(tmp_path).read_bytes().count(b"\n") - 1
    assert 1 <= finished < TRIALS, told
    says: list[str] = []
    tuning = run(tmp_path, data, says.append)
    assert any(f"going on after {finished} trials" in text for text in says)
    assert [trial.number for trial in tuning.trials] == list(range(TRIALS))
    assert untimed(tuning) == untimed(whole[1])
    assert journal(tmp_path).name == journal(whole[0]).name


@pytest.mark.parametrize("cut", [1, 40, -1], ids=["a byte short", "in the line", "a byte written"])
def test_a_torn_last_line_is_a_trial_that_is_done_again(tmp_path, data, whole, cut):
    *before, last = journal(whole[0]).read_bytes().splitlines(keepends=True)
    torn = tmp_path / "tuning" / journal(whole[0]).name
    torn.parent.mkdir()
    torn.write_bytes(b"".join(before) + last[: len(last) - cut if cut > 0 else 1])
    # What Optuna leaves when it dies while it writes, and would wait half a minute for.
    torn.with_name(f"{torn.name}.lock").symlink_to(torn)
    says: list[str] = []
    assert untimed(run(tmp_path, data, says.append)) == untimed(whole[1])
    assert any(f"going on after {TRIALS - 1} trials" in text for text in says)
    assert torn.read_bytes().count(b"\n") == TRIALS + 1


def test_the_same_training_again_searches_no_more_and_a_larger_budget_goes_on(tmp_path, data):
    first = run(tmp_path, data, lambda _: None, Budget(2, None))
    content = journal(tmp_path).read_bytes()
    assert run(tmp_path, data, lambda _: None, Budget(2, None)) == first
    assert journal(tmp_path).read_bytes() == content
    more = run(tmp_path, data, lambda _: None, Budget(3, None))
    assert more.trials[:2] == first.trials
    assert run(tmp_path, data, lambda _: None, Budget(2, None)) == first


def test_time_spent_before_an_interruption_counts(tmp_path, data, whole):
    path = tmp_path / "tuning" / journal(whole[0]).name
    path.parent.mkdir()
    study, *trials = journal(whole[0]).read_text().splitlines()
    slow = [json.loads(line) for line in trials]
    for trial in slow:
        started = datetime.fromisoformat(trial["datetime_start"])
        trial["datetime_complete"] = (started + timedelta(minutes=10)).isoformat()
    path.write_text("\n".join([study, *map(json.dumps, slow), ""]))
    content = path.read_bytes()
    tuning = run(tmp_path, data, lambda _: None, Budget(None, 3_600))
    assert untimed(tuning) == untimed(whole[1])
    assert path.read_bytes() == content


def test_a_budget_of_time_ends_the_search(tmp_path, data):
    trials = run(tmp_path, data, lambda _: None, Budget(None, 1)).trials
    assert trials
    assert sum(trial.seconds for trial in trials[:-1]) < 1


def test_another_seed_is_another_search(tmp_path, data):
    for seed in (4, 5):
        run(tmp_path, data, lambda _: None, Budget(1, None), seed)
    assert len(list((tmp_path / "tuning").glob("*.log"))) == 2


def test_a_second_process_waits_for_the_first_and_finds_its_trials(tmp_path, data, whole):
    path = tmp_path / "tuning" / journal(whole[0]).name
    path.parent.mkdir()
    waiting, found = threading.Event(), []

    def second() -> None:
        found.append(run(tmp_path, data, lambda text: "waiting" in text and waiting.set()))

    with path.with_suffix(".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(60)
        path.write_bytes(journal(whole[0]).read_bytes())
    thread.join(60)
    assert found == [whole[1]]


def test_a_damaged_journal_is_named(tmp_path, data, whole):
    path = tmp_path / "tuning" / journal(whole[0]).name
    path.parent.mkdir()
    path.write_bytes(b"{not json}\n")
    with pytest.raises(EventLogError, match=r"journal .* is damaged; delete it"):
        run(tmp_path, data, lambda _: None)


def test_a_store_that_can_not_be_written_is_named(tmp_path, data):
    (tmp_path / "tuning").write_text("a file where the folder should be")
    with pytest.raises(EventLogError, match=r"Can't write into .*tuning"):
        run(tmp_path, data, lambda _: None)


def test_later_rows_judge_and_are_not_searched_on(tmp_path, data, whole):
    train, calibrate, customers = data
    turned = replace(calibrate, label=~calibrate.label)
    other = run(tmp_path, (train, turned, customers), lambda _: None)
    assert untimed(other).trials == untimed(whole[1]).trials
    assert whole[1].judged is not None
    assert other.judged != whole[1].judged
