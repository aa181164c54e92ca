"""The ledger adds, never changes, and never says a thing twice."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, to_us
from features.errors import SettingsError
from pipeline import ledger
from pipeline.ledger_outcomes import counted

JUNE = to_us("2024-06-03")
MODEL = "pql-shop"


def scores(as_of: int = JUNE, probability: float = 0.5, **more: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "entity_id": ["ann", "bob"],
            "as_of": np.full(2, as_of).astype("datetime64[us]"),
            "model_version": 1,
            "probability": [probability, np.nan],
            "tier": ["hot", "cold"],
            "tier_before": [None, None],
            "reasons": [["exports", "logs in"], []],
            "scored_at": None,
        }
    )
    return frame.assign(**more)


def add(store, frame: pd.DataFrame, **changes: object) -> ledger.Entry:
    what = {
        "model": MODEL,
        "version": 1,
        "as_of": JUNE,
        "alias": "champion",
        "backfill": False,
        "seen": False,
        "settled_by": None,
        "data_end": JUNE,
        "log_fingerprint": "events",
    }
    return ledger.append(store, frame, **{**what, **changes})


def files(store) -> dict[str, bytes]:
    found = [path for path in (store / "ledger").rglob("*") if path.is_file()]
    return {str(path.relative_to(store)): path.read_bytes() for path in found}


def test_a_file_lies_in_the_month_of_its_as_of_and_reads_as_it_was_written(tmp_path):
    entry = add(tmp_path, scores(), as_of=to_us("2024-06-03T06:30"))
    assert entry.path.relative_to(tmp_path).as_posix() == (
        "ledger/pql-shop/month=2024-06/2024-06-03T063000-v1-1.parquet"
    )
    assert (entry.model, entry.version, entry.sequence) == (MODEL, 1, 1)
    assert ledger.entries(tmp_path, MODEL) == [entry]
    assert (entry.alias, entry.backfill, entry.seen) == ("champion", False, False)
    assert (entry.settled_by, entry.scored_at) == (None, None)
    table = ledger.read(tmp_path, MODEL)
    assert table["entity_id"].tolist() == ["ann", "bob"]
    assert [list(texts) for texts in table["reasons"]] == [["exports", "logs in"], []]
    assert table["probability"].isna().tolist() == [False, True]
    assert table[["model", "alias", "log_fingerprint"]].iloc[1].tolist() == [
        MODEL,
        "champion",
        "events",
    ]
    assert table["sequence"].tolist() == [1, 1]
    assert str(table["scored_at"].dtype) == str(table["data_end"].dtype) == "datetime64[us]"


def test_an_entry_says_of_itself_what_a_reader_chooses_by(tmp_path):
    written = pd.Timestamp("2024-06-03 06:00")
    given = {"alias": "2", "backfill": True, "seen": True, "settled_by": (JUNE - DAY_US, 3)}
    entry = add(tmp_path, scores(scored_at=written), **given)
    assert ledger.entries(tmp_path, MODEL) == [entry]
    assert {name: getattr(entry, name) for name in given} == given
    assert entry.scored_at == JUNE + DAY_US // 4
    assert ledger.read(tmp_path, MODEL, columns=["seen"])["seen"].all()


def test_equal_scores_again_append_nothing_whatever_the_circumstances(tmp_path):
    first = add(tmp_path, scores())
    before = files(tmp_path)
    later = scores(scored_at=pd.Timestamp("2024-06-03 09:00"))
    assert add(tmp_path, later, data_end=JUNE + DAY_US, log_fingerprint="more") == first
    assert add(tmp_path, later, alias="1", backfill=True) == first
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"probability": [0.5, 0.0]},
        {"tier": ["hot", None]},
        {"tier_before": [None, "hot"]},
        {"reasons": [["exports"], ["logs in"]]},
        {"reasons": [["exportslogs in"], []]},
        {"entity_id": ["an", "nbob"]},
        {"days": [1.0, 2.0]},
    ],
)
def test_any_other_score_is_the_next_of_the_sequence_and_counts(tmp_path, changed):
    first = add(tmp_path, scores())
    before = files(tmp_path)
    second = add(tmp_path, scores().assign(**changed))
    assert (first.sequence, second.sequence) == (1, 2)
    assert before.items() < files(tmp_path).items()
    assert ledger.read(tmp_path, MODEL)["sequence"].tolist() == [2, 2]
    assert add(tmp_path, scores()).sequence == 3, "the former scores again: they count once more"


def test_scores_given_as_champion_or_in_earnest_for_the_first_time_are_written_again(tmp_path):
    standing = [("1", True), ("1", False), ("champion", False), ("2", False), ("champion", True)]
    found = [add(tmp_path, scores(), alias=a, backfill=b).sequence for a, b in standing]
    assert found == [1, 2, 3, 3, 3]


def test_reading_takes_the_first_as_of_and_leaves_out_the_last(tmp_path):
    for day in range(40):
        as_of = JUNE + day * DAY_US
        add(tmp_path, scores(as_of), as_of=as_of, version=1 + day % 2)
    some = ledger.read(tmp_path, MODEL, first_as_of=JUNE + DAY_US, before=JUNE + 3 * DAY_US)
    assert some["as_of"].drop_duplicates().dt.day.tolist() == [4, 5]
    odd = ledger.read(tmp_path, MODEL, version=2, columns=["as_of"])
    assert list(odd.columns) == ["as_of"]
    assert odd["as_of"].nunique() == 20
    assert odd["as_of"].min() == pd.Timestamp("2024-06-04")
    order = [(entry.as_of, entry.version) for entry in ledger.entries(tmp_path, MODEL)]
    assert order == sorted(order)
    assert len(order) == 40
    assert ledger.entries(tmp_path, "pql-sho") == []


def test_a_column_that_some_versions_lack_is_empty_there(tmp_path):
    add(tmp_path, scores())
    add(tmp_path, scores(days=[3.0, 4.0]), version=2)
    table = ledger.read(tmp_path, MODEL, columns=["days", "tier_before", "entity_id"])
    assert list(table.columns) == ["days", "tier_before", "entity_id"]
    assert table["days"].isna().tolist() == [True, True, False, False]


def test_an_empty_ledger_has_the_columns_and_no_rows(tmp_path):
    empty = ledger.read(tmp_path, MODEL)
    assert len(empty) == 0
    assert {"entity_id", "reasons", "alias", "backfill", "sequence"} < set(empty.columns)
    assert str(empty["as_of"].dtype) == "datetime64[us]"
    some = ledger.read(tmp_path, MODEL, columns=["tier", "days"])
    assert list(some.columns) == ["tier", "days"]


def test_a_damaged_file_is_an_error_that_names_it_and_a_half_written_one_is_not_seen(tmp_path):
    entry = add(tmp_path, scores())
    (entry.path.parent / ".2024-06-04-v1-1.77.tmp.parquet").write_bytes(b"half")
    assert len(ledger.entries(tmp_path, MODEL)) == 1
    entry.path.write_bytes(b"half a file")
    with pytest.raises(SettingsError, match=r"2024-06-03-v1-1\.parquet.*Restore the file"):
        ledger.read(tmp_path, MODEL)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    given=st.lists(
        st.tuples(st.integers(1, 2), st.integers(0, 2), st.sampled_from([0.1, 0.2])), max_size=9
    )
)
def test_the_ledger_is_what_a_list_that_only_grows_would_be(given, tmp_path_factory):
    store = tmp_path_factory.mktemp("ledger")
    told: dict[tuple[int, int], list[float]] = {}
    for version, day, probability in given:
        as_of = JUNE + day * DAY_US
        add(store, scores(as_of, probability), version=version, as_of=as_of)
        said = told.setdefault((as_of, version), [])
        if said[-1:] != [probability]:
            said.append(probability)
    found = [(e.as_of, e.version, e.sequence) for e in ledger.entries(store, MODEL)]
    assert found == sorted((*key, n + 1) for key, said in told.items() for n in range(len(said)))
    last = ledger.read(store, MODEL, columns=["probability"])["probability"].dropna().tolist()
    assert last == [told[key][-1] for key in sorted(told)]


def test_a_ledger_that_kept_only_the_date_of_what_settled_it_is_read(tmp_path):
    entry = add(tmp_path, scores(), settled_by=(JUNE - DAY_US, 2))
    table = pq.read_table(entry.path)
    facts = json.loads(table.schema.metadata[b"entry"]) | {"settled_by": JUNE - DAY_US}
    metadata = {**table.schema.metadata, b"entry": json.dumps(facts).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), entry.path)
    assert ledger.entries(tmp_path, MODEL)[0].settled_by == (JUNE - DAY_US, 0)


HOUR = DAY_US // 24

said = st.fixed_dictionaries(
    {
        "day": st.integers(0, 4),
        "hours": st.integers(1, 40),
        "version": st.integers(1, 2),
        "probability": st.sampled_from([0.1, 0.2, 0.3]),
        "alias": st.sampled_from(["champion", "champion", "challenger"]),
        "backfill": st.booleans(),
        "seen": st.sampled_from([False, False, False, True]),
    }
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(done=st.lists(said, max_size=8))
def test_what_counted_at_a_date_never_changes_by_what_is_written_at_it_or_after(
    done, tmp_path_factory
):
    """Each entry is written some hours after the one before; all that was told is asked again."""
    store = tmp_path_factory.mktemp("ledger")
    now, told, kept = JUNE, {}, []

    def ask(before: int) -> list[tuple]:
        rows = counted(store, MODEL, before, columns=("as_of", "model_version", "probability")).rows
        return rows.dropna().to_numpy().tolist()

    for one in done:
        now += one["hours"] * HOUR
        as_of = min(JUNE + one["day"] * DAY_US, now)
        frame = scores(as_of, one["probability"], model_version=one["version"])
        frame["scored_at"] = np.datetime64(now, "us")
        what = {name: one[name] for name in ("version", "alias", "backfill", "seen")}
        entry = add(store, frame, as_of=as_of, **what)
        if entry.scored_at == now:
            kept.append((as_of, now, one))
        told |= {before: ask(before) for before in (now, now - HOUR)}
    assert told == {before: ask(before) for before in told}
    # What counts now, told otherwise: of each date the last word of the first 48 hours.
    last = {}
    for as_of, at, one in kept:
        heard = one["alias"] == "champion" and not one["backfill"] and not one["seen"]
        if heard and at <= as_of + 48 * HOUR:
            last[as_of] = one["version"], one["probability"]
    found = [(row[1], row[2]) for row in ask(now + 1)]
    assert found == [last[as_of] for as_of in sorted(last) if as_of <= now]


def night(store, day: int, hours: int | None, probability: float, **changes) -> None:
    """The night of a day, written so many hours after its as_of."""
    as_of = JUNE + day * DAY_US
    at = None if hours is None else np.datetime64(as_of + hours * HOUR, "us")
    add(store, scores(as_of, probability, scored_at=at), as_of=as_of, **changes)


def test_scores_count_only_when_written_before_the_date_and_within_two_days(tmp_path):
    def heard(day: int, **how) -> list[float]:
        found = counted(tmp_path, MODEL, JUNE + day * DAY_US, **how)
        return found.rows["probability"].dropna().tolist()

    night(tmp_path, 0, 1, 0.1)
    night(tmp_path, 0, 48, 0.2)
    night(tmp_path, 0, 49, 0.3)
    night(tmp_path, 1, 90 * 24, 0.4)
    night(tmp_path, 2, 2, 0.5, backfill=True)
    night(tmp_path, 3, None, 0.6)
    assert [heard(day) for day in (1, 2, 3, 4, 120)] == [
        [0.1],
        [0.1],
        [0.2],
        [0.2, 0.6],
        [0.2, 0.6],
    ]
    # Afterwards made scores fill dates that have no other, and replace none.
    assert heard(120, with_backfilled=True) == [0.2, 0.4, 0.5, 0.6]
    assert heard(3, with_backfilled=True) == [0.2, 0.4, 0.5]
    found = counted(tmp_path, MODEL, JUNE + 120 * DAY_US)
    assert (found.late, found.seen) == (2, 0)
    assert counted(tmp_path, MODEL, JUNE + 120 * DAY_US, with_backfilled=True).late == 0


def test_of_afterwards_made_scores_the_last_by_then_counts_else_the_first(tmp_path):
    for hours, probability in ((10 * 24, 0.1), (20 * 24, 0.2), (30 * 24, 0.3)):
        night(tmp_path, 0, hours, probability)
    found = {
        day: counted(tmp_path, MODEL, JUNE + day * DAY_US, with_backfilled=True)
        .rows["probability"]
        .dropna()
        .tolist()
        for day in (5, 15, 25, 35)
    }
    assert found == {5: [0.1], 15: [0.1], 25: [0.2], 35: [0.3]}
