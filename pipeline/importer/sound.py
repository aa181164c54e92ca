"""Whether a log in the store is what was written: cut short or missing files are found."""

import json
from pathlib import Path

_MANIFEST = "log.json"


def sizes_of(log: Path) -> dict[str, int]:
    """Bytes of every file of a log but its manifest."""
    return {
        one.name: one.stat().st_size
        for one in sorted(log.iterdir())
        if one.is_file() and one.name != _MANIFEST and not one.name.startswith(".")
    }


def find_damage(log: Path) -> str | None:
    """The first file of a log that is missing or not as long as it was; None for a sound log.

    The files are not read: every command asks this.
    """
    try:
        written = json.loads((log / _MANIFEST).read_text(encoding="utf-8"))["bytes"]
        found = sizes_of(log)
        return next((name for name, size in written.items() if found.get(name) != size), None)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return _MANIFEST
