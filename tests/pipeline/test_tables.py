"""Small tables: read as they are, written whole or not at all."""

import pandas as pd
import pytest

from features.errors import SettingsError
from pipeline.tables import read_table, write_atomically, write_csv


def test_ids_that_look_like_numbers_stay_texts(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id,note\n007,NA\n1e5,\n")
    assert read_table(path).to_dict("list") == {"id": ["007", "1e5"], "note": ["NA", ""]}


def test_a_table_reads_the_same_from_csv_and_parquet(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "at": ["2024-01-01", "2024-01-02"]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    left, right = (read_table(tmp_path / f"rows.{end}") for end in ("csv", "parquet"))
    pd.testing.assert_frame_equal(left, right)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00broken", b'a,b\n1,2,3,"x\n'])
def test_a_table_that_can_not_be_read_is_an_error_with_its_path(tmp_path, content):
    path = tmp_path / "rows.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"rows\.csv'"):
        read_table(path)


def test_a_broken_parquet_file_is_an_error_with_its_path(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 nothing else")
    with pytest.raises(SettingsError, match=r"rows\.parquet'"):
        read_table(tmp_path / "rows.parquet")


def test_a_file_is_replaced_in_one_step_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "deep" / "scores.csv"
    write_atomically(path, lambda at: at.write_text("old"))
    write_atomically(path, lambda at: at.write_text("new"))
    assert path.read_text() == "new"
    assert [item.name for item in path.parent.iterdir()] == ["scores.csv"]


def test_others_may_read_what_was_written_as_any_other_file(tmp_path):
    write_atomically(tmp_path / "scores.csv", lambda at: at.write_text("ours"))
    (tmp_path / "plain.csv").write_text("theirs")
    assert (tmp_path / "scores.csv").stat().st_mode == (tmp_path / "plain.csv").stat().st_mode


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")

    def fail(at):
        at.write_text("half of")
        raise OSError("disk full")

    with pytest.raises(SettingsError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["scores.csv"]


def test_no_cell_of_a_csv_is_a_formula_and_all_else_stays(tmp_path):
    rows = pd.DataFrame(
        {
            "name": ["=HYPERLINK(1)", "@cmd", "Acme - Labs", None],
            "change": [-1.5, 2.0, 0.0, float("nan")],
            "at": pd.to_datetime(["2024-01-01"] * 4),
        }
    )
    write_csv(tmp_path / "scores.csv", rows)
    told = pd.read_csv(tmp_path / "scores.csv", parse_dates=["at"])
    assert told["name"].tolist()[:3] == ["'=HYPERLINK(1)", "'@cmd", "Acme - Labs"]
    assert told["name"].isna().tolist() == [False, False, False, True]
    assert told["change"].tolist()[:3] == [-1.5, 2.0, 0.0]
    assert (told["at"] == rows["at"]).all()
