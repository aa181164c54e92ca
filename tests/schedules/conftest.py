"""A command in place of the program, which remembers its calls and ends as it is told."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEDULES = ROOT / "examples/schedules"
TOOLS = ROOT / ".venv-airflow/bin"
"""Airflow and the validators, in an environment of their own."""

_COMMAND = """\
#!/bin/sh
echo "$@" >>{folder}/calls
echo "$PGPASSWORD" >>{folder}/passwords
code=$(head -n 1 {folder}/$1)
sed -i 1d {folder}/$1
exit "${{code:-0}}"
"""


@dataclass
class Program:
    """The command at `path`; `run` starts a line of a scheduler's with it.

    Parameters
    ----------
    environment
        What the scheduler sets.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder / "pql"

    @property
    def calls(self) -> list[str]:
        return self._lines("calls")

    @property
    def passwords(self) -> list[str]:
        return self._lines("passwords")

    def will_end(self, verb: str, *codes: int) -> None:
        """The exit codes of the next calls of a verb; 0 after them."""
        (self.folder / verb).write_text("".join(f"{code}\n" for code in codes))

    def run(self, command: Sequence[str], **more: str) -> subprocess.CompletedProcess[str]:
        here = {"PATH": os.environ["PATH"], "PQL": str(self.path), "WAIT": "0"}
        return subprocess.run(
            [self.placed(part) for part in command],
            env=self.environment | here | more,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def placed(self, text: str) -> str:
        """A command whose installed paths are those of this test."""
        for installed, here in {
            "/opt/pql/examples/schedules": SCHEDULES,
            "/etc/pql": self.folder / "etc",
            "/var/log/pql": self.folder / "log",
        }.items():
            text = text.replace(installed, str(here))
        return text

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def program(tmp_path) -> Program:
    made = Program(tmp_path)
    made.path.write_text(_COMMAND.format(folder=tmp_path))
    made.path.chmod(0o755)
    for verb in ("predict", "monitor", "train", "promote"):
        made.will_end(verb)
    for folder in ("etc", "log"):
        (tmp_path / folder).mkdir()
    (tmp_path / "etc/secrets.env").write_text("PGPASSWORD='a secret; $HOME'\n")
    return made


def tool(name: str) -> str:
    """A program of the tools' environment; skips the test where it is absent."""
    if not (TOOLS / name).exists():
        pytest.skip(f"{name} is not installed; `make airflow-test` builds .venv-airflow")
    return str(TOOLS / name)
