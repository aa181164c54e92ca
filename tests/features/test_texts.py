"""The catalogue of sentences: complete, translatable, and closed to hostile translations."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from features.definitions import Condition, Feature, Limit, Statistic
from features.errors import SettingsError
from features.statistics import STATISTICS
from features.texts import english, load_texts, translation
from features.texts.checking import gaps
from features.wording import in_language, meaning, phrase
from models.scoring import Language, tell
from pipeline.cli import main
from pipeline.texts import read_texts, to_yaml

GERMAN = """\
language: de
numbers: {decimal: ",", thousands: ".", percent: "{n} %", date: "{day}.{month}.{year}"}
windows:
  last: {one: am letzten Tag, other: "in den letzten {days} Tagen"}
  ever: bisher
  before: {one: am Tag davor, other: "in den {days} Tagen davor"}
facts:
  count: {one: "{subject}: {n} Mal {when}", other: "{subject}: {n} Mal {when}"}
  days_since_last: {one: "{event} zuletzt vor {n} Tag", other: "{event} zuletzt vor {n} Tagen"}
  limit_share: "{usage}: {percent} der Grenze"
  max: "{property} von {subject}: höchstens {n} {when}"
facts_of_all:
  active_days: {one: "{when} an {n} Tag aktiv", other: "{when} an {n} Tagen aktiv"}
unknown:
  days_since_last: "{event}: nie"
of_limit: {members: "{n} von {limit} {name} belegt"}
reasons: {points: "{n} Punkte", typical: "{text} (üblich: {value})"}
names: {report_created: Bericht erstellt, seats: Plätzen, size: Größe}
"""


def feature(statistic: Statistic, *events: str, days: int | None = 7, **more: object) -> Feature:
    subject = more.pop("subject", events[0].replace("_", " ") if events else "any event")
    return Feature(
        *("x", "value", statistic, events, more.pop("property", None), days, "entity", "number"),
        *("", ""),
        subject=str(subject),
        **more,
    )


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "texts.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def say(written) -> Callable[..., str]:
    """A German sentence about a value."""
    texts = read_texts(written(GERMAN))
    language = Language(texts.of_models())

    def told(one: Feature, value: float | str | None, limit: float | None = None) -> str:
        return tell(phrase(one, texts), value, language, limit)

    return told


def test_german_counts_days_and_writes_numbers_as_germans_do(say):
    assert say(feature("active_days"), 1.0) == "in den letzten 7 Tagen an 1 Tag aktiv"
    assert say(feature("active_days", days=1), 2.0) == "am letzten Tag an 2 Tagen aktiv"
    report = feature("days_since_last", "report_created", days=None)
    assert say(report, 1.0) == "Bericht erstellt zuletzt vor 1 Tag"
    assert say(report, 2.0) == "Bericht erstellt zuletzt vor 2 Tagen"
    assert say(report, None) == "Bericht erstellt: nie"
    count = feature("count", "report_created", days=None)
    assert say(count, 1234.5) == "Bericht erstellt: 1.234,5 Mal bisher"
    size = feature("max", "report_created", property="size", where=(Condition("size", (), 0.5),))
    assert say(size, 0.25) == (
        "Größe von Bericht erstellt: höchstens 0,25 in den letzten 7 Tagen, "
        "where Größe is at least 0,5"
    )


def test_german_shares_of_a_limit(say):
    seats = feature("limit_share", limit=Limit("account", "seats"), days=None)
    assert say(seats, 0.8) == "members: 80 % der Grenze"
    assert say(seats, 0.8, limit=5.0) == "4 von 5 Plätzen belegt"


def test_what_a_translation_leaves_out_is_said_in_english_and_told(written):
    texts = read_texts(written(GERMAN))
    assert "facts.active_days" in texts.missing
    assert "facts.count" not in texts.missing
    assert texts.sentences["facts.active_days"] == english().sentences["facts.active_days"]
    assert english().missing == ()


def test_the_catalogue_is_a_translation_of_itself(written):
    again = read_texts(written(to_yaml(english())))
    assert again == english()


def test_json_is_read_like_yaml(tmp_path, written):
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(YAML(typ="safe").load(GERMAN)), encoding="utf-8")
    assert load_texts(path) == read_texts(path) == read_texts(written(GERMAN))


POLISH = {
    "language": "pl",
    "plurals": {"one": "1", "few": "[2-4] *[02-9][2-4]", "many": "*"},
    "facts_of_all": {
        "active_days": {
            "one": "{n} dzień {when}",
            "few": "{n} dni (few) {when}",
            "many": "{n} dni (many) {when}",
            "other": "{n} dnia {when}",
        }
    },
    "windows": {
        "last": {"one": "1", "few": "{days} few", "many": "{days} many", "other": "{days}"}
    },
}


def east(number: float, *, one: Callable[[int], bool]) -> str:
    """CLDR's rules for Polish and Russian, written out."""
    if number != int(number):
        return "other"
    if one(int(number)):
        return "one"
    few = number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)
    return "few" if few else "many"


def czech(number: float) -> str:
    if number != int(number):
        return "many"
    return "one" if number == 1 else "few" if number in (2, 3, 4) else "other"


RULES = {
    "English": lambda n: "one" if n == 1 else "other",
    "French": lambda n: "one" if int(n) in (0, 1) else "other",
    "Polish": lambda n: east(n, one=lambda i: i == 1),
    "Czech": czech,
    "Russian": lambda n: east(n, one=lambda i: i % 10 == 1 and i % 100 != 11),
    "Japanese": lambda n: "other",
}
PAGE = (Path(__file__).parents[2] / "docs/texts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RULES)
def test_plural_forms_are_those_of_unicode(name):
    """By the patterns that the page on translating gives."""
    given = re.search(rf"^\| {name} \| `(.*)` \|$", PAGE, re.MULTILINE)
    plurals = YAML(typ="safe").load(given[1]) if given else {}
    assert given or name == "English"
    texts = translation({"language": "xx", "plurals": plurals}, english(), name)
    language = Language(texts.of_models())
    forms = {form: form for form in ("one", "few", "many", "other")}
    for number in [*range(1300), 0.2, 1.5, 2.4, 12.5, 1234.5]:
        assert language.pick(forms, f"{number:g}") == RULES[name](number), number
        if number == int(number):
            assert texts.form(number) == RULES[name](number), number


def test_a_language_with_more_forms_has_them():
    texts = translation(POLISH, english(), "pl")
    assert texts.say("windows.last", 22, days="22") == "22 few"
    language = Language(texts.of_models())
    assert tell(phrase(feature("active_days", days=12), texts), 3.0, language) == (
        "3 dni (few) 12 many"
    )


def test_the_example_of_the_page_reads_as_it_says():
    example = YAML(typ="safe").load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
    texts = translation(example, english(), "page")
    language = Language(texts.of_models())
    fact = tell(phrase(feature("count", "report_created"), texts), 12.0, language)
    whole = language.say("reasons.typical", text=fact, value=language.show(1.5))
    told = language.say("reasons.with_points", text=whole, points=language.points(3.1))
    assert f"`{told}`" in PAGE


@pytest.mark.parametrize(
    ("hostile", "told"),
    [
        ("{n.__class__}", r"facts.count.other: \{n.__class__\} is no gap"),
        ("{0.__class__.__mro__}", "is no gap"),
        ("{n[0]}", "is no gap"),
        ("{n!r}", r"\{n!r\} is no gap"),
        ("{n:>9999999999}", "is no gap"),
        ("{n:{when}}", "is no gap"),
        ("{}", "is no gap"),
        ("{n", "braces stand for gaps only"),
        ("{{n}}", "braces stand for gaps only"),
        ("{subject} {n}", r"has \{n\}, \{subject\}; expected \{n\}, \{subject\}, \{when\}"),
        ("{subject} {n} {when} {percent}", "expected"),
        ("", "expected a text, found ''"),
        (7, "expected a text, found 7"),
        (None, "expected a text, found None"),
        (["{n}"], "expected a text"),
    ],
)
def test_a_sentence_that_could_reach_anything_is_refused_with_its_key(hostile, told):
    data = {"language": "de", "facts": {"count": {"other": hostile}}}
    with pytest.raises(SettingsError, match=told) as error:
        translation(data, english(), "my.yaml")
    assert str(error.value).startswith("my.yaml: facts.count.other: ")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"facts": {"cuont": "x"}}, "facts.cuont: unknown; did you mean 'facts.count'?"),
        ({"fakts": {"count": "x"}}, "fakts.count: unknown; did you mean 'facts.count'?"),
        ({"facts": "x"}, "facts: unknown"),
        ({"facts": {"count": {"few": "{subject} {n} {when}"}}}, "count.few: no number asks for"),
        ({"facts": {"count": {"one": "{subject} {when}"}}}, "facts.count.other: is missing"),
        ({"plurals": {"few": "x+"}}, "plurals.few: 'x+' is no pattern"),
        ({"names": ["a"]}, "names: expected words by name"),
        ({"names": {"a": 3}}, "names.a: expected a text, found 3"),
        ({"language": "not a tag"}, "language: expected a tag such as de"),
        ({"language": None}, "language: expected a tag"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_what_is_expected(data, told):
    with pytest.raises(SettingsError) as error:
        translation({"language": "de"} | data, english(), "my.yaml")
    assert told in str(error.value)


def test_many_mistakes_are_told_five_at_a_time():
    data = {"language": "de", "facts": {f"no{n}": "x" for n in range(8)}}
    with pytest.raises(SettingsError) as error:
        translation(data, english(), "my.yaml")
    assert str(error.value).count("my.yaml: ") == 5
    assert str(error.value).endswith("... and 3 more.")


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_file_of_something_else_is_refused(data):
    with pytest.raises(SettingsError, match="expected `language: de` and sections"):
        translation(data, english(), "my.yaml")


@pytest.mark.parametrize(
    "content",
    [b"", b"- a", b"a: [", b"a: 1\na: 2", b"\xff\xfe", b"a: &x [*x]", b"!!python/object:os.x {}"],
)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_broken_file_is_one_sentence(tmp_path, content, suffix):
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(path.name)):
        read_texts(path)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(alphabet="{}n.:!a[]0 %", max_size=12))
def test_whatever_passes_can_be_filled_with_plain_words(text):
    """The check is right if no accepted text makes `str.format` do more than put words in."""
    try:
        names = gaps(text)
    except ValueError:
        return
    told = text.format(**dict.fromkeys(names, "<>"))
    assert told == re.sub(r"\{\w+:?\}", "<>", text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["facts", "count", "one", "other", "plurals", "language", "names", "few"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=200)
@given(JSON)
def test_any_data_is_a_translation_or_one_error(data):
    try:
        texts = translation(data, english(), "my.yaml")
    except SettingsError:
        return
    assert texts.sentences.keys() == english().sentences.keys()


def test_meanings_are_shown_in_a_language_and_hashed_in_english():
    texts = translation(
        {
            "language": "de",
            "meanings": {"count": "wie oft {subject} {when}"},
            "windows": {"ever": "bisher"},
        },
        english(),
        "my.yaml",
    )
    plain = feature("count", "login", days=None)
    made = replace(plain, meaning=meaning(plain))
    own = replace(made, meaning="my own words")
    assert [one.meaning for one in in_language((made, own), texts)] == [
        "wie oft login bisher",
        "my own words",
    ]
    assert made.meaning == "how often: login so far"
    assert in_language((made, own), english()) == (made, own)


def test_every_english_text_is_a_plain_sentence():
    for key, forms in english().sentences.items():
        for form, text in forms.items():
            assert gaps(text) <= {
                *("subject", "event", "events", "when", "before", "first", "span", "thrice"),
                *("days", "property", "source", "against", "usage", "limit", "name", "n"),
                *("percent", "text", "value", "points", "change", "date", "second", "facts"),
                *("distance", "conditions", "values", "year", "month", "day", "statistic"),
                *("times", "ago", "members", "trigger", "action", "tier", "why"),
            }
            assert text == text.strip() or key == "numbers.thousands", (key, form)


def shouted(text: str) -> str:
    """The text in capitals, its gaps as they are: a language that English can't hide in."""
    return "".join(
        part if part.startswith("{") else part.upper() for part in re.split(r"(\{\w+\})", text)
    )


@pytest.fixture(scope="module")
def loud():
    sections: dict = {"language": "xx"}
    for key, forms in english().sentences.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = {f: shouted(text) for f, text in forms.items()}
    return translation(sections, english(), "loud.yaml")


@pytest.mark.parametrize("statistic", get_args(Statistic))
def test_no_english_leaks_into_what_another_language_says(loud, statistic):
    """Of any statistic, scope, window and value; what stays small is the names of the data."""
    language = Language(loud.of_models())
    assert not loud.missing
    made = {"where": (Condition("aa", ("bb", "cc"), 1.5, 2.5),), "against": ("dd", "ee")}
    bounded = statistic in STATISTICS and STATISTICS[statistic].window == "bounded"
    if statistic == "limit_share":
        made["limit"] = Limit("account", "ff")
    for names in ((), ("gg",), ("gg", "hh")):
        for scope in ("entity", "account"):
            subject = "team events" if len(names) > 1 else "gg" if names else "any event"
            one = feature(statistic, *names, subject=subject, property="ii", **made)
            for days in (1, 7) if bounded else (1, 7, None):
                one = replace(one, scope=scope, days=days)
                values = (None, "jj", -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 1e6)
                told = [tell(phrase(one, loud), value, language) for value in values]
                told += [tell(phrase(one, loud), 0.5, language, 4.0), meaning(one, loud)]
                for text in told:
                    small = set(re.findall(r"[a-z]+", text))
                    assert small <= {f"{letter}{letter}" for letter in "abcdefghij"}, text
                    assert not re.search(r"[{}]|  ", text), text


def test_the_command_prints_texts_that_it_takes_back(tmp_path):
    run = CliRunner().invoke
    printed = run(main, ["texts"])
    assert printed.exit_code == 0
    out = tmp_path / "new" / "en.yaml"
    out.parent.mkdir()
    assert run(main, ["texts", "--out", str(out)]).output == f"Written: {out}\n"
    assert out.read_text(encoding="utf-8") == printed.output
    whole = run(main, ["texts", "--check", str(out)])
    assert re.search(r"is whole: \d+ sentences in 'en'", whole.output)
    again = run(main, ["texts", "--out", str(out)])
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_the_command_tells_what_a_translation_leaves_out(written):
    path = written(GERMAN)
    done = CliRunner().invoke(main, ["texts", "--check", str(path)])
    assert done.exit_code == 0
    assert "can be used" in done.output
    # What is told can be pasted into the file and translated there.
    lacking = YAML(typ="safe").load(done.output.partition("\n\n")[2])
    assert "count" not in lacking["facts"]
    assert lacking["facts"]["active_days"]["other"] == "{subject}: on {n} days {when}"
    as_json = CliRunner().invoke(main, ["texts", "--json", "--check", str(path)])
    assert json.loads(as_json.output)["language"] == "de"


def test_a_form_that_a_language_lacks_is_told_by_its_name():
    lacking = {"language": "pl", "plurals": POLISH["plurals"], "windows": {"span": "{days} dni"}}
    texts = translation(lacking, english(), "pl")
    assert {"windows.span.few", "windows.span.many", "windows.span.one"} <= set(texts.missing)
    assert 'few: "{days} dni"' in to_yaml(texts, texts.missing)


def test_events_that_are_named_by_their_property_go_without_saying():
    made = Feature(
        "x", "value", "max", ("downloaded", "uploaded"), "file_size", 7, "entity", "number", "",
        "", subject="file size events",
    )  # fmt: skip
    assert phrase(made)["known"]["other"] == "file size: up to {n} in the last 7 days"
    other = replace(made, subject="transfer events")
    assert "transfer events" in phrase(other)["known"]["other"]
