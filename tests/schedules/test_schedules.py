"""Every schedule is read as its scheduler reads it, and its command is run."""

import configparser
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from ruamel.yaml import YAML

from tests.schedules.conftest import SCHEDULES, tool

FAR_EAST, FAR_WEST = "UTC-14", "UTC+12"
"""POSIX zones: at every hour it is another day than in UTC in one of them."""


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def works(program, command, **environment) -> None:
    """Run a nightly command in both far zones: it asks for the day that it is in UTC."""
    for zone in (FAR_EAST, FAR_WEST):
        first = today()
        done = program.run(command, TZ=zone, **environment)
        assert done.returncode == 0, done.stderr
        days = {call.split()[2] for call in program.calls}
        assert days <= {first, today()}
    verbs = [call.split()[0] for call in program.calls]
    assert verbs == ["predict", "monitor"] * 2
    assert all(call.endswith("/settings.yaml") for call in program.calls)


def accepted(command, path, folder, slip) -> None:
    """A validator takes a file, and refuses it with a slip of the pen."""
    broken = folder / path.name
    broken.write_text(path.read_text().replace(*slip))
    for file, wrong in ((path, False), (broken, True)):
        done = subprocess.run([*command, str(file)], capture_output=True, text=True)
        assert (done.returncode != 0) is wrong, done.stdout + done.stderr


# crontab


def cron_lines() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Variables, and (times, command) as cron makes of the lines: an escaped % is a %."""
    variables, lines = {}, []
    for line in (SCHEDULES / "crontab").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if given := re.fullmatch(r"(\w+)\s*=\s*(.*)", line):
            variables[given[1]] = given[2]
            continue
        *times, command = line.split(None, 5)
        assert re.search(r"(?<!\\)%", command) is None, "cron ends a command at a bare %"
        lines.append((" ".join(times), command.replace(r"\%", "%")))
    return variables, lines


def test_cron_scores_as_of_the_utc_day_with_the_secrets_of_the_file(program):
    program.environment, ((times, command), _) = cron_lines()
    assert times == "0 3 * * *"
    works(program, ["/bin/sh", "-c", command])
    assert set(program.passwords) == {"a secret; $HOME"}


def test_cron_trains_on_sundays(program):
    program.environment, (_, (times, command)) = cron_lines()
    assert times == "0 5 * * 0"
    assert program.run(["/bin/sh", "-c", command]).stdout == ""
    assert [call.split()[0] for call in program.calls] == ["train", "promote"]


def test_cron_mails_only_what_went_wrong(program):
    program.environment, ((_, command), _) = cron_lines()
    assert program.run(["/bin/sh", "-c", command]).stdout == ""
    program.will_end("predict", 1)
    told = program.run(["/bin/sh", "-c", command])
    assert told.stdout.startswith("pql nightly ended with 1;")
    assert told.stderr == ""
    assert "pql predict ended with 1" in (program.folder / "log/nightly.log").read_text()


# systemd


@pytest.fixture
def analyze():
    """A function that runs systemd-analyze; skips where there is none."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")

    def run(*words: str) -> str:
        done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    return run


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment]
    parsed.read_string((SCHEDULES / name).read_text())
    return parsed


def test_systemd_accepts_the_units(analyze, tmp_path):
    units = [*SCHEDULES.glob("*.service"), *SCHEDULES.glob("*.timer")]
    assert len(units) == 5
    analyze("verify", *(shutil.copy(one, tmp_path) for one in units))


@pytest.mark.parametrize(
    ("name", "elapses"),
    [("nightly", "Tue 2026-03-31 03:00:00 UTC"), ("weekly", "Sun 2026-04-05 05:00:00 UTC")],
)
def test_systemd_starts_them_at_their_hour_in_utc(analyze, name, elapses):
    calendar = unit(f"pql-{name}.timer")["Timer"]["OnCalendar"]
    told = analyze("calendar", "--base-time=2026-03-30 20:00:00 UTC", calendar)
    assert elapses in told


def test_the_command_of_systemd_scores_as_of_the_utc_day(program):
    service = unit("pql-nightly.service")["Service"]
    command = service["ExecStart"].replace("%%", "%").replace("$$", "$")
    works(program, shlex.split(command))


def test_the_weekly_command_of_systemd_trains(program):
    command = unit("pql-weekly.service")["Service"]["ExecStart"]
    assert program.run(shlex.split(command)).returncode == 0
    assert [call.split()[0] for call in program.calls] == ["train", "promote"]


@pytest.mark.parametrize("name", ["nightly", "weekly"])
def test_systemd_repeats_what_was_locked_and_not_what_was_refused(name):
    service = unit(f"pql-{name}.service")["Service"]
    assert service["Type"] == "oneshot"
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == ["1", "2"]


# Kubernetes


def cron_jobs() -> list[dict]:
    return list(YAML(typ="safe").load_all(SCHEDULES / "cronjob.yaml"))


def container_of(job: dict) -> dict:
    (only,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return only


def test_kubernetes_accepts_the_manifest(tmp_path):
    command = [tool("kubernetes-validate"), "--strict", "-k", "1.31.0"]
    accepted(command, SCHEDULES / "cronjob.yaml", tmp_path, ("concurrencyPolicy", "concurrency"))


def test_kubernetes_runs_one_at_a_time_in_utc_and_repeats_only_what_was_locked():
    for job in cron_jobs():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["timeZone"] == "Etc/UTC"
        tries = job["spec"]["jobTemplate"]["spec"]
        rule = tries["podFailurePolicy"]["rules"][0]
        assert rule["action"] == "FailJob"
        assert rule["onExitCodes"]["containerName"] == container_of(job)["name"]
        assert rule["onExitCodes"]["values"] == [1, 2]
        assert tries["backoffLimit"] > 0


def test_kubernetes_takes_secrets_from_a_secret_only():
    for job in cron_jobs():
        container = container_of(job)
        assert [one["name"] for one in container["env"]] == ["PQL"]
        assert container["envFrom"] == [{"secretRef": {"name": "pql-secrets"}}]


def test_the_commands_of_kubernetes_run(program):
    nightly, weekly = (container_of(job) for job in cron_jobs())
    works(program, [*nightly["command"], *nightly["args"]])
    before = len(program.calls)
    assert program.run([*weekly["command"], *weekly["args"]]).returncode == 0
    assert [call.split()[0] for call in program.calls[before:]] == ["train", "promote"]


# GitHub Actions


def workflow() -> dict:
    return YAML(typ="safe").load(SCHEDULES / "github-actions.yml")


def script_of(job: str) -> str:
    (step,) = workflow()["jobs"][job]["steps"]
    return step["run"]


def test_github_accepts_the_workflow(tmp_path):
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    accepted(command, SCHEDULES / "github-actions.yml", tmp_path, ("runs-on", "run-on"))


def test_github_runs_one_job_a_schedule_and_never_two_at_once():
    flow = workflow()
    nightly, weekly = (one["cron"] for one in flow["on"]["schedule"])
    assert (nightly, weekly) == ("0 3 * * *", "0 5 * * 0")
    assert flow["jobs"]["weekly"]["if"] == f"github.event.schedule == '{weekly}'"
    assert flow["jobs"]["nightly"]["if"] == f"github.event.schedule != '{weekly}'"
    assert flow["concurrency"] == {"group": "pql", "cancel-in-progress": False}


def test_the_scripts_of_github_run_and_take_no_text_of_others(program):
    assert "${{" not in script_of("nightly") + script_of("weekly")
    command = ["/bin/bash", "-e", "-c", script_of("nightly")]
    works(program, command, AS_OF="")
    before = len(program.calls)
    program.run(command, AS_OF="$(touch hacked)")
    assert program.calls[before].startswith("predict --as-of $(touch hacked) --settings")


def test_github_trains_weekly(program):
    assert program.run(["/bin/bash", "-e", "-c", script_of("weekly")]).returncode == 0
    assert [call.split()[0] for call in program.calls] == ["train", "promote"]


# all of them


def test_no_schedule_holds_a_secret():
    for path in SCHEDULES.iterdir():
        for line in path.read_text().splitlines() if path.is_file() else ():
            given = re.search(r"(PGPASSWORD|MLFLOW_TRACKING_URI)\s*[=:]\s*(\S.*)", line)
            assert given is None or given[2].startswith("${{ secrets."), (path.name, line)
