"""What more as_of times, more windows and more threads cost, beside the bare cost of the cells."""

from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.job import Job
from benchmarks.measure import interleave, median
from benchmarks.worlds import as_of_times
from pipeline.plots import figure, save

SNAPSHOTS = (4, 8, 13, 26, 52)
WINDOWS = (10, 20, 30, 40, 50, 60)

Point = dict[str, Any]


def measure_all(bench: Bench) -> dict[str, list[Point]]:
    """Points of three curves; those of one curve are interleaved."""
    snapshots = {f"{n} times": bench.job("core", as_ofs=as_of_times(n)) for n in SNAPSHOTS}
    windows = {f"{n} windows": bench.job("windows", n_windows=n) for n in WINDOWS}
    threads = {
        f"{kind.upper()}, {n} thread{'s' if n > 1 else ''}": bench.job(kind, threads=n)
        for kind in ("core", "full")
        for n in (1, 2)
    }
    return {
        "snapshots": _curve(bench, snapshots),
        "windows": _curve(bench, windows),
        "threads": _curve(bench, threads),
    }


def _curve(bench: Bench, jobs: dict[str, Job]) -> list[Point]:
    """CPU and wall seconds of each job, and what only filling its cells costs."""
    ours = {label: bench.runner("ours", job) for label, job in jobs.items()}
    fills = {f"fill {label}": bench.runner("fill", job) for label, job in jobs.items()}
    runs = interleave({**ours, **fills}, bench.repeats)
    points = []
    for label in jobs:
        point, fill = median(runs[label]), median(runs[f"fill {label}"])
        cells = point["rows"] * point["columns"]
        points.append(
            {"label": label, "cells": cells, **point, "fill_cpu": fill["cpu"], "fill": fill}
        )
    return points


def plot_all(scaling: dict[str, list[Point]], folder: Path, stem: str) -> list[str]:
    """Write ``<stem>-<curve>.png`` for each curve; returns the file names."""
    folder.mkdir(parents=True, exist_ok=True)
    titles = {
        "snapshots": "From 4 to 52 as_of times: CORE",
        "windows": "From 10 to 60 windows: counts, 26 as_of times",
    }
    names = []
    for curve, title in titles.items():
        names.append(f"{stem}-{curve}.png")
        _plot_cells(scaling[curve], title, folder / names[-1])
    names.append(f"{stem}-threads.png")
    _plot_threads(scaling["threads"], folder / names[-1])
    return names


def _plot_cells(points: list[Point], title: str, path: Path) -> None:
    drawing, axes = figure(title)
    millions = [point["cells"] / 1e6 for point in points]
    axes.plot(millions, [point["cpu"] for point in points], "o-", color="#1f6f8b", label="ours")
    least = points[0]["cpu"] - points[0]["fill_cpu"]
    axes.plot(
        millions,
        [least + point["fill_cpu"] for point in points],
        "--",
        color="#8a8a8a",
        label="the first point, and filling the extra cells",
    )
    axes.plot(
        millions,
        [point["fill_cpu"] for point in points],
        ":",
        color="#8a8a8a",
        label="only filling the cells (numpy)",
    )
    for point, x in zip(points, millions, strict=True):
        axes.annotate(
            point["label"].split()[0], (x, point["cpu"]), (0, 6), textcoords="offset points"
        )
    axes.set_xlabel("output cells, millions")
    axes.set_ylabel("CPU seconds")
    axes.set_ylim(0)
    axes.legend(frameon=False)
    save(drawing, path)


def _plot_threads(points: list[Point], path: Path) -> None:
    drawing, axes = figure("From 1 to 2 threads")
    places = range(len(points))
    for shift, key, colour in ((-0.2, "wall", "#1f6f8b"), (0.2, "cpu", "#d17a22")):
        heights = [point[key] for point in points]
        bars = axes.bar([x + shift for x in places], heights, 0.38, color=colour, label=key)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(list(places), [point["label"] for point in points])
    axes.set_ylabel("seconds")
    axes.legend(frameon=False)
    save(drawing, path)
