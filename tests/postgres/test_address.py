"""Where a Postgres source reads, as the settings may say it; no server is needed."""

import subprocess
import sys

import pytest

from features.errors import SettingsError
from pipeline.settings import parse
from pipeline.sources.postgres import PostgresTable

SECRET = "hunter2"
SETTINGS = """\
name: shop
entity: user
data:
  sources:
    - format: generic
      {origin}
      columns: {{event: event, user: user, time: time}}
conversion: {{events: [paid]}}
features: {{events: {{engagement: [opened]}}}}
"""


def refused(block: str, origin: str | None = None) -> str:
    """What is said about settings with such a ``postgres:`` block."""
    with pytest.raises(SettingsError) as error:
        parse(SETTINGS.format(origin=origin or f"postgres: {{{block}}}"))
    return str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@db/shop",
        f"postgres://ann:{SECRET}@db/shop",
        f"postgresql://ann:{SECRET}#half@db/shop",
        f"postgresql://ann:{SECRET}/half?a@db/shop",
        f"postgresql://ann@db/shop?password={SECRET}",
        f"postgresql:///shop?sslmode=require&sslpassword={SECRET}",
        f"postgresql+psycopg://ann:{SECRET}@db/shop",
        f"ann:{SECRET}@db/shop",
    ],
)
def test_a_password_in_the_settings_is_refused_and_not_repeated(url):
    text = refused(f'url: "{url}", table: events')
    assert "settings:6: data.sources.0.postgres" in text
    assert SECRET not in text


def test_a_password_has_no_key_of_its_own_either():
    text = refused(f'url: "postgresql://db/shop", table: events, password: {SECRET}')
    assert "unknown setting" in text
    assert SECRET not in text


def test_a_password_in_the_address_of_mlflow_is_refused_too():
    with pytest.raises(
        SettingsError, match=r"settings:10: mlflow: tracking_uri holds a p"
    ) as error:
        parse(
            SETTINGS.format(origin="files: [a.csv]")
            + f"mlflow: {{tracking_uri: 'postgresql+psycopg://ann:{SECRET}@db/mlflow'}}\n"
        )
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("table: events", "either url or url_env"),
        ('url: "postgresql://db/a", url_env: NAME, table: events', "either url or url_env"),
        ('url: "postgresql://db/a"', "either a table or a query"),
        ('url: "postgresql://db/a", table: a, query: select 1', "either a table or a query"),
        ('url: "postgresql://db/a", table: "  "', "empty"),
        ('url: "mysql://db/a", table: events', "begins with postgresql://"),
    ],
)
def test_half_an_address_is_refused(block, words):
    assert words in refused(block)


def test_rows_come_from_files_or_from_postgres():
    block = 'postgres: {url: "postgresql://db/a", table: events}'
    assert "either files or postgres" in refused("", f"files: [a.csv]\n      {block}")
    assert "either files or postgres" in refused("", "event: paid")


def test_an_address_in_the_environment_stays_there(monkeypatch):
    table = PostgresTable(url_env="WAREHOUSE", table="events")
    assert table.origin == "table 'events' of $WAREHOUSE"
    with pytest.raises(SettingsError, match=r"'WAREHOUSE'.* is not set"):
        table.address()
    monkeypatch.setenv("WAREHOUSE", f"ann:{SECRET}@db")
    with pytest.raises(SettingsError, match="does not begin") as error:
        table.address()
    assert SECRET not in str(error.value)
    monkeypatch.setenv("WAREHOUSE", f"postgresql://ann:{SECRET}@db/shop")
    assert table.address() == f"postgresql://ann:{SECRET}@db/shop"
    assert SECRET not in str(table.model_dump())


def test_without_psycopg_the_error_says_what_to_install():
    program = """
import sys
sys.modules["psycopg"] = None
from pipeline.sources.copying import open_snapshot
try:
    with open_snapshot("postgresql://db/shop"):
        pass
except ValueError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith("SettingsError Reading from Postgres needs psycopg"), done.stderr
