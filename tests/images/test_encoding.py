"""A catalogue gets its vectors: whole files, rejects with reasons, and what a kill leaves."""

import signal

import numpy as np
import pandas as pd
import pytest

from tests.images.pictures import noise, plain, shop
from tfrec.data.adapters import find_adapter
from tfrec.errors import UserError
from tfrec.images import encoding
from tfrec.images.encoding import Encoding, encode_catalogue
from tfrec.images.sources import find_pictures


def mean_colour(pictures):
    return pictures.mean(axis=(1, 2)).astype(np.float32)


def encode(pictures, items, out, function=mean_colour, column="image_embedding", **settings):
    table = find_adapter("generic").items(items)
    source = find_pictures(table, str(pictures), items.parent)
    return encode_catalogue(
        table, source, Encoding(function, 16, **{"fingerprint": "v1", **settings}), out, column
    )


def vectors_of(out, column="image_embedding"):
    frame = pd.read_parquet(out)
    return {
        item: None if vector is None else vector.tolist()
        for item, vector in zip(frame["item_id"], frame[column], strict=True)
    }


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_vectors_and_rejects(tmp_path):
    pictures, items = shop(tmp_path, 3)
    (pictures / "p1.jpg").write_bytes(noise()[:999])  # goes before p1.png
    frame = pd.read_csv(items).assign(price=[1.5, 2.0, 3.5], image_embedding="old")
    pd.concat([frame, pd.DataFrame({"item_id": ["q"], "title": ["q"]})]).to_csv(items, index=False)
    made = encode(pictures, items, tmp_path / "out.parquet")
    assert vectors_of(tmp_path / "out.parquet") == {
        "p0": [1, 0, 255], "p1": None, "p2": [3, 20, 255], "q": None,
    }  # fmt: skip
    written = pd.read_parquet(tmp_path / "out.parquet")
    assert written.columns.tolist() == ["item_id", "title", "price", "image_embedding"]
    assert written["price"].tolist()[:3] == ["1.5", "2.0", "3.5"]  # as it was read
    assert (made.rows, made.vectors, made.dimension, made.resumed) == (4, 2, 3, 0)
    assert made.rejected == {"broken_image": 1, "no_picture": 1}
    assert made.rejects == tmp_path / "out.rejects.parquet"
    rejects = pd.read_parquet(made.rejects)
    assert rejects.to_dict("list") == {
        "item_id": ["p1", "q"],
        "picture": [str(pictures / "p1.jpg"), ""],
        "reason": ["broken_image", "no_picture"],
    }
    assert left_over(tmp_path) == []


def test_rejects_of_an_earlier_command_go(tmp_path):
    pictures, items = shop(tmp_path, 2)
    (pictures / "p1.png").write_bytes(b"")
    assert encode(pictures, items, tmp_path / "out.parquet").rejects is not None
    (pictures / "p1.png").write_bytes(plain())
    assert encode(pictures, items, tmp_path / "out.parquet").rejects is None
    assert not (tmp_path / "out.rejects.parquet").exists()


def test_pictures_in_the_catalogue_are_not_written_again(tmp_path):
    frame = pd.DataFrame({"item_id": ["a", "b"], "photo": [plain((1, 2, 3)), None]})
    frame.to_parquet(tmp_path / "items.parquet")
    encode("photo", tmp_path / "items.parquet", tmp_path / "out.parquet", column="seen")
    assert pd.read_parquet(tmp_path / "out.parquet").columns.tolist() == ["item_id", "seen"]
    assert vectors_of(tmp_path / "out.parquet", "seen") == {"a": [1, 2, 3], "b": None}


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_model_that_makes_no_vector_of_a_picture(tmp_path, value):
    pictures, items = shop(tmp_path, 3)

    def odd(batch):
        vectors = mean_colour(batch)
        vectors[1] = value
        return vectors

    made = encode(pictures, items, tmp_path / "out.parquet", odd)
    assert made.rejected == {"no_finite_vector": 1}
    assert vectors_of(tmp_path / "out.parquet")["p1"] is None


def test_no_usable_picture_is_the_users_mistake(tmp_path):
    pictures, items = shop(tmp_path, 2)
    for path in pictures.iterdir():
        path.rename(path.with_stem(f"x{path.stem}"))
    with pytest.raises(UserError, match=r"none of the 2 items of items.csv .*\(no_picture 2\)"):
        encode(pictures, items, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    # Nor is there anything that a later command would go on with.
    assert left_over(tmp_path) in ([], [".out.parquet.parts.lock"])


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(encoding, "PART_ROWS", 4)
    monkeypatch.setattr(encoding, "BATCH", 2)


def stopping_after(batches):
    """An encoder that fails after so many batches, and one that counts pictures."""
    seen = []

    def function(pictures):
        if len(seen) == batches:
            raise KeyboardInterrupt
        seen.append(len(pictures))
        return mean_colour(pictures)

    return function, seen


def test_a_stopped_command_goes_on_and_writes_the_same(tmp_path, small_parts):
    pictures, items = shop(tmp_path, 11)
    (pictures / "p2.png").write_bytes(b"")
    encode(pictures, items, tmp_path / "whole.parquet")
    function, _ = stopping_after(3)
    with pytest.raises(KeyboardInterrupt):
        encode(pictures, items, tmp_path / "out.parquet", function)
    assert not (tmp_path / "out.parquet").exists()
    function, seen = stopping_after(99)
    made = encode(pictures, items, tmp_path / "out.parquet", function)
    # The first part of four was done, of which one had no picture.
    assert made.resumed == 4 and sum(seen) == 7
    assert made.rejected == {"empty_file": 1}
    assert vectors_of(tmp_path / "out.parquet") == vectors_of(tmp_path / "whole.parquet")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("change", ["model", "picture", "side"])
def test_parts_of_another_command_are_not_taken(tmp_path, small_parts, change):
    pictures, items = shop(tmp_path, 6)
    function, _ = stopping_after(2)
    with pytest.raises(KeyboardInterrupt):
        encode(pictures, items, tmp_path / "out.parquet", function)
    settings = {"model": {"fingerprint": "v2"}, "side": {"smallest_side": 8}}.get(change, {})
    if change == "picture":
        (pictures / "p0.png").write_bytes(plain((9, 9, 9), size=(65, 65)))
    made = encode(pictures, items, tmp_path / "out.parquet", **settings)
    assert made.resumed == 0
    assert vectors_of(tmp_path / "out.parquet")["p0"] == (
        [9, 9, 9] if change == "picture" else [1, 0, 255]
    )


def test_a_killed_command_goes_on(tmp_path, run_python):
    pictures, items = shop(tmp_path, 8)
    script = """
import os, signal, sys
import numpy as np
from pathlib import Path
from tests.images import test_encoding as these
from tfrec.images import encoding
encoding.PART_ROWS, encoding.BATCH = 4, 2
calls = []
def function(pictures):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return these.mean_colour(pictures)
these.encode(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), function)
"""
    out = tmp_path / "out.parquet"
    killed = run_python("-c", script, str(pictures), str(items), str(out))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    finished = run_python("-c", script, str(pictures), str(items), str(out))
    assert finished.returncode == 0, finished.stderr
    assert list(vectors_of(out).values()) == [[n + 1, 10 * n, 255] for n in range(8)]
    assert left_over(tmp_path) == []


def test_two_commands_do_not_write_one_file(tmp_path):
    pictures, items = shop(tmp_path, 2)

    def meanwhile(batch):
        with pytest.raises(UserError, match="another command is writing"):
            encode(pictures, items, tmp_path / "out.parquet")
        return mean_colour(batch)

    assert encode(pictures, items, tmp_path / "out.parquet", meanwhile).vectors == 2
