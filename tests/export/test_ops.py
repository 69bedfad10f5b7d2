import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401
from tensorflow.python.framework import op_def_registry

from tfrec.export.ops import TEXT_OPS, unknown_ops
from tfrec.export.saving import Signature, save_model


def test_a_stock_server_knows_every_op_of_the_exported_graphs(models):
    for name in ("retrieval", "ranking", "recommender"):
        (version,) = (models / name).iterdir()
        assert unknown_ops(version) == []


def test_the_tokenizer_is_in_the_graph(models):
    (version,) = (models / "retrieval").iterdir()
    graph = (version / "saved_model.pb").read_bytes()
    assert b"RegexSplitWithOffsets" in graph and b"WordpieceTokenizeWithOffsets" in graph


def test_ops_of_tensorflow_text_are_its_own():
    assert all(op_def_registry.get(name) is not None for name in TEXT_OPS)
    assert not TEXT_OPS & set(dir(tf.raw_ops))


def twice(value):
    return value * 2.0


@pytest.mark.parametrize("nested", [False, True])
def test_calls_into_python_are_found_wherever_they_stand(tmp_path, nested):
    function = tf.function(lambda x: tf.numpy_function(twice, [x], tf.float32))

    def direct(inputs):
        return {"y": tf.numpy_function(twice, [inputs["x"]], tf.float32)}

    def indirect(inputs):
        return {"y": tf.cond(inputs["x"][0] > 0, lambda: function(inputs["x"]), lambda: 0.0)}

    signature = Signature(indirect if nested else direct, {"x": tf.TensorSpec([None], tf.float32)})
    with pytest.raises(RuntimeError, match="stock model server lacks: PyFunc"):
        save_model(tmp_path / "model", {"serving_default": signature}, [])
    assert unknown_ops(tmp_path / "model") == ["PyFunc"]


def test_inputs_keep_their_names_and_only_what_is_read_is_saved(tmp_path):
    used, unused = tf.Variable([1.0, 2.0]), tf.Variable([5.0])
    signature = Signature(
        lambda inputs: {"y": inputs["b"] + tf.reduce_sum(used)},
        {"b": tf.TensorSpec([None], tf.float32), "a": tf.TensorSpec([None], tf.int64)},
    )
    save_model(tmp_path / "model", {"serving_default": signature}, [])
    loaded = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert set(loaded.structured_input_signature[1]) == {"a", "b"}
    answer = loaded(b=tf.constant([1.0]), a=tf.constant([7], tf.int64))
    assert answer["y"].numpy().tolist() == [4.0]
    saved = dict(tf.train.list_variables(str(tmp_path / "model" / "variables" / "variables")))
    assert [2] in saved.values() and list(unused.shape) not in saved.values()
