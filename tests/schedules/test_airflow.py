"""The DAGs run under Airflow 3, in its own environment, with the program in another."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.schedules.conftest import ROOT, SCHEDULES, tool

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """A function that runs Airflow's command line on our folder of DAGs, in a home of its own."""
    command = tool("airflow")
    own = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__DAGS_FOLDER": str(SCHEDULES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
    }
    # Nothing of the project's environment reaches Airflow's.
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *words], env=plain | own | environment, capture_output=True, text=True
        )

    migrated = run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr[-2000:]
    return run


def one_night(airflow, program, day="2024-06-20"):
    return airflow(
        *("dags", "test", "pql_nightly", f"{day}T03:00:00+00:00"),
        PQL=str(program.path),
        PQL_SETTINGS="/etc/pql/settings.yaml",
    )


def test_airflow_finds_both_dags_and_no_mistake(airflow):
    assert "No data found" in airflow("dags", "list-import-errors", "--local").stdout
    listed = airflow("dags", "list", "--local", "--output", "plain").stdout
    assert {"pql_nightly", "pql_weekly"} <= set(listed.split())


def test_a_night_goes_on_when_there_is_nothing_to_predict(airflow, program):
    program.will_end("predict", 3)
    done = one_night(airflow, program)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert program.calls == [
        f"{verb} --as-of 2024-06-20 --settings /etc/pql/settings.yaml"
        for verb in ("predict", "monitor")
    ]


def test_a_refused_night_fails_and_is_not_repeated(airflow, program):
    program.will_end("predict", 1)
    done = one_night(airflow, program)
    assert done.returncode != 0 or "state=failed" in done.stdout + done.stderr
    assert [call.split()[0] for call in program.calls] == ["predict"]


def test_a_night_of_the_shop_is_scored_by_the_program_itself(airflow, program, shop):
    program.path.write_text(
        f'#!/bin/sh\ncd "{ROOT}"\n'
        f'if [ "$1" = predict ]; then exec "{sys.executable}" -m pipeline "$@"; fi\n'
        f'echo "$@" >>{program.folder}/calls\n'
    )
    done = airflow(
        *("dags", "test", "pql_nightly", "2024-06-20T03:00:00+00:00"),
        PQL=str(program.path),
        PQL_SETTINGS=str(shop.run.path),
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    written = [*Path(shop.run.store).rglob("*2024-06-20*.parquet")]
    assert written, "no scores of that night"
    scores = pd.read_parquet(written[0])
    assert set(scores["as_of"].astype(str).str[:10]) == {"2024-06-20"}
    assert program.calls == [f"monitor --as-of 2024-06-20 --settings {shop.run.path}"]
