"""Sixty nights of small companies: predict and monitor each night, with and without a break.

    python -m benchmarks.nights --seeds 1 2 3

Per world the demo company is trained with the data up to night 0 and never again. Every night
`predict` scores and `monitor` looks, both with only what was known by then. At night 40 something
is broken in a copy of the events, and the nights from 40 on are run again with it until the first
alarm. Nights before a break are those of the healthy world, since they can't see it.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

if not __package__:
    # Run as a file, this folder comes first and would hide the project's own `features`.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.nights_breaks import BREAKS
from benchmarks.nights_report import markdown, plot
from features.clock import DAY_US, midnight_at_or_before, to_text
from pipeline import ledger
from pipeline.demo import make_demo
from pipeline.monitor import Monitoring, monitor
from pipeline.predict import predict
from pipeline.settings import Run, load
from pipeline.train import import_events, train

RESULTS = Path(__file__).resolve().parent / "results"
NIGHTS, BREAK = 60, 40


@dataclass(frozen=True)
class Night:
    """One night of one world, in the words of the table."""

    world: str
    case: str
    night: int
    alarm: bool
    line: str
    limits: tuple[str, ...]
    score_psi: float
    drifted: int
    features: int
    ratio: float
    seconds: float


def settings_of(folder: Path, accounts: int, days: int, seed: int) -> Path:
    """A world and its settings: one thread, a short booster, few bootstrap draws."""
    if (folder / "settings.yaml").exists():
        return folder / "settings.yaml"
    path = make_demo(folder, accounts=accounts, days=days, seed=seed, say=quiet)
    text = path.read_text().replace("n_bootstrap: 500", "n_bootstrap: 200")
    text = text.replace("model:\n", "model:\n  booster: {max_rounds: 150, num_leaves: 7}\n", 1)
    uri = f"sqlite:///{folder.resolve() / 'mlflow.db'}"
    path.write_text(f"{text}\nmlflow: {{tracking_uri: '{uri}'}}\ncompute: {{threads: 1}}\n")
    return path


def trained(path: Path) -> tuple[Run, int]:
    """The run that sees all data, and night 0: its model was trained with the data before."""
    whole = load(path)
    zero = midnight_at_or_before(import_events(whole, quiet).data_end) - NIGHTS * DAY_US
    before, done = path.with_name("before.yaml"), path.with_name("trained")
    if not done.exists():
        text = path.read_text()
        before.write_text(text.replace("data:\n", f"data:\n  until: '{to_text(zero)}'\n", 1))
        train(load(before), quiet, as_champion=True)
        done.touch()
    return whole, zero


def one_night(run: Run, zero: int, night: int, world: str, case: str) -> Night:
    """Score and look as of one night."""
    started = time.process_time()
    as_of = zero + night * DAY_US
    # Broken events are what `predict` would refuse; here it is `monitor` that is on trial.
    predict(run, quiet, as_of=to_text(as_of), model="champion", now=None, stale_ok=True)
    found: Monitoring = monitor(run, quiet, as_of=to_text(as_of))
    inputs = found.inputs
    return Night(
        world=world,
        case=case,
        night=night,
        alarm=bool(found.verdict.crossed),
        line=found.verdict.line,
        limits=tuple(one.limit for one in found.verdict.crossed),
        score_psi=float("nan") if inputs.scores is None else inputs.scores.psi,
        drifted=sum(one.drifted for one in inputs.features),
        features=len(inputs.features),
        ratio=found.recent[-1].ratio if found.recent else float("nan"),
        seconds=time.process_time() - started,
    )


def broken_run(path: Path, case: str, zero: int, seed: int) -> Run:
    """A copy of the world with something broken from night `BREAK` on, and its ledger so far."""
    folder = path.parent / case
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(path.parent / "world", folder / "world")
    text = path.read_text()
    (folder / "settings.yaml").write_text(text)
    run = load(folder / "settings.yaml")
    healthy = load(path)
    for entry in ledger.entries(healthy.store, healthy.model_name):
        if entry.as_of < zero + BREAK * DAY_US:
            target = run.store / entry.path.relative_to(healthy.store)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.path, target)
    moment = pd.Timestamp(zero + BREAK * DAY_US, unit="us", tz="UTC")
    BREAKS[case](folder / "world", moment, np.random.default_rng(seed))
    return run


def world_nights(
    folder: Path, seed: int, accounts: int, days: int, cases: list[str], step: int
) -> list[Night]:
    path = settings_of(folder, accounts, days, seed)
    run, zero = trained(path)
    world = f"seed {seed}"
    rows = []
    for night in range(0, NIGHTS + 1, step):
        rows.append(told(one_night(run, zero, night, world, "healthy")))
    for case in cases:
        run = broken_run(path, case, zero, seed)
        for night in range(BREAK, NIGHTS + 1):
            rows.append(told(one_night(run, zero, night, world, case)))
            # What is broken on night 40 shows in scores of night 41 at the earliest.
            if rows[-1].alarm and night > BREAK:
                break
        shutil.rmtree(path.parent / case)
    return rows


def told(night: Night) -> Night:
    print(
        f"{night.world} {night.case} night {night.night}: {night.line} (score PSI "
        f"{night.score_psi:.2f}, drifted {night.drifted}/{night.features}, ratio "
        f"{night.ratio:.2f}, {night.seconds:.1f} s)",
        flush=True,
    )
    return night


quiet: Callable[[str], None] = lambda text: None  # noqa: E731


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--accounts", type=int, default=1500)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--cases", nargs="*", default=list(BREAKS), choices=list(BREAKS))
    parser.add_argument("--step", type=int, default=1, help="Nights between two looks.")
    parser.add_argument(
        "--folder",
        type=Path,
        required=True,
        help="Scratch; a training that is done in it is used again.",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows: list[Night] = []
    for seed in given.seeds:
        rows += world_nights(
            given.folder / f"seed-{seed}", seed, given.accounts, given.days, given.cases, given.step
        )
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "nights.md").write_text(markdown(rows, given, NIGHTS, BREAK))
        plot(rows, given.out / "nights.png", BREAK)


if __name__ == "__main__":
    main()
