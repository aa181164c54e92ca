"""The `data:` block refuses what can't be meant."""

import json

import pytest
from pydantic import ValidationError

from pipeline.sources.spec import DataSpec

SOURCE = {
    "format": "generic",
    "files": ["e.csv"],
    "columns": {"event": "e", "user": "u", "time": "t"},
}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sources": []}, "at least 1"),
        ({"sources": [{**SOURCE, "format": "posthg"}]}, "posthg"),
        ({"sources": [{**SOURCE, "event": "won"}]}, "either columns.event or one fixed event name"),
        (
            {"sources": [{**SOURCE, "columns": {"event": "e", "time": "t"}}]},
            "needs a user or an account",
        ),
        ({"tables": [{"of": "user", "files": ["u.csv"], "id": "u"}]}, "must say `static: true`"),
        (
            {
                "tables": [
                    {"of": "user", "files": ["u.csv"], "id": "u", "time": "t", "static": True}
                ]
            },
            "is not static",
        ),
        (
            {
                "tables": [
                    {"of": "account", "files": ["a"], "id": "a", "static": True, "account": "b"}
                ]
            },
            "only a table of users",
        ),
        (
            {
                "attributes": {"plan": {"of": "user", "type": "category"}},
                "tables": [
                    {
                        "of": "user",
                        "files": ["u"],
                        "id": "u",
                        "static": True,
                        "columns": {"plan": "number"},
                    }
                ],
            },
            "given twice: 'plan of user'",
        ),
        ({"until": "soon"}, "Invalid isoformat string"),
        ({"max_bad_share": 2}, "less than or equal to 1"),
        ({"drop_event": ["x"]}, "Extra inputs"),
    ],
)
def test_a_block_that_contradicts_itself_says_why(settings, sentence):
    with pytest.raises(ValidationError) as caught:
        DataSpec.model_validate_json(json.dumps({"sources": [SOURCE], **settings}))
    assert sentence in str(caught.value)


def test_conversions_are_read_like_a_source_of_one_event():
    conversions = {"files": ["c.csv"], "of": "user", "id": "who", "time": "at", "event": "won"}
    spec = DataSpec.model_validate_json(
        json.dumps({"sources": [SOURCE], "conversions": conversions})
    )
    source = spec.all_sources[-1]
    assert (source.event, source.columns.user, source.columns.account) == ("won", "who", None)
