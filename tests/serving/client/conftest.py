"""The official stubs, beside which the client is tested."""

import pytest

from tests.serving.conftest import Stubs


@pytest.fixture(scope="session")
def stubs(server):
    with Stubs(server.address) as connected:
        yield connected
