"""Checkpoints of PyTorch are read without it, and run nothing."""

import io
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from tfrec.errors import UserError
from tfrec.images.torch_weights import read_state_dict

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """Stands for a storage, which PyTorch pickles as a persistent id."""

    def __init__(self, key, values):
        self.key, self.values = key, np.array(values, np.float32)


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch(monkeypatch):
    """Modules under PyTorch's names, which pickles only name."""
    module, utilities = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("nothing of the file's is called")

    class FloatStorage:
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    utilities._rebuild_tensor_v2 = _rebuild_tensor_v2
    module.FloatStorage = FloatStorage
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utilities)
    return module


def checkpoint(torch, content, storages, *, magic=MAGIC) -> bytes:
    file = io.BytesIO()
    for value in (magic, PROTOCOL, {"little_endian": True}):
        pickle.dump(value, file, 2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if isinstance(obj, Storage):
                return ("storage", torch.FloatStorage, obj.key, "cpu", len(obj.values), None)
            return None

    Pickler(file, 2).dump(content)
    pickle.dump([storage.key for storage in storages], file, 2)
    for storage in storages:
        file.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
    return file.getvalue()


@pytest.fixture
def content(torch):
    one, two = Storage("1", range(6)), Storage("2", [7, 8])
    tensors = OrderedDict(
        matrix=Tensor(one, 0, (2, 3), (3, 1), False, OrderedDict()),
        turned=Tensor(one, 0, (3, 2), (1, 3), False, OrderedDict()),
        part=Tensor(one, 4, (2,), (1,), False, OrderedDict()),
        scalar=Tensor(two, 1, (), (), False, OrderedDict()),
    )
    return checkpoint(torch, tensors, [one, two])


def test_tensors_and_views(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    found = read_state_dict(tmp_path / "w.pth")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "matrix": [[0, 1, 2], [3, 4, 5]],
        "turned": [[0, 3], [1, 4], [2, 5]],
        "part": [4, 5],
        "scalar": 8,
    }
    assert {tensor.dtype for tensor in found.values()} == {np.dtype(np.float32)}


def test_any_cut_is_a_sentence(tmp_path, content):
    for end in [0, 1, 5, *range(10, len(content), 13), len(content) - 1]:
        (tmp_path / "w.pth").write_bytes(content[:end])
        with pytest.raises(UserError, match="is not a whole checkpoint"):
            read_state_dict(tmp_path / "w.pth")


class Runs:
    """Would make a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_runs_something_is_refused(tmp_path, torch):
    made = tmp_path / "made"
    (tmp_path / "w.pth").write_bytes(checkpoint(torch, {"a": Runs(made)}, []))
    with pytest.raises(UserError, match=r"it holds a (_?io|builtins)\.open"):
        read_state_dict(tmp_path / "w.pth")
    assert not made.exists()


@pytest.mark.parametrize(
    "place", [(0, (7,), (1,)), (-1, (2,), (1,)), (0, (2, 3), (4, 1)), (0, (2,), (-1,))]
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, torch, place):
    storage = Storage("1", range(6))
    tensor = Tensor(storage, *place, False, OrderedDict())
    (tmp_path / "w.pth").write_bytes(checkpoint(torch, {"a": tensor}, [storage]))
    with pytest.raises(UserError, match="beyond its storage"):
        read_state_dict(tmp_path / "w.pth")


def test_another_file_and_none(tmp_path, torch):
    (tmp_path / "w.pth").write_bytes(checkpoint(torch, {}, [], magic=7))
    with pytest.raises(UserError, match="does not begin as one"):
        read_state_dict(tmp_path / "w.pth")
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_state_dict(tmp_path / "none.pth")
