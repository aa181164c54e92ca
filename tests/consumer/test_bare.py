"""In the environment that `make consumer-test` builds; without it these tests are skipped."""

import subprocess
from pathlib import Path

import pytest

from tests.consumer.worlds import Artefact, write_artefact
from tests.models.conftest import build_world, fit_world

ROOT = Path(__file__).resolve().parents[2]
BARE = ROOT / ".venv-consumer" / "bin" / "python"
pytestmark = pytest.mark.skipif(not BARE.is_file(), reason="run make consumer-test")


def consume(folder: Path, *artefacts: Artefact) -> subprocess.CompletedProcess[str]:
    """Run somebody else's program on models, in an empty folder."""
    words = []
    for at, made in enumerate(artefacts):
        files = [folder / f"{at}-{name}.parquet" for name in ("rows", "batch")]
        made.rows.to_parquet(files[0])
        made.batch.to_parquet(files[1])
        words += [str(made.folder), *map(str, files)]
    program = str(Path(__file__).with_name("consume.py"))
    command = [str(BARE), "-I", "-B", "-W", "ignore", program, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_two_models_score_like_the_batch_without_this_project(artefact, tmp_path):
    other = fit_world(build_world(150, 10, 2), similarity={"enabled": False})
    second = write_artefact(other, tmp_path / "other", mark="nobody knows")
    done = consume(tmp_path, artefact, second)
    assert done.returncode == 0, done.stderr


def test_the_program_above_notices_a_difference(artefact, tmp_path):
    moved = artefact.batch.assign(probability=artefact.batch["probability"] + 1e-6)
    done = consume(tmp_path, Artefact(artefact.folder, artefact.rows, moved))
    assert "probability differs" in done.stderr


def test_only_what_the_four_packages_need_is_there():
    code = (
        "import importlib.metadata as m; print(*[d.name for d in m.distributions()], sep=chr(10))"
    )
    found = subprocess.run(
        [str(BARE), "-I", "-c", code], capture_output=True, text=True, check=True
    )
    names = set(found.stdout.lower().split())
    assert {"mlflow", "lightgbm", "numpy", "pandas"} <= names
    assert not names & {"pql-pipeline", "duckdb", "numba", "optuna", "pydantic-yaml", "ruamel.yaml"}
