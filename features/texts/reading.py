"""The English sentences, which come with the package, and translations from a file."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from features.errors import SettingsError
from features.texts.checking import flat, translation
from features.texts.texts import Texts


@cache
def english() -> Texts:
    """What is said where nothing else was chosen; read once."""
    text = files("features.texts").joinpath("en.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return Texts(data.pop("language"), flat(data))


def load_texts(path: Path | str) -> Texts:
    """A translation from a JSON file; `pipeline.texts.read_texts` reads YAML too.

    Raises
    ------
    SettingsError
        When the file can't be read, or says what `translation` refuses.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON in UTF-8"
        raise SettingsError(f"Can't read the texts {str(path)!r}: {reason}.") from error
    return translation(data, english(), str(path))
