"""Keras 2 is chosen before TensorFlow is loaded, or it is said clearly that it is too late."""

import pytest


def test_import_alone_is_light(run_python):
    done = run_python("-c", "import sys, tfrec; print('tensorflow' in sys.modules)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_tensorflow_after_tfrec_has_keras_2_and_says_nothing(run_python):
    program = (
        "import tfrec, tensorflow as tf, tf_keras\n"
        "assert issubclass(tf.keras.layers.Dense, tf_keras.layers.Layer)\n"
        "assert float(tf.reduce_sum(tf.ones([2, 2]) @ tf.ones([2, 2]))) == 8.0\n"
    )
    done = run_python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_keras_nlp_has_keras_2_and_says_nothing(run_python):
    program = (
        "from tfrec.towers.bert.library import keras_nlp\n"
        "import tensorflow as tf, tensorflow_recommenders as tfrs, tensorflow_text\n"
        "assert issubclass(keras_nlp.models.BertBackbone, tf.keras.Model)\n"
        "assert issubclass(tfrs.Model, tf.keras.Model)\n"
    )
    done = run_python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "before",
    [
        "import tensorflow",
        # TensorFlow has already chosen: setting the flag now changes nothing.
        "import tensorflow, os; os.environ['TF_USE_LEGACY_KERAS'] = '1'",
    ],
)
def test_keras_3_loaded_first_is_refused(run_python, before):
    done = run_python("-c", f"{before}; import tfrec", TF_CPP_MIN_LOG_LEVEL="3")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: tfrec needs Keras 2, but TensorFlow was already imported with Keras 3. "
        "Import tfrec before tensorflow, or set TF_USE_LEGACY_KERAS=1 in the environment."
    )


def test_keras_2_loaded_first_is_welcome(run_python):
    done = run_python(
        "-c", "import tensorflow, tfrec", TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_other_back_end_of_keras_core_is_overruled(run_python):
    program = "import tfrec.towers.bert.library, os; print(os.environ['KERAS_BACKEND'])"
    done = run_python("-c", program, KERAS_BACKEND="jax")
    assert (done.returncode, done.stdout) == (0, "tensorflow\n")


def test_users_log_level_is_kept(run_python):
    program = "import tfrec, os; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    assert run_python("-c", program, TF_CPP_MIN_LOG_LEVEL="0").stdout == "0\n"
