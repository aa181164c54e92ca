"""Progress of long work: a bar on a terminal, one plain line in a log."""

import logging
from typing import Any

logger = logging.getLogger("pipeline")


class Progress:
    """Context manager; ``update(done, total)`` may be called from the working thread."""

    def __init__(self, title: str):
        self.title = title
        self._bar: Any = None
        self._task: Any = None

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
            logger.debug("%s: %d of %d", self.title, done, total)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
