"""What the folders promise each other, and what no file may do."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("features", "models", "pipeline")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_are_this_checkout(package):
    """Their names are generic: another distribution or a folder of data could hide them."""
    assert Path(importlib.import_module(package).__file__).parent == ROOT / package


def test_no_module_passes_300_lines():
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 300
    }
    assert long == {}


def test_every_module_says_its_purpose():
    silent = [
        str(p.relative_to(ROOT)) for p in SOURCES if not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (
            r"\bpickle\.|cloudpickle|joblib\.(load|dump)|allow_pickle=True",
            "artefacts are never unpickled",
        ),
        (
            r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.time\(",
            "only the command line asks the clock",
        ),
        (
            r"np\.random\.(seed|rand|randn|randint|choice|shuffle)\(|default_rng\(\)",
            "seeds are arguments",
        ),
        (r"\bNotImplementedError\b|\bTODO\b|\bFIXME\b", "nothing unfinished is shipped"),
        (r"\byaml\.load\(|\beval\(|\bexec\(|shell=True", "settings and events are untrusted input"),
    ],
)
def test_no_file_breaks_a_house_rule(pattern, why):
    clock = r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.time\("
    unsafe = r"\byaml\.load\(|\beval\(|\bexec\(|shell=True"
    # The command line asks the clock; ruamel's round-trip loader builds plain data only.
    allowed = {("pipeline/settings.py", unsafe), ("pipeline/cli_options.py", clock)}
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        if (str(path.relative_to(ROOT)), pattern) not in allowed
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], why


def test_mlflow_is_imported_only_where_the_world_is_touched():
    users = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"^\s*(import mlflow|from mlflow)", path.read_text(), re.MULTILINE)
    }
    assert users == {
        f"pipeline/{name}.py"
        for name in ("feature_rows", "pyfunc_model", "registry", "signature", "tracking")
    }
