"""Chooses Keras 2 for the whole process, before TensorFlow is imported.

TFRS 0.7 and the last KerasNLP whose layers are Keras 2 layers both need ``tf.keras`` to be
``tf_keras``. TensorFlow decides that once, at import, from ``TF_USE_LEGACY_KERAS``. This is
the only module that sets it; ``tfrec/__init__.py`` imports it before anything else.
"""

import os
import sys

LEGACY_KERAS_FLAG = "TF_USE_LEGACY_KERAS"


def use_keras_2() -> None:
    """Makes ``tf.keras`` resolve to Keras 2 and keeps TensorFlow's start-up notices off stderr.

    Raises:
        ImportError: if TensorFlow was already imported with Keras 3.
    """
    tensorflow = sys.modules.get("tensorflow")
    # TensorFlow's own note of what it chose: the environment may have changed since.
    if tensorflow is not None and not getattr(tensorflow, "_tf_uses_legacy_keras", False):
        raise ImportError(
            "tfrec needs Keras 2, but TensorFlow was already imported with Keras 3. "
            f"Import tfrec before tensorflow, or set {LEGACY_KERAS_FLAG}=1 in the environment."
        )
    os.environ[LEGACY_KERAS_FLAG] = "1"
    # KerasNLP asks Keras Core which back end to use; anything but TensorFlow cannot work here.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # 3 hides the CUDA and oneDNN notices, which say nothing to a user of a CPU build.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


use_keras_2()
