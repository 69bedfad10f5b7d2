import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from tests.tiny_bert import write_tiny_bert
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.bert.writer import write_bert

TEXTS = tf.constant(["red cotton dress", "USB cable", "智能手表"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return find_weights(write_tiny_bert(tmp_path_factory.mktemp("bert"), hidden_act="gelu_new"))


def test_what_is_read_is_written_again(files, tmp_path):
    tower = BertTextTower.from_files(files, max_tokens=16)
    write_bert(tower, tmp_path / "again")
    again = BertTextTower.from_files(find_weights(tmp_path / "again"), max_tokens=16)
    assert again.architecture == tower.architecture
    assert again.settings == tower.settings
    np.testing.assert_array_equal(again(TEXTS), tower(TEXTS))
    before, after = load_file(files.weights), load_file(tmp_path / "again" / "model.safetensors")
    assert set(before) - set(after) == {"embeddings.position_ids"}
    for name, tensor in after.items():
        np.testing.assert_array_equal(tensor, before[name], err_msg=name)


def test_low_rank_updates_become_part_of_the_weights(files, tmp_path):
    tower = BertTextTower.from_files(files, "lora", top_n=1, max_tokens=16)
    frozen = tower(TEXTS).numpy()
    for seed, variable in enumerate(tower.trainable_variables):
        variable.assign(np.random.default_rng(seed).normal(0, 0.2, variable.shape))
    trained = tower(TEXTS).numpy()
    assert np.abs(trained - frozen).max() > 0.01
    write_bert(tower, tmp_path / "merged")
    again = BertTextTower.from_files(find_weights(tmp_path / "merged"), max_tokens=16)
    np.testing.assert_allclose(again(TEXTS), trained, atol=1e-5)
    np.testing.assert_allclose(tower(TEXTS), trained, atol=1e-5)


def test_adapters_have_no_place_in_a_bert(files, tmp_path):
    tower = BertTextTower.from_files(files, "adapter", max_tokens=16)
    with pytest.raises(ValueError, match="adapters cannot be written as a BERT"):
        write_bert(tower, tmp_path / "bert")
