"""MLflow's own server answers with the batch prediction's scores, and refuses with a diff."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.slow
PATIENCE_S = 180


def call(url: str, body: dict) -> tuple[int, dict]:
    """Status and answer."""
    heading = {"Content-Type": "application/json"}
    request = Request(f"{url}/invocations", json.dumps(body).encode(), heading)
    try:
        with urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def server(artefact, tmp_path_factory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(artefact.folder)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", port]
    # It starts uvicorn by name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    folder = tmp_path_factory.mktemp("server")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + PATIENCE_S
            while not _answers(url):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(1)
            yield url
        finally:
            os.killpg(process.pid, 15)
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/ping", timeout=5) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def test_the_server_gives_the_scores_of_the_batch(server, artefact):
    for orient in ("records", "split"):
        rows = json.loads(artefact.rows.to_json(orient=orient, date_format="iso"))
        body = {f"dataframe_{orient}": rows, "params": {"look_alikes": False}}
        status, answer = call(server, body)
        assert status == 200, answer
        found = answer["predictions"]
        for column in ("raw_score", "probability", "tier", "reasons"):
            assert [row[column] for row in found] == artefact.batch[column].tolist(), column
        assert {row["look_alikes"] for row in found} == {None}


def test_the_server_refuses_with_a_diff(server, artefact):
    rows = artefact.rows.drop(columns="plan")
    records = json.loads(rows.to_json(orient="records", date_format="iso"))
    status, answer = call(server, {"dataframe_records": records})
    assert status == 400
    assert "\n- plan: expected text" in answer["message"]
