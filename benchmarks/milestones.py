"""Planted milestones: how many are found, with which threshold, and what is found where none is.

    python -m benchmarks.milestones --seeds 10 --out benchmarks/results   # 12 minutes on one core

Each world is simulated, imported and searched as a user's would be. Its hazard is multiplied by
exp(strength x 0.4 to 0.6) once a milestone is reached: strength 1 is the demo world, 0 plants none.
Who is active does everything more often in all of them, and converts more often.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from models.milestones import Milestones
from pipeline.milestones import find_milestones
from pipeline.settings import load
from pipeline.simulate import SimulateSpec, simulate
from pipeline.simulate.world import MILESTONES
from pipeline.train import import_events

ARMS = ((0.0, 6_000), (1.0, 6_000), (2.0, 6_000), (2.0, 2_000), (1.0, 18_000))
"""Strength, and accounts of one year."""
NEAR = 0.2
"""A threshold is recovered within so much of the true one."""


@dataclass(frozen=True)
class Outcome:
    """One world searched.

    Parameters
    ----------
    found
        Event -> threshold and scope, of those that are shown.
    unconfirmed
        Events that the search found and the hold-out did not confirm.
    """

    strength: float
    accounts: int
    seed: int
    conversions: int
    found: dict[str, tuple[int, str]]
    unconfirmed: tuple[str, ...]
    tried: int
    cpu_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", type=Path, help="folder that keeps the worlds for another time")
    parser.add_argument("--out", type=Path, help="folder of milestones.md")
    args = parser.parse_args()
    outcomes: list[Outcome] = []
    for strength, accounts in ARMS:
        for seed in range(1, args.seeds + 1):
            outcomes.append(run_one(strength, accounts, seed, args.data))
            say(f"{outcomes[-1]}")
        if args.out:
            write(outcomes, args.out)
    print(report(outcomes))


def write(outcomes: Sequence[Outcome], folder: Path) -> None:
    """``milestones.md``, of the arms that are through."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "milestones.md").write_text(report(outcomes), encoding="utf-8")


def run_one(strength: float, accounts: int, seed: int, data: Path | None) -> Outcome:
    """Simulate, import, search."""
    with ExitStack() as stack:
        if data is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="milestones-")))
        else:
            folder = data / f"milestones-{strength:g}-{accounts}-{seed}"
        spec = SimulateSpec(accounts=accounts, seed=seed, milestone_strength=strength)
        folder.mkdir(parents=True, exist_ok=True)
        simulate(spec, folder / "world")
        template = (resources.files("pipeline") / "demo.yaml").read_text(encoding="utf-8")
        (folder / "settings.yaml").write_text(f"{template}\ncompute: {{threads: 1}}\n")
        run = load(folder / "settings.yaml")
        log = import_events(run, lambda _: None)
        begun = time.process_time()
        found = find_milestones(run, log, lambda _: None)
        return outcome(strength, accounts, seed, found, time.process_time() - begun)


def outcome(
    strength: float, accounts: int, seed: int, found: Milestones, seconds: float
) -> Outcome:
    return Outcome(
        strength=strength,
        accounts=accounts,
        seed=seed,
        conversions=sum(found.conversions),
        found={one.event: (one.at_least, one.scope) for one in found.found},
        unconfirmed=tuple(one.event for one in found.examined if one.reason == "hold-out"),
        tried=found.tried,
        cpu_seconds=round(seconds, 1),
    )


def report(outcomes: Sequence[Outcome]) -> str:
    """The page: recovery of each planted milestone per arm, and false finds."""
    parts = [
        "# Planted milestones, recovered\n\n",
        "Simulated companies of one year; `python -m benchmarks.milestones` says what is planted. "
        "Found: shown after the hold-out. Near: the threshold is within 20 % of the true one. "
        "Lost: the search found the event, the latest 30 % of the conversions did not confirm it "
        "(one-sided 5 %). False: events found that are not planted, and in how many worlds.\n\n",
        "| strength | accounts | conversions | worlds | "
        + " | ".join(f"{one.event}: found, near, lost" for one in MILESTONES)
        + " | false | CPU s |\n|" + "---|" * (6 + len(MILESTONES)) + "\n",
    ]  # fmt: skip
    arms = list(dict.fromkeys((one.strength, one.accounts) for one in outcomes))
    for strength, accounts in arms:
        mine = [one for one in outcomes if (one.strength, one.accounts) == (strength, accounts)]
        planted = [recovery(mine, index) if strength else "-" for index in range(len(MILESTONES))]
        conversions = sum(one.conversions for one in mine) / len(mine)
        seconds = sum(one.cpu_seconds for one in mine) / len(mine)
        cells = [
            f"{strength:g}", f"{accounts:,}", f"{conversions:,.0f}", str(len(mine)), *planted,
            false_finds(mine), f"{seconds:.1f}",
        ]  # fmt: skip
        parts.append(f"| {' | '.join(cells)} |\n")
    parts += ["\n", *thresholds(outcomes)]
    return "".join(parts)


def recovery(mine: Sequence[Outcome], index: int) -> str:
    """Worlds in which one planted milestone is found, near its threshold, and lost."""
    true = MILESTONES[index]
    found = [one.found[true.event][0] for one in mine if true.event in one.found]
    near = sum(abs(at_least - true.at_least) <= NEAR * true.at_least for at_least in found)
    lost = sum(true.event in one.unconfirmed for one in mine)
    return f"{len(found)}, {near}, {lost}"


def false_finds(mine: Sequence[Outcome]) -> str:
    """Events found that are not planted (where nothing is: any), and worlds with one."""
    true = {one.event for one in MILESTONES if mine[0].strength}
    false = [[event for event in one.found if event not in true] for one in mine]
    worlds = sum(map(bool, false))
    names = ", ".join(sorted({event for events in false for event in events}))
    n = sum(map(len, false))
    return f"{n} in {worlds} of {len(mine)}{f' ({names})' if names else ''}"


def thresholds(outcomes: Sequence[Outcome]) -> list[str]:
    """What was found of each planted milestone, counted."""
    lines = ["Thresholds found (worlds):\n\n"]
    for strength, accounts in dict.fromkeys((one.strength, one.accounts) for one in outcomes):
        if not strength:
            continue
        for true in MILESTONES:
            counts = Counter(
                one.found[true.event]
                for one in outcomes
                if (one.strength, one.accounts) == (strength, accounts) and true.event in one.found
            )
            told = ", ".join(
                f"{at_least} by one {scope} ({n})" if scope == "member" else f"{at_least} ({n})"
                for (at_least, scope), n in sorted(counts.items())
            )
            by = " by one member" if true.by_one_member else ""
            lines.append(
                f"- strength {strength:g}, {accounts:,} accounts, `{true.event}` "
                f"{true.at_least}{by}: {told or 'never'}\n"
            )
    return lines


def say(text: str) -> None:
    """Progress goes to stderr: the table is what is printed."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
