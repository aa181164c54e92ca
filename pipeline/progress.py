"""Progress of long work: a bar on a terminal, one plain line in a log."""

import sys
import time
from typing import Any

_TOLD_EVERY_S = 30.0


class Progress:
    """Context manager; ``update(done, total)`` may be called from the working thread."""

    def __init__(self, title: str):
        self.title = title
        self._bar: Any = None
        self._task: Any = None
        self._told = time.monotonic()

    def __enter__(self) -> "Progress":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=None)
        return self

    def update(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        else:
            self._tell(done, total)

    def _tell(self, done: int, total: int) -> None:
        """A line where there is no terminal, at most one in half a minute."""
        now = time.monotonic()
        if now - self._told >= _TOLD_EVERY_S:
            self._told = now
            sys.stderr.write(f"{self.title}: {done} of {total}\n")
            sys.stderr.flush()

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
