"""The table and the picture of `benchmarks.nights`."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nights_breaks import BREAKS

CASES = {"healthy": "nothing breaks"} | {
    name: str(broken.__doc__).strip().rstrip(".") for name, broken in BREAKS.items()
}


def markdown(rows: list[Any], given: Namespace, nights: int, broken_at: int) -> str:
    """First alarm by world and case, and what it said."""
    worlds = list(dict.fromkeys(row.world for row in rows))
    lines = [
        "# Sixty nights\n",
        f"Made by `python -m benchmarks.nights --seeds {' '.join(map(str, given.seeds))} --step "
        f"{given.step}` (of healthy nights one in {given.step} is looked at, else all): demo "
        f"companies of {given.accounts:,} accounts, trained with the data up to night 0, then "
        f"`predict` and `monitor` every night to night {nights}. The night "
        f"numbered {broken_at} ends where the break begins, so night {broken_at + 1} is the first "
        "that can see it.\n",
        f"| case | {' | '.join(worlds)} |",
        "|---|" + "---|" * len(worlds),
    ]
    for case in dict.fromkeys(row.case for row in rows):
        cells = [_cell([r for r in rows if (r.world, r.case) == (w, case)]) for w in worlds]
        lines.append(f"| {case}: {CASES[case]} | {' | '.join(cells)} |")
    lines.append("\nWhat the first alarm says:\n")
    for case in dict.fromkeys(row.case for row in rows):
        for world in worlds:
            own = [row for row in rows if (row.world, row.case) == (world, case)]
            if alarms := [row for row in own if row.alarm]:
                lines.append(f"- {case}, {world}, night {alarms[0].night}: {alarms[0].line}")
    healthy = [row for row in rows if row.case == "healthy"]
    ratios = [row.ratio for row in healthy if row.ratio == row.ratio]
    told = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "none"
    lines.append(
        f"\nOn {len(healthy)} healthy nights: {sum(row.alarm for row in healthy)} alarms; score "
        f"PSI at most {max(row.score_psi for row in healthy):.2f}; at most "
        f"{max(row.drifted for row in healthy)} of {max(row.features for row in healthy)} "
        f"features drifted; conversions over promised ones {told}. A night takes "
        f"{np.median([row.seconds for row in rows]):.1f} CPU seconds (median, predict and monitor "
        "together).\n\n![Nights](nights.png)\n"
    )
    return "\n".join(lines)


def _cell(rows: list[Any]) -> str:
    alarms = [row for row in rows if row.alarm]
    if not alarms:
        return f"no alarm to night {rows[-1].night}" if rows else "-"
    return f"night {alarms[0].night} ({', '.join(alarms[0].limits)})"


def plot(rows: list[Any], path: Path, broken_at: int) -> None:
    """Share of drifted features, score PSI and realised ratio of healthy nights; alarms marked."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(8, 7), dpi=110, layout="constrained")
    measures = (
        ("drifted features, %", lambda row: 100 * row.drifted / max(row.features, 1)),
        ("score PSI", lambda row: row.score_psi),
        ("conversions / promised", lambda row: row.ratio),
    )
    axes = drawing.subplots(len(measures), 1, sharex=True)
    for one, (name, measure) in zip(axes, measures, strict=True):
        for case, colour in zip(CASES, ("#8a8a8a", "#1f6f8b", "#5aa9c4", "#d17a22", "#8c2d19"),
                                strict=True):  # fmt: skip
            for world in dict.fromkeys(row.world for row in rows):
                own = [row for row in rows if (row.world, row.case) == (world, case)]
                nights, values = [row.night for row in own], [measure(row) for row in own]
                one.plot(nights, values, color=colour, linewidth=1, marker=".", markersize=3)
        one.axvline(broken_at, color="black", linewidth=0.8, linestyle=":")
        one.set_ylabel(name)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
    for case, colour in zip(CASES, ("#8a8a8a", "#1f6f8b", "#5aa9c4", "#d17a22", "#8c2d19"),
                            strict=True):  # fmt: skip
        axes[0].plot([], [], color=colour, label=case)
    axes[0].legend(frameon=False, ncols=5, fontsize=8, loc="upper left")
    axes[0].set_title("Sixty nights, something broken at night 40", loc="left")
    axes[-1].set_xlabel("night")
    drawing.savefig(path, metadata={"Software": None})
