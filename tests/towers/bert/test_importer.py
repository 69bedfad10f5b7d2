import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.tiny_bert import vocabulary, write_tiny_bert
from tests.towers.bert import numpy_bert
from tfrec.errors import UserError
from tfrec.towers.bert.importer import load_backbone
from tfrec.towers.bert.weights import find_weights

TOKEN_IDS = np.array([2, 5, 7, 8, 20, 3], np.int32)


def sequence_output(folder):
    """What the imported backbone gives for TOKEN_IDS, padded by two."""
    backbone = load_backbone(find_weights(folder))
    token_ids = np.concatenate([TOKEN_IDS, [0, 0]])[np.newaxis]
    return backbone(
        {
            "token_ids": token_ids,
            "segment_ids": np.zeros_like(token_ids),
            "padding_mask": (np.arange(8) < len(TOKEN_IDS)).astype(np.int32)[np.newaxis],
        }
    )["sequence_output"].numpy()[0, : len(TOKEN_IDS)]


def rewrite(folder, change):
    """Applies `change` to the tensors of the weights file."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({}, {}),
        ({"hidden_act": "gelu_new"}, {"activation": numpy_bert.gelu_tanh}),
        ({"hidden_act": "relu"}, {"activation": numpy_bert.relu}),
        ({"layer_norm_eps": 0.1}, {"epsilon": 0.1}),
    ],
)
def test_backbone_computes_what_the_paper_says(tmp_path, config, options):
    write_tiny_bert(tmp_path, **config)
    expected = numpy_bert.last_layer(
        load_file(tmp_path / "model.safetensors"), TOKEN_IDS, layers=2, heads=4, **options
    )
    np.testing.assert_allclose(sequence_output(tmp_path), expected, atol=2e-5)


@pytest.mark.parametrize("prefix", ["bert.", "model.bert.", "0.auto_model."])
def test_prefixes_and_task_heads_change_nothing(tmp_path, prefix):
    bare = write_tiny_bert(tmp_path / "bare")
    head = {
        "cls.predictions.bias": np.zeros(3, np.float32),
        "classifier.weight": np.zeros((2, 32), np.float32),
    }
    prefixed = write_tiny_bert(tmp_path / "prefixed", prefix=prefix, extra=head)
    np.testing.assert_array_equal(sequence_output(prefixed), sequence_output(bare))


def test_pooler_may_be_missing(tmp_path):
    write_tiny_bert(tmp_path)
    expected = sequence_output(tmp_path)
    rewrite(
        tmp_path,
        lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("pooler")],
    )
    np.testing.assert_array_equal(sequence_output(tmp_path), expected)


def test_pooler_is_imported(tmp_path):
    write_tiny_bert(tmp_path)
    backbone = load_backbone(find_weights(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        backbone.pooled_dense.kernel.numpy(), tensors["pooler.dense.weight"].T
    )


def test_old_names_of_layer_norms(tmp_path):
    write_tiny_bert(tmp_path)
    expected = sequence_output(tmp_path)

    def rename(tensors):
        for name in [name for name in tensors if "LayerNorm" in name]:
            old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            tensors[old.replace("LayerNorm.bias", "LayerNorm.beta")] = tensors.pop(name)

    rewrite(tmp_path, rename)
    np.testing.assert_array_equal(sequence_output(tmp_path), expected)


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_weights(tmp_path, half):
    write_tiny_bert(tmp_path)
    expected = sequence_output(tmp_path)
    rewrite(
        tmp_path,
        lambda tensors: tensors.update(
            {
                name: value.astype(half)
                for name, value in tensors.items()
                if value.dtype == np.float32
            }
        ),
    )
    np.testing.assert_allclose(sequence_output(tmp_path), expected, atol=5e-2)


def test_missing_tensors_are_named(tmp_path):
    write_tiny_bert(tmp_path, prefix="bert.")
    rewrite(tmp_path, lambda tensors: tensors.pop("bert.encoder.layer.1.output.dense.bias"))
    with pytest.raises(
        UserError, match=r"lacks 1 tensors .*: bert\.encoder\.layer\.1\.output\.dense\.bias;"
    ):
        load_backbone(find_weights(tmp_path))


def test_many_missing_tensors_are_counted(tmp_path):
    write_tiny_bert(tmp_path, num_hidden_layers=3)
    with pytest.raises(UserError, match=r"lacks 16 tensors .*encoder\.layer\.2\..* and 11 more;"):
        load_backbone(find_weights(tmp_path))


def test_file_without_a_bert_is_a_user_error(tmp_path):
    write_tiny_bert(tmp_path)
    save_file({"linear.weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="does not hold a BERT"):
        load_backbone(find_weights(tmp_path))


def test_tensor_of_another_shape_is_named(tmp_path):
    write_tiny_bert(tmp_path, intermediate_size=65)
    with pytest.raises(
        UserError, match=r"intermediate\.dense\.weight is \[64, 32\] instead of \[65, 32\]"
    ):
        load_backbone(find_weights(tmp_path))


@pytest.mark.parametrize("keep", [0, 4, 1000])
def test_half_copied_weights_are_a_user_error(tmp_path, keep):
    write_tiny_bert(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(UserError, match="may be half-copied"):
        load_backbone(find_weights(tmp_path))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"model_type": "roberta"}, "of type 'roberta'; only 'bert'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"hidden_act": "swiglu"}, "hidden_act 'swiglu'; known are gelu,"),
        ({"hidden_size": "32"}, "give hidden_size as a positive whole number, not 32"),
        ({"num_hidden_layers": 0}, "give num_hidden_layers as a positive whole number, not 0"),
        ({"num_attention_heads": 5}, "not a multiple of num_attention_heads 5"),
        ({"layer_norm_eps": "small"}, "give layer_norm_eps as a number, not small"),
    ],
)
def test_configuration_of_something_else_is_a_user_error(tmp_path, config, sentence):
    write_tiny_bert(tmp_path, **config)
    with pytest.raises(UserError, match=sentence):
        load_backbone(find_weights(tmp_path))


@pytest.mark.parametrize("content", ["[]", "{", "null"])
def test_unreadable_configuration_is_a_user_error(tmp_path, content):
    write_tiny_bert(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json"):
        load_backbone(find_weights(tmp_path))


def test_configuration_of_the_tiny_bert_is_read(tmp_path):
    write_tiny_bert(tmp_path)
    backbone = load_backbone(find_weights(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert backbone.num_layers == config["num_hidden_layers"] == 2
    assert backbone.vocabulary_size == len(vocabulary())
