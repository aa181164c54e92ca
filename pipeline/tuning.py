"""`train --tune`: the journal of a search, its budget, its progress, and going on after a crash."""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from models.choosing.search import Trial, search
from models.choosing.tuning import (
    Budget,
    Tuning,
    TuningSpec,
    judge_tuning,
    study_key,
    tuning_parts,
)
from models.choosing.walk_forward import Preparation
from models.dataset import Customers, Dataset
from models.learners.columns import ColumnSpec
from models.learners.rungs import ModelSpec
from models.scorecard.rules import Rule
from pipeline.progress import Progress

if TYPE_CHECKING:
    import optuna

Say = Callable[[str], None]

_STUDY = "tuning"
_TOLD_EVERY = 10


def tune(
    store: Path,
    train: Dataset,
    calibrate: Dataset,
    customers: Customers,
    model: ModelSpec,
    columns: ColumnSpec,
    spec: TuningSpec,
    budget: Budget,
    *,
    horizon_days: int,
    seed: int,
    threads: int,
    say: Say,
    rules: tuple[Rule, ...] = (),
    standing: str = "booster",
) -> Tuning:
    """Search within the train rows and judge the winner on the calibrate rows.

    Parameters
    ----------
    standing
        The rung that the ladder chose, which the winner must beat.

    The journal is ``store/tuning/<key>.log``, its key made of data, settings and seed. The same
    training started again goes on where the last one ended, however it ended; time budgets count
    what was spent before.

    Raises
    ------
    NotEnoughHistory
        When the train rows have too few conversions to tune on.
    EventLogError
        When the journal can't be read or written.
    """
    prepared = Preparation(
        customers,
        model.model_copy(update={"columns": columns}),
        horizon_days,
        seed,
        threads,
        rules,
    )
    say("Tuning: preparing the folds")
    parts = tuning_parts(prepared, train, spec)
    path = store / "tuning" / f"{study_key(prepared, train, spec)[:16]}.log"
    with open_record(path, say) as record, Progress("Tuning") as progress:
        before = [Trial.of(one) for one in record.get_trials(deepcopy=False)]
        if before:
            say(f"Tuning: going on after {len(before)} trials of {path}")
        watch = Watch(budget, sum(trial.seconds for trial in before))
        trials = search(
            parts,
            prepared.spec.booster,
            record,
            most=budget.trials,
            expired=watch.expired,
            seed=seed,
            threads=threads,
            on_trial=Teller(say, progress, watch, before),
        )
    say("Tuning: judging the best trial on later rows")
    tuning = judge_tuning(trials, prepared, train, calibrate, standing)
    say(f"Tuning: {tuning.verdict}")
    return tuning


class Watch:
    """Seconds spent on a search, those of earlier processes included."""

    def __init__(self, budget: Budget, spent: float):
        self._budget, self._begin = budget, time.monotonic() - spent

    def expired(self) -> bool:
        """Whether a budget of time is used up."""
        return self._budget.seconds is not None and self.spent() >= self._budget.seconds

    def spent(self) -> float:
        return time.monotonic() - self._begin

    def share(self, trials: int) -> tuple[int, int]:
        """What is done of what there is to do: trials, or seconds."""
        if self._budget.seconds is None:
            return trials, self._budget.trials or trials
        return min(round(self.spent()), self._budget.seconds), self._budget.seconds


class Teller:
    """Tells each improvement, and at least every tenth trial, so that a log shows life."""

    def __init__(self, say: Say, progress: Progress, watch: Watch, before: list[Trial]):
        self._say, self._progress, self._watch = say, progress, watch
        self._best = min((t.value for t in before if t.value is not None), default=None)

    def __call__(self, trial: Trial) -> None:
        done = trial.number + 1
        self._progress.update(*self._watch.share(done))
        better = trial.value is not None and (self._best is None or trial.value < self._best)
        if better:
            self._best = trial.value
        if better or done % _TOLD_EVERY == 0:
            self._say(
                f"Tuning: {done} trial{'' if done == 1 else 's'} in {self._watch.spent():.0f} s, "
                f"best log loss in the folds {self._best:.5f}"
            )


@contextmanager
def open_record(path: Path, say: Say) -> Iterator["optuna.Study"]:
    """The study in a journal file, which one process holds at a time; others wait.

    Each line is a whole trial, so a process that is killed leaves no half-done one. If it is
    killed within the write itself, the torn last line goes.

    Raises
    ------
    EventLogError
        When the file can't be read or written, or holds something else.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("a")
    except OSError as error:
        raise EventLogError(
            f"Can't write into {str(path.parent)!r}: {error.strerror or error}."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Tuning: another process runs this very search; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        _repair(path)
        # Optuna's own lock, left by a process that died while it wrote, would be waited for.
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        # Creating it with load_if_exists would add a line on every start.
        known = _STUDY in optuna.get_all_study_names(storage)
        get_study = optuna.load_study if known else optuna.create_study
        yield get_study(study_name=_STUDY, storage=storage)


def _repair(path: Path) -> None:
    """Cut a torn last line; Optuna would read it as damage."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        for line in whole.splitlines():
            json.loads(line)
    except ValueError as error:
        raise EventLogError(
            f"The tuning journal {str(path)!r} is damaged; delete it to search anew."
        ) from error
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
