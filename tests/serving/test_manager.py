"""Replacing the configuration while serving, without TensorFlow."""

import threading
import time

import pytest

from serving import wire
from serving.server.manager import ModelManager
from serving.server.model_configs import ModelConfig, Policy
from serving.server.states import State
from serving.server.statuses import Code, ServingError
from tests.serving.test_served_model import Loader, publish


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def manage(tmp_path, loader):
    """Makes a manager that watches; models lie in `tmp_path`."""
    made = []

    def make(*configs, **options):
        manager = ModelManager(configs, loader, **{"poll_seconds": 0, **options})
        made.append(manager)
        assert manager.load_once() == []
        manager.watch()
        return manager

    yield make
    for manager in made:
        manager.close(5)


@pytest.fixture
def model(tmp_path):
    """Returns a config of a model whose versions are published first."""

    def make(name, *versions, **options):
        publish(
            tmp_path / name, *(one for one in versions if not (tmp_path / name / str(one)).exists())
        )
        return ModelConfig(name, tmp_path / name, **options)

    return make


def spec(name, version=None, label=None):
    message = wire.ModelSpec(name=name)
    if version is not None:
        message.version.value = version
    if label is not None:
        message.version_label = label
    return message


def version_of(manager, *arguments, **options):
    with manager.servable(spec(*arguments, **options)) as servable:
        return servable.version


def refusal(call, *arguments, **options):
    with pytest.raises(ServingError) as caught:
        call(*arguments, **options)
    return caught.value.code, caught.value.text


def test_a_version_renamed_into_place_is_found_before_the_next_look(manage, model, tmp_path):
    manager = manage(model("a", 1), poll_seconds=3600.0)
    publish(tmp_path / "beside", 2)
    (tmp_path / "beside" / "2").rename(tmp_path / "a" / "2")
    deadline = time.monotonic() + 60
    while version_of(manager, "a") != 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert version_of(manager, "a") == 2


def test_a_reload_replaces_everything(manage, model):
    manager = manage(model("a", 1), model("b", 1))
    manager.reload((model("b", 1), model("c", 3)))
    assert version_of(manager, "b") == 1
    assert version_of(manager, "c") == 3
    assert refusal(version_of, manager, "a") == (
        Code.NOT_FOUND,
        "Servable not found for request: Latest(a)",
    )
    assert [one.state for one in manager.models["a"].statuses.all()] in (
        [State.UNLOADING],
        [State.END],
    )


def test_a_reload_returns_when_the_new_model_answers(manage, model, loader):
    manager = manage(model("a", 1))
    slow = threading.Event()
    load = loader.__class__.__call__

    class Slow(Loader):
        def __call__(self, name, version, folder):
            slow.wait(60)
            return load(self, name, version, folder)

    manager._load = Slow()
    reloading = threading.Thread(target=manager.reload, args=((model("b", 1),),))
    reloading.start()
    reloading.join(0.1)
    assert reloading.is_alive()
    slow.set()
    reloading.join(60)
    assert not reloading.is_alive()
    assert version_of(manager, "b") == 1


def test_a_reload_ends_when_nobody_waits(manage, model, tmp_path):
    manager = manage(model("a", 1))
    (tmp_path / "empty").mkdir()
    started = time.monotonic()
    manager.reload((ModelConfig("b", tmp_path / "empty"),), lambda: False)
    assert time.monotonic() - started < 5
    # What comes later is loaded as soon as the folder is looked at.
    publish(tmp_path / "empty", 2)
    manager.reload((ModelConfig("b", tmp_path / "empty"),))
    assert version_of(manager, "b") == 2


def test_a_model_that_cannot_be_loaded_is_said(manage, model, loader):
    manager = manage(model("a", 1), max_retries=0)
    loader.broken = {7}
    code, text = refusal(manager.reload, (model("a", 1), model("b", 7)))
    assert (code, text) == (Code.UNKNOWN, "Some models did not become available: {b}")
    assert version_of(manager, "a") == 1


def test_a_policy_may_change(manage, model):
    manager = manage(model("a", 1, 2, 3))
    assert manager.models["a"].available() == [3]
    manager.reload((model("a", 1, 2, 3, policy=Policy("all")),))
    assert manager.models["a"].available() == [3, 2, 1]
    manager.reload((model("a", 1, 2, 3, policy=Policy("specific", versions=(2,))),))
    assert manager.models["a"].available() == [2]
    assert version_of(manager, "a", version=2) == 2
    assert refusal(version_of, manager, "a", version=3)[0] == Code.NOT_FOUND


def test_a_model_comes_back(manage, model):
    manager = manage(model("a", 1))
    manager.reload(())
    assert refusal(version_of, manager, "a")[0] == Code.NOT_FOUND
    manager.reload((model("a", 1),))
    assert version_of(manager, "a") == 1


def test_labels_name_loaded_versions(manage, model):
    manager = manage(model("a", 1, 2, policy=Policy("all")))
    both = {"policy": Policy("all"), "labels": {"stable": 1, "canary": 2}}
    manager.reload((model("a", 1, 2, **both),))
    assert version_of(manager, "a", label="stable") == 1
    assert version_of(manager, "a", label="canary") == 2
    for wrong in ("beta", ""):
        assert refusal(version_of, manager, "a", label=wrong) == (
            Code.INVALID_ARGUMENT,
            f"Unrecognized servable version label: {wrong}",
        )


def test_a_label_for_a_version_that_is_not_loaded_changes_nothing(manage, model):
    manager = manage(model("a", 1, labels={}))
    manager.reload((model("a", 1, labels={"stable": 1}),))
    wrong = (model("a", 1, labels={"stable": 9}), model("b", 1))
    assert refusal(manager.reload, wrong) == (
        Code.FAILED_PRECONDITION,
        "Request to assign label to version 9 of model a, which is not currently available for "
        "inference",
    )
    assert version_of(manager, "a", label="stable") == 1
    assert "b" not in manager.models


def test_new_labels_may_be_ahead_of_their_version_if_allowed(manage, model):
    ahead = model("a", 1, labels={"stable": 1})
    with pytest.raises(ServingError, match="Request to assign label to version 1 of model a"):
        manage(ahead)
    manager = manage(ahead, allow_labels_for_unavailable=True)
    assert version_of(manager, "a", label="stable") == 1
    # Moving a label is what clients would notice.
    moved = (model("a", 1, labels={"stable": 2}),)
    assert refusal(manager.reload, moved)[0] == Code.FAILED_PRECONDITION


def test_requests_keep_their_model_through_a_reload(manage, model, loader):
    manager = manage(model("a", 1))
    with manager.servable(spec("a")) as servable:
        manager.reload(())
        assert not loader.sessions[1].closed
        assert servable.version == 1
    for thread in manager.models["a"]._closing:
        thread.join(5)
    assert loader.sessions[1].closed
