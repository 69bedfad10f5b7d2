"""The small shop before and after its first update."""

import pytest

from tests.updating.small_shop import Shop, make_shop
from tfrec.updating.update import Updated


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    """The shop as it is before its first update."""
    return make_shop(tmp_path_factory.mktemp("updating"))


class Stopped(BaseException):
    """Stands for a kill: nothing in an update may catch it."""


def update_with_stops(shop: Shop, **settings) -> tuple[Updated, list[str]]:
    """Runs an update that is stopped after each step, again and again until it ends.

    Returns:
        What the last call returned, and the steps in the order in which they were first ended.
    """
    stopped: list[str] = []

    def stop(step: str) -> None:
        if step not in stopped:
            stopped.append(step)
            raise Stopped(step)

    while True:
        try:
            return shop.update(on_step=stop, **settings), stopped
        except Stopped:
            continue


@pytest.fixture(scope="session")
def updated_shop(shop, tmp_path_factory) -> tuple[Shop, Updated, list[str]]:
    """The shop after its first week, taken in by an update that was stopped after every step."""
    copy = shop.copy(tmp_path_factory.mktemp("updated"))
    return copy, *update_with_stops(copy)
