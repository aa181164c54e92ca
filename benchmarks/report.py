"""The figures as Markdown that reads well on a terminal too."""

from collections.abc import Iterable, Sequence
from typing import Any


def markdown(figures: dict[str, Any]) -> str:
    """Ratios first, then what they are made of, then the machine."""
    parts = [
        f"# {figures['events']:,} events",
        _about(figures),
        "## Ours against the floor",
        _engines(figures),
    ]
    if "import" in figures:
        parts += [
            "## Import of raw files against DuckDB's own reading",
            _imports(figures["import"]),
        ]
    if figures["peer_runs"]:
        parts += ["## The same features by other means", _peers(figures)]
    if "scaling" in figures:
        parts += ["## Scaling", _scaling(figures["scaling"])]
        parts += [f"![{plot}]({plot})" for plot in figures["plots"]]
    parts.append(_verdict(figures["disagreements"]))
    return "\n\n".join(parts) + "\n"


def short(n_events: int) -> str:
    """
    >>> short(10_000_000), short(20_000), short(1_500)
    ('10m', '20k', '1500')
    """
    for size, unit in ((1_000_000, "m"), (1_000, "k")):
        if n_events % size == 0:
            return f"{n_events // size}{unit}"
    return str(n_events)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table with columns padded to one width; numbers stand to the right.

    >>> print(table(["what", "n"], [["ours", 1], ["floor", 12]]))
    | what  |  n |
    |-------|---:|
    | ours  |  1 |
    | floor | 12 |
    """
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [
        column is not columns[0] and all(cell[:1].isdigit() or cell == "-" for cell in column[1:])
        for column in columns
    ]
    lines = [
        " | ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in cells
    ]
    rule = [
        f"{'-' * (width + 1)}{':' if to_right else '-'}"
        for width, to_right in zip(widths, right, strict=True)
    ]
    rows_of_text = [f"| {line} |" for line in lines]
    return "\n".join([rows_of_text[0], f"|{'|'.join(rule)}|", *rows_of_text[1:]])


def _about(figures: dict[str, Any]) -> str:
    on = figures["machine"]
    versions = {**figures["core"]["versions"], **figures["floor"]["versions"]}
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (
        f"Measured on {figures['date']}: {on['cpu']}, {on['cores']} cores, {on['memory_gb']} GB, "
        f"{on['system']}, load at the start {on['load'][0]}; Python {on['python']}, {libraries}; "
        f"{figures['threads']} threads{_limit(figures)}. Medians of interleaved runs, "
        f"{figures['core']['repeats']} each; CPU seconds and peak memory are of whole processes, "
        "start and imports included, but `again`: the same once more in the same process."
    )


def _limit(figures: dict[str, Any]) -> str:
    most = figures.get("memory_mb")
    return f"; ours with a memory limit of {most:,} MB" if most else ""


def _engines(figures: dict[str, Any]) -> str:
    floor, rows, notes = figures["floor"], [], []
    for name, label in (("core", "CORE"), ("full", "FULL"), ("floor", "floor")):
        one = figures[name]
        if one["failure"]:
            notes.append(f"\n{label}: {one['failure']}.")
            continue
        rows.append(
            [
                label,
                "-" if name == "floor" else f"{one['cpu'] / floor['cpu']:.2f}",
                "-" if name == "floor" else f"{one['wall'] / floor['wall']:.2f}",
                f"{one['cpu']:.2f}",
                _again(one),
                f"{one['wall']:.2f}",
                f"{one['peak_mb']:,.0f}",
                f"{one['rows']:,} x {one['columns']:,}",
            ]
        )
    timed = ["CPU / floor", "wall / floor", "CPU s", "again CPU s", "wall s"]
    return "\n".join([table(["job", *timed, "peak MB", "made"], rows), *notes])


def _again(one: dict[str, Any]) -> str:
    """CPU seconds of computing it once more in the same process, where that was measured."""
    return "-" if one.get("again_cpu") is None else f"{one['again_cpu']:.2f}"


def _imports(imports: list[dict[str, Any]]) -> str:
    rows = [
        [
            one["file"],
            f"{one['cpu_ratio_over_read']:.2f}",
            f"{one['cpu_ratio_over_extract']:.2f}",
            f"{one['mb']:,.0f}",
            f"{one['import']['cpu']:.2f}",
            f"{one['read']['cpu']:.2f}",
            f"{one['mb'] / one['import']['wall']:.0f}",
            f"{one['mb'] / one['read']['wall']:.0f}",
            f"{one['import']['peak_mb']:,.0f}",
        ]
        for one in imports
    ]
    head = [
        "file",
        "CPU / read",
        "CPU / read and extract",
        "MB",
        "import CPU s",
        "read CPU s",
        "import MB/s",
        "read MB/s",
        "peak MB",
    ]
    return table(head, rows)


def _peers(figures: dict[str, Any]) -> str:
    """Peers that ran, the quickest first, then in words what did not."""
    found = figures["peer_runs"]
    ran = {name: one for name, one in found.items() if "cpu" in one}
    rows = [
        [
            name,
            one["what"],
            f"{one['events']:,}",
            f"{one['cpu_ratio_over_core']:.1f}",
            f"{one['cpu']:.2f}",
            f"{one['core_cpu']:.2f}",
            f"{one['again_ratio_over_core']:.1f}" if "again_ratio_over_core" in one else "-",
            _again(one),
            f"{one['wall']:.2f}",
            f"{one['peak_mb']:,.0f}",
            "no" if one["differs"] else "yes",
            one["repeats"],
        ]
        for name, one in sorted(ran.items(), key=lambda pair: pair[1]["cpu_ratio_over_core"])
    ]
    head = [
        "peer",
        "how",
        "events",
        "CPU / CORE",
        "CPU s",
        "CORE CPU s",
        "again / again",
        "again CPU s",
        "wall s",
        "peak MB",
        "same sums",
        "runs",
    ]
    notes = [f"- {note}" for name, one in found.items() for note in _notes(name, one, figures)]
    return "\n".join([table(head, rows), "", *notes]).rstrip()


def _notes(name: str, one: dict[str, Any], figures: dict[str, Any]) -> list[str]:
    if "cpu" not in one:
        return [f"{name}: {one['failure']}"]
    libraries = ", ".join(f"{library} {number}" for library, number in one["versions"].items())
    notes = [f"{name}: {libraries}" + (f"; without {one['left_out']}" if one["left_out"] else "")]
    if one["events"] < figures["events"]:
        why = one["failure"] or "takes minutes of CPU or most of the memory"
        grows = ""
        if "estimated_cpu" in one:
            grows = (
                f"; between a tenth of {one['events']:,} events and these it grows by "
                f"{one['cpu_per_million']:,.0f} CPU s per million events, on a straight line "
                f"{one['estimated_cpu']:,.0f} CPU s there"
            )
        notes.append(f"{name}: not run at {figures['events']:,} events ({why}){grows}")
    return notes


def _scaling(scaling: dict[str, list[dict[str, Any]]]) -> str:
    titles = {
        "snapshots": "Snapshots (as_of times), CORE",
        "windows": "Windows, counts only, 26 as_of times",
        "threads": "Threads",
    }
    head = ["job", "cells", "CPU s", "fill CPU s", "wall s", "peak MB"]
    parts = []
    for name, title in titles.items():
        rows = [
            [
                one["label"],
                f"{one['cells']:,}",
                f"{one['cpu']:.2f}",
                f"{one['fill_cpu']:.2f}",
                f"{one['wall']:.2f}",
                f"{one['peak_mb']:,.0f}",
            ]
            for one in scaling[name]
        ]
        parts.append(f"{title}:\n\n{table(head, rows)}")
    return "\n\n".join(parts)


def _verdict(disagreements: dict[str, list[str]]) -> str:
    if not disagreements:
        return "All engines that ran agree on the sums of the columns that are compared."
    told = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in disagreements.items())
    return f"**The engines disagree.** {told}."
