"""KerasNLP, imported without the line that it prints.

Keras Core, below KerasNLP, announces its back end on stdout when it is imported. stdout is where
``--json`` answers go, so every module takes `keras_nlp` from here.
"""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import keras_nlp

__all__ = ["keras_nlp"]
