"""Airflow 3: a night and a week of the pipeline, each step a task in the project's own environment.

Airflow and the pipeline pin different versions of the same libraries, so a task starts a program
and reads its exit code; nothing of the pipeline is imported here.
"""

import os
import shlex
import subprocess
from datetime import datetime, timedelta

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

PQL = shlex.split(os.environ.get("PQL", "/opt/pql/.venv/bin/pql"))
SETTINGS = os.environ.get("PQL_SETTINGS", "/etc/pql/settings.yaml")
NOTHING_TO_DO, LOCKED = 3, 75
SHARED = {
    "start_date": datetime(2024, 1, 1),
    # A night that was missed is made up by `pql backfill`, which triggers nothing outward.
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {"retries": 6, "retry_delay": timedelta(minutes=10)},
    "tags": ["pql"],
}


def pql(*arguments: str) -> None:
    """Run one verb; only a run that found another at work is tried again."""
    code = subprocess.run([*PQL, *arguments, "--settings", SETTINGS], check=False).returncode
    if code == NOTHING_TO_DO:
        raise AirflowSkipException(f"pql {arguments[0]}: nothing to do")
    if code == LOCKED:
        raise AirflowException(f"pql {arguments[0]}: another run is at work")
    if code != 0:
        raise AirflowFailException(f"pql {arguments[0]} ended with {code}")


def as_of(data_interval_end: datetime) -> str:
    """The date that a run is for, however late it starts."""
    return data_interval_end.strftime("%Y-%m-%d")


@dag(schedule=CronTriggerTimetable("0 3 * * *", timezone="UTC"), **SHARED)
def pql_nightly():
    """Score everyone, then compare earlier scores with what has become of them."""

    @task
    def predict(data_interval_end=None):
        pql("predict", "--as-of", as_of(data_interval_end))

    # Nothing to predict is no reason not to look at what was predicted before.
    @task(trigger_rule="none_failed")
    def monitor(data_interval_end=None):
        pql("monitor", "--as-of", as_of(data_interval_end))

    predict() >> monitor()


@dag(schedule=CronTriggerTimetable("0 5 * * 0", timezone="UTC"), **SHARED)
def pql_weekly():
    """Train a challenger; promote it if every rule passes."""

    @task
    def train():
        pql("train")

    @task
    def promote():
        pql("promote")

    train() >> promote()


pql_nightly()
pql_weekly()
