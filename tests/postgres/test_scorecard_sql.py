"""The scorecard's query in Postgres gives the rows that it gives in DuckDB."""

import json

import pandas as pd
import pytest

from features.signals import SignalSpec
from models.scorecard import ScorecardSpec, resolved, to_sql, with_rule_features
from tests.pipeline.test_scorecard import AS_OF, LINES, OTHERS, small

pytestmark = pytest.mark.postgres
warehouse = small

_COLUMNS = {
    "events": "account_id text, user_id text, event text, time timestamp, known_at timestamp, "
    "amount double precision, event_id text",
    "accounts": "account_id text, valid_from timestamp, employees double precision, industry text",
    "users": "user_id text, valid_from timestamp, department text",
}


def test_postgres_and_duckdb_give_the_same_rows(database, warehouse):
    import psycopg

    log, duck = warehouse
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": LINES}))
    features = with_rule_features(OTHERS, spec, SignalSpec(), log, "account")
    card = resolved(spec, SignalSpec(), features)
    with psycopg.connect(database()) as connection:
        for table, columns in _COLUMNS.items():
            connection.execute(f"create table {table} ({columns})")
            rows = duck.execute(f"select * from {table}").fetchall()
            rows = [[None if pd.isna(value) else value for value in row] for row in rows]
            places = ", ".join(["%s"] * len(rows[0]))
            with connection.cursor() as cursor:
                cursor.executemany(f"insert into {table} values ({places})", rows)
        query = to_sql(card, features, "account", as_of=AS_OF, dialect="postgres")
        got = connection.execute(query).fetchall()
    expected = duck.execute(to_sql(card, features, "account", as_of=AS_OF)).fetchall()
    assert sorted(map(tuple, got)) == sorted(expected)
    assert len(got) > 50
