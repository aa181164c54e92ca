"""The settings' texts on their way: to a trained model, to a model trained before, to the list."""

import shutil

import pytest
from click.testing import CliRunner

from features.errors import SettingsError
from models.scoring import Scorer
from pipeline import registry
from pipeline.champion import load_champion
from pipeline.cli import main
from pipeline.explain import explain
from pipeline.settings import load
from pipeline.train import train
from tests.conftest import World, replaced, silent

GERMAN = """\
language: de
numbers: {decimal: ",", thousands: "."}
windows:
  last: {one: am letzten Tag, other: "in den letzten {days} Tagen"}
  ever: bisher
facts:
  count: {one: "{subject}: {n} Mal {when}", other: "{subject}: {n} Mal {when}"}
  active_days: {one: "{subject}: an {n} Tag {when}", other: "{subject}: an {n} Tagen {when}"}
reasons: {points: "{n} Punkte", typical: "{text} (sonst: {value})"}
parts: {value: Wert, engagement: Nutzung}
meanings: {count: "wie oft: {subject} {when}"}
names: {exported: ausgeführt}
"""


@pytest.fixture
def laden(shop: World, tmp_path):
    """The shop in German: its settings name the texts, its champion was trained before."""
    folder = tmp_path / "laden"
    shutil.copytree(shop.folder, folder, ignore=shutil.ignore_patterns("data"))
    (folder / "de.yaml").write_text(GERMAN, encoding="utf-8")
    path = folder / "settings.yaml"
    path.write_text(f"{path.read_text()}texts: de.yaml\n")
    return load(path)


def told(run, **more):
    return explain(run, silent, entity="user 000", as_of="2024-05-20", model="1", **more)


def test_a_model_trained_before_is_told_in_other_words_with_the_same_numbers(shop, laden):
    plain, german = told(shop.run), told(laden)
    texts = [one.told for one in german.reasons]
    assert any("ausgeführt" in text and "Mal" in text for text in texts), texts
    assert all(text.endswith(" Punkte") for text in texts)
    assert not any("in the last" in text or "points" in text for text in texts)
    assert [one.points for one in german.reasons] == [one.points for one in plain.reasons]
    assert german.probability == plain.probability
    assert german.points == plain.points
    assert (german.labels["value"], plain.labels["value"]) == ("Wert", "value")


def test_the_texts_at_training_go_with_the_model(laden):
    text = replaced(laden.path.read_text(), "name: shop", "name: laden")
    laden.path.write_text(text)
    lines = []
    run = load(laden.path)
    train(run, lines.append)
    assert any(line.startswith("Texts: ") and "said in English" in line for line in lines)
    version = registry.find(run, "champion")
    # Without the settings, and without this project: as the registered model reads it.
    assert Scorer.load(registry.fetch(run, version)).language.part("value") == "Wert"
    laden.path.write_text(replaced(text, "texts: de.yaml\n", ""))
    assert all(one.told.endswith(" Punkte") for one in told(load(laden.path)).reasons)


def test_texts_that_are_wrong_are_refused_before_anything_long(laden):
    (laden.base / "de.yaml").write_text("language: de\nfacts: {count: '{n.x}'}\n")
    with pytest.raises(SettingsError, match=r"de.yaml: facts.count.other: \{n.x\} is no gap"):
        train(laden, silent)
    with pytest.raises(SettingsError, match="is no gap"):
        load_champion(laden, "1")
    (laden.base / "de.yaml").unlink()
    with pytest.raises(SettingsError, match="Can't read the texts"):
        load_champion(laden, "1")


def test_the_catalogue_is_listed_in_the_language(laden):
    command = ["features", "--settings", str(laden.path), "--search", "wie oft"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert "wie oft: ausgeführt in den letzten 7 Tagen" in " ".join(done.output.split())
