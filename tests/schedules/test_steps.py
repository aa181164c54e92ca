"""run.sh: which steps a night and a week have, and what every exit code means to it."""

import pytest

from tests.schedules.conftest import SCHEDULES

RUN = str(SCHEDULES / "run.sh")
NIGHT = (RUN, "nightly", "2024-06-01", "a b.yaml")
PREDICT = "predict --as-of 2024-06-01 --settings a b.yaml"
MONITOR = "monitor --as-of 2024-06-01 --settings a b.yaml"


def test_a_night_predicts_and_monitors_as_of_the_given_date(program):
    assert program.run(NIGHT).returncode == 0
    assert program.calls == [PREDICT, MONITOR]


def test_a_week_trains_and_promotes(program):
    assert program.run([RUN, "weekly", "s.yaml"]).returncode == 0
    assert program.calls == ["train --settings s.yaml", "promote --settings s.yaml"]


def test_nothing_to_do_is_fine_and_the_next_step_follows(program):
    program.will_end("predict", 3)
    program.will_end("monitor", 3)
    done = program.run(NIGHT)
    assert (done.returncode, done.stderr) == (0, "")
    assert program.calls == [PREDICT, MONITOR]


@pytest.mark.parametrize("code", [1, 2, 137])
def test_a_step_that_is_refused_or_fails_ends_the_night_and_is_not_repeated(program, code):
    program.will_end("predict", code)
    done = program.run(NIGHT, TRIES="5")
    assert done.returncode == code
    assert f"pql predict ended with {code}" in done.stderr
    assert program.calls == [PREDICT]


def test_a_limit_that_monitor_finds_crossed_is_passed_on(program):
    program.will_end("monitor", 1)
    assert program.run(NIGHT).returncode == 1


def test_a_step_waits_while_another_run_is_at_work(program):
    program.will_end("predict", 75, 75, 0)
    assert program.run(NIGHT, TRIES="3").returncode == 0
    assert program.calls == [PREDICT] * 3 + [MONITOR]


def test_waiting_ends(program):
    program.will_end("predict", 75, 75, 0)
    assert program.run(NIGHT, TRIES="2").returncode == 75
    assert program.calls == [PREDICT] * 2


@pytest.mark.parametrize(
    "words",
    [(), ("nightly", "s.yaml"), ("weekly",), ("weekly", "2024-06-01", "s.yaml"), ("x", "y")],
)
def test_anything_else_is_a_mistake(program, words):
    done = program.run([RUN, *words])
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert program.calls == []
