"""What each contender is worth on rows that come later: demo companies, hedgebox, Complete Journey.

    python -m benchmarks.quality                                 # half an hour on two quiet cores
    python -m benchmarks.quality --only demo --seeds 1 2 --accounts 3000

Each world is walked through by `models.judging.rolling.rolling_folds`: two folds, each tested on
eight weeks that nothing before has seen, which are the sixteen weeks that `evaluate` tests in four.
Every contender of a fold reads the same rows, columns and customers. Of a demo company a seed is
another company; of recorded data it is another seed of everything that is fitted.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.measure import ROOT
from benchmarks.quality_contest import Contest
from benchmarks.quality_report import Record, write
from models.judging.bootstrap import Contender
from models.judging.out_of_fold import ranks_within
from models.judging.parts import Part, draw_parts
from models.judging.rolling import rolling_folds
from pipeline.dataset import assemble
from pipeline.demo import make_demo
from pipeline.settings import Run, load
from pipeline.train import import_events

BACKTEST = {"folds": 2, "test_days": 56}
TUNING = {"folds": 2}
"""Of a search; one fold less than `train` takes, which is most of what this costs."""
RECORDED = {
    "hedgebox": ROOT / "examples" / "hedgebox" / "settings.yaml",
    "complete journey": ROOT / "examples" / "complete_journey" / "settings.yaml",
}


@dataclass(frozen=True)
class World:
    """A company and the seed of what is fitted on it.

    Parameters
    ----------
    accounts, days
        Of a demo company; 0 for recorded data.
    """

    name: str
    seed: int
    folder: Path
    accounts: int = 0
    days: int = 0

    def run(self) -> Run:
        """Its settings, with one thread, its own store and this seed."""
        path = self.folder / "settings.yaml" if self.accounts else RECORDED[self.name]
        found = load(path)
        settings = found.settings
        changed = {
            "seed": self.seed,
            "paths": settings.paths.model_copy(update={"store": str(self.folder / "store")}),
            "compute": settings.compute.model_copy(update={"threads": 1}),
            "tuning": settings.tuning.model_copy(update=TUNING),
        }
        return Run(settings.model_copy(update=changed), path, found.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--accounts", type=int, default=4000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--trials", type=int, default=8, help="of a search, the default included")
    parser.add_argument("--minutes", type=float, default=25, help="none is taken up after them")
    parser.add_argument("--draws", type=int, default=200, help="of the bootstrap")
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
    parser.add_argument("--only", nargs="+", choices=["demo", *RECORDED], default=None)
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "benchmarks")
    parser.add_argument("--out", type=Path, help="folder of quality.md, .json and .png")
    args = parser.parse_args()
    started = time.monotonic()
    worlds, skipped = find_worlds(args.only or ["demo", *RECORDED], args)

    def page(records: list[Record]) -> str:
        """Written after each world: a run that is stopped leaves what it has measured."""
        there = {(record.world, record.seed) for record in records}
        missing = [world for world in worlds if (world.name, world.seed) not in there]
        about = {
            "seeds": args.seeds,
            "accounts": args.accounts,
            "trials": args.trials,
            "draws": args.draws,
            "minutes": round((time.monotonic() - started) / 60, 1),
            "skipped": skipped
            + [f"{world.name}, seed {world.seed}, is not measured." for world in missing],
            "tuning_folds": TUNING["folds"],
            **BACKTEST,
        }
        return write(records, about, args.out)

    print(page(measure_all(worlds, args, page)))


def find_worlds(names: Sequence[str], args: argparse.Namespace) -> tuple[list[World], list[str]]:
    """The worlds whose data is there, and a sentence for each that is left out."""
    worlds, skipped = [], []
    for name in names:
        if name == "demo":
            worlds += [
                World(
                    name,
                    seed,
                    args.data / f"quality-demo-{args.accounts}-{args.days}-{seed}",
                    args.accounts,
                    args.days,
                )
                for seed in args.seeds
            ]
        elif missing := missing_files(RECORDED[name]):
            where = RECORDED[name].parent.relative_to(ROOT) / "README.md"
            skipped.append(f"{name} is left out: {missing[0]} is not there; {where} says how.")
        else:
            folder = args.data / f"quality-{name.replace(' ', '-')}"
            worlds += [World(name, seed, folder) for seed in args.seeds]
    for sentence in skipped:
        say(sentence)
    return worlds, skipped


def missing_files(settings: Path) -> list[str]:
    run = load(settings)
    named = [file for source in run.settings.data.sources for file in source.files]
    return [file for file in named if not (run.base / file).exists()]


def measure_all(
    worlds: list[World], args: argparse.Namespace, so_far: Callable[[list[Record]], object]
) -> list[Record]:
    """What is measured in the time, each world in a process of one thread.

    Parameters
    ----------
    so_far
        Called after each world with all records there are.
    """
    # Read when a process starts: two that each took all cores would wait for each other.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ends = time.monotonic() + 60 * args.minutes
    # Seed by seed, so that a run that is out of time has seen every world.
    worlds = sorted(worlds, key=lambda world: args.seeds.index(world.seed))
    with ProcessPoolExecutor(args.processes, get_context("spawn")) as pool:
        folders = list({world.folder: world for world in worlds}.values())
        run_all("made or found", [pool.submit(prepare, world) for world in folders], np.inf)
        jobs = [pool.submit(measure, world, args.trials, args.draws) for world in worlds]
        run_all("measured", jobs, ends, lambda: so_far(finished(jobs)))
    return finished(jobs)


def finished(jobs: list[Future]) -> list[Record]:
    return [job.result() for job in jobs if job.done() and not job.cancelled()]


def run_all(
    what: str, jobs: list[Future], ends: float, after_each: Callable[[], object] = lambda: None
) -> None:
    """Wait for all jobs and tell the time left by the pace so far; cancel what is not begun."""
    started = time.monotonic()
    for done, job in enumerate(as_completed(jobs), start=1):
        if job.cancelled():
            continue
        job.result()
        left = (time.monotonic() - started) / done * (len(jobs) - done)
        say(f"{done} of {len(jobs)} worlds {what}, about {left / 60:.0f} min left")
        after_each()
        if time.monotonic() > ends:
            for waiting in jobs:
                waiting.cancel()


def prepare(world: World) -> None:
    """Simulate and import, once for all seeds and runs."""
    if world.accounts:
        make_demo(
            world.folder, accounts=world.accounts, days=world.days, seed=world.seed, say=quiet
        )
    import_events(world.run(), quiet)


def measure(world: World, trials: int, draws: int) -> Record:
    """Metrics of all contenders on the test rows of all folds, and their bootstrap draws."""
    run = world.run()
    settings = run.settings
    data = assemble(run, import_events(run, quiet), quiet)
    backtest = settings.evaluation.backtest.model_copy(update=BACKTEST)
    splits = rolling_folds(data.dataset, settings.horizon_days, backtest)
    folds = [
        Contest(settings, data.dataset, data.customers, split, trials).run() for split in splits
    ]
    tested = np.any([split.test for split in splits], axis=0)
    rows = data.dataset.take(tested)
    parts = []
    for name in folds[0][0]:
        score, probability = np.empty(len(rows)), np.empty(len(rows))
        fold = np.empty(len(rows), int)
        for number, (split, (contenders, _)) in enumerate(zip(splits, folds, strict=True)):
            here, who = split.test[tested], contenders[name]
            fold[here], score[here], probability[here] = number, who.score, who.probability
        pooled = Contender(ranks_within(fold, score), probability)
        parts.append(Part(rows.label, pooled, rows.cluster))
    return Record(
        world=world.name,
        seed=world.seed,
        contenders=tuple(folds[0][0]),
        values=np.array([part.measure() for part in parts]),
        # The same accounts are drawn for every seed of recorded data: the mean over seeds has an
        # interval of its own. Companies of different seeds share no accounts.
        draws=draw_parts(parts, draws, world.seed if world.accounts else 0),
        rows=len(rows),
        positives=int(rows.label.sum()),
        converting=parts[0].converting,
        folds=tuple(about for _, about in folds),
    )


def say(text: str) -> None:
    """Progress goes to stderr: the tables are what is printed."""
    print(text, file=sys.stderr, flush=True)


def quiet(text: str) -> None:
    """Two processes that tell what they import would tell it to nobody."""


if __name__ == "__main__":
    main()
