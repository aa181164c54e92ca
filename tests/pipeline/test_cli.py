"""The command line: exit codes, JSON for programs, and one line for every mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main

ROOT = Path(__file__).resolve().parents[2]
VERBS = sorted(main.commands)


def run(*arguments: object):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def strict_json(text: str):
    """JSON as programs other than Python read it: without NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_a_line_for_each_option(verb):
    done = run(verb, "--help")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: main {verb}")
    for option in main.commands[verb].params:
        assert option.opts[0] in done.stdout


def test_the_verbs_are_those_of_the_readme():
    assert {"train", "predict", "explain", "simulate", "init", "ui"} <= set(VERBS)


def test_a_named_settings_file_that_is_missing_is_an_error_not_the_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("predict", "--settings", "settings.yaml")
    assert done.exit_code == 2
    said = "error: Can't read the settings file 'settings.yaml': No such file or directory.\n"
    assert done.stderr == said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "--as-of", "soon"], "--as-of 'soon' is no date"),
        (["predict", "--as-of", "2031-01-01"], "outside the data"),
        (["predict", "--model", "99"], "no '99' of model 'pql-shop'"),
        (["explain", "--entity", "user 0xx"], "There is no user 'user 0xx'"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(shop, arguments, said):
    done = run(*arguments, "--json", "--settings", shop.run.path)
    assert done.exit_code == 2
    assert done.stdout == ""
    *progress, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert said in last
    assert not any("Traceback" in line or line.startswith("error") for line in progress)


@pytest.mark.parametrize(
    ("option", "value"), [("--accounts", "0"), ("--days", "3"), ("--seed", "-1")]
)
def test_a_world_that_can_not_be_made_is_exit_code_2(tmp_path, option, value):
    done = run("simulate", option, value, "--out", tmp_path / "world")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: simulate {option}: Input should be greater than")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "world").exists()


def test_a_typo_in_the_settings_is_exit_code_2(shop, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(shop.run.text.replace("horizon_days", "horizn_days"))
    for verb in ("train", "predict"):
        done = run(verb, "--settings", path)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "did you mean 'horizon_days'?" in done.stderr


def test_nobody_eligible_is_exit_code_3(shop):
    """On the first day somebody has visited, and nobody has entered."""
    arguments = ("predict", "--as-of", "2024-03-01", "--settings", shop.run.path)
    done, as_json = run(*arguments), run(*arguments, "--json")
    assert (done.exit_code, as_json.exit_code) == (3, 3)
    assert "Nobody is eligible" in done.stdout
    assert strict_json(as_json.stdout)["rows"] == 0


def test_training_prints_json_alone_on_stdout(retrained):
    assert retrained.exit_code == 0
    result = strict_json(retrained.stdout)
    assert result["model"] == "pql-demo"
    assert result["version"] > 1
    assert {row["metric"] for row in result["metrics"]} >= {"roc_auc", "pr_auc", "brier"}
    assert all(isinstance(row["value"], float) for row in result["metrics"])
    assert all(isinstance(fold["rows"], int) for fold in result["folds"])
    assert "Judging model and scorecard" in retrained.stderr


def test_predicting_prints_json_alone_on_stdout(shop):
    done = run("predict", "--json", "--settings", shop.run.path)
    result = strict_json(done.stdout)
    assert done.exit_code == 0
    assert sum(result["tiers"].values()) == result["rows"] > 0
    assert all(Path(path).is_file() for path in result["files"])
    assert "Scoring" in done.stderr


def test_explaining_prints_json_alone_on_stdout(shop):
    result = strict_json(
        run("explain", "--entity", "user 001", "--json", "--settings", shop.run.path).stdout
    )
    assert result["entity"] == "user 001"
    assert result["tier"] in ("critical", "hot", "warm", "cold")
    assert all(isinstance(reason["contribution"], float) for reason in result["reasons"])


def test_the_table_for_people_shows_the_top_and_every_tier(shop):
    done = run("predict", "--top", "3", "--settings", shop.run.path)
    assert done.exit_code == 0
    for word in ("critical", "hot", "warm", "cold", "Written: ", "--entity"):
        assert word in done.stdout
    table = done.stdout[done.stdout.index("looks like") :]
    assert [f"\n {at} " in table for at in (1, 3, 4)] == [True, True, False]


def test_the_walk_for_people_goes_from_events_to_the_tier(shop):
    done = run("explain", "--entity", "user 001", "--settings", shop.run.path)
    assert done.exit_code == 0
    for word in ("opened", "log-odds", "Raw score", "PQL score", "tier", "Cut-offs"):
        assert word in done.stdout


def test_the_training_for_people_says_what_it_found_and_where_it_is(sibling, shop):
    one = sibling(shop, ("name: shop", "name: told"))
    done = run("train", "--settings", one.path)
    assert done.exit_code == 0, done.stderr
    for word in (
        "ROC-AUC",
        "Base rate",
        "1 scorecard rule has no data and never counts: big budget",
        "Registered pql-told version 1 as champion",
        "Report: ",
    ):
        assert word in done.stdout


def test_verbose_lets_this_program_speak_and_no_other_library():
    program = (
        "import logging\n"
        "from pipeline.cli import main\n"
        "try:\n    main(['-v', 'train', '--settings', 'none.yaml'])\n"
        "except SystemExit:\n    pass\n"
        "import matplotlib.pyplot\n"
        "for name in ('features.budget', 'models.learners.booster', 'pipeline', 'git.cmd', "
        "'matplotlib'):\n"
        "    logging.getLogger(name).debug('a step')"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    error, *steps = done.stderr.splitlines()
    assert error.startswith("error: ")
    spoke = [line.split()[2] for line in steps]
    assert spoke == ["features.budget", "models.learners.booster", "pipeline"]


def test_a_reader_who_leaves_early_ends_the_program_quietly(tmp_path):
    command = [sys.executable, "-m", "pipeline", "simulate", "--accounts", "20", "--days", "60"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == ""
    assert writer.returncode == 0


def test_a_folder_called_models_in_the_current_directory_hides_nothing(tmp_path):
    """`python -m` looks there first."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise SystemExit('foreign code ran')")
    command = [sys.executable, "-m", "pipeline", "train", "--settings", "none.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Can't read the settings file 'none.yaml'" in done.stderr
