"""The pages build, every link leads somewhere, and every command in them exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline import cli_reference
from pipeline.cli import main

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
TEXTS = [ROOT / "README.md", *PAGES]
_NAMES = [str(path.relative_to(ROOT)) for path in TEXTS]
_FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?:python -m pipeline|\bpql) ((?:-|[a-z]).*)")


def test_the_pages_build_without_a_warning(tmp_path):
    """Names that autodoc can't import, pages in no contents, and dead anchors are warnings."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    built = (tmp_path / "html" / "api" / "features.html").read_text()
    assert "build_features" in built
    assert "Row i is snapshot i" in built
    wanted = re.findall(r'(?:src|href)="(https?:[^"]+\.(?:js|css))"', built)
    assert wanted == [], "a page must work offline"


@pytest.mark.parametrize("path", TEXTS, ids=_NAMES)
def test_every_relative_link_leads_to_a_file_and_a_heading(path):
    dead = [link for link in _LINK.findall(_FENCED.sub("", path.read_text())) if _dead(path, link)]
    assert dead == []


def _dead(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return True
    return bool(anchor) and anchor not in _anchors(target)


def _anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    text = _FENCED.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_a_dead_link_and_a_dead_anchor_are_found():
    assert _dead(DOCS / "index.md", "nowhere.md")
    assert _dead(DOCS / "index.md", "model.md#nowhere")
    assert not _dead(DOCS / "index.md", "model.md#the-ladder")


def test_the_command_line_reference_is_what_the_program_says():
    """`make docs` writes it again."""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == cli_reference.markdown()


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_the_reference_names_every_option_that_help_names(verb):
    section = cli_reference.markdown().split(f"\n## {verb}\n")[1].split("\n## ")[0]
    said = CliRunner().invoke(main, [verb, "--help"]).output
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", said, re.MULTILINE)) - {"--help"}
    assert options <= set(re.findall(r"--[a-z-]+", section))


def test_every_verb_and_option_says_what_it_does():
    silent = [
        f"{name} {one.opts[0] if one else ''}".strip()
        for name, command in _verbs(main)
        for one in (None, *command.params)
        if not (command.help if one is None else getattr(one, "help", "argument"))
    ]
    assert silent == []


def _verbs(group: click.Group, before: str = "") -> list[tuple[str, click.Command]]:
    found = []
    for name, command in group.commands.items():
        found.append((f"{before}{name}", command))
        if isinstance(command, click.Group):
            found += _verbs(command, f"{before}{name} ")
    return found


@pytest.mark.parametrize("path", TEXTS, ids=_NAMES)
def test_every_command_in_the_pages_is_one_that_the_program_knows(path):
    unknown = [line for line in _commands(path.read_text()) if _unknown(line)]
    assert unknown == []


def _commands(text: str) -> list[str]:
    """What follows the program's name: whole lines, and what stands in backticks."""
    text = re.sub(r"\\\n *", "", text)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    quoted = [one for line in text.splitlines() for one in re.findall(r"`([^`]+)`", line)]
    plain = [line for line in lines if "`" not in line]
    return [found[1] for line in plain + quoted if (found := _COMMAND.search(line))]


def _unknown(line: str) -> bool:
    """Of ``predict --as-of DATE`` every part but values must be known."""
    words = shlex.split(re.split(r"\s[#|>&]", line)[0])
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] == "VERB":
            return False
        if words[0] not in command.commands:
            return True
        command = command.commands[words.pop(0)]
    known = {name for one in command.params for name in one.opts} | {"--help", "-h"}
    return any(word.split("=")[0] not in known for word in words if re.match(r"--?[a-z]", word))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("predict --as-of 2024-06-01   # the same date again", False),
        ("predict --as-off 2024-06-01", True),
        ("predic", True),
        ("scorecard fit --out fitted.yaml", False),
        ("scorecard fitt", True),
        ("--version", False),
    ],
)
def test_a_misspelt_command_is_found(line, wrong):
    assert _unknown(line) is wrong


def test_the_pages_name_no_make_target_that_is_not_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for path in TEXTS
        for line in path.read_text().splitlines()
        for target in re.findall(r"(?:^ {4}|`)make ([a-z-]+)", line)
    }
    assert {"train", "predict", "install"} <= named
    assert named <= targets


def test_every_guide_of_a_source_ends_with_the_messages_that_a_first_run_may_meet():
    for name in ("generic", "posthog", "segment", "postgres"):
        said = (DOCS / "quickstart" / f"{name}.md").read_text().split("## If it says")[1]
        for text in ("too few conversions", "training is refused", "max_bad_share", "not fit"):
            assert text in said, (name, text)


def test_the_contract_names_every_column_of_scores_and_ledger(scored):
    """And no other, so that who reads it can rely on it."""
    import pyarrow.parquet as pq

    table = next(path for path in scored.files if path.suffix == ".parquet")
    entry = max(table.parents[1].glob("ledger/*/*/*.parquet"))
    there, kept = set(pq.read_schema(table).names), set(pq.read_schema(entry).names)
    text = (DOCS / "contract.md").read_text()
    scores = text.split("## Out: the scores table")[1].split("\n## ")[0]
    assert _columns(scores) == there
    assert _columns(text.split("## Out: the ledger")[1].split("\n## ")[0]) == kept - there
    left_out = [line for line in scores.splitlines() if "Not in the ledger" in line]
    assert _columns("\n".join(left_out)) == there - kept


def _columns(section: str) -> set[str]:
    """Names in the first cell of a table's rows."""
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
