"""A SavedModel in a C++ session: loaded, run with TensorProtos, closed."""

import ctypes
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from serving import tensors, wire
from serving.server import arrays, c_api
from serving.server.arrays import Array
from serving.server.statuses import Code, ServingError

SERVE_TAG = b"serve"
INIT_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
STRING_BYTES = 24  # sizeof(TF_TString)
SHORT_STRING = 0  # the two low bits of the first byte of a TF_TString that holds its own bytes
# A TensorProto may say "this one value, 10^12 times"; the allocation would take the server down.
# Up to here a few bytes may stand for many, beyond it every element has to be in the message.
MAX_REPEATED_ELEMENTS = 1 << 23


class SavedModelSession:
    """One loaded SavedModel.

    Attributes:
        signatures: its signatures by name, as SignatureDef messages.
    """

    def __init__(self, folder: Path, *, intra_op_threads: int = 0, inter_op_threads: int = 0):
        """Loads the SavedModel in `folder` with the tag ``serve``.

        Args:
            folder: a SavedModel's folder.
            intra_op_threads: threads within one operation; 0 for one a core.
            inter_op_threads: threads over operations; 0 for one a core.

        Raises:
            ServingError: if TensorFlow cannot load it.
        """
        self._api = api = c_api.load()
        self._graph = api.TF_NewGraph()
        self._session: int | None = None
        self._operations: dict[str, c_api.Output] = {}
        config = wire.ConfigProto(
            intra_op_parallelism_threads=intra_op_threads,
            inter_op_parallelism_threads=inter_op_threads,
        ).SerializeToString()
        options = api.TF_NewSessionOptions()
        tags = (ctypes.c_char_p * 1)(SERVE_TAG)
        try:
            with api.status() as status:
                api.TF_SetConfig(options, config, len(config), status)
            with api.buffer() as meta_graph, api.status() as status:
                self._session = api.TF_LoadSessionFromSavedModel(
                    options, None, str(folder).encode(), tags, 1, self._graph, meta_graph, status
                )
                definition = wire.MetaGraphDef.FromString(c_api.buffer_bytes(meta_graph))
        except BaseException:
            api.TF_DeleteGraph(self._graph)
            raise
        finally:
            api.TF_DeleteSessionOptions(options)
        self.signatures: dict[str, Any] = {}
        for name, signature in definition.signature_def.items():
            if name not in INIT_SIGNATURES:
                # A copy, so that the graph that came in the same message can be freed.
                self.signatures[name] = wire.SignatureDef()
                self.signatures[name].CopyFrom(signature)

    def run(
        self,
        feeds: Sequence[tuple[str, int]],
        fetches: Sequence[str],
        timeout_ms: int | None = None,
    ) -> list[Array]:
        """Runs the graph.

        Args:
            feeds: pairs of a tensor's name and a TF_Tensor handle; handles stay the caller's.
            fetches: names of the tensors to compute.
            timeout_ms: bound of the run; None for none.

        Returns:
            One array a fetch.

        Raises:
            ServingError: with TensorFlow's own code and text.
        """
        api = self._api
        inputs = (c_api.Output * len(feeds))(*(self._output(name) for name, _ in feeds))
        values = (ctypes.c_void_p * len(feeds))(*(handle for _, handle in feeds))
        outputs = (c_api.Output * len(fetches))(*(self._output(name) for name in fetches))
        results = (ctypes.c_void_p * len(fetches))()
        with ExitStack() as stack:
            options = None
            if timeout_ms is not None:
                message = wire.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
                options = stack.enter_context(api.buffer(message))
            with api.status() as status:
                api.TF_SessionRun(
                    self._session,
                    options,
                    inputs,
                    values,
                    len(feeds),
                    outputs,
                    results,
                    len(fetches),
                    None,
                    0,
                    None,
                    status,
                )
            try:
                return [self._read(handle) for handle in results if handle is not None]
            finally:
                for handle in results:
                    api.TF_DeleteTensor(handle)

    def tensor(self, proto: Any) -> int | None:
        """Decodes a TensorProto with TensorFlow's own decoder.

        Returns:
            A TF_Tensor handle for `delete_tensor`, or None if the message is not a tensor.
        """
        if not _plausible(proto):
            return None
        api = self._api
        handle = api.TF_AllocateTensor(tensors.DT_FLOAT, None, 0, 4)
        try:
            with api.buffer(proto.SerializeToString()) as buffer, api.status() as status:
                api.TF_TensorFromProto(buffer, handle, status)
        except ServingError:
            api.TF_DeleteTensor(handle)
            return None
        return handle

    def tensor_of(self, array: Array) -> int:
        """Returns a TF_Tensor handle with the values of `array`, for `delete_tensor`.

        Raises:
            ServingError: if TensorFlow cannot hold it.
        """
        api = self._api
        if array.dtype == tensors.DT_STRING:
            handle = self.tensor(arrays.to_proto(array))
            if handle is None:
                raise ServingError(Code.INTERNAL, "a batch of strings is too large for a tensor")
            return handle
        values = np.ascontiguousarray(array.values)
        sizes = (ctypes.c_int64 * values.ndim)(*values.shape)
        handle = api.TF_AllocateTensor(array.dtype, sizes, values.ndim, values.nbytes)
        if values.nbytes:
            ctypes.memmove(api.TF_TensorData(handle), values.ctypes.data, values.nbytes)
        return handle

    def delete_tensor(self, handle: int) -> None:
        """Frees what `tensor` or `tensor_of` returned."""
        self._api.TF_DeleteTensor(handle)

    def close(self) -> None:
        """Frees the session, its variables and its tables; no `run` may be under way."""
        if self._session is None:
            return
        session, self._session = self._session, None
        with self._api.status() as status:
            self._api.TF_CloseSession(session, status)
        with self._api.status() as status:
            self._api.TF_DeleteSession(session, status)
        self._api.TF_DeleteGraph(self._graph)

    def _output(self, tensor_name: str) -> c_api.Output:
        found = self._operations.get(tensor_name)
        if found is None:
            operation, _, index = tensor_name.partition(":")
            handle = self._api.TF_GraphOperationByName(self._graph, operation.encode())
            if not handle or int(index or 0) >= self._api.TF_OperationNumOutputs(handle):
                raise ServingError(
                    Code.NOT_FOUND, f"the graph has no tensor {tensor_name}, named by a signature"
                )
            found = self._operations[tensor_name] = c_api.Output(handle, int(index or 0))
        return found

    def _read(self, handle: int) -> Array:
        api = self._api
        dtype = api.TF_TensorType(handle)
        store = arrays.storage(dtype)
        if store is None:
            raise ServingError(
                Code.UNIMPLEMENTED, f"cannot send a tensor of dtype number {dtype} to a client"
            )
        shape = [api.TF_Dim(handle, axis) for axis in range(api.TF_NumDims(handle))]
        count = math.prod(shape)
        data = api.TF_TensorData(handle)
        values = np.empty(count, store)
        if dtype == tensors.DT_STRING:
            values[:] = self._strings(data, count)
        elif count:
            ctypes.memmove(values.ctypes.data, data, values.nbytes)
        return Array(dtype, values.reshape(shape))

    def _strings(self, data: int, count: int) -> list[bytes]:
        api = self._api
        strings = []
        # One copy of all descriptors; asking the library for each would cost more than the model.
        raw = ctypes.string_at(data, count * STRING_BYTES) if count else b""
        for start in range(0, len(raw), STRING_BYTES):
            head = raw[start]
            if head & 3 == SHORT_STRING:
                strings.append(raw[start + 1 : start + 1 + (head >> 2)])
            else:
                address = data + start
                pointer, size = api.TF_StringGetDataPointer(address), api.TF_StringGetSize(address)
                strings.append(ctypes.string_at(pointer, size))
        return strings


def _plausible(proto: Any) -> bool:
    """Says no to a few bytes that claim to fill more memory than a request may take."""
    # An element takes at least one byte in any encoding.
    limit = max(MAX_REPEATED_ELEMENTS, proto.ByteSize())
    count = 1
    for dim in proto.tensor_shape.dim:
        count *= dim.size
        if dim.size < 0 or count > limit:
            return False
    return True
