"""The picture of each row: files by item id, paths in a column, pictures in a column."""

import pyarrow as pa
import pytest

from tests.data.shop import table_of
from tests.images.pictures import plain
from tfrec.errors import UserError
from tfrec.images import sources
from tfrec.images.decoding import UnusablePictureError
from tfrec.images.sources import find_pictures


def read(source, row):
    """Returns the content of a row's picture, or why there is none."""
    try:
        return source.read(row)
    except UnusablePictureError as error:
        return error.reason


def test_files_by_item_id(tmp_path):
    for name in ("a.PNG", "b.png", "b.jpg", "c.txt", "secret.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(name.encode())
    (tmp_path / "outside.png").write_bytes(b"outside")
    table = table_of(item_id=["a", "b", "c", "../outside", "A", None])
    source = find_pictures(table, str(tmp_path / "in"), tmp_path)
    found = [read(source, row) for row in range(6)]
    # JPEG goes before PNG, and no id leads out of the folder.
    assert found == [b"a.PNG", b"b.jpg", *["no_picture"] * 4]
    assert source.name(0).endswith("a.PNG") and source.name(3) == ""


def test_paths_in_a_column(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "folder.png").mkdir()
    paths = ["a.png", str(tmp_path / "a.png"), "b.png", "", None, "folder.png",
             "https://example.org/a.png", "a\0.png"]  # fmt: skip
    table = table_of(item_id=list("abcdefgh"), photo=paths)
    source = find_pictures(table, "photo", tmp_path)
    assert [read(source, row) for row in range(8)] == [
        b"a", b"a", "missing_file", "no_picture", "no_picture", "unreadable_file", "web_address",
        "unreadable_file",
    ]  # fmt: skip
    for row in range(8):
        source.stamp(row)  # whatever there is or is not


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_BYTES", 3)
    (tmp_path / "a.png").write_bytes(b"four")
    source = find_pictures(table_of(item_id=["a"], photo=["a.png"]), "photo", tmp_path)
    assert read(source, 0) == "too_large"


@pytest.mark.parametrize("kind", [
    pa.binary(), pa.large_binary(), pa.struct({"bytes": pa.binary(), "path": pa.string()}),
])  # fmt: skip
def test_pictures_in_a_column(kind, tmp_path):
    values = [b"one", None, b""]
    if pa.types.is_struct(kind):
        values = [{"bytes": value, "path": "x"} for value in values]
    table = table_of(item_id=["a", "b", "c"], photo=pa.array(values, kind))
    source = find_pictures(table, "photo", tmp_path)
    assert [read(source, row) for row in range(3)] == [b"one", "no_picture", b""]
    assert [source.name(row) for row in range(3)] == ["photo", "", ""]
    assert len({source.stamp(row) for row in range(3)}) == 2


def test_a_stamp_changes_with_the_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(plain())
    source = find_pictures(table_of(item_id=["a"], photo=["a.png"]), "photo", tmp_path)
    before = source.stamp(0)
    assert source.stamp(0) == before
    path.write_bytes(plain() + b" ")
    assert source.stamp(0) != before
    path.unlink()
    assert source.stamp(0) != before


def test_neither_a_folder_nor_a_column(tmp_path):
    with pytest.raises(UserError, match=r"neither a folder nor a column of log.csv; .* item_id"):
        find_pictures(table_of(item_id=["a"]), "photos", tmp_path)


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(UserError, match="holds no picture"):
        find_pictures(table_of(item_id=["a"]), str(tmp_path), tmp_path)
