"""Every notebook runs from top to bottom, as a reader would run it."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGES = ("features", "models", "pipeline")
RICH = {
    "01_quickstart": {"FeatureMatrix", "Evaluation"},
    "03_own_features": {"FeatureMatrix"},
    "04_model_calibration_similarity": {"Evaluation"},
    "05_tiers_scorecard_milestones": {"Scorecard", "ScorecardFit", "Milestones"},
}
"""Objects that a notebook shows as HTML of their own."""


def name_of(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs_from_top_to_bottom(path, demo, monkeypatch):
    """On the trained demo company, which all of them share and none of them changes."""
    monkeypatch.setenv("NOTEBOOK_WORLD", str(demo.folder))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": ROOT}}).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    told = "".join(one["text"] for one in outputs if one.get("name") == "stderr")
    # Other libraries may warn of what a kernel lacks; ours may not warn at all.
    assert not [package for package in PACKAGES if str(ROOT / package) in told]
    shown = [one["data"] for one in outputs if "text/html" in one.get("data", {})]
    assert shown
    assert all("<table" in one["text/html"] for one in shown)
    assert RICH.get(path.stem, set()) <= {one["text/plain"].split("(")[0] for one in shown}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_notebook_is_stored_without_outputs_and_defines_nothing(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert not [cell.source for cell in code if "def " in cell.source or "class " in cell.source]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_notebook_begins_with_prose_and_tells_before_it_shows(path):
    cells = nbformat.read(path, as_version=4).cells
    kinds = [cell.cell_type for cell in cells]
    assert kinds[0] == "markdown"
    assert len(kinds) <= 15
    assert kinds.count("markdown") >= kinds.count("code")


def test_the_notebooks_are_numbered_without_a_gap():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{n:02d}" for n in range(1, 7)]
