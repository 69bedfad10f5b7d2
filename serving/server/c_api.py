"""TensorFlow's C API, called by ctypes on the library inside the TensorFlow package.

The model server needs TensorFlow's runtime, not its Python: loading the library takes about a
second, where ``import tensorflow`` takes several and twice the memory, and the C++ runtime
answers bad feeds with exactly the codes and texts that TensorFlow Serving passes on.
"""

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from serving.server.statuses import Code, ServingError

LIBRARY_NAMES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")


class Output(ctypes.Structure):
    """TF_Output: one output of an operation."""

    _fields_ = (("oper", ctypes.c_void_p), ("index", ctypes.c_int))


_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p
_INT = ctypes.c_int
_INT64 = ctypes.c_int64
_SIZE = ctypes.c_size_t

# Functions that may take long: called without the interpreter's lock.
_BLOCKING: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_LoadLibrary": (_POINTER, (_TEXT, _POINTER)),
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        (
            _POINTER,
            _POINTER,
            _TEXT,
            ctypes.POINTER(_TEXT),
            _INT,
            _POINTER,
            _POINTER,
            _POINTER,
        ),
    ),
    "TF_SessionRun": (
        None,
        (
            _POINTER,
            _POINTER,
            ctypes.POINTER(Output),
            ctypes.POINTER(_POINTER),
            _INT,
            ctypes.POINTER(Output),
            ctypes.POINTER(_POINTER),
            _INT,
            _POINTER,
            _INT,
            _POINTER,
            _POINTER,
        ),
    ),
    "TF_CloseSession": (None, (_POINTER, _POINTER)),
    "TF_DeleteSession": (None, (_POINTER, _POINTER)),
    "TF_DeleteGraph": (None, (_POINTER,)),
}

# Functions that take microseconds: called with the lock held, because giving it up and asking
# for it again would cost more than the call, and milliseconds when other threads are busy.
_QUICK: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_Version": (_TEXT, ()),
    "TF_NewStatus": (_POINTER, ()),
    "TF_DeleteStatus": (None, (_POINTER,)),
    "TF_GetCode": (_INT, (_POINTER,)),
    "TF_Message": (_TEXT, (_POINTER,)),
    "TF_NewBuffer": (_POINTER, ()),
    "TF_NewBufferFromString": (_POINTER, (_TEXT, _SIZE)),
    "TF_DeleteBuffer": (None, (_POINTER,)),
    "TF_NewSessionOptions": (_POINTER, ()),
    "TF_DeleteSessionOptions": (None, (_POINTER,)),
    "TF_SetConfig": (None, (_POINTER, _TEXT, _SIZE, _POINTER)),
    "TF_NewGraph": (_POINTER, ()),
    "TF_GraphOperationByName": (_POINTER, (_POINTER, _TEXT)),
    "TF_OperationNumOutputs": (_INT, (_POINTER,)),
    "TF_AllocateTensor": (_POINTER, (_INT, ctypes.POINTER(_INT64), _INT, _SIZE)),
    "TF_DeleteTensor": (None, (_POINTER,)),
    "TF_TensorFromProto": (None, (_POINTER, _POINTER, _POINTER)),
    "TF_TensorType": (_INT, (_POINTER,)),
    "TF_NumDims": (_INT, (_POINTER,)),
    "TF_Dim": (_INT64, (_POINTER, _INT)),
    "TF_TensorByteSize": (_SIZE, (_POINTER,)),
    "TF_TensorData": (_POINTER, (_POINTER,)),
    "TF_StringGetDataPointer": (_POINTER, (_POINTER,)),
    "TF_StringGetSize": (_SIZE, (_POINTER,)),
}


class CApi:
    """The functions of the C API as attributes, with their types declared."""

    def __init__(self, library: Path) -> None:
        # These go to the process's stderr when the library starts, before any log level of ours.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for loader, table in (
            (ctypes.CDLL(str(library)), _BLOCKING),
            (ctypes.PyDLL(str(library)), _QUICK),
        ):
            for name, (result, arguments) in table.items():
                function = getattr(loader, name)
                function.restype = result
                function.argtypes = arguments
                setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} is not declared in serving/server/c_api.py")

    @contextmanager
    def status(self) -> Iterator[int]:
        """Yields a TF_Status; raises what it holds when the block ends.

        Raises:
            ServingError: with the code and text of the status, unless it is OK.
        """
        status = self.TF_NewStatus()
        try:
            yield status
            code = self.TF_GetCode(status)
            if code:
                text = self.TF_Message(status).decode("utf-8", errors="replace")
                raise ServingError(Code(code), text)
        finally:
            self.TF_DeleteStatus(status)

    @contextmanager
    def buffer(self, data: bytes | None = None) -> Iterator[int]:
        """Yields a TF_Buffer: a copy of `data`, or an empty one for the library to fill."""
        handle = (
            self.TF_NewBuffer() if data is None else self.TF_NewBufferFromString(data, len(data))
        )
        try:
            yield handle
        finally:
            self.TF_DeleteBuffer(handle)


class BufferStruct(ctypes.Structure):
    """TF_Buffer, to read one that the library filled."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t))


def buffer_bytes(handle: int) -> bytes:
    """Returns a copy of what a TF_Buffer holds."""
    buffer = BufferStruct.from_address(handle)
    return ctypes.string_at(buffer.data, buffer.length) if buffer.data else b""


def package_folder(name: str) -> Path | None:
    """Returns the folder of an installed package without importing it, or None."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@functools.cache
def load() -> CApi:
    """Loads TensorFlow's library and TF Text's ops, once a process.

    Raises:
        RuntimeError: if the TensorFlow package is missing or lacks the library, or if TF Text
            does not fit it.
    """
    folder = package_folder("tensorflow")
    candidates = [folder / name for name in LIBRARY_NAMES] if folder else []
    library = next((path for path in candidates if path.exists()), None)
    if library is None:
        raise RuntimeError(
            "the embedded server needs the package tensorflow (2.20) with its C++ library; "
            "install it with pip, or give --binary a tensorflow_model_server"
        )
    api = CApi(library)
    text = package_folder("tensorflow_text")
    for ops in sorted((text / "python" / "ops").glob("*.so")) if text else []:
        # The handle is kept by the library for the life of the process: ops cannot be unloaded.
        try:
            with api.status() as status:
                api.TF_LoadLibrary(str(ops).encode(), status)
        except ServingError as error:
            raise RuntimeError(
                f"the installed tensorflow_text does not fit the installed tensorflow "
                f"({error.text}); install the same minor version of both"
            ) from error
    return api
