"""Which ops of a SavedModel a stock model server lacks."""

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

# What TensorFlow Text registers; the stock model server is linked with all of it
# (`tensorflow_text:ops_lib`).
TEXT_OPS = frozenset(
    {
        "CaseFoldUTF8",
        "ConstrainedSequence",
        "FastBertNormalize",
        "FastWordpieceTokenizeWithOffsets",
        "FindSourceOffsets",
        "MaxSpanningTree",
        "NormalizeUTF8",
        "NormalizeUTF8WithOffsetsMap",
        "PhraseTokenize",
        "RegexSplitWithOffsets",
        "RougeL",
        "SentenceFragments",
        "SentenceFragmentsV2",
        "SentencepieceDetokenizeOp",
        "SentencepieceIdToStringOp",
        "SentencepieceOp",
        "SentencepieceStringToIdOp",
        "SentencepieceTokenizeOp",
        "SentencepieceTokenizeWithOffsetsOp",
        "SentencepieceVocabSizeOp",
        "SplitMergeTokenizeWithOffsets",
        "TFText>BoiseTagsToOffsets",
        "TFText>ByteSplitByOffsets",
        "TFText>ByteSplitWithOffsets",
        "TFText>FastSentencepieceDetokenize",
        "TFText>FastSentencepieceTokenize",
        "TFText>FastWordpieceDetokenize",
        "TFText>NgramsStringJoin",
        "TFText>OffsetsToBoiseTags",
        "TFText>PhraseDetokenize",
        "TFText>RoundRobinGenerateMasks",
        "TFText>RoundRobinTrim",
        "TFText>Utf8Binarize",
        "TFText>WhitespaceTokenizeWithOffsetsV2",
        "TokenizerFromLogits",
        "UnicodeScriptTokenizeWithOffsets",
        "WhitespaceTokenizeWithOffsets",
        "WordpieceTokenizeWithOffsets",
    }
)

# Registered with TensorFlow, but they call back into the Python process that made the graph.
PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})


def unknown_ops(folder: Path) -> list[str]:
    """Returns the ops, sorted, of a SavedModel that a stock model server does not know.

    It knows TensorFlow's own ops and those of TensorFlow Text. Every graph counts: the main one,
    and the functions in its library.

    Args:
        folder: the SavedModel.
    """
    # `tf.raw_ops` is made from the ops that TensorFlow was built with, so unlike the registry it
    # does not grow when a library with ops of its own is imported.
    core = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    known = (core | TEXT_OPS) - PYTHON_OPS
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return sorted(
        {
            op
            for meta_graph in saved.meta_graphs
            for op in _ops(meta_graph.graph_def)
            if op not in known
        }
    )


def _ops(graph: graph_pb2.GraphDef) -> Iterator[str]:
    # A node may name a function of the library instead of an op.
    functions = {function.signature.name for function in graph.library.function}
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    for nodes in bodies:
        yield from (node.op for node in nodes if node.op not in functions)
