"""The recommender's SavedModel in a session of this process, and what its ops cost."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import tfrec  # noqa: F401  (decides which Keras TensorFlow gets)

import tensorflow as tf  # isort: skip
from tensorflow_serving.apis import predict_pb2

SIGNATURE = "serving_default"
# Their time is that of the ops inside them.
CALLERS = (
    "PartitionedCall",
    "StatefulPartitionedCall",
    "While",
    "If",
    "StatelessIf",
    "StatelessWhile",
)


class InProcess:
    """A SavedModel that is called without a server."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """Loads the SavedModel in `folder`.

        Args:
            folder: a SavedModel's folder.
            threads: of the session; 0 for one a core, as a server has. With 1, what a trace says
                of an op is its own work, and not the time until other threads came to help.
        """
        tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads,
            inter_op_parallelism_threads=threads,
            use_per_session_threads=True,
        )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        signature = loaded.signature_def[SIGNATURE]
        self._inputs = {alias: info.name for alias, info in sorted(signature.inputs.items())}
        outputs = [info.name for info in signature.outputs.values()]
        # The quickest way into the session: nothing is looked up again at each call.
        self._run = self._session.make_callable(outputs, list(self._inputs.values()))
        options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
        self._outputs, self._options = outputs, options

    def feeds(self, request: bytes) -> list[object]:
        """Returns a Predict request's inputs as arrays, in the order of `call`."""
        message = predict_pb2.PredictRequest.FromString(request)
        return [tf.make_ndarray(message.inputs[alias]) for alias in self._inputs]

    def call(self, feeds: Sequence[object]) -> None:
        """Runs the signature."""
        self._run(*feeds)

    def microseconds_by_op(self, feeds: Sequence[object]) -> Counter[str]:
        """Runs the signature with a trace, and returns how long the ops of each type took."""
        metadata = tf.compat.v1.RunMetadata()
        fed = dict(zip(self._inputs.values(), feeds, strict=True))
        self._session.run(self._outputs, fed, options=self._options, run_metadata=metadata)
        spent: Counter[str] = Counter()
        for device in metadata.step_stats.dev_stats:
            for node in device.node_stats:
                # "name = Type(inputs)"
                kind = node.timeline_label.partition(" = ")[2].partition("(")[0]
                if kind and kind not in CALLERS:
                    spent[kind] += node.op_end_rel_micros - node.op_start_rel_micros
        return spent

    def close(self) -> None:
        """Frees the session."""
        self._session.close()
