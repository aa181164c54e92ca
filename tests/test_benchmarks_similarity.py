"""The look-alike benchmark compares like with like."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT
from benchmarks.similarity import K, make_rows, markdown, run_engine
from models.scoring import Reference

ROWS, CUSTOMERS = 400, 300


def test_a_small_run_writes_the_page_it_prints(tmp_path: Path) -> None:
    page = tmp_path / "similarity.md"
    command = [sys.executable, "-m", "benchmarks.similarity", f"--rows={ROWS}"]
    command += [f"--customers={CUSTOMERS}", "--repeats=1", f"--markdown={page}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert page.read_text().strip() == done.stdout.strip()
    assert "scikit-learn brute float32 |               1.00" in done.stdout


def test_a_seed_makes_the_same_rows_and_some_have_relatives_among_the_customers() -> None:
    first, again = make_rows(ROWS, CUSTOMERS), make_rows(ROWS, CUSTOMERS)
    np.testing.assert_array_equal(first[1], again[1])
    told = run_engine("ours", ROWS, CUSTOMERS)
    assert 0 < told["related"] < ROWS / 4
    assert first[2]["as_of"].min() > first[0]["customer_known_at"].max()


def test_both_engines_find_the_same_distances() -> None:
    means = [run_engine(name, ROWS, CUSTOMERS)["mean"] for name in ("ours", "scikit-learn")]
    assert abs(means[0] / means[1] - 1) < 1e-6
    space, ranks, values = make_rows(ROWS, CUSTOMERS)
    assert np.isfinite(Reference(space, "customer").nearest(ranks, values, K)[0]).all()


def test_ratios_are_of_the_search_over_scikit_learns() -> None:
    cpus = {"ours": 5.0, "columns": 7.0, "scikit-learn": 10.0}
    shared = {"above_mb": 1.0, "related": 2}
    engines = {name: {"search_cpu": cpu} | shared for name, cpu in cpus.items()}
    on = {"cpu": "some", "cores": 2, "load": [0.5], "python": "3"}
    figures = {"engines": engines, "machine": on, "date": "2024-01-01", "repeats": 3}
    page = markdown(figures | {"rows": 1_000, "customers": 10})
    assert "| ours: 15 nearest customers |               0.50 |   5.0 |" in page
    assert "| ours: both columns         |               0.70 |   7.0 |" in page
