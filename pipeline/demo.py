"""The demo world with its settings file, made on first use."""

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from features.errors import SettingsError
from pipeline.progress import Progress

SETTINGS = "settings.yaml"


def demo_of(folder: Path, *, say: Callable[[str], None]) -> Path:
    """The settings file of the company that was simulated into `folder`; if none was, make one."""
    from pipeline.simulate import WORLD_FILE

    settings = folder / SETTINGS
    if settings.exists() and (folder / "world" / WORLD_FILE).exists():
        return settings
    return make_demo(folder, say=say)


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

    Raises
    ------
    SettingsError
        When the world would be too small or too long.
    """
    from pydantic import ValidationError

    from pipeline.simulate import SimulateSpec, simulate

    try:
        spec = SimulateSpec(accounts=accounts, days=days, seed=seed)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise SettingsError(
            f"simulate --{wrong['loc'][0]}: {wrong['msg']} (got {wrong['input']})."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
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
