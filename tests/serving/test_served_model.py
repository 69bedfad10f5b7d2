"""Version policies and the order of loads and unloads, without TensorFlow."""

import pytest

from serving.server.model_configs import ModelConfig, Policy
from serving.server.servable import Servable
from serving.server.served_model import ServedModel
from serving.server.states import State
from serving.server.statuses import Code, ServingError


class FakeSession:
    def __init__(self):
        self.closed = False

    def close(self):
        self.closed = True


class Loader:
    """Loads any version but those in `broken`, and notes what it did."""

    def __init__(self):
        self.broken = set()
        self.loaded = []
        self.sessions = {}

    def __call__(self, name, version, folder):
        self.loaded.append(version)
        if version in self.broken:
            raise ServingError(Code.DATA_LOSS, "cut off")
        self.sessions[version] = FakeSession()
        return Servable(name, version, self.sessions[version])


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "m"


def publish(folder, *names):
    for name in names:
        (folder / str(name)).mkdir(parents=True)


def states(model):
    return [(status.version, status.state) for status in model.statuses.all()]


def wait_for_unload(model):
    for thread in model._closing:
        thread.join(5)


def test_policies_choose():
    available = {1, 2, 10}
    assert Policy().choose(available) == [10]
    assert Policy("latest", count=2).choose(available) == [10, 2]
    assert Policy("all").choose(available) == [10, 2, 1]
    assert Policy("specific", versions=(1, 3)).choose(available) == [1]


def test_only_integer_folders_are_versions(folder, loader):
    publish(folder, "00003", ".4.part", "5x", "latest", "-6")
    (folder / "7").write_text("a file")
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    assert model.available() == [3]


def test_a_new_version_loads_before_the_old_one_unloads(folder, loader):
    publish(folder, 1)
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    publish(folder, 2)
    model.reconcile()
    wait_for_unload(model)
    assert model.available() == [2]
    assert states(model) == [(2, State.AVAILABLE), (1, State.END)]
    assert loader.sessions[1].closed
    assert not loader.sessions[2].closed


def test_a_request_keeps_its_version_until_it_ends(folder, loader):
    publish(folder, 1)
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    with model.acquire().in_use() as held:
        publish(folder, 2)
        model.reconcile()
        assert held.version == 1
        assert not loader.sessions[1].closed
        assert states(model) == [(2, State.AVAILABLE), (1, State.UNLOADING)]
        with model.acquire().in_use() as fresh:
            assert fresh.version == 2
    wait_for_unload(model)
    assert loader.sessions[1].closed
    assert states(model) == [(2, State.AVAILABLE), (1, State.END)]


def test_a_failed_load_leaves_the_old_version_and_is_tried_again(folder, loader):
    publish(folder, 1)
    model = ServedModel(ModelConfig("m", folder), loader, max_retries=5, retry_seconds=0)
    model.reconcile()
    publish(folder, 2)
    loader.broken = {2}
    model.reconcile()
    assert model.available() == [1]
    assert states(model) == [(2, State.LOADING), (1, State.AVAILABLE)]
    loader.broken = set()
    model.reconcile()
    assert model.available() == [2]


def test_after_the_last_retry_a_version_ends_with_its_error(folder, loader):
    publish(folder, 1)
    loader.broken = {1}
    model = ServedModel(ModelConfig("m", folder), loader, max_retries=2, retry_seconds=0)
    for _ in range(10):
        model.reconcile()
    assert loader.loaded == [1, 1, 1]
    (status,) = model.statuses.all()
    assert (status.state, status.code, status.text) == (State.END, Code.DATA_LOSS, "cut off")
    assert "version 1 of model m cannot be loaded (DATA_LOSS: cut off)" in model.trouble()


def test_retries_wait_their_interval(folder, loader):
    publish(folder, 1)
    loader.broken = {1}
    model = ServedModel(ModelConfig("m", folder), loader, retry_seconds=3600)
    for _ in range(10):
        model.reconcile()
    assert loader.loaded == [1]


def test_a_newer_version_ends_the_retries_of_a_broken_one(folder, loader):
    publish(folder, 1, 2)
    loader.broken = {2}
    model = ServedModel(ModelConfig("m", folder), loader, retry_seconds=0)
    model.reconcile()
    publish(folder, 3)
    model.reconcile()
    assert model.available() == [3]
    assert states(model) == [(3, State.AVAILABLE), (2, State.END)]


def test_removing_the_newest_version_rolls_back(folder, loader):
    publish(folder, 1, 2)
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    (folder / "2").rmdir()
    model.reconcile()
    wait_for_unload(model)
    assert model.available() == [1]
    assert states(model) == [(2, State.END), (1, State.AVAILABLE)]


def test_a_folder_that_cannot_be_read_changes_nothing(folder, loader):
    publish(folder, 1)
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    folder.rename(folder.with_name("moved"))
    model.reconcile()
    assert model.available() == [1]


def test_a_version_that_comes_back_is_loaded_again(folder, loader):
    publish(folder, 1, 2)
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    (folder / "2").rmdir()
    model.reconcile()
    publish(folder, 2)
    model.reconcile()
    assert model.available() == [2]
    assert loader.loaded == [2, 1, 2]


def test_close_waits_for_requests(folder, loader):
    publish(folder, 1)
    model = ServedModel(ModelConfig("m", folder), loader)
    model.reconcile()
    held = model.acquire()
    assert not model.close(0.05)
    assert not loader.sessions[1].closed
    held.release()
    assert model.close(5)
    assert loader.sessions[1].closed
