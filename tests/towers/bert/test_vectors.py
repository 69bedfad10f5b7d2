import hashlib
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_bert import WORDS, write_tiny_bert
from tfrec.errors import UserError
from tfrec.towers.bert.encoding import BatchEncoder
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.vectors import TextVectors, _read_shard
from tfrec.towers.bert.weights import find_weights

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return find_weights(write_tiny_bert(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module")
def tower(files):
    return BertTextTower.from_files(files, max_tokens=32)


@pytest.fixture
def encoded(monkeypatch):
    """The texts that were encoded, in order."""
    seen = []
    encode = BatchEncoder.encode

    def record(self, texts):
        seen.extend(text.decode() for text in texts)
        return encode(self, texts)

    monkeypatch.setattr(BatchEncoder, "encode", record)
    return seen


@pytest.fixture
def vectors(tmp_path, files, tower):
    return TextVectors(tmp_path, files, max_tokens=32, load_tower=lambda: tower, shard_size=4)


def some_texts(count, seed=0):
    """Distinct texts of one to ten words."""
    random = np.random.default_rng(seed)
    return [
        f"{' '.join(random.choice(WORDS, random.integers(1, 10)))} {number}"
        for number in range(count)
    ]


def again(vectors, **options):
    """A new object on the same folder, as a new run would make."""
    return TextVectors(
        vectors.folder.parent, vectors._files, vectors._max_tokens, vectors._load_tower, **options
    )


def must_not_load():
    raise AssertionError("BERT was loaded although there was nothing to encode")


def test_vectors_are_the_towers_in_the_order_asked(vectors, tower):
    texts = [*some_texts(20), "", "智能手表"]
    got = vectors.encode(texts)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, tower(tf.constant(texts)), atol=1e-6)


def test_duplicates_are_encoded_once(vectors, encoded):
    got = vectors.encode(["red dress", "usb cable", "red dress", "red dress"])
    assert sorted(encoded) == ["red dress", "usb cable"]
    np.testing.assert_array_equal(got[0], got[2])
    np.testing.assert_array_equal(got[0], got[3])


def test_only_new_texts_are_encoded(vectors, encoded):
    first = vectors.encode(some_texts(10))
    encoded.clear()
    second = vectors.encode(["one more", *some_texts(10)])
    assert encoded == ["one more"]
    np.testing.assert_array_equal(second[1:], first)


def test_bert_is_not_loaded_when_nothing_is_new(vectors, files):
    first = vectors.encode(some_texts(10))
    cached = TextVectors(vectors.folder.parent, files, 32, load_tower=must_not_load)
    np.testing.assert_array_equal(cached.encode(some_texts(10)[::-1]), first[::-1])


def test_cached_texts_need_no_tensorflow(tmp_path, files, run_python):
    TextVectors(tmp_path / "cache", files, 32).encode(["red dress"])
    program = f"""
        import sys
        from tfrec.towers.bert.vectors import TextVectors, _read_shard
        from tfrec.towers.bert.weights import find_weights
        vectors = TextVectors({str(tmp_path / "cache")!r}, find_weights({str(files.folder)!r}), 32)
        assert vectors.encode(["red dress"]).shape == (1, 32)
        assert "tensorflow" not in sys.modules
    """
    answer = run_python("-c", textwrap.dedent(program))
    assert answer.returncode == 0, answer.stderr


def test_no_texts(vectors):
    assert vectors.encode([]).shape == (0, 32)


def test_shards_are_small_and_keyed_by_content(vectors):
    texts = some_texts(300)  # more than one batch
    vectors.encode(texts)
    sizes, keys = [], set()
    for path in vectors.folder.glob("*.npz"):
        with np.load(path) as shard:
            sizes.append(len(shard["keys"]))
            keys |= {row.tobytes() for row in shard["keys"]}
    assert sum(sizes) == 300
    assert len(sizes) >= 2
    assert keys == {hashlib.sha256(text.encode()).digest() for text in texts}


def test_another_bert_and_another_length_have_other_folders(tmp_path, files, tower):
    other = find_weights(write_tiny_bert(tmp_path / "other", seed=8))
    folders = {
        TextVectors(tmp_path, files, 32).folder,
        TextVectors(tmp_path, files, 16).folder,
        TextVectors(tmp_path, other, 32).folder,
    }
    assert len(folders) == 3
    first = TextVectors(tmp_path, files, 32).encode(["red dress"])
    assert np.any(TextVectors(tmp_path, other, 32).encode(["red dress"]) != first)


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "vector bit", "key bit", "text", "other arrays"]
)
def test_damaged_shard_is_removed_and_encoded_again(vectors, encoded, damage, caplog):
    texts = some_texts(6)
    expected = vectors.encode(texts)
    (path,) = vectors.folder.glob("*.npz")
    content = bytearray(path.read_bytes())
    if damage == "empty":
        content = bytearray()
    elif damage == "cut":
        content = content[:-100]
    elif damage == "text":
        content = bytearray(b"not an archive")
    elif damage == "other arrays":
        np.savez(path, keys=np.zeros(3), vectors=np.zeros(3))
        content = bytearray(path.read_bytes())
    else:
        key = hashlib.sha256(texts[0].encode()).digest()
        content[content.index(key if damage == "key bit" else expected[0].tobytes())] ^= 1
    path.write_bytes(content)
    encoded.clear()
    with caplog.at_level(logging.WARNING):
        got = again(vectors).encode(texts)
    assert sorted(encoded) == sorted(texts)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert not path.exists()
    assert "which is damaged" in caplog.text


def test_any_flipped_byte_is_noticed_or_harmless(vectors):
    vectors.encode(some_texts(3))
    (path,) = vectors.folder.glob("*.npz")
    content = path.read_bytes()
    keys, expected = _read_shard(path)
    noticed = 0
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 0x55
        path.write_bytes(flipped)
        try:
            got_keys, got = _read_shard(path)
        except Exception:
            noticed += 1
            continue
        assert got_keys == keys
        np.testing.assert_array_equal(got, expected)
    assert noticed > expected.nbytes + 32 * len(keys)  # every byte of content, at least


def test_killed_run_continues(tmp_path, files, encoded):
    """A process is killed with SIGKILL after its first shards; the next one does the rest."""
    cache = tmp_path / "cache"
    program = f"""
        import time
        import tests.towers.bert.test_vectors as helpers
        from tfrec.towers.bert import encoding, vectors
        from tfrec.towers.bert.weights import find_weights
        encode = encoding.BatchEncoder.encode
        def slowly(self, texts):
            self._tokens_per_batch = 32
            for batch in encode(self, texts):
                yield batch
                time.sleep(0.2)
        encoding.BatchEncoder.encode = slowly
        files = find_weights({str(files.folder)!r})
        vectors.TextVectors({str(cache)!r}, files, 32, shard_size=8).encode(helpers.some_texts(200))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.time() + 120
        while len(list(cache.glob("*/*.npz"))) < 2:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.time() < deadline, "no shard was written"
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = 0
    for path in cache.glob("*/*.npz"):
        with np.load(path) as shard:
            kept += len(shard["keys"])
    texts = some_texts(200)
    got = TextVectors(cache, files, 32).encode(texts)
    assert 16 <= kept < 200
    assert len(encoded) == 200 - kept
    np.testing.assert_allclose(
        got, BertTextTower.from_files(files, max_tokens=32)(tf.constant(texts)), atol=1e-6
    )


def test_unfinished_shards_of_killed_runs_are_removed_in_time(vectors):
    vectors.folder.mkdir(parents=True)
    old, young = vectors.folder / ".a.npz.1.part", vectors.folder / ".b.npz.2.part"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    vectors.encode(["red dress"])
    assert not old.exists()
    assert young.exists()  # perhaps another process is writing it


def test_two_objects_share_a_folder(vectors, encoded):
    other = again(vectors)
    vectors.encode(["red dress"])
    other.encode(["red dress", "usb cable"])
    vectors.encode(["usb cable"])
    assert encoded == ["red dress", "usb cable"]


def test_long_and_short_texts_do_not_share_a_batch(tower):
    texts = [text.encode() for text in some_texts(60)]
    batches = [rows for rows, _ in BatchEncoder(tower, tokens_per_batch=64).encode(texts)]
    lengths = tower.tokenizer.tokenize(tf.constant(texts)).row_lengths().numpy()
    in_order = lengths[np.concatenate(batches)]
    assert sorted(np.concatenate(batches)) == list(range(60))
    assert np.all(np.diff(in_order) <= 0)
    assert max(len(rows) * lengths[rows[0]] for rows in batches) <= 64


def test_broken_surrogates_are_encoded(vectors):
    assert np.isfinite(vectors.encode(["red \ud800 dress"])).all()


def test_texts_must_be_strings(vectors):
    with pytest.raises(ValueError, match=r"`texts` should hold strings\. Received: nan"):
        vectors.encode(["red", float("nan")])


def test_shard_size_must_be_positive(files, tmp_path):
    with pytest.raises(ValueError, match=r"`shard_size` should be a positive integer"):
        TextVectors(tmp_path, files, shard_size=0)


def test_unusable_weights_are_a_user_error_only_when_needed(tmp_path):
    files = find_weights(write_tiny_bert(tmp_path / "bert"))
    TextVectors(tmp_path, files, 32).encode(["red dress"])
    files.weights.write_bytes(b"")
    TextVectors(tmp_path, files, 32).encode(["red dress"])
    with pytest.raises(UserError, match="may be half-copied"):
        TextVectors(tmp_path, files, 32).encode(["usb cable"])
