"""Reads the tensors of a PyTorch checkpoint of the old format, without PyTorch."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tfrec.errors import UserError

# The two numbers that files of `torch.save` before version 1.6 begin with, each a pickle.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8", "IntStorage": "<i4"}


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a checkpoint by name.

    A pickle may run any program, so nothing is unpickled but the storages and tensors that a
    `state_dict` consists of.

    Raises:
        UserError: if the file is missing, cut short or something else.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        raise UserError(f"the weights {path} cannot be read: {error.strerror}") from error
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a whole checkpoint of tensors ({error}); copy or install it again"
        ) from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    for expected in (_MAGIC, _PROTOCOL):
        if _Unpickler(file, {}).load() != expected:
            raise ValueError("it does not begin as one")
    _Unpickler(file, {}).load()  # what machine wrote it
    storages: dict[str, np.ndarray] = {}
    tensors = _Unpickler(file, storages).load()
    for key in _Unpickler(file, {}).load():
        count = int.from_bytes(file.read(8), "little")
        storage = storages[key]
        if count != len(storage):
            raise ValueError(f"a tensor has {count} numbers, not {len(storage)}")
        content = file.read(storage.nbytes)
        # A view on the storage, where tensors may share it.
        storage[:] = np.frombuffer(content, storage.dtype)
    return {name: np.array(tensor) for name, tensor in tensors.items()}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO | io.BytesIO, storages: dict[str, np.ndarray]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _TYPES:
            return np.dtype(_TYPES[name])
        raise pickle.UnpicklingError(f"it holds a {module}.{name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it holds a {kind}")
        if key not in self._storages:
            self._storages[key] = np.zeros(count, dtype)
        return self._storages[key]


def _tensor(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    strides = tuple(step * storage.itemsize for step in stride)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if offset < 0 or min((*size, *stride), default=0) < 0 or last >= max(1, len(storage)):
        raise ValueError("a tensor goes beyond its storage")
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)
