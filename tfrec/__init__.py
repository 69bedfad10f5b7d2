"""tfrec: an end-to-end recommender for shops, on TensorFlow."""

from tfrec import runtime as runtime

__version__ = "0.1.0"
