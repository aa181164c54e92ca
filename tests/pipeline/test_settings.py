"""A settings file is read strictly: every mistake names file, line and the nearest valid name."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from features.errors import SettingsError
from pipeline.mistakes import models_in
from pipeline.settings import Settings, load, parse
from pipeline.settings_hints import FORMS
from pipeline.settings_reference import markdown, undescribed

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [ROOT / "pipeline/demo.yaml", *sorted(ROOT.glob("examples/*/settings.yaml"))]
BASE = """\
name: acme
data:
  sources:
    - format: generic
      files: [events.csv]
      columns: {event: event, account: account, time: time}
conversion: {events: [paid]}
"""
HEAVY = (
    "pandas",
    "pyarrow",
    "sklearn",
    "lightgbm",
    "mlflow",
    "duckdb",
    "matplotlib",
    "numba",
    "scipy",
)


def mistake(text: str) -> str:
    """What reading the text says is wrong."""
    with pytest.raises(SettingsError) as error:
        parse(text, "acme.yaml")
    return str(error.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_settings_file_loads(path):
    assert load(path).settings.conversion.events


def test_there_are_shipped_examples():
    assert len(SHIPPED) >= 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cohrt: {every_days: 7}", "acme.yaml:8: cohrt: unknown setting; did you mean 'cohort'?"),
        ("cohort: {every_dayz: 7}", "acme.yaml:8: cohort.every_dayz: unknown setting; did you"),
        ("cohort:\n  min_events: 1\n  evry_days: 7", "acme.yaml:10: cohort.evry_days: unknown"),
        ("features: {events: {valeu: [x]}}", "features.events.valeu: unknown setting; did you me"),
        (
            "features: {groups: {core: {dimension: value, events: [x], evnts: [y]}}}",
            "acme.yaml:8: features.groups.core.evnts: unknown setting; did you mean 'events'?",
        ),
        (
            "model: {tiers: {by: capacity, reps: 4, per_rep_per_week: 9, rep: 4}}",
            "acme.yaml:8: model.tiers.rep: unknown setting; did you mean 'reps'?",
        ),
        (
            "scorecard:\n  rules:\n    - name: a\n      points: 1\n      dimension: fit\n"
            "      feature: f\n      at_last: 3\n      equals: 1",
            "acme.yaml:14: scorecard.rules.0.at_last: unknown setting; did you mean 'at_least'?",
        ),
    ],
)
def test_a_typo_names_its_line_and_the_nearest_valid_name(line, said):
    assert said in mistake(BASE + line + "\n")


def test_a_typo_in_a_source_is_found_in_the_kind_of_source_that_it_is():
    text = BASE.replace("      columns", "      timezon: UTC\n      columns")
    assert mistake(text) == (
        "acme.yaml:6: data.sources.0.timezon: unknown setting; did you mean 'timezone'?"
    )


def test_only_names_that_are_valid_right_there_are_suggested():
    """`hot` is a name of other kinds of tiers."""
    said = mistake(BASE + "model: {tiers: {by: capacity, reps: 4, per_rep_per_week: 9, hot: 0.3}}")
    assert said.endswith(
        "model.tiers.hot: unknown setting; known here: 'by', 'reps', 'per_rep_per_week', 'weeks'"
    )


def test_a_name_far_from_every_valid_one_lists_them():
    assert "known here: 'train_share'" in mistake(BASE + "evaluation: {folds: {zzz: 1}}")


@pytest.mark.parametrize("word", ["colour", "color", "output", "timeout", "scoring", "users"])
def test_a_word_that_is_no_slip_of_a_setting_is_not_taken_for_one(word):
    assert mistake(BASE + f"{word}: 1\n").startswith(
        f"acme.yaml:8: {word}: unknown setting; known here: 'name', 'seed', 'entity', "
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("horizon", "horizon_days"),
        ("signal", "signals"),
        ("actoins", "actions"),
        ("eval", "evalua"),
    ],
)
def test_a_slip_or_the_beginning_of_a_setting_is_told_with_the_setting(word, meant):
    assert f"{word}: unknown setting; did you mean '{meant}" in mistake(BASE + f"{word}: 1\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'horizon_days: "14"',
            "acme.yaml:8: horizon_days: Input should be a valid integer (got '14')",
        ),
        ("horizon_days: 1.5", "horizon_days: Input should be a valid integer (got 1.5)"),
        ("horizon_days: 0", "horizon_days: Input should be greater than 0 (got 0)"),
        ("horizon_days: no", "horizon_days: Input should be a valid integer (got 'no')"),
        ("cohort:", "cohort: Input should be an object (got None)"),
        (
            "features: {windows_days: 7}",
            "features.windows_days: expected a list; write [7] (got 7)",
        ),
        (
            "signals: {pricing: pricing_viewed}",
            "acme.yaml:8: signals.pricing: expected a list; write [pricing_viewed] (got 'pric",
        ),
        ("signals: {pricing: Saw prices}", 'expected a list; write ["Saw prices"] (got'),
        (
            "signals: {first_value: report_created}",
            "acme.yaml:8: signals.first_value: expected a list, each entry on a line of its own "
            "behind a dash (got 'report_created')",
        ),
        (
            "scorecard:\n  rules:\n    +30 upgrade: sold >= 1 time ever",
            "scorecard.rules: expected a list, each entry on a line of its own behind a dash",
        ),
        ("model: {tiers: {hot: 1.5}}", "model.tiers.by: is missing; it says which kind this is"),
        ("compute: {memory_mb: 100}", "memory_mb: Input should be greater than or equal to 500"),
        (
            "scorecard: {rules: [{name: a, points: 1, dimension: fit, feature: f}]}",
            "exactly one of",
        ),
        ("2024: 1", "acme.yaml:8: names are text; put 2024 in quotes."),
    ],
)
def test_a_wrong_value_says_what_is_expected_and_what_was_given(line, said):
    assert said in mistake(BASE + line + "\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("entity: acount", "8: entity: can't be 'acount'; did you mean 'account'?"),
        (
            "features: {custom: {mine: {dimension: value, statistic: coutn}}}",
            "8: features.custom.mine.statistic: can't be 'coutn'; did you mean 'count'?",
        ),
        ("model: {tiers: {by: capasity}}", "8: model.tiers.by: can't be 'capasity'; did you mean"),
    ],
)
def test_a_misspelt_word_names_the_nearest_that_the_setting_takes(line, said):
    assert mistake(BASE + line + "\n").startswith(f"acme.yaml:{said}")


@pytest.mark.parametrize(
    "line",
    [
        "+30 upgrade: limit_hit >= 1 time ever",
        "-20 engagement: no event in 14 days",
        "+25 team: >= 4 active members in 28 days",
        '+30 upgrade: "Limit hit" >= 1 time ever',
        "big teams | +25 team: >= 4 active members ever",
        "it's big | +25 team: >= 4 active members ever",
        '"it\'s big" | +30 upgrade: "Limit hit" >= 1 time ever',
    ],
)
def test_a_line_of_the_scorecard_without_quotes_is_shown_in_quotes(line):
    def written(rule):
        return f"{BASE}scorecard:\n  rules:\n    - {rule}\n    - '+1 value: b >= 1 time ever'\n"

    told = mistake(written(line))
    assert re.match(r"acme\.yaml:10: scorecard\.rules(\.0)?: put the line in quotes: ", told)
    assert len(told.splitlines()) == 1
    # What is shown can be pasted.
    shown = told.partition("quotes: ")[2]
    name, bar, rest = line.rpartition(" | ")
    read = parse(written(shown)).scorecard.rules[0]
    assert read.line.endswith(rest)
    assert not bar or read.name == name.strip('"')


def test_a_rule_as_a_mapping_is_never_taken_for_a_line_without_quotes():
    rule = "{name: a, dimension: fit, points: 1, feature: f, at least: 3}"
    assert "unknown setting; did you mean 'at_least'?" in mistake(
        BASE + f"scorecard: {{rules: [{rule}]}}"
    )


def test_a_misspelt_format_of_a_source_is_told_at_its_line_without_jargon():
    assert mistake(BASE.replace("generic", "genric")) == (
        "acme.yaml:4: data.sources.0.format: can't be 'genric'; did you mean 'generic'?"
    )


def test_a_word_far_from_all_that_a_setting_takes_lists_a_few_of_them():
    said = mistake(BASE + "features: {activity_statistics: [zzz]}\n")
    assert "can't be 'zzz'; known here: 'count', 'active_days', " in said
    assert said.endswith(" more")
    assert said.count("', '") < 15


def test_what_takes_a_block_or_a_word_says_both():
    said = mistake(BASE.replace("data:\n", "data:\n  properties: automatic\n"))
    assert said == (
        "acme.yaml:3: data.properties: can't be 'automatic'; give names with their values, or a "
        "word; known here: 'auto'"
    )


def test_a_value_that_fits_no_kind_is_one_mistake_not_one_per_kind():
    text = BASE.replace("      columns", "      where: {plan: null}\n      columns")
    assert len(mistake(text).splitlines()) == 1


def test_a_name_of_the_wrong_form_is_told_in_words():
    assert mistake(BASE.replace("acme", "My Co")) == (
        "acme.yaml:1: name: must begin with a letter a to z, then small letters, digits, - and _ "
        "(got 'My Co')"
    )


def test_every_form_that_a_setting_must_have_is_known_in_words():
    blocks = {Settings} | _blocks_in(Settings)
    rules = [
        rule for block in blocks for field in block.model_fields.values() for rule in field.metadata
    ]
    forms = {rule.pattern for rule in rules if getattr(rule, "pattern", None)}
    assert forms == set(FORMS)


def test_many_mistakes_are_told_up_to_five_and_counted():
    said = mistake(BASE + "".join(f"wrong_{n}: 1\n" for n in range(8)))
    assert len(said.splitlines()) == 6
    assert said.endswith("... and 3 more.")


def test_a_missing_block_is_named():
    assert "data: is missing and has no default" in mistake("name: acme\n")


def test_cohort_and_rows_are_one_choice():
    both = "cohort: {every_days: 7}\nrows: {file: mine.csv}\n"
    assert "either cohort (a calendar) or rows (your own table), not both" in mistake(BASE + both)
    assert parse(BASE + "rows: {file: mine.csv}").rows is not None


def test_words_and_numbers_are_those_of_yaml_1_2():
    read = parse(BASE.replace("[paid]", "[no, yes, on, off]") + "horizon_days: 012\n")
    assert read.conversion.events == ("no", "yes", "on", "off")
    assert read.horizon_days == 12


def test_an_anchored_boolean_stays_a_boolean():
    assert parse(BASE + "features: {lifetime: &keep false}").features.lifetime is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "acme.yaml: expected settings such as `name: demo`, found an empty file."),
        ("- a\n- b\n", "acme.yaml: expected settings such as `name: demo`, found a list."),
        ("hello\n", "acme.yaml: expected settings such as `name: demo`, found text."),
        (BASE + "name: other\n", 'acme.yaml:8: not valid YAML: found duplicate key "name"'),
        (BASE + "cohort:\n\tevery_days: 7\n", "acme.yaml:9: not valid YAML: found character"),
        ("name: [\n", "acme.yaml:2: not valid YAML"),
        (BASE + "seed: \x00\n", "acme.yaml: not valid YAML: unacceptable character"),
        (BASE + "seed: *nothing\n", "acme.yaml:8: not valid YAML: found undefined alias"),
        (BASE + "? [a, b]\n: 1\n", "acme.yaml:8: names are text"),
        (
            BASE.replace("data:\n", "data:\n  until: 2024-02-30\n"),
            "acme.yaml:3: data.until: day is",
        ),
    ],
)
def test_what_is_no_settings_file_is_told_in_one_line(text, said):
    told = mistake(text)
    assert told.startswith(said)
    assert "\n" not in told


def test_a_file_that_can_not_be_read_says_why(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin\.yaml': it is not UTF-8 text"):
        load(tmp_path / "latin.yaml")
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(SettingsError, match="Is a directory"):
        load(tmp_path)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        parse(BASE).horizon_days = 3


def test_a_settings_mistake_is_told_without_loading_a_heavy_library(tmp_path):
    """So that it is told at once: each of these takes longer to load than people wait."""
    (tmp_path / "settings.yaml").write_text(BASE + "cohrt: {}\n")
    program = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "try:\n    main(['train', '--settings', sys.argv[1]])\n"
        "except SystemExit as done:\n    print(done.code)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "settings.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "2\n[]\n"
    assert "did you mean 'cohort'?" in done.stderr


def test_the_reference_is_what_the_program_says():
    """`make docs` writes it again."""
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == markdown()


def test_every_setting_says_what_it_does():
    assert undescribed() == []


def test_every_key_of_every_block_has_a_line_in_the_reference():
    """Those of all members of a union included."""
    lines = Counter(re.findall(r"^\| `(\w+)` \|", markdown(), re.MULTILINE))
    blocks = {Settings} | _blocks_in(Settings)
    assert lines == Counter(name for block in blocks for name in block.model_fields)


def _blocks_in(model: type[BaseModel]) -> set[type[BaseModel]]:
    inner = {one for field in model.model_fields.values() for one in models_in(field.annotation)}
    return inner | {deeper for one in inner for deeper in _blocks_in(one)}


@pytest.mark.parametrize(
    "row",
    [
        "| `horizon_days` | whole number above 0 | `14` |",
        "| `conversion` | [block](#conversion) | required |",
        "| `memory_mb` | whole number, 500 or more | `2000` |",
        "| `share` | number in (0, 1] | `0.2` |",
        '| `anonymous_history` | `link` or `drop` | `"link"` |',
        "| `windows_days` | list of whole numbers above 0 | `[1, 7, 14, 28, 90]` |",
        "| `custom` | names, each with [block](#featurescustomname) | `{}` |",
    ],
)
def test_a_line_of_the_reference_says_what_a_key_takes_and_its_default(row):
    assert f"\n{row} " in markdown()
