"""The demo world with its settings file, made on first use."""

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from pipeline.progress import Progress

SETTINGS = "settings.yaml"


def make_demo(
    folder: Path,
    *,
    accounts: int = 6000,
    days: int = 365,
    seed: int = 7,
    say: Callable[[str], None],
) -> Path:
    """Simulate a company into ``folder/world`` and put a settings file beside it.

    Returns
    -------
    Path
        The settings file. An existing one is kept: it is yours to change.
    """
    from pipeline.simulate import SimulateSpec, simulate

    folder.mkdir(parents=True, exist_ok=True)
    spec = SimulateSpec(accounts=accounts, days=days, seed=seed)
    with Progress("Simulating") as progress:
        world = simulate(spec, folder / "world", progress.update)
    if not world.reused:
        say(
            f"Demo company: {world.accounts:,} accounts, {world.events:,} events of {days} days in "
            f"{folder / 'world'}; what is true of it: world.json there"
        )
    settings = folder / SETTINGS
    if not settings.exists():
        template = resources.files("pipeline") / "demo.yaml"
        with resources.as_file(template) as source:
            shutil.copyfile(source, settings)
        say(f"Settings: {settings}")
    return settings
