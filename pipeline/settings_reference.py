"""The settings reference, written from the specs that the modules obey.

``python -m pipeline.settings_reference docs/settings.md`` writes it again.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from features.spec import Spec
from pipeline.mistakes import models_in
from pipeline.settings import Settings
from pipeline.tables import write_atomically
from pipeline.value_words import bounds, takes

_INTRO = """\
# Settings

Made from the program by `make docs`; don't edit.

One YAML 1.2 file is the run. It is strict: an unknown key is an error with file, line and the
nearest valid name. Paths start at the file's folder.
[`pipeline/demo.yaml`](../pipeline/demo.yaml) is a complete, commented example; `init` writes one
for your data.

Secrets never stand here: MLflow and Postgres read the environment. MLflow would report its use to
its makers over the network; every command switches that off (`MLFLOW_DISABLE_TELEMETRY` and
`DO_NOT_TRACK` are `true` unless you set them yourself).

In the tables `<name>` stands for a name of your choice and `[]` for each entry of a list. A default
of `null` means not set; "none:" tells what then holds.
"""
_MORE = {
    "data": "[What happens to your data](data.md) tells what is read how.",
    "data.sources[].postgres": "[Postgres](postgres.md) has examples.",
    "features": "[The feature catalogue](features.md) lists what there is.",
    "features.custom.<name>": "[Features of your own](custom.md) has examples.",
    "model": "What each part does and how it is judged: [the model](model.md).",
    "scorecard": "[The scorecard](scorecard.md) tells how rules are written and fitted.",
    "milestones": "[Milestones](milestones.md) tells what is searched and what counts as found.",
    "actions": "[Next actions](actions.md) tells what becomes of them.",
    "heads": "[What each means](model.md#beside-the-score).",
    "audit": "Every `train` looks for leaks before it fits anything; "
    "[what it looks at](model.md#the-leak-audit).",
    "tuning": "`train --tune 10m` searches; [how](model.md#tuning).",
    "evaluation": "[How judging works](judging.md).",
    "promotion": "[What the rules mean and how often they err](promotion.md).",
    "freshness": "[How often it errs](nightly.md).",
    "monitor": "[What is measured](monitoring.md).",
    "crm": "[Programme metrics](monitoring.md) read it.",
    "compute.spark": "[Spark](spark.md).",
}
_LONGEST_DEFAULT = 100


def markdown() -> str:
    """``docs/settings.md``: every key with what it takes, its default and what it does."""
    # A block that may stand in several places is described at the first.
    blocks = {spec: (path, kind) for path, kind, spec in reversed([*_blocks(Settings, "")])}
    titles = {spec: _title(path, kind) for spec, (path, kind) in blocks.items()}
    parts = [_INTRO, _table(Settings, titles)]
    for spec in reversed(blocks):
        path, kind = blocks[spec]
        level = "###" if "." in path else "##"
        said = [_prose(spec), "" if kind else _MORE.get(path, "")]
        parts += [f"{level} {titles[spec]}\n", *(f"{text}\n" for text in said if text)]
        if spec.model_fields:
            parts.append(_table(spec, titles))
    return "\n".join(parts).rstrip() + "\n"


def undescribed() -> list[str]:
    """Keys of which the reference would say nothing, in its order."""
    blocks: list[tuple[str, str, type[Spec]]] = [("", "", Settings), *_blocks(Settings, "")]
    return [
        f"{path}.{name}".lstrip(".")
        for path, _, spec in blocks
        for name, field in spec.model_fields.items()
        if not _description(spec, name, field)
    ]


def _blocks(spec: type[Spec], path: str) -> Iterator[tuple[str, str, type[Spec]]]:
    """Path, member of a union (else empty) and spec of every block inside, depth first."""
    for name, field in spec.model_fields.items():
        inner = models_in(field.annotation)
        here = f"{path}.{name}".lstrip(".") + _many(field.annotation)
        for one in inner:
            yield here, _tag(one) if len(inner) > 1 else "", one
            yield from _blocks(one, here)


def _many(annotation: Any) -> str:
    """How a path goes on into a list or mapping of blocks."""
    origins = {get_origin(annotation), *(get_origin(part) for part in get_args(annotation))}
    return "[]" if tuple in origins else ".<name>" if dict in origins else ""


def _tag(spec: type[Spec]) -> str:
    """What tells this member of a union from the others, such as ``format: posthog``."""
    found = [
        f"{name}: {get_args(one.annotation)[0]}"
        for name, one in spec.model_fields.items()
        if get_origin(one.annotation) is Literal and len(get_args(one.annotation)) == 1
    ]
    return found[0]


def _title(path: str, kind: str) -> str:
    """The heading of a block; quoted, so that no renderer takes ``<name>`` for a tag."""
    quoted = f"`{path}`" if "." in path else path
    return f"{quoted} ({kind})" if kind else quoted


def _anchor(title: str) -> str:
    """As GitHub and MyST name a heading.

    >>> _anchor("data.sources[] (format: posthog)")
    'datasources-format-posthog'
    """
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _table(spec: type[Spec], titles: dict[type[Spec], str]) -> str:
    lines = ["| key | takes | default | what it does |", "|---|---|---|---|"]
    for name, field in spec.model_fields.items():
        inner = models_in(field.annotation)
        links = [
            f"[{_tag(one) if len(inner) > 1 else 'block'}](#{_anchor(titles[one])})"
            for one in inner
        ]
        kinds = " or ".join(links) or takes(field.annotation)
        many = {"[]": "list of ", ".<name>": "names, each with "}.get(_many(field.annotation), "")
        cells = [
            f"`{name}`",
            (many if links else "") + kinds + bounds(field.metadata),
            _default(field),
            _description(spec, name, field),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Spec):
        return ""
    plain = TypeAdapter(Any).dump_python(value, mode="json")
    text = json.dumps(plain, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else f"{len(plain)} shipped ones"


def _description(spec: type[Spec], name: str, field: FieldInfo) -> str:
    """The literal below the field; of a block, the first sentence about it."""
    said = _literals(spec).get(name, "")
    inner = models_in(field.annotation)
    if not said and len(inner) == 1:
        said = re.split(r"(?<=[.;])\s", _prose(inner[0]), maxsplit=1)[0].rstrip(".;") + "."
    return " ".join(said.split())


@cache
def _literals(spec: type[Spec]) -> dict[str, str]:
    """The text literal below each field of a class and of those it inherits from."""
    said: dict[str, str] = {}
    for owner in reversed(spec.__mro__):
        if issubclass(owner, Spec) and owner is not Spec:
            (block,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
            for item, below in pairwise(cast("ast.ClassDef", block).body):
                if isinstance(item, ast.AnnAssign) and isinstance(below, ast.Expr):
                    said[ast.unparse(item.target)] = inspect.cleandoc(ast.literal_eval(below.value))
    return said


def _prose(spec: type[Spec]) -> str:
    """The class's own words, without the block's name, which the heading says."""
    text = re.split(r"\n\w+\n-{3,}\n", inspect.cleandoc(spec.__doc__ or ""))[0].strip()
    text = re.sub(r"^The ``[^`]+`` block[:.;,]? *", "", text)
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    write_atomically(
        Path(sys.argv[1]), lambda target: target.write_text(markdown(), encoding="utf-8")
    )
