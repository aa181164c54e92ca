"""One run at a time for a store and a model: a lock that dies with its process."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from features.errors import Locked, SettingsError

_PAUSE_SECONDS = 0.2


@contextmanager
def run_lock(
    store: Path, model: str, *, now: datetime | None, wait_seconds: float = 0
) -> Iterator[Path]:
    """Hold the lock of (store, model); nobody else does meanwhile.

    It is a lock of the kernel's (flock) on ``locks/<model>.lock``: whatever ends the process ends
    the lock, and the file that stays behind locks nothing. It holds between the machines that
    share a store where the file system passes locks on (NFS 4, most cluster file systems).

    Parameters
    ----------
    now
        Written into the file, for whoever comes second.
    wait_seconds
        How long to wait for another run to end.

    Raises
    ------
    Locked
        When another run has it, and still has it after `wait_seconds`.
    SettingsError
        When the file can't be written, or its file system has no locks.
    """
    path = store / "locks" / f"{model}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"Can't write {str(path)!r}: {error.strerror or error}. Name another place in "
            "paths.store."
        ) from error
    with file:
        _take(file, path, model, wait_seconds)
        file.truncate(0)
        since = now.isoformat(timespec="seconds") if now else None
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        file.flush()
        yield path


def _take(file: TextIO, path: Path, model: str, wait_seconds: float) -> None:
    for left in range(max(0, round(wait_seconds / _PAUSE_SECONDS)), -1, -1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise SettingsError(
                    f"The file system of {str(path)!r} has no locks ({error.strerror}), and "
                    "without them two runs could mix their scores. Put paths.store on a local disk."
                ) from error
        if left:
            time.sleep(_PAUSE_SECONDS)
    raise Locked(
        f"Another run works with {model!r} in {str(path.parents[1])!r}: {_holder(path)}. Try again "
        "when it has ended, or wait for it: --wait 600."
    )


def _holder(path: Path) -> str:
    """Who wrote into the lock file last: whoever holds it."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        since = f", since {held['since']}" if held["since"] else ""
        return f"process {held['pid']} on {held['host']}{since}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has just begun"
