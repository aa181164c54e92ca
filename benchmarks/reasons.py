"""Reasons of 100,000 rows: exact Shapley values of 200 trees of 63 leaves on 200 features.

    python -m benchmarks.reasons                      # some two minutes on one core

A booster far bushier than our defaults, trained on much noise around a signal, so that hardly two
paths have the same features. ``pred_contrib`` is LightGBM's own, of some hundred of the same rows;
both on one thread.
"""

import argparse
import os
import time
from datetime import date

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import lightgbm as lgb
import numpy as np

from benchmarks.measure import ROOT, machine
from benchmarks.report import table
from models.scoring.shapley import TreeShapley

TRAIN_ROWS, N_FEATURES, N_CATEGORIES = 20_000, 200, 5
SLOW_ROWS, BLOCK = 300, 32_768
RESULTS = ROOT / "benchmarks" / "results" / "reasons.md"


def make_rows(n: int, seed: int) -> np.ndarray:
    """float64, shape (n, 200): categories first, a tenth missing, in column order."""
    rng = np.random.default_rng(seed)
    rows = np.empty((n, N_FEATURES), order="F")
    for at in range(N_FEATURES):
        rows[:, at] = rng.integers(0, 20, n) if at < N_CATEGORIES else rng.normal(size=n)
        rows[rng.random(n) < 0.1, at] = np.nan
    return rows


def make_booster(n_trees: int, n_leaves: int) -> lgb.Booster:
    rows = make_rows(TRAIN_ROWS, seed=1)
    known = np.nan_to_num(rows)
    odds = known[:, 5] + known[:, 6] * known[:, 7] + (known[:, 0] % 3 == 1) - 1
    label = np.random.default_rng(2).random(TRAIN_ROWS) < 1 / (1 + np.exp(-odds))
    params = {"objective": "binary", "num_leaves": n_leaves, "verbosity": -1, "num_threads": 1}
    data = lgb.Dataset(rows, label, categorical_feature=list(range(N_CATEGORIES)))
    return lgb.Booster(model_str=lgb.train(params, data, n_trees).model_to_string())


def measure(n_rows: int, n_trees: int, n_leaves: int) -> str:
    """A Markdown table of both ways."""
    on = machine()
    booster = make_booster(n_trees, n_leaves)
    rows = make_rows(n_rows, seed=3)
    few = np.ascontiguousarray(rows[:SLOW_ROWS])
    started = time.process_time()
    wanted = booster.predict(few, pred_contrib=True, num_threads=1)
    slow = (time.process_time() - started) / len(few)
    started, wall = time.process_time(), time.perf_counter()
    trees = TreeShapley.of(booster)
    read = time.process_time() - started
    furthest = unsummed = 0.0
    for start in range(0, n_rows, BLOCK):
        block = rows[start : start + BLOCK]
        values = trees.values(block)
        if not start:
            furthest = np.abs(values[:, :SLOW_ROWS].T - wanted[:, :-1]).max()
            raw = booster.predict(few, raw_score=True, num_threads=1)
            total = values[:, :SLOW_ROWS].sum(axis=0) + trees.constant
            unsummed = np.abs(total - raw).max()
    fast, wall = time.process_time() - started, time.perf_counter() - wall
    lines = [
        ("LightGBM's `pred_contrib`", f"{len(few):,}", f"{1 / slow:,.0f}", "1.0", "-"),
        ("by leaf and pattern", f"{n_rows:,}", f"{n_rows / fast:,.0f}",
         f"{slow * n_rows / fast:.1f}", f"{furthest:.1e}"),
    ]  # fmt: skip
    return "\n".join(
        [
            f"# Reasons: {n_trees} trees of {n_leaves} leaves on {N_FEATURES} features",
            "",
            table(("way", "rows", "rows a CPU s", "times as fast", "largest difference"), lines),
            "",
            f"{n_rows:,} rows took {fast:.0f} CPU seconds and {wall:.0f} by the clock on one "
            f"thread, {read:.1f} of them to read the trees. Values and constant add up to the raw "
            f"score within {unsummed:.1e}.",
            "",
            f"Measured on {date.today().isoformat()}: {on['cpu']}, {on['cores']} cores, load at "
            f"the start {on['load'][0]}; Python {on['python']}, LightGBM {lgb.__version__}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--leaves", type=int, default=63)
    parser.add_argument("--no-write", action="store_true", help="Only print.")
    given = parser.parse_args()
    text = measure(given.rows, given.trees, given.leaves)
    print(text)
    if not given.no_write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
