"""The words of a model: what it tells, in which language, and that its numbers don't care."""

import copy
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from features.definitions import Limit
from features.naming import define
from features.texts import english, translation
from models.bundle import MANIFEST, load_bundle, read_about, save_bundle
from models.learners.encoding import values_of
from models.propensity import PropensityModel
from models.reasons import reword, wording
from models.scoring import PARTS, TEXTS_FILE, TIERS, WORDING_FILE, Former, Language, Scorer
from models.scoring.reasons import Facts, strongest

OF_THE_DATA = {"reports", "invites", "noise", "plan", "free", "trial", "team", "acc"}
"""What stays as it is in every language: names of events, properties, values and customers."""


def shouted(text: str) -> str:
    """The text in brackets and capitals, its gaps as they are."""
    parts = re.split(r"(\{\w+\})", text)
    return f"⟦{''.join(p if p.startswith('{') else p.upper() for p in parts)}⟧"


@pytest.fixture(scope="module")
def loud():
    """A language whose every sentence can be told from English."""
    sections: dict = {"language": "xx", "numbers": {"decimal": ",", "thousands": "."}}
    for key, forms in english().sentences.items():
        section, _, name = key.partition(".")
        if section != "plurals" and key not in ("numbers.decimal", "numbers.thousands"):
            told = {form: shouted(text) for form, text in forms.items()}
            sections.setdefault(section, {})[name] = told
    return translation(sections, english(), "loud.yaml")


@pytest.fixture(scope="module")
def speaking(fitted, loud) -> PropensityModel:
    """The fitted model in that language; the shared one goes on in English."""
    scorer = copy.copy(fitted.model.scorer)
    reword(scorer, fitted.model.features, loud)
    return replace(fitted.model, scorer=scorer)


@pytest.fixture(scope="module")
def rows(fitted):
    some = fitted.test.take(np.arange(120))
    return some.matrix, some.account, some.domain


@pytest.fixture(scope="module")
def former(fitted):
    """The same rows in the opposite order, as if they had been others before."""
    then = fitted.test.take(np.arange(120, 240))
    values = values_of(then.matrix, then.account, then.domain)
    return Former(values, np.arange(120), "⟦MONDAY⟧")


def refuse_english(texts):
    assert len(texts) > 20
    for text in texts:
        assert text.startswith("⟦"), text
        assert text.endswith("⟧"), text
        assert set(re.findall(r"[a-z]+", text)) <= OF_THE_DATA, text
        assert not re.search(r"\d\.\d", text), text


def test_everything_a_model_tells_is_in_its_language(speaking, rows, former):
    told = speaking.told(*rows, most=9, former=former)
    texts = [text for name in ("reasons", "reasons_against") for row in told[name] for text in row]
    refuse_english(texts)
    assert any("SINCE" in text for text in texts)
    assert any("TYPICAL" in text for text in texts)
    assert any("LIKE CUSTOMERS DID" in text for text in texts)
    reasons = [one for row in speaking.explain(*rows, top=9) for one in row]
    refuse_english([text for one in reasons for text in (one.text, one.told)])
    alike = [one for row in speaking.look_alikes(*rows) for one in row]
    refuse_english([text for one in alike for text in (one.told, *one.shared)])
    assert any(one.shared for one in alike)
    language = speaking.scorer.language
    labels = [*map(language.part, PARTS), *map(language.tier, TIERS), language.show(None)]
    assert all(label == label.upper() and label.startswith("⟦") for label in labels)


def test_a_language_changes_words_and_nothing_else(fitted, speaking, rows, former):
    plain, loud = (one.told(*rows, former=former) for one in (fitted.model, speaking))
    for part in PARTS:
        np.testing.assert_array_equal(plain[f"{part}_points"], loud[f"{part}_points"])
    assert [len(row) for row in plain["reasons"]] == [len(row) for row in loud["reasons"]]
    assert speaking.predict(*rows).equals(fitted.model.predict(*rows))
    for a, b in zip(fitted.model.explain(*rows)[0], speaking.explain(*rows)[0], strict=True):
        assert replace(a, text="", told="") == replace(b, text="", told="")
    assert speaking.features == fitted.model.features


def test_a_language_goes_with_the_bundle(fitted, speaking, rows, tmp_path):
    folder = save_bundle(speaking, tmp_path / "loud", settings_text="", info={})
    told, loaded = speaking.told(*rows), load_bundle(folder).told(*rows)
    assert all(np.array_equal(told[name], loaded[name]) for name in told if "points" in name)
    assert [loaded[name] for name in ("reasons", "reasons_against")] == [
        told[name] for name in ("reasons", "reasons_against")
    ]
    # As the registered model reads it, which knows no settings and nothing of this project.
    values = values_of(*rows)
    scorer = Scorer.load(folder)
    texts = [text for row in scorer.told(values, 3)["reasons"] for text in row]
    refuse_english(texts)
    refuse_english([one.told for row in scorer.look_alikes(values, 3) for one in row])
    plain = save_bundle(fitted.model, tmp_path / "plain", settings_text="", info={})
    others = {path.name for path in plain.iterdir()
              if path.read_bytes() != (folder / path.name).read_bytes()}  # fmt: skip
    assert others == {WORDING_FILE, TEXTS_FILE, MANIFEST}
    assert read_about(plain)["feature_fingerprint"] == read_about(folder)["feature_fingerprint"]


def test_a_bundle_from_before_the_texts_speaks_english(fitted, rows, tmp_path):
    folder = save_bundle(fitted.model, tmp_path / "old", settings_text="", info={})
    (folder / TEXTS_FILE).unlink()
    old = {"phrase": {"known": "{n} time{s}", "unknown": "never"}, "typical": None}
    (folder / WORDING_FILE).write_text(json.dumps({"reports_count_7d": old}))
    about = read_about(folder)
    del about["sha256"][TEXTS_FILE], about["sha256"][WORDING_FILE]
    (folder / MANIFEST).write_text(json.dumps(about))
    assert load_bundle(folder).told(*rows)["reasons"] == fitted.model.told(*rows)["reasons"]


def test_rewording_twice_is_rewording_once(fitted, speaking, rows):
    scorer = copy.copy(speaking.scorer)
    reword(scorer, fitted.model.features, english())
    back = replace(fitted.model, scorer=scorer)
    assert back.told(*rows)["reasons"] == fitted.model.told(*rows)["reasons"]


def seats(source: str, name: str):
    """How full an account is, and the column that says of what."""
    full = define("limit_share", "upgrade", "entity", "seats", limit=Limit(source, name))
    seats = replace(
        define("last", "fit", "entity", "seats", property="seats"),
        statistic="attribute",
        source="account",
        name="seats",
    )
    return full, seats


@pytest.mark.parametrize(
    ("source", "name", "limit", "text"),
    [
        ("account", "seats", 5.0, "4 of 5 seats used"),
        ("account", "seats", np.nan, "members: 80% of the limit"),
        ("account", "licences", 5.0, "members: 80% of the limit"),
        ("constant", "10", 5.0, "members: 8 of 10"),
    ],
)
def test_a_limit_that_the_row_knows_is_told_in_numbers(source, name, limit, text):
    full, known = seats(source, name)
    columns = [{"name": full.name, "typical": 0.5}, {"name": known.name, "typical": 3.0}]
    words = wording((full, known), columns, english())
    values = {full.name: np.array([0.8], np.float32), known.name: np.array([limit])}
    added = {full.name: np.array([1.0])}
    facts = Facts.of(added, np.array([10.0]), words)
    language = Language(english().of_models())
    (reason,) = strongest(facts, added, words, values, 3, language)[0]
    assert reason.text == f"{text} (typical: 50%)"
    assert reason.told == f"{text} (typical: 50%): +10.0 points"


def test_what_is_typical_is_told_in_the_unit_of_the_sentence():
    growing = define("trend", "value", "entity", "saved", ("saved",), 7)
    share = define("business_share", "value", "entity", "saved", ("saved",), 7)
    full, known = seats("account", "seats")
    features = (growing, share, full, known)
    columns = [{"name": f.name, "typical": 0.25} for f in features]
    typical = {n: w["typical"] for n, w in wording(features, columns, english()).items()}
    assert typical == {growing.name: None, share.name: "25%", full.name: "25%", "seats": "0.25"}


@pytest.mark.parametrize(
    ("points", "text"),
    [(12.34, "+12.3 points"), (-0.567, "-0.57 points"), (0.0123, "+0.012 points"),
     (0.0, "0 points"), (1.0, "+1.0 points"), (1e-7, "0 points")],
)  # fmt: skip
def test_points_are_told_with_their_sign(points, text):
    assert Language(english().of_models()).points(points) == text


def test_a_date_is_written_as_the_language_writes_it():
    monday = 1_717_372_800_000_000
    german = {"language": "de", "numbers": {"date": "{day}.{month}.{year}"}}
    texts = translation(german, english(), "de.yaml")
    assert Language(texts.of_models()).date(monday) == "03.06.2024"
    assert Language(english().of_models()).date(monday) == "2024-06-03"


def test_words_that_are_not_there_stop_no_score():
    mute = Language()
    assert mute.say("reasons.like") == "reasons.like"
    assert mute.points(2.5) == "+2.5"
    assert mute.show(1234.5) == "1,234.5"


def test_a_fact_that_stayed_is_not_said_to_have_changed_though_its_points_did():
    """Points are shares of the whole row's way: those of a fact that stays move with the others."""
    word = {"part": "value", "phrase": {"known": {"other": "{n} reports"}, "unknown": "none"}}
    wording = {name: {**word, "fact": at, "typical": None} for at, name in enumerate("ab")}
    now = Facts([["a"], ["b"]], np.array([[1.0, 0.5]]), np.array([10.0]))
    then = Facts([["a"], ["b"]], np.array([[1.0, 0.1]]), np.array([4.0])).take(np.array([0]))
    added = {"a": np.array([1.0]), "b": np.array([0.5])}
    values = {"a": np.array([3.0]), "b": np.array([7.0])}
    language = Language(english().of_models())
    (found,) = strongest(now, added, wording, values, 2, language, then, "Monday")
    assert [round(reason.change, 9) for reason in found] == [6.0, 4.6]
    assert [reason.told for reason in found] == [
        "3 reports: +10.0 points",
        "7 reports: +5.0 points, +4.6 since Monday",
    ]
    new = then.take(np.array([-1]))
    (found,) = strongest(now, added, wording, values, 2, language, new, "Monday")
    assert not any("Monday" in reason.told for reason in found)
