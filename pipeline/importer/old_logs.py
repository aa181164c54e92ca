"""Logs that nobody has used for long: each import of new files writes a whole new one."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from features.errors import EventLogError

_LONGEST_UNUSED_S = 7 * 24 * 3600
"""Seconds between the last use of a log and the writing of a newer one, after which it goes."""
_KEY = re.compile("[0-9a-f]{16}")


def mark_used(log: Path) -> None:
    """Remember, in the time of its folder, that a log was used now."""
    with suppress(OSError):  # a store that may only be read keeps its logs as they are
        os.utime(log)


def remove_old(store: Path, fresh: Path) -> int:
    """Remove the logs that were last used more than a week before `fresh` was written.

    The newest of the others stays in any case: with `fresh` that makes two. Ages are differences
    of times in the store, never of a time and the clock. Returns how many went. Call it only while
    no other import uses the store.

    Parameters
    ----------
    fresh
        The folder of the log just written, which need not have its final name.
    """
    others = [
        one.parent
        for one in store.glob("*/log.json")
        if one.parent != fresh and _KEY.fullmatch(one.parent.name)
    ]
    last_used = {log: log.stat().st_mtime for log in others}
    oldest = fresh.stat().st_mtime - _LONGEST_UNUSED_S
    by_age = sorted(others, key=lambda log: (-last_used[log], log.name))
    gone = [log for log in by_age[1:] if last_used[log] < oldest]
    for log in gone:
        remove(log)
    return len(gone)


def remove(log: Path) -> None:
    """Remove a log.

    Raises
    ------
    EventLogError
        When the store can't be written.
    """
    leaving = log.with_name(f".{log.name}.{os.getpid()}.tmp")
    try:
        # Under the name of abandoned work: if this import is killed here, the next one goes on.
        (log / ".lock").touch()
        log.replace(leaving)
    except OSError as error:
        raise EventLogError(
            f"The log {str(log)!r} can't be removed: {error.strerror or error}."
        ) from error
    shutil.rmtree(leaving, ignore_errors=True)
