"""What the registry holds: a pickle-free model that needs nothing of this project, and aliases."""

import json
import os
import pickletools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.matrix import Snapshots
from models.dataset import Dataset
from pipeline import registry
from pipeline.champion import load_champion
from pipeline.dataset import compute, kinship
from pipeline.signature import pyfunc_frame
from pipeline.train import import_events

ROOT = Path(__file__).resolve().parents[2]
# An editable install puts the checkout on the path of every process of this environment.
CONSUMER = """\
import sys
root, store, frame, out = sys.argv[1:]
sys.path[:] = [path for path in sys.path if path.rstrip("/") != root]
sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in str(one)]
for name in ("features", "models", "pipeline"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} can be imported: this proves nothing")
import mlflow
import pandas as pd
mlflow.set_tracking_uri(store)
model = mlflow.pyfunc.load_model("models:/pql-demo@champion")
model.predict(pd.read_parquet(frame)).to_parquet(out)
"""


@pytest.fixture(scope="module")
def artefact(demo) -> Path:
    """Local copy of all that the registry holds of version 1."""
    return registry.fetch(demo.run, registry.find(demo.run, "1")).parents[1]


def test_the_registered_model_scores_like_the_batch_without_this_project(
    demo, scored, mlflow_store, tmp_path
):
    log = import_events(demo.run, lambda _: None)
    champion = load_champion(demo.run, "1")
    codes = np.flatnonzero(np.isin(log.ids("account"), scored.scores["entity_id"]))
    rows = Snapshots.of("account", codes, np.full(len(codes), scored.as_of), log.ids("account"))
    matrix = compute(log, rows, champion.model.features, demo.run.settings, "Features")
    never = np.zeros(len(rows), bool)
    data = Dataset(matrix, never, never, *kinship(log, rows))
    pyfunc_frame(data).to_parquet(tmp_path / "rows.parquet")
    command = [sys.executable, "-I", "-B", "-W", "ignore", "-c", CONSUMER, str(ROOT), mlflow_store]
    command += [str(tmp_path / name) for name in ("rows.parquet", "scores.parquet")]
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(tmp_path / "scores.parquet")
    batch = scored.scores.sort_values("entity_id")
    np.testing.assert_allclose(found["probability"], batch["probability"], rtol=0, atol=1e-9)
    assert found["tier"].tolist() == batch["tier"].tolist()
    for name in ("reasons", "look_alikes"):
        assert [list(texts) for texts in found[name]] == batch[name].tolist()
    assert set(found["model_version"]) == {1}


def test_no_file_of_the_artefact_is_a_pickle_or_byte_code(artefact):
    files = [path for path in artefact.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert {path.suffix for path in files} <= {
        ".json",
        ".md",
        ".npz",
        ".py",
        ".txt",
        ".yaml",
        "",
    }
    assert [path.name for path in files if _is_pickle(path.read_bytes())] == []


def _is_pickle(content: bytes) -> bool:
    """A pickle of any protocol is a program that ends with STOP and is read to its end."""
    try:
        *_, last = pickletools.genops(content)
    except Exception:  # pickletools raises many kinds for what is none
        return False
    return last[0].name == "STOP"


def test_the_check_above_knows_a_pickle():
    assert _is_pickle(b"\x80\x04K\x01.")
    assert _is_pickle(b"I1\n.")
    assert not _is_pickle(b"tree\nversion=v4\n")


def test_the_first_version_is_the_champion_and_the_next_a_challenger(demo, retrained):
    assert demo.training.version.aliases == ("champion",)
    assert registry.find(demo.run, "champion").number == 1
    # Other tests of this world may have registered later versions since.
    said = json.loads(retrained.stdout)
    assert said["aliases"] == ["challenger"]
    assert registry.find(demo.run, "challenger").number >= said["version"] > 1


def test_a_version_says_what_was_found_and_leads_to_its_run(demo):
    client = registry.connect(demo.run)
    version = client.get_model_version("pql-demo", "1")
    assert demo.training.evaluation.verdict in version.description
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["verdict"] == demo.training.evaluation.verdict
    table = demo.training.evaluation.table
    auc = table[(table["metric"] == "roc_auc") & (table["contender"] == "model")].iloc[0]
    assert run.data.metrics["roc_auc.model"] == pytest.approx(auc["value"])
    assert run.data.params["horizon_days"] == "14"
    assert run.inputs.dataset_inputs != []


def test_the_model_names_and_types_what_it_takes_and_gives(artefact, demo):
    import mlflow

    model = mlflow.models.Model.load(str(artefact))
    features = load_champion(demo.run, "1").model.features
    taken = model.metadata["inputs"]
    assert {name: taken[name] for name in taken if name in {f.name for f in features}} == {
        feature.name: feature.dtype for feature in features
    }
    assert set(taken) - {f.name for f in features} == {"as_of", "account_id", "domain"}
    assert {spec.name: spec.default for spec in model.signature.params} == {
        "reasons": True,
        "look_alikes": True,
        "most": 3,
        "missing": "error",
        "threads": 1,
    }
    assert [column.name for column in model.signature.outputs.inputs] == [
        "raw_score",
        "probability",
        "pql_score",
        "tier",
        "fit_score",
        "fit_tier",
        "usage_score",
        "usage_tier",
        "engagement_points",
        "team_points",
        "value_points",
        "upgrade_points",
        "fit_points",
        "similarity_points",
        "reasons",
        "reasons_against",
        "look_alikes",
        "look_alikes_share",
        "model_version",
    ]


def test_mlflow_reports_nothing_to_its_makers_once_the_pipeline_is_imported(tmp_path):
    """Asked in an environment that MLflow does not take for a test."""
    program = (
        "import pipeline.registry, mlflow\n"
        "from mlflow.telemetry import get_telemetry_client\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "print(is_telemetry_disabled(), get_telemetry_client())"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert done.stdout == "True None\n"
