"""KerasNLP, imported without the line that it prints.

Keras Core, below KerasNLP, announces its back end on stdout when it is imported. stdout is where
``--json`` answers go, so every module takes `keras_nlp` from here.
"""

import contextlib
import io
import warnings

with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    # In a notebook without widgets, bars that KerasNLP has for its downloads complain on import.
    warnings.filterwarnings("ignore", message="IProgress not found")
    import keras_nlp

# KerasNLP reads every attribute of its models when they are saved, these two of Keras 2 included.
warnings.filterwarnings("ignore", message=r"`(Model\.state_|layer\.)updates` will be removed")

__all__ = ["keras_nlp"]
