"""Speed and memory of the feature engine, against a floor and against its peers, in one run.

    python -m benchmarks.features --events 10m --peers none
    python -m benchmarks.features --events 1m --peers all --json figures.json

See ``benchmarks/README.md`` for what is measured and how.
"""

import argparse
import json
import sys
from pathlib import Path

if not __package__:
    # Run as a file, this folder comes first and would hide the project's own `features`.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report, scaling
from benchmarks.bench import Bench
from benchmarks.measure import ROOT
from benchmarks.peers import PEERS
from benchmarks.worlds import LEAST_EVENTS


def events_of(text: str) -> int:
    """
    >>> events_of("10m"), events_of("20k"), events_of("5000")
    (10000000, 20000, 5000)
    """
    units = {"k": 1_000, "m": 1_000_000}
    lower = text.lower()
    digits = lower[:-1] if lower[-1:] in units else lower
    if not digits.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of events such as 20k or 10m")
    n_events = int(digits) * units.get(lower[-1], 1)
    if n_events < LEAST_EVENTS:
        raise argparse.ArgumentTypeError(f"a world has at least {LEAST_EVENTS:,} events")
    return n_events


def peers_of(text: str) -> list[str]:
    """
    >>> peers_of("none"), peers_of("pandas,polars")
    ([], ['pandas', 'polars'])
    """
    names = {"none": [], "all": list(PEERS)}.get(text, text.split(","))
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(
            f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}, all and none"
        )
    return names


def interpreter(text: str) -> tuple[str, Path]:
    """
    >>> interpreter("polars=/opt/polars/bin/python")[0]
    'polars'
    """
    name, equals, path = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    return name, Path(path).absolute()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.features", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--events", type=events_of, default=1_000_000, help="1m, 10m, 100m or any number")
    add("--peers", type=peers_of, default=[], help="all, none (default) or names, with commas")
    add("--repeats", type=int, default=3, help="interleaved runs; medians are reported")
    add("--threads", type=int, default=2, help="of ours, the floor and the DuckDB peers")
    add("--seed", type=int, default=0, help="of the log that is made")
    add("--data", type=Path, default=ROOT / "data" / "benchmarks", help="where worlds are kept")
    add(
        "--peer-python",
        type=interpreter,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="interpreter of polars, featuretools or temporian",
    )
    add("--peer-limit", type=int, default=900, help="CPU seconds a peer may take")
    switch = argparse.BooleanOptionalAction
    add("--import", dest="imports", action=switch, help="the import too; by itself up to 1m")
    add("--memory-mb", type=int, help="limit that ours is given, as compute.memory_mb")
    add("--full", action=switch, default=True, help="the FULL job too")
    add("--scaling", action="store_true", help="4 to 52 as_of times, 10 to 60 windows, threads")
    add("--json", type=Path, help="write every figure")
    add("--markdown", type=Path, help="write the tables, and the plots beside it")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 when two engines disagree on a sum."""
    asked = parse(arguments)
    bench = Bench(
        data=asked.data.absolute(),
        n_events=asked.events,
        seed=asked.seed,
        threads=asked.threads,
        repeats=asked.repeats,
        pythons=dict(asked.peer_python),
        peer_limit=asked.peer_limit,
        memory_mb=asked.memory_mb,
    )
    imports = asked.events <= 1_000_000 if asked.imports is None else asked.imports
    figures = bench.engines(asked.full)
    if imports:
        figures["import"] = bench.imports()
    rivals = bench.peers(asked.peers, figures["core"])
    figures["disagreements"] |= rivals.pop("disagreements")
    figures |= rivals
    if asked.scaling:
        figures["scaling"] = scaling.measure_all(bench)
        folder = asked.markdown.parent if asked.markdown else bench.folder(asked.events)
        figures["plots"] = scaling.plot_all(figures["scaling"], folder, report.short(asked.events))
    text = report.markdown(figures)
    print(text)
    for path, content in (
        (asked.json, json.dumps(figures, indent=1) + "\n"),
        (asked.markdown, text),
    ):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    return 1 if figures["disagreements"] else 0


if __name__ == "__main__":
    sys.exit(main())
