"""Scores of 200 features against LightGBM's bare `Booster.predict`, on the same boosters.

    python -m benchmarks.scoring                      # 100,000 rows, a few minutes
    python -m benchmarks.scoring --full               # 1,000,000 rows

Default settings, 190 counts and 10 categories, one thread. ``bare`` is handed what LightGBM likes
best, a float64 matrix in row order with its own columns, once for each booster of the model and
its two views; all that a model adds (categories, the regression, calibration, tiers) is ours.
``score`` starts from arrays, ``frame`` from a DataFrame through the registered model's own code.
Reasons are told for fewer rows, and counted per row.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

# One thread each: a ratio of CPU seconds must not hold the waiting of threads for one another.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.measure import ROOT, machine
from benchmarks.report import table
from features.clock import DAY_US, to_us
from features.definitions import Feature
from features.matrix import FeatureMatrix, Snapshots
from models.bundle import save_bundle
from models.dataset import Customers, Dataset
from models.propensity import ModelSpec, PropensityModel
from models.scoring import Scorer, assemble, check_frame, expected, to_values

N_COUNTS, N_CATEGORIES = 190, 10
TRAIN_ROWS = 16_000
REASON_ROWS = 30_000
RESULTS = ROOT / "benchmarks" / "results" / "scoring.md"


def make_features() -> tuple[Feature, ...]:
    """Counts of 48 events in four windows, and categories of the account."""
    days = (7, 14, 28, 90)
    counts = [
        Feature(
            name=f"event_{at // 4}_count_{days[at % 4]}d",
            dimension="value",
            statistic="count",
            events=(f"event_{at // 4}",),
            property=None,
            days=days[at % 4],
            scope="entity",
            dtype="number",
            unit="events",
            meaning="",
            subject=f"event {at // 4}",
        )
        for at in range(N_COUNTS)
    ]
    told = (None, "entity", "category", "", "", "account")
    groups = [
        Feature(f"attribute_{at}", "fit", "attribute", (), f"attribute {at}", *told)
        for at in range(N_CATEGORIES)
    ]
    return (*counts, *groups)


def make_rows(n_rows: int, seed: int) -> Dataset:
    """Rows of as many accounts, two to a domain."""
    rng = np.random.default_rng(seed)
    keen = rng.normal(size=n_rows)
    levels = np.array([f"level {at}" for at in range(12)], object)
    columns: dict[str, pa.Array] = {}
    for at, feature in enumerate(make_features()):
        if feature.dtype == "number":
            counts = rng.poisson(np.exp(0.5 + 0.5 * keen * (at % 3 == 0))).astype(np.float32)
            counts[rng.random(n_rows) < 0.05] = np.nan
            columns[feature.name] = pa.array(counts)
        else:
            columns[feature.name] = pa.array(levels[np.minimum(rng.geometric(0.3, n_rows), 12) - 1])
    ids = np.array([f"{seed}-{at}" for at in range(n_rows)], object)
    as_of = to_us("2024-03-01") + (np.arange(n_rows) * 26 // n_rows) * 7 * DAY_US
    snapshots = Snapshots("account", np.arange(n_rows, dtype=np.int32), as_of, ids)
    matrix = FeatureMatrix(snapshots, make_features(), pa.table(columns))
    label = rng.random(n_rows) < 1 / (1 + np.exp(3 - 1.2 * keen))
    domain = np.array([f"{seed}-{at // 2}.com" for at in range(n_rows)], object)
    return Dataset(matrix, label, np.ones(n_rows, bool), ids, domain)


def make_model(folder: Path, similarity: bool) -> Scorer:
    """Train with default settings, save, and read as the registered model does."""
    rows = make_rows(TRAIN_ROWS, seed=0)
    early = np.arange(TRAIN_ROWS) < TRAIN_ROWS * 3 // 4
    bought = rows.take(rows.label)
    customers = Customers(
        bought.matrix, bought.as_of + DAY_US, bought.account, bought.domain, bought.account
    )
    spec = ModelSpec.model_validate({"similarity": {"enabled": similarity}})
    model = PropensityModel.fit(
        rows.take(early), rows.take(~early), customers, spec, horizon_days=7, seed=1
    )
    return Scorer.load(save_bundle(model, folder, settings_text="", info={}))


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def bare_inputs(scorer: Scorer, values: dict) -> list[tuple[Any, np.ndarray]]:
    """Every booster with its own columns, in row order."""
    names, matrix = assemble(scorer.columns, scorer.similarity, values)
    learners = [scorer.learner, *(learner for learner, _ in scorer.views.values())]
    pairs = []
    for learner in learners:
        for booster in learner.boosters:
            picked = [names.index(name) for name in booster.feature_name()]
            pairs.append((booster, np.ascontiguousarray(matrix[:, picked])))
    return pairs


def make_frame(rows: Dataset) -> pd.DataFrame:
    """Rows as a program holds them."""
    frame = rows.matrix.frame().drop(columns="entity_id")
    return frame.assign(account_id=rows.account, domain=rows.domain)


def measure_model(scorer: Scorer, n_rows: int, repeats: int) -> dict[str, float]:
    """CPU microseconds per row of each way, medians of interleaved repeats."""
    rows = make_rows(min(n_rows, 50_000), seed=9)
    part = make_frame(rows)
    names = expected(scorer.columns)
    few = to_values(names, part.head(REASON_ROWS))
    frame = pd.concat([part] * -(-n_rows // len(part)), ignore_index=True).head(n_rows)
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        # A part at a time: the bare way needs all of its matrix, and no other memory is told of.
        for start in range(0, n_rows, 50_000):
            block = frame.iloc[start : start + 50_000]
            values = to_values(names, block)
            pairs = bare_inputs(scorer, values)
            ways: dict[str, Callable[[], Any]] = {
                "bare": lambda pairs=pairs: [
                    booster.predict(matrix, raw_score=True, num_threads=1)
                    for booster, matrix in pairs
                ],
                "score": lambda values=values: scorer.score(values),
                "frame": lambda block=block: (
                    check_frame(names, block),
                    scorer.score(to_values(names, block)),
                ),
            }
            for name, way in ways.items():
                found.setdefault(name, []).append(seconds(way) / len(block))
        found.setdefault("reasons", []).append(seconds(lambda: scorer.told(few, 3)) / REASON_ROWS)
        found.setdefault("contributions", []).append(
            seconds(lambda: scorer.contributions(few)) / REASON_ROWS
        )
    return {name: 1e6 * median(times) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="1,000,000 rows")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    n_rows = 1_000_000 if asked.full else asked.rows
    on = machine()
    lines = []
    for similarity in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            scorer = make_model(Path(folder) / "bundle", similarity)
        took = measure_model(scorer, n_rows, asked.repeats)
        trees = sum(booster.num_trees() for booster in scorer.learner.boosters)
        print(f"similarity {similarity}: {trees} trees, {took}")
        label = "with similarity" if similarity else "without similarity"
        for name, words in WAYS.items():
            ratio = took[name] / took["bare"]
            per_second = 1e6 / took[name]
            lines.append([label, words, f"{ratio:.2f}", f"{took[name]:.1f}", f"{per_second:,.0f}"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    head = ["model", "what", "CPU / bare", "CPU µs a row", "rows a CPU s"]
    text = (
        f"# Scores of {n_rows:,} rows x {N_COUNTS + N_CATEGORIES} features\n\n"
        f"{table(head, lines)}\n\n"
        f"Measured on {date.today().isoformat()}: {on['cpu']}, {on['cores']} cores, load at the "
        f"start {on['load'][0]}; Python {on['python']}; one thread; medians over parts of 50,000 "
        f"rows, and {REASON_ROWS:,} rows for reasons and contributions. Largest memory, training "
        f"and rows included: {peak:,.0f} MB.\n"
    )
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


WAYS = {
    "bare": "bare `Booster.predict`",
    "score": "scores from arrays",
    "frame": "scores from a DataFrame",
    "contributions": "Shapley values of all columns",
    "reasons": "scores' reasons in words",
}

if __name__ == "__main__":
    main()
