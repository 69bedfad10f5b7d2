import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from tensorflow.core.protobuf import saved_model_pb2

from tests.layer_checks import check_layer
from tests.tiny_bert import write_tiny_bert
from tests.towers.bert import numpy_bert
from tfrec.errors import UserError
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights

REFERENCE = json.loads((Path(__file__).parent / "minilm_reference.json").read_text())
TEXTS = ["red cotton dress", "usb cable", "", "智能手表 for the heart [SEP] 2"]
# Variables of one KerasNLP encoder layer: four dense layers of attention, two of the
# feed-forward part, two layer norms; each has two.
VARIABLES_A_LAYER = 16
EMBEDDING_VARIABLES = 5  # three tables, and a layer norm's two


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    # Without dropout, so that the same call gives the same vectors in training.
    folder = tmp_path_factory.mktemp("bert")
    return find_weights(write_tiny_bert(folder, layers=3, hidden_dropout_prob=0.0))


def make_tower(files, policy="frozen", **options):
    return BertTextTower.from_files(files, policy, max_tokens=32, **options)


def expected_variables(tower, policy, top_n):
    """The variables that a policy says train, found by another way than the tower's own."""
    layers = tower.backbone.transformer_layers
    if policy == "frozen":
        return []
    last = layers[len(layers) - top_n :]
    if policy == "top-n":
        return [variable for layer in last for variable in layer.variables]
    if policy in ("lora", "adapter"):
        return [v for layer in last for v in layer.variables if policy in v.name]
    return [variable for variable in tower.variables if "pooled_dense" not in variable.name]


def ids(variables):
    return {id(variable) for variable in variables}


def two_training_steps(tower, texts=TEXTS):
    """Moves the tower's trainable variables towards a random target; returns what moved."""
    target = tf.constant(np.random.default_rng(1).normal(size=(len(texts), 32)), tf.float32)
    head = tf.Variable(tf.eye(32))
    before = {id(variable): variable.numpy() for variable in tower.variables}
    optimizer = tf.keras.optimizers.Adam(1e-2)
    # The first step of a side layer moves its upper half only, as that starts at zero.
    for _ in range(2):
        with tf.GradientTape() as tape:
            output = tower(tf.constant(texts), training=True) @ head
            loss = tf.reduce_mean(tf.square(output - target))
        variables = [*tower.trainable_variables, head]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return [v for v in tower.variables if np.any(v.numpy() != before[id(v)])]


def ops_of(saved_model):
    """The names of all ops in a SavedModel's graphs."""
    message = saved_model_pb2.SavedModel()
    message.ParseFromString((saved_model / "saved_model.pb").read_bytes())
    graph = message.meta_graphs[0].graph_def
    nodes = [*graph.node, *(n for function in graph.library.function for n in function.node_def)]
    return {node.op for node in nodes} - {f.signature.name for f in graph.library.function}


@pytest.mark.parametrize("policy", ["frozen", "top-n", "lora", "adapter", "full"])
def test_layer_contract(files, policy):
    # The bias of the keys adds the same to every score of a softmax: its gradient is zero. The
    # lower half of a side layer waits for the upper one, which starts at zero.
    unmoved = ["key/bias", "lora_down", "adapter_down"]
    check_layer(lambda: make_tower(files, policy), tf.constant(TEXTS), unmoved=unmoved)


@pytest.mark.parametrize(
    ("policy", "top_n", "trainable"),
    [
        ("frozen", 2, 0),
        ("top-n", 1, VARIABLES_A_LAYER),
        ("top-n", 2, 2 * VARIABLES_A_LAYER),
        ("top-n", 3, 3 * VARIABLES_A_LAYER),
        ("lora", 2, 2 * 4),
        ("adapter", 1, 4),
        ("full", 2, 3 * VARIABLES_A_LAYER + EMBEDDING_VARIABLES),
    ],
)
def test_exactly_the_variables_of_the_policy_move(files, policy, top_n, trainable):
    tower = make_tower(files, policy, top_n=top_n)
    expected = expected_variables(tower, policy, top_n)
    assert len(tower.trainable_variables) == trainable
    assert ids(tower.trainable_variables) == ids(expected)
    moved = ids(two_training_steps(tower))
    assert moved <= ids(expected)
    left = [v.name for v in expected if id(v) not in moved]
    assert [name for name in left if not name.endswith("self_attention_layer/key/bias:0")] == []
    added = trainable if policy in ("lora", "adapter") else 0
    whole = 3 * VARIABLES_A_LAYER + EMBEDDING_VARIABLES + 2  # the pooler
    assert len(tower.variables) == whole + added


@pytest.mark.parametrize("policy", ["lora", "adapter"])
def test_side_layers_start_from_the_bert_as_it_is(files, policy):
    texts = tf.constant(TEXTS)
    expected = make_tower(files)(texts)
    np.testing.assert_allclose(make_tower(files, policy)(texts), expected, atol=1e-6)


@pytest.mark.parametrize(("policy", "below"), [("frozen", 3), ("top-n", 2), ("lora", 2)])
def test_hidden_states_below_the_trained_layers_can_be_kept(files, policy, below):
    tower = make_tower(files, policy, top_n=1)
    assert tower.frozen_layers == below
    token_ids, mask = tower.tokenize(tf.constant(TEXTS))
    kept = tower.hidden_below(token_ids, mask, training=True)
    two_training_steps(tower)
    np.testing.assert_array_equal(tower.hidden_below(token_ids, mask), kept)
    np.testing.assert_allclose(
        tower.encode_hidden(kept, mask), tower(tf.constant(TEXTS)), atol=1e-6
    )


def test_policy_holds_inside_keras_fit(files):
    tower = make_tower(files, "top-n", top_n=1)
    inputs = tf.keras.Input([], dtype=tf.string)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1)(tower(inputs)))
    model.compile("adam", "mse")
    before = {id(v): v.numpy() for v in tower.variables}
    model.fit(tf.constant(TEXTS), tf.constant([0.0, 1.0, 2.0, 3.0]), verbose=0)
    moved = {id(v) for v in tower.variables if np.any(v.numpy() != before[id(v)])}
    allowed = ids(tower.backbone.transformer_layers[-1].variables)
    assert moved
    assert moved <= allowed


def test_vectors_are_the_mean_of_the_last_layer(files):
    tower = make_tower(files)
    tensors = load_file(files.weights)
    vectors = tower(tf.constant(TEXTS)).numpy()
    rows = tower.tokenizer.tokenize(tf.constant(TEXTS)).to_list()
    for row, vector in zip(rows, vectors, strict=True):
        mean = numpy_bert.last_layer(tensors, row, layers=3, heads=4).mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_texts_tokenized_once_give_the_same_vectors(files):
    tower = make_tower(files)
    tokens = tower.tokenize(tf.constant(TEXTS))
    np.testing.assert_array_equal(tower.encode_tokens(*tokens), tower(tf.constant(TEXTS)))


def test_padding_does_not_change_a_vector(files):
    tower = make_tower(files)
    token_ids, mask = tower.tokenize(tf.constant(TEXTS))
    wider = tower.encode_tokens(
        tf.pad(token_ids, [[0, 0], [0, 7]], constant_values=9), tf.pad(mask, [[0, 0], [0, 7]])
    )
    np.testing.assert_allclose(wider, tower.encode_tokens(token_ids, mask), atol=1e-6)


def test_frozen_tower_never_drops_out(tmp_path):
    files = find_weights(write_tiny_bert(tmp_path, hidden_dropout_prob=0.5))
    texts = tf.constant(TEXTS)
    frozen, full = make_tower(files), make_tower(files, "full")
    np.testing.assert_array_equal(frozen(texts, training=True), frozen(texts, training=False))
    assert np.any(full(texts, training=True).numpy() != full(texts, training=False).numpy())


def test_layers_that_do_not_train_do_not_drop_out(tmp_path):
    files = find_weights(write_tiny_bert(tmp_path, hidden_dropout_prob=0.5))
    tower = make_tower(files, "top-n", top_n=1)
    first = tower.backbone.transformer_layers[0]
    outputs = []
    call = first.call
    first.call = lambda *args, **kwargs: outputs.append(call(*args, **kwargs)) or outputs[-1]
    different = tower(tf.constant(TEXTS), training=True) - tower(tf.constant(TEXTS), training=True)
    assert np.any(different.numpy() != 0.0)
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_empty_batch(files):
    tower = make_tower(files)
    assert tower(tf.constant([], tf.string)).shape == (0, 32)


def test_one_trace_serves_every_batch_and_length(files):
    tower = make_tower(files)
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def encode(texts):
        traces.append(1)
        return tower(texts)

    for texts in (TEXTS, TEXTS[:1], ["red"] * 7):
        np.testing.assert_allclose(encode(tf.constant(texts)), tower(tf.constant(texts)), atol=1e-6)
    assert len(traces) == 1


@pytest.mark.parametrize("tracked", ["layer", "parts"])
def test_saved_model_holds_the_vocabulary_and_only_stock_ops(tmp_path, tracked):
    folder = write_tiny_bert(tmp_path / "bert")
    tower = make_tower(find_weights(folder), "top-n")
    module = tf.Module()
    if tracked == "layer":
        module.tower = tower
    else:  # without the functions that Keras adds for every layer
        module.parts = [tower.variables, tower.tokenizer]
    module.encode = tf.function(
        lambda texts: {"embedding": tower(texts)},
        input_signature=[tf.TensorSpec([None], tf.string, name="texts")],
    )
    saved = tmp_path / "saved"
    tf.saved_model.save(module, str(saved), signatures={"serving_default": module.encode})
    expected = tower(tf.constant(TEXTS)).numpy()

    asset = saved / "assets" / "vocab.txt"
    assert asset.read_bytes() == (folder / "vocab.txt").read_bytes()
    for file in folder.iterdir():  # the export must not need the folder that it came from
        file.unlink()
    moved = saved.rename(tmp_path / "moved")
    signature = tf.saved_model.load(str(moved)).signatures["serving_default"]
    np.testing.assert_allclose(
        signature(texts=tf.constant(TEXTS))["embedding"], expected, atol=1e-6
    )
    # tf.raw_ops lists TensorFlow's own ops and none of an added library.
    assert ops_of(moved) - set(dir(tf.raw_ops)) == {
        *["NormalizeUTF8", "RegexSplitWithOffsets", "WordpieceTokenizeWithOffsets"]
    }


def test_configuration_round_trip_keeps_the_policy(files):
    tower = make_tower(files, "top-n", top_n=1, name="titles")
    again = BertTextTower.from_config(json.loads(json.dumps(tower.get_config())))
    assert again.name == "titles"
    assert (again.policy, again.top_n, again.max_tokens) == ("top-n", 1, 32)
    assert len(again.trainable_variables) == VARIABLES_A_LAYER
    assert again.dimension == 32


@pytest.mark.parametrize("policy", ["full", "lora", "adapter"])
def test_checkpoint_round_trip(files, policy, tmp_path):
    tower = make_tower(files, policy)
    two_training_steps(tower)
    path = tf.train.Checkpoint(tower=tower).save(str(tmp_path / "checkpoint"))
    again = make_tower(files, policy)
    tf.train.Checkpoint(tower=again).restore(path).assert_consumed()
    np.testing.assert_array_equal(again(tf.constant(TEXTS)), tower(tf.constant(TEXTS)))


def test_global_mixed_precision_leaves_the_tower_alone(files):
    expected = make_tower(files)(tf.constant(TEXTS)).numpy()
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(make_tower(files)(tf.constant(TEXTS)), expected)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_mixed_precision_gives_float32_unit_vectors(files):
    expected = make_tower(files)(tf.constant(TEXTS)).numpy()
    tower = make_tower(files, dtype="mixed_bfloat16")
    vectors = tower(tf.constant(TEXTS))
    assert vectors.dtype == tf.float32
    assert {variable.dtype for variable in tower.variables} == {tf.float32}
    np.testing.assert_allclose(np.sum(vectors.numpy() * expected, axis=1), 1.0, atol=0.02)


def test_wrong_policy_is_a_value_error(files):
    with pytest.raises(ValueError, match=r"`policy` should be one of .* Received: policy=half"):
        make_tower(files, "half")
    with pytest.raises(ValueError, match=r"`top_n` should be a positive integer\. Received"):
        make_tower(files, "top-n", top_n=0)


def test_more_layers_or_tokens_than_the_bert_has_are_user_errors(files):
    with pytest.raises(UserError, match=r"text\.top_n is 4, but the BERT has 3 layers"):
        make_tower(files, "top-n", top_n=4)
    with pytest.raises(UserError, match=r"text\.max_tokens is 65, but the BERT reads at most 64"):
        BertTextTower.from_files(files, max_tokens=65)


def test_vocabulary_of_another_bert_is_a_user_error(tmp_path):
    files = find_weights(write_tiny_bert(tmp_path))
    with files.vocabulary.open("a") as file:
        file.write("extra\n")
    with pytest.raises(UserError, match="take both from the same BERT"):
        make_tower(files)


@pytest.fixture(scope="module")
def minilm():
    return BertTextTower.from_files(find_weights(), max_tokens=256)


def assert_reference(vectors):
    """Every text, not their mean, has the direction of its reference vector."""
    cosines = np.sum(vectors * np.array(REFERENCE["vectors"]), axis=1)
    assert len(cosines) == 20
    pairs = zip(REFERENCE["texts"], cosines, strict=True)
    assert {text: float(cosine) for text, cosine in pairs if cosine < 0.9999} == {}
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_every_reference_vector_is_met(minilm):
    assert_reference(minilm(tf.constant(REFERENCE["texts"])).numpy())


def test_every_reference_vector_is_met_by_a_served_graph(minilm, tmp_path):
    """The session that a model server runs optimises the graph in its own way."""
    module = tf.Module()
    module.parts = [minilm.variables, minilm.tokenizer]
    module.encode = tf.function(
        lambda texts: {"embedding": minilm(texts)},
        input_signature=[tf.TensorSpec([None], tf.string, name="texts")],
    )
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.encode})
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = loaded.signature_def["serving_default"]
        feed = {signature.inputs["texts"].name: REFERENCE["texts"]}
        assert_reference(session.run(signature.outputs["embedding"].name, feed))


def test_minilm_has_384_dimensions(minilm):
    assert minilm.dimension == 384
    assert minilm.trainable_variables == []
    assert minilm.tokenizer.vocabulary_size == 30_522


def test_hostile_texts_are_encoded(minilm):
    texts = tf.constant([b"\xff\xfe\x00", b"a" * 10_000, "智".encode() * 10_000, b"[SEP]" * 999])
    vectors = minilm(texts).numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
