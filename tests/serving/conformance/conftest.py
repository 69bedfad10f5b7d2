"""The server that the suite asks, by address only.

Without the variables below it is an embedded server that the suite starts. To ask another one,
such as the official ``tensorflow_model_server``:

1. ``python -m tests.serving.tiny_models DIR`` writes the models, ``models.config`` and
   ``monitoring.config``.
2. Start it on them: ``--port=8500 --rest_api_port=8501 --model_config_file=DIR/models.config
   --monitoring_config_file=DIR/monitoring.config --enable_grpc_healthcheck_service``.
3. ``TFREC_TFS_ADDRESS=HOST:8500 TFREC_TFS_REST_ADDRESS=HOST:8501 pytest
   tests/serving/conformance``; with ``TFREC_TFS_MODELS=DIR``, as the server names the folder, the
   tests that replace its configuration run, too.

What needs a variable that is not set is skipped with a reason.
"""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ADDRESS_VARIABLE
from tests.serving.conftest import Stubs

REST_VARIABLE = "TFREC_TFS_REST_ADDRESS"
MODELS_VARIABLE = "TFREC_TFS_MODELS"
GOOD = [[1.0, 2.0], [3.0, 4.0]]


def of_another_server(variable):
    """Returns a setting of the other server, or None if the suite asks an embedded one."""
    if ADDRESS_VARIABLE not in os.environ:
        return None
    if variable not in os.environ:
        pytest.skip(f"needs {variable}, which says where the server at {ADDRESS_VARIABLE} is")
    return os.environ[variable]


@pytest.fixture(scope="session")
def address(request):
    return os.environ.get(ADDRESS_VARIABLE) or request.getfixturevalue("server").address


@pytest.fixture(scope="session")
def stubs(address):
    with Stubs(address) as connected:
        yield connected


@pytest.fixture(scope="session")
def models_folder(request):
    """The folder with the models, as the server names it."""
    given = of_another_server(MODELS_VARIABLE)
    return Path(given) if given else request.getfixturevalue("models")


@pytest.fixture(scope="session")
def rest(request):
    """Asks by REST: ``rest(path, body)`` returns the HTTP status and the JSON of the answer."""
    server = of_another_server(REST_VARIABLE) or request.getfixturevalue("server").rest_address

    def ask(path, body=None, *, method=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://{server}{'' if path.startswith('/') else '/v1/models/'}{path}"
        try:
            call = urllib.request.Request(url, data, method=method)
            with urllib.request.urlopen(call, timeout=20) as response:
                return response.status, read(response)
        except urllib.error.HTTPError as error:
            return error.code, read(error)

    def read(response):
        text = response.read().decode()
        return json.loads(text) if "json" in response.headers["Content-Type"] else text

    return ask


@pytest.fixture(autouse=True)
def answers_afterwards(stubs):
    """Whatever a test sent, a good request is answered after it."""
    yield
    outputs = stubs.predict("kinds", x=np.float32(GOOD)).outputs
    assert tf.make_ndarray(outputs["y"]).tolist() == [[2.0, 4.0], [6.0, 8.0]]
