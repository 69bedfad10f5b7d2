import gzip
import json

import pandas as pd
import pytest

from tests.data.shop import json_lines, write_frame
from tfrec.data import csv_reader, json_reader
from tfrec.data.csv_reader import read_csv
from tfrec.data.parts import MOST_COLUMNS
from tfrec.data.readers import file_names, read_table
from tfrec.errors import UserError

FRAME = pd.DataFrame({"user_id": ["ann", "bob"], "n": [1, 2]})


@pytest.mark.parametrize(
    "name", ["a.csv", "a.csv.gz", "a.parquet", "a.jsonl", "a.ndjson", "a.json", "a.jsonl.gz"]
)
def test_every_format_gives_the_same_rows(tmp_path, name):
    table = read_table(write_frame(FRAME, tmp_path / name), "events")
    assert [str(value) for value in table.raw.column("n").to_pylist()] == ["1", "2"]
    assert table.raw.column("user_id").to_pylist() == ["ann", "bob"]
    assert table.row.tolist() == [0, 1]
    assert table.files == [name]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    path.write_text(f"user_id{delimiter}n\nann{delimiter}1\n", encoding="utf-8-sig")
    assert read_table(path, "events").raw.to_pylist() == [{"user_id": "ann", "n": "1"}]


def test_csv_cells_stay_strings_and_empty_ones_are_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('user_id,n,note\n007,x,"two\nlines, quoted"\n,1.50,\n')
    assert read_table(path, "events").raw.to_pylist() == [
        {"user_id": "007", "n": "x", "note": "two\nlines, quoted"},
        {"user_id": None, "n": "1.50", "note": None},
    ]


def test_csv_rows_of_another_width_are_rejected_at_their_place(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('user_id,n\nann,1\nbob,2,3\n"c\nat",3\ndan\neve,5\nfay,6\n')
    table = read_table(path, "events")
    assert table.counts() == {"wrong_columns": 2}
    assert table.kept.tolist() == [True, False, True, False, True, True]
    assert table.raw.column("user_id").to_pylist() == [
        "ann", "bob,2,3", "c\nat", "dan", "eve", "fay",
    ]  # fmt: skip
    assert table.row.tolist() == [0, 1, 2, 3, 4, 5]


def test_row_numbers_of_wrong_rows_hold_beyond_the_first_block(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_reader, "CSV_BLOCK_BYTES", 256)
    lines = [f"user-{i},{i}" for i in range(200)]
    lines[150] += ",extra"
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["user_id,n", *lines]))
    table = read_table(path, "events")
    assert (~table.kept).nonzero()[0].tolist() == [150]
    assert table.raw.column("user_id")[151].as_py() == "user-151"


def test_most_rows_of_another_width_mean_the_wrong_delimiter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("user_id,n\nann,1,1\nbob,2,1\ncat,3\n")
    with pytest.raises(UserError, match=r"a\.csv has 2 columns.*2 of 3 rows.*delimiter"):
        read_table(path, "events")


def test_csv_with_delimiters_of_several_characters_and_no_header(tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes('1::Caf\xe9 "Noir"::Drama\n'.encode("latin-1"))
    table, rows, _ = read_csv(
        path, delimiter="::", names=["id", "title", "genre"], encoding="latin-1", quoted=False
    )
    assert table.to_pylist() == [{"id": "1", "title": 'Café "Noir"', "genre": "Drama"}]
    assert rows.tolist() == [0]


def test_a_glob_reads_sorted_files_and_counts_rows_by_file(tmp_path):
    write_frame(FRAME, tmp_path / "log-2.csv")
    write_frame(FRAME.assign(extra="x"), tmp_path / "log-1.csv")
    table = read_table(str(tmp_path / "log-*.csv"), "events")
    assert table.files == ["log-1.csv", "log-2.csv"]
    assert table.row.tolist() == [0, 1, 0, 1]
    assert [table.place(i) for i in (1, 2)] == ["log-1.csv row 1", "log-2.csv row 0"]
    assert table.raw.column("extra").to_pylist() == ["x", "x", None, None]


def test_files_of_the_same_name_are_told_apart(tmp_path):
    assert file_names([tmp_path / "a" / "log.csv", tmp_path / "b" / "log.csv"]) == [
        "a/log.csv",
        "b/log.csv",
    ]


def test_json_lines_that_are_no_objects_are_rejected(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"user_id": "ann"}\n\n{"user_id": \n[1]\n{"user_id": 5}\n{"user_id": null}\n')
    table = read_table(path, "events")
    assert table.counts() == {"unreadable_row": 2}
    assert table.kept.tolist() == [True, False, False, True, True]
    assert table.raw.column("user_id").to_pylist() == ["ann", None, None, "5", None]
    assert table.raw.column("unreadable").to_pylist()[1] == '{"user_id": '


def test_json_objects_among_scalars_are_a_wrong_type(tmp_path):
    rows = [{"user_id": "a"}, {"user_id": {"id": 1}}, {"user_id": "b"}, {"user_id": [2]}]
    table = read_table(json_lines(tmp_path / "a.jsonl", rows), "events")
    assert table.counts() == {"wrong_type:user_id": 2}


def test_json_scalars_among_lists_are_a_wrong_type(tmp_path):
    rows = [{"v": [1.0]}, {"v": "x"}, {"v": [2.0]}, {"v": None}]
    table = read_table(json_lines(tmp_path / "a.jsonl", rows), "items")
    assert table.counts() == {"wrong_type:v": 1}
    assert table.raw.column("v").to_pylist() == [[1.0], None, [2.0], None]


def test_json_columns_whose_type_changes_between_blocks_join(tmp_path, monkeypatch):
    monkeypatch.setattr(json_reader, "JSON_BLOCK_LINES", 2)
    rows = [{"n": 1}, {"n": 2}, {"n": "x"}, {"n": 3, "late": True}]
    table = read_table(json_lines(tmp_path / "a.jsonl", rows), "events")
    assert table.raw.column("n").to_pylist() == ["1", "2", "x", "3"]
    assert table.raw.column("late").to_pylist() == [None, None, None, True]


def test_a_json_array_is_explained(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"user_id": "ann"}], indent=1))
    with pytest.raises(UserError, match=r"a\.json should hold one JSON object a line.*row 0.*jq"):
        read_table(path, "events")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write_frame(FRAME, tmp_path / "a.csv")

    # Whoever runs the tests may be allowed to read everything, so the refusal is made up.
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(csv_reader.pa, "input_stream", refuse)
    with pytest.raises(UserError, match=r"not allowed to read .*a\.csv; change its permissions"):
        read_table(path, "events")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.jsonl"])
def test_a_table_lying_on_its_side_is_refused(tmp_path, name):
    """As many columns as there should be rows would take hours, and mean nothing."""
    frame = pd.DataFrame([[1] * (MOST_COLUMNS + 1)]).rename(columns=str)
    path = write_frame(frame, tmp_path / name)
    with pytest.raises(UserError, match=r"has 10,001 columns, more than the 10,000 .* one row a"):
        read_table(path, "events")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"a\.csv is empty"),
        ("a.csv", b"\n", r"a\.csv is empty"),
        ("a.csv", b"user_id,n\n", r"a\.csv has no rows"),
        ("a.csv", b"user_id,user_id\n1,2\n", r"a\.csv has the column `user_id` more than once"),
        ("a.csv", b"user_id,n\ncaf\xe9,1\n", r"a\.csv is not UTF-8 text"),
        ("a.csv", b"user_id,n\n" + b"x,1\n" * 50_000 + b"\xe9,1\n", r"a\.csv is not UTF-8 text"),
        ("a.csv.gz", b"no gzip at all", r"a\.csv\.gz is not readable as CSV"),
        (
            "a.csv.gz",
            gzip.compress(b"user_id\n" + b"a\n" * 99, mtime=0)[:-12],
            r"csv\.gz is not readable",
        ),
        ("a.csv.gz", gzip.compress(b"", mtime=0), r"a\.csv\.gz is empty"),
        ("a.parquet", b"", r"a\.parquet is empty"),
        ("a.parquet", b"PAR1 and then nothing", r"a\.parquet is not readable as Parquet"),
        ("a.jsonl", b"\n\n", r"a\.jsonl has no rows"),
        ("a.jsonl", b'{"user_id": "\xe9"}\n', r"a\.jsonl is not UTF-8 text"),
        ("a.txt", b"user_id\n1\n", r"a\.txt is of an unknown kind; give \.csv"),
    ],
)
def test_unusable_files_are_one_clear_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_table(path, "events")
    assert "\n" not in str(caught.value)


def test_a_truncated_parquet_is_unreadable(tmp_path):
    path = write_frame(FRAME, tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"a\.parquet is not readable as Parquet.*half-copied"):
        read_table(path, "events")


def test_a_parquet_without_rows_is_refused(tmp_path):
    path = write_frame(FRAME.iloc[:0], tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet has no rows"):
        read_table(path, "events")


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*none\.csv"):
        read_table(tmp_path / "none.csv", "events")
    with pytest.raises(UserError, match=r"there is no file .*\*\.csv; check the path or glob"):
        read_table(str(tmp_path / "*.csv"), "events")
    with pytest.raises(UserError, match=r"is a folder; give the events as a file or a glob"):
        read_table(tmp_path, "events")
