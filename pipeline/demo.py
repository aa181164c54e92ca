"""The demo world with its settings file, made on first use."""

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

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
    simulate(SimulateSpec(accounts=accounts, days=days, seed=seed), folder / "world", say)
    settings = folder / SETTINGS
    if not settings.exists():
        template = resources.files("pipeline") / "demo.yaml"
        with resources.as_file(template) as source:
            shutil.copyfile(source, settings)
        say(f"Settings: {settings}")
    return settings
