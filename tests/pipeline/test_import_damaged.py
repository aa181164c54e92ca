"""Files of the store that are damaged: made anew where the import can, else one clear sentence."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from features.errors import EventLogError, SettingsError
from features.events import EventLog
from pipeline.importer.log import import_log
from pipeline.settings import Run, load
from pipeline.sources.spec import DataSpec
from pipeline.tracking import connect

SOURCE = {
    "format": "generic",
    "files": ["*.csv"],
    "columns": {"event": "event", "user": "user", "time": "time"},
}


def put(folder: Path, name: str, n: int) -> None:
    rows = [f"use,{name}{i},2024-01-{1 + i % 28:02d}" for i in range(n)]
    (folder / f"{name}.csv").write_text("\n".join(["event,user,time", *rows, ""]))


def imported(folder: Path) -> tuple[EventLog, list[str]]:
    told: list[str] = []
    spec = DataSpec.model_validate_json(json.dumps({"sources": [SOURCE]}))
    log = import_log(spec, folder, folder / "store", "user", threads=1, report=told.append)
    return log, told


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def turn(file: Path) -> None:
    """As long as before, and other bytes in its middle."""
    content = bytearray(file.read_bytes())
    middle = slice(len(content) // 4, len(content) // 2)
    content[middle] = bytes(255 - byte for byte in content[middle])
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("rows.parquet", cut),
        ("rows.parquet", turn),
        ("rows.parquet", Path.unlink),
        ("part.json", empty),
    ],
)
def test_a_damaged_part_is_parsed_again_and_told(tmp_path, name, damage: Callable[[Path], None]):
    put(tmp_path, "a", 300)
    imported(tmp_path)
    (part,) = (tmp_path / "store" / "parts").glob(f"*/{name}")
    damage(part)
    put(tmp_path, "b", 3)
    log, told = imported(tmp_path)
    assert log.n_events == 303
    assert told[:2] == [
        "what the store kept of 1 file was damaged; read again: 'a.csv'",
        "read 2 files, 303 rows",
    ]
    put(tmp_path, "c", 3)
    assert imported(tmp_path)[1][0] == "files: 1 new, 2 read before, 0 gone"


@pytest.mark.parametrize(
    ("name", "damage"),
    [("shard-00000.parquet", cut), ("users.parquet", Path.unlink), ("log.json", empty)],
)
def test_a_log_that_is_cut_short_is_made_anew_and_told(
    tmp_path, name, damage: Callable[[Path], None]
):
    put(tmp_path, "a", 300)
    before, _ = imported(tmp_path)
    damage(before.root / name)
    log, told = imported(tmp_path)
    assert told[0] == f"{name} of the log {before.root.name} is damaged; the log is made anew"
    assert (log.root, log.fingerprint) == (before.root, before.fingerprint)
    assert imported(tmp_path)[1] == [f"nothing changed, reusing the log {log.root.name}"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("shard-00000.parquet", cut),
        ("attributes.parquet", empty),
        ("categories.json", Path.unlink),
    ],
)
def test_a_damaged_file_of_a_log_is_one_sentence_when_it_is_read(
    tmp_path, name, damage: Callable[[Path], None]
):
    put(tmp_path, "a", 300)
    log, _ = imported(tmp_path)
    damage(log.root / name)
    with pytest.raises(EventLogError) as caught:
        _ = (log.shard(0), log.attribute_values, log.categories)
    assert str(caught.value) == (
        f"{name} of the imported log can't be read. Delete the folder {str(log.root)!r}; it is "
        "imported again."
    )


def test_the_damaged_manifest_of_another_log_does_not_stop_an_import(tmp_path):
    put(tmp_path, "a", 300)
    other, _ = imported(tmp_path)
    cut(other.root / "log.json")
    put(tmp_path, "b", 3)
    assert imported(tmp_path)[0].n_events == 303
    with pytest.raises(EventLogError, match=r"^log\.json of the imported log can't be read"):
        EventLog(other.root)


def run_in(folder: Path) -> Run:
    """A run whose store is there and has no registry."""
    (folder / "store").mkdir()
    settings = {"name": "r", "seed": 1, "entity": "user", "data": {"sources": [SOURCE]}}
    settings |= {"conversion": {"events": ["use"]}, "horizon_days": 7, "paths": {"store": "store"}}
    (folder / "settings.yaml").write_text(json.dumps(settings))
    return load(folder / "settings.yaml")


def test_a_damaged_registry_is_one_sentence(tmp_path):
    run = run_in(tmp_path)
    database = run.store / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        for number in range(30):
            connection.execute(f"create table t{number} (a text, b text, c text)")
    whole = database.read_bytes()
    for broken in (whole[:3000], b"no database" * 100, whole[:4096]):
        database.write_bytes(broken)
        with pytest.raises(SettingsError) as caught:
            connect(run)
        assert str(caught.value).startswith(f"The registry {str(database)!r} is damaged (")
        assert str(caught.value).endswith("). Restore it from a backup.")
        assert database.read_bytes() == broken


def test_an_empty_registry_beside_models_is_refused(tmp_path):
    run = run_in(tmp_path)
    database, artefacts = run.store / "mlflow.db", run.store / "mlartifacts"
    database.touch()
    (artefacts / "models").mkdir(parents=True)
    with pytest.raises(SettingsError) as caught:
        connect(run)
    assert str(caught.value) == (
        f"The registry {str(database)!r} is empty, but {str(artefacts)!r} holds models of it. "
        "Restore the file from a backup; to begin anew, remove both."
    )
    assert database.stat().st_size == 0
