"""Exact look-alikes against scikit-learn's brute force, in one run: CPU, memory, equal distances.

    python -m benchmarks.similarity                     # 50,000 rows x 5,000 customers, a minute
    python -m benchmarks.similarity --full              # 500,000 rows x 20,000 customers

Every engine finds, in a process of its own on one thread, the 15 nearest of the customers for every
row, in 40 dimensions of float32. Ours also hides the future, the row's own account and its e-mail
domain; scikit-learn can't, so all customers are known before all rows, and distances are compared
on rows without a relative among them. ``columns`` is what a model reads: both distances, the one to
at most 5,000 non-customers included, and their contrast.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

# One thread each: a ratio of CPU seconds must not hold the waiting of threads for one another.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np

if not __package__:
    # Run as a file, this folder comes first and would hide the project's own `features`.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.measure import ROOT, Run, interleave, machine, measure, median
from benchmarks.report import table
from features.clock import DAY_US
from models.scoring import Reference, Similarity

K = 15
N_DIMS = 40
N_OTHERS = 5_000
RESULTS = ROOT / "benchmarks" / "results" / "similarity.md"
ENGINES = ("ours", "columns", "scikit-learn")
FULL = (500_000, 20_000)


def make_rows(n_rows: int, n_customers: int, seed: int = 0) -> tuple[dict, np.ndarray, dict]:
    """Space, ranks float32 (n_rows, 40) around 50 centres, and keys, of which some are shared."""
    rng = np.random.default_rng(seed)
    centres = rng.random((50, N_DIMS), dtype=np.float32)

    def points(n: int) -> np.ndarray:
        around = centres[rng.integers(50, size=n)]
        around += np.float32(0.15) * rng.standard_normal((n, N_DIMS), dtype=np.float32)
        return np.clip(around, 0, 1, out=around)

    space: dict[str, np.ndarray] = {"k": np.array(K), "share": np.array(0.2)}
    space |= {"min_customers": np.array(20), "trailing_us": np.array(1_000 * DAY_US)}
    for kind, n in (("customer", n_customers), ("other", min(N_OTHERS, n_customers))):
        space |= {
            f"{kind}_points": points(n),
            f"{kind}_known_at": np.sort(rng.integers(0, 365 * DAY_US, n)),
            f"{kind}_account": np.array([f"{kind} {at}" for at in range(n)]),
            f"{kind}_domain": np.array([f"d{at}.com" if at % 2 else "" for at in range(n)]),
            f"{kind}_exponent": np.array(0.1),
        }
    who = rng.integers(0, 20 * n_customers, n_rows)
    values = {
        "as_of": (366 + 7 * rng.integers(0, 26, n_rows)) * DAY_US,
        "account_id": np.array([f"customer {at}" for at in who.tolist()], object),
        "domain": np.array([f"d{at}.com" for at in who.tolist()], object),
    }
    return space, points(n_rows), values


def run_engine(engine: str, n_rows: int, n_customers: int) -> dict[str, Any]:
    """Search once; CPU seconds and memory of the search alone, and what proves it was done."""
    space, ranks, values = make_rows(n_rows, n_customers)
    if engine == "scikit-learn":
        import sklearn.neighbors  # noqa: F401  # its import is no part of the search
    before, started = _forget_peak(), time.process_time()
    if engine == "ours":
        distance = Reference(space, "customer").nearest(ranks, values, K)[0]
    elif engine == "columns":
        distance = Similarity(space)(ranks, values)
    else:
        distance = _scikit_learn(space["customer_points"], ranks)
    search_cpu = time.process_time() - started
    told = {"search_cpu": search_cpu, "above_mb": before and _status_mb("VmHWM") - before}
    kin = np.isin(values["account_id"].astype(str), space["customer_account"])
    kin |= np.isin(values["domain"].astype(str), space["customer_domain"])
    return told | {"related": int(kin.sum()), "mean": float(distance[~kin].mean())}


def _scikit_learn(points: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=K, algorithm="brute", n_jobs=1).fit(points)
    return found.kneighbors(ranks)[0] / np.sqrt(points.shape[1])


def _forget_peak() -> float:
    """Megabytes in use, from which on Linux counts the peak anew; 0 where no system tells."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _status_mb("VmRSS")


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


def compare(n_rows: int, n_customers: int, repeats: int) -> dict[str, Any]:
    """Medians of interleaved runs of every engine.

    Raises
    ------
    RuntimeError
        When an engine fails, or ours and scikit-learn's mean distances differ by a millionth.
    """
    command = [sys.executable, "-m", "benchmarks.similarity", f"--rows={n_rows}"]
    command += [f"--customers={n_customers}"]
    jobs: dict[str, Callable[[], Run]] = {
        name: partial(measure, [*command, f"--engine={name}"]) for name in ENGINES
    }
    runs = interleave(jobs, repeats)
    found = {name: median(of) for name, of in runs.items()}
    if failed := [f"{name}: {one['failure']}" for name, one in found.items() if one["failure"]]:
        raise RuntimeError("; ".join(failed))
    for name, of in runs.items():
        found[name]["search_cpu"] = float(np.median([run.told["search_cpu"] for run in of]))
        found[name]["above_mb"] = max(run.told["above_mb"] for run in of)
    ours, theirs = found["ours"]["mean"], found["scikit-learn"]["mean"]
    if abs(ours / theirs - 1) > 1e-6:
        raise RuntimeError(f"Mean distances differ: ours {ours}, scikit-learn {theirs}.")
    sizes = {"rows": n_rows, "customers": n_customers, "repeats": repeats}
    return {"engines": found, "machine": machine(), "date": date.today().isoformat()} | sizes


def markdown(figures: dict[str, Any]) -> str:
    """The figures as a page."""
    engines, on = figures["engines"], figures["machine"]
    theirs = engines["scikit-learn"]["search_cpu"]
    labels = {
        "ours": f"ours: {K} nearest customers",
        "columns": "ours: both columns",
        "scikit-learn": "scikit-learn brute float32",
    }
    rows = [
        [
            labels[name],
            f"{one['search_cpu'] / theirs:.2f}",
            f"{one['search_cpu']:.1f}",
            f"{one['above_mb']:,.0f}" if one["above_mb"] else "-",
        ]
        for name, one in engines.items()
    ]
    head = ["engine", "CPU / scikit-learn", "CPU s", "MB above the inputs"]
    return (
        f"# Look-alikes: {figures['rows']:,} rows x {figures['customers']:,} customers x {N_DIMS} "
        f"dimensions\n\n{table(head, rows)}\n\n"
        f"Measured on {figures['date']}: {on['cpu']}, {on['cores']} cores, load at the start "
        f"{on['load'][0]}; Python {on['python']}; one thread; medians of {figures['repeats']} "
        "interleaved runs, the search alone. Exact: ours and scikit-learn's mean distances are "
        f"equal to a millionth. Of ours, {engines['ours']['related']:,} rows have relatives among "
        "the customers, whom they do not meet.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="500,000 rows x 20,000 customers")
    parser.add_argument("--markdown", type=Path, default=RESULTS)
    parser.add_argument("--engine", choices=ENGINES, help="run one engine, print JSON")
    told = parser.parse_args()
    n_rows, n_customers = FULL if told.full else (told.rows, told.customers)
    if told.engine:
        print(json.dumps(run_engine(told.engine, n_rows, n_customers)))
        return
    page = markdown(compare(n_rows, n_customers, told.repeats))
    told.markdown.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
