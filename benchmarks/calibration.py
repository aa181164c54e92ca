"""Calibration in the next unseen month, before and after the base rate doubles; tiers by capacity.

    python -m benchmarks.calibration --seeds 1 2 3 4 7
    python -m benchmarks.calibration --seeds 7 --accounts 30000 --hedgebox

Per world two models. The first is trained as `train` trains it and measured on the four weeks after
its calibrate fold. For the second, half of all conversions before a date T never happened (drawn by
account; who would have converted leaves the cohort all the same), so that from T on the same
behaviour converts twice as often. It is measured on [T + 28, T + 56) days: as it is, moved by the
labels of [T, T + 14], which are mature at T + 28, and moved to the true rate of the cohort then.

Demo worlds know the true probability of each snapshot, so their gaps are given against outcomes,
with intervals, and against the truth, which has no luck in it.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

if not __package__:
    # Run as a file, this folder comes first and would hide the project's own `features`.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.calibration_tables import markdown
from features.clock import DAY_US
from models.base_rate import Shift, shift_from_labels, shift_to_rate
from models.dataset import Dataset
from models.judging.bootstrap import interval
from models.metrics import calibration_error
from models.presence import days_since_event
from models.propensity import PropensityModel
from models.scoring.probability import move_odds, tier_of
from models.splits import FoldSpec, temporal_split
from models.tiering.hysteresis import HysteresisSpec, replay, tier_churn
from pipeline.dataset import Assembled, assemble
from pipeline.demo import make_demo
from pipeline.settings import Run, load
from pipeline.train import import_events

ROOT = Path(__file__).resolve().parents[1]
HEDGEBOX = ROOT / "examples" / "hedgebox" / "settings.yaml"
MONTH_US = 28 * DAY_US
_DRAWS = 500


@dataclass(frozen=True)
class World:
    """Labelled rows, and where it is known their true probability."""

    name: str
    run: Run
    data: Assembled
    truth: np.ndarray | None


def demo_world(folder: Path, accounts: int, seed: int) -> World:
    run = load(make_demo(folder, accounts=accounts, seed=seed, say=quiet))
    data = assemble(run, import_events(run, quiet), quiet)
    table = pd.read_parquet(folder / "world" / "truth" / "snapshots.parquet")
    keys = zip(
        table["account_id"],
        table["as_of"].to_numpy("datetime64[us]").astype(np.int64).tolist(),
        strict=True,
    )
    known = dict(zip(keys, table["converts_within_14d"], strict=True))
    snapshots = data.dataset.matrix.snapshots
    rows = zip(snapshots.ids, snapshots.as_of.tolist(), strict=True)
    truth = np.array([known.get(key, np.nan) for key in rows])
    return World(f"demo, seed {seed}", run, data, truth)


def measured(
    world: str, case: str, rows: Dataset, probability: np.ndarray, truth: np.ndarray | None
) -> dict:
    """One line of the table; ratios are mean probability over the rate."""
    _, member = np.unique(rows.cluster, return_inverse=True)
    rng, n = np.random.default_rng(0), int(member.max()) + 1
    draws = []
    for _ in range(_DRAWS):
        weight = np.bincount(rng.integers(n, size=n), minlength=n)[member]
        found = (weight * rows.label).sum()
        ratio = (weight * probability).sum() / found if found else np.nan
        draws.append((ratio, calibration_error(rows.label, probability, weight)))
    ratio, error = (interval(np.array(column)) for column in zip(*draws, strict=True))
    line = {
        "world": world,
        "case": case,
        "rows": len(rows),
        "positives": int(rows.label.sum()),
        "ratio": probability.mean() / rows.label.mean(),
        "ratio_low": ratio[0],
        "ratio_high": ratio[1],
        "ece": calibration_error(rows.label, probability),
        "ece_low": error[0],
        "ece_high": error[1],
    }
    if truth is not None:
        line["ratio_to_truth"] = probability.mean() / truth.mean()
        line["ece_to_truth"] = gap_to_truth(truth, probability)
    return line


def gap_to_truth(truth: np.ndarray, probability: np.ndarray, n_bins: int = 10) -> float:
    """Expected calibration error with the true rate of each bin in place of the observed one."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, n_bins)
    return sum(abs((probability[rows] - truth[rows]).sum()) for rows in parts) / len(truth)


def next_month(world: World) -> list[dict]:
    """As trained: the four weeks after the calibrate fold, and what tiers do in them."""
    data, settings = world.data.dataset, world.run.settings
    split = temporal_split(data, settings.horizon_days, settings.evaluation.folds)
    model = fitted(world, data, split, world.data.customers)
    test = split.test & (data.as_of < data.as_of[split.test].min() + MONTH_US)
    rows = data.take(test)
    probability = model.predict(rows.matrix, rows.account, rows.domain)["probability"].to_numpy()
    truth = None if world.truth is None else world.truth[test]
    line = measured(world.name, "next month", rows, probability, truth)
    return [line | tier_facts(world, model, rows, probability)]


def tier_facts(
    world: World, model: PropensityModel, rows: Dataset, probability: np.ndarray
) -> dict:
    tiers, wanted = model.scorer.tiers, world.run.settings.model.tiers
    bare = tier_of(tiers["cutoffs"], probability)
    since = days_since_event(rows)
    settled = replay(rows.entity, rows.as_of, probability, since, tiers, HysteresisSpec().margin)
    weeks = len(np.unique(rows.as_of))
    return {
        "capacity": wanted.reps * wanted.per_rep_per_week,
        "hot_a_week": np.isin(bare, ["hot", "critical"]).sum() / weeks,
        "hot_a_week_settled": np.isin(settled, ["hot", "critical"]).sum() / weeks,
        "churn": tier_churn(rows.entity, rows.as_of, bare).share,
        "churn_settled": tier_churn(rows.entity, rows.as_of, settled).share,
    }


def doubled(world: World, seed: int) -> list[dict]:
    """Half of the conversions before T never happened: from T on the base rate doubles."""
    assert world.truth is not None
    data, conversions = world.data.dataset, world.data.conversions
    turn = int(data.as_of[data.mature].max()) - 49 * DAY_US
    n = len(conversions.occurred_at)
    gone = (conversions.occurred_at < turn) & (np.random.default_rng(seed).random(n) < 0.5)
    thinned = Dataset(
        data.matrix, data.label & ~gone[data.entity], data.mature, data.account, data.domain
    )
    customers = world.data.customers
    customers = customers.take(~gone[customers.matrix.snapshots.entity])
    dates = np.array([turn - 70 * DAY_US, turn]).astype("datetime64[us]").astype("datetime64[D]")
    spec = FoldSpec(calibrate_from=dates[0].item(), test_from=dates[1].item())
    split = temporal_split(thinned, world.run.settings.horizon_days, spec)
    model = fitted(world, thinned, split, customers)
    probability = model.predict(data.matrix, data.account, data.domain)["probability"].to_numpy()
    recent = data.mature & (data.as_of >= turn) & (data.as_of <= turn + 14 * DAY_US)
    today = (data.as_of > turn + 14 * DAY_US) & (data.as_of <= turn + MONTH_US)
    later = data.mature & (data.as_of >= turn + MONTH_US)
    seen = data.take(recent)
    shifts: dict[str, Shift | None] = {
        "doubled, as it is": None,
        "doubled, by labels": shift_from_labels(probability[recent], seen.label, seen.cluster),
        "doubled, rate given": shift_to_rate(
            probability[today], float(np.nanmean(world.truth[today]))
        ),
    }
    lines = []
    for case, shift in shifts.items():
        moved = probability if shift is None else move_odds(probability, shift.shift)
        line = measured(world.name, case, data.take(later), moved[later], world.truth[later])
        lines.append(line | ({} if shift is None else told(shift)))
    return lines


def told(shift: Shift) -> dict:
    factor, low, high = shift.factor
    return {"factor": factor, "factor_low": low, "factor_high": high, "seen": shift.positives}


def fitted(world: World, data: Dataset, split, customers) -> PropensityModel:  # type: ignore[no-untyped-def]
    settings = world.run.settings
    return PropensityModel.fit(
        data.take(split.train),
        data.take(split.calibrate),
        customers,
        settings.model,
        horizon_days=settings.horizon_days,
        seed=settings.seed,
        threads=settings.compute.threads,
        rules=settings.scorecard.rules,
    )


def quiet(_: str) -> None:
    """Where progress lines go."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 7])
    parser.add_argument("--accounts", type=int, default=6000)
    parser.add_argument("--hedgebox", action="store_true", help="also the hedgebox example")
    parser.add_argument("--data", type=Path, help="keep worlds in this folder")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, too")
    given = parser.parse_args()
    lines: list[dict] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in given.seeds:
            folder = (given.data or Path(scratch)) / f"demo-{given.accounts}-{seed}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            world = demo_world(folder, given.accounts, seed)
            lines += [*next_month(world), *doubled(world, seed)]
            print(pd.DataFrame(lines[-4:]).to_string(float_format="{:.3f}".format), flush=True)
    if given.hedgebox:
        run = load(HEDGEBOX)
        data = assemble(run, import_events(run, quiet), quiet)
        lines += next_month(World("hedgebox", run, data, None))
    text = markdown(pd.DataFrame(lines))
    print(text)
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
