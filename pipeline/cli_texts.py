"""The verb texts: every sentence about features and reasons, to translate and to check."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import SettingsError
from pipeline.cli_options import finish, json_option

if TYPE_CHECKING:
    from features.texts import Texts


@click.command()
@json_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the English texts to this new file instead.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Check a translation, and tell what it leaves out.",
)
def texts(as_json: bool, out: Path | None, check: Path | None) -> None:
    """Print all sentences as YAML to translate; settings name the translation by `texts`."""
    from features.texts import english
    from pipeline.texts import read_texts, to_yaml

    if check is not None:
        found = read_texts(check)
        told = {"language": found.language, "missing": list(found.missing)}
        finish(as_json, told, lambda: click.echo(_checked(check, found)))
    elif out is not None:
        _write(out)
        finish(as_json, {"file": str(out)}, lambda: click.echo(f"Written: {out}"))
    else:
        sentences = {key: dict(forms) for key, forms in english().sentences.items()}
        finish(as_json, sentences, lambda: click.echo(to_yaml(english()), nl=False))


def _checked(path: Path, found: "Texts") -> str:
    from features.texts import english
    from pipeline.texts import said_in_english, to_yaml

    lacking = said_in_english(found)
    if lacking is None:
        told = f"{path} is whole: {len(found.sentences)} sentences in {found.language!r}"
        plain = english()
        same = sum(forms == plain.sentences[key] for key, forms in found.sentences.items())
        alike = same and found.language != plain.language
        return f"{told}, {same} of them as in English" if alike else told
    head = f"{path} can be used. {lacking.partition(';')[0]}:"
    return f"{head}\n\n{to_yaml(found, found.missing)}".rstrip()


def _write(out: Path) -> None:
    from features.texts import english
    from pipeline.tables import write_atomically
    from pipeline.texts import to_yaml

    if out.exists():
        raise SettingsError(f"{str(out)!r} is there already; give the name of a new file.")
    write_atomically(out, lambda path: path.write_text(to_yaml(english()), encoding="utf-8"))


VERBS: tuple[click.Command, ...] = (texts,)
