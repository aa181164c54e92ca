"""Texts as files: the catalogue to translate, and the translation that the settings name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.errors import SettingsError
from features.texts import Texts, english, load_texts, translation
from models.propensity import PropensityModel
from models.reasons import reword
from pipeline.settings import Run

_HEAD = """\
# What this program says of features, reasons and look-alikes.
# Translate the texts; leave out what English may say. Words in {braces} are filled in: keep them,
# in any order. {subject}, {events} and {event} are one thing, told as such, as several and as one.
# `plurals` says which numbers take which form, by patterns of digits: "1", "*[2-4]", "0.*".
# Under `names:` events, properties and groups get words of their own: {report_created: Bericht}.
"""


def read_texts(path: Path) -> Texts:
    """A translation from YAML or, where the name ends so, JSON.

    Raises
    ------
    SettingsError
        When the file can't be read, or a sentence is not what `features.texts.translation` takes.
    """
    if path.suffix == ".json":
        return load_texts(path)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = str(error.problem).splitlines()[0].rstrip(".")
        raise SettingsError(f"{path}{line}: not valid YAML: {problem}.") from error
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not YAML in UTF-8"
        raise SettingsError(f"Can't read the texts {str(path)!r}: {reason}.") from error
    return translation(data, english(), str(path))


def texts_of(run: Run) -> Texts:
    """The texts that the settings name, English where they name none.

    Raises
    ------
    SettingsError
        As `read_texts`.
    """
    name = run.settings.texts
    return english() if name is None else read_texts(run.base / name)


def speak(run: Run, model: PropensityModel) -> None:
    """Let a model say its reasons as the settings ask, or where they don't, as it was trained to.

    Scores, tiers and points stay what they are.

    Raises
    ------
    SettingsError
        As `read_texts`.
    """
    if run.settings.texts is not None:
        reword(model.scorer, model.features, texts_of(run))


def said_in_english(texts: Texts) -> str | None:
    """A sentence about what a translation leaves out; None where it is whole."""
    if not texts.missing:
        return None
    n = len(texts.missing)
    return (
        f"Texts: {n} of {len(texts.sentences)} sentences have no text in {texts.language!r} and "
        "are said in English; see `texts --check`"
    )


def to_yaml(texts: Texts, keys: tuple[str, ...] | None = None) -> str:
    """Sentences as a file to translate: all of them, or those of some keys.

    Parameters
    ----------
    keys
        As in `Texts.missing`; a plural form that is asked for shows the form for other numbers.
    """
    whole = keys is None
    lines = [_HEAD.rstrip(), f"language: {_text(texts.language)}"] if whole else []
    section = None
    for key, forms in _asked(texts, keys):
        name, _, sentence = key.partition(".")
        if name != section:
            section = name
            lines.append(f"{name}:")
        if forms.keys() == {"other"}:
            lines.append(f"  {sentence}: {_text(forms['other'])}")
        else:
            lines.append(f"  {sentence}:")
            lines += [f"    {form}: {_text(text)}" for form, text in forms.items()]
    return "\n".join([*lines, "names: {}"] if whole else lines) + "\n"


def _asked(texts: Texts, keys: tuple[str, ...] | None) -> Iterator[tuple[str, dict[str, str]]]:
    for key, forms in texts.sentences.items():
        if keys is None or key in keys:
            yield key, dict(forms)
        elif lacking := [one for one in keys if one.rpartition(".")[0] == key]:
            yield key, {one.rpartition(".")[2]: forms["other"] for one in lacking}


def _text(text: Any) -> str:
    # Every JSON text is a text in YAML too, quoted whatever it holds.
    return json.dumps(text, ensure_ascii=False)
