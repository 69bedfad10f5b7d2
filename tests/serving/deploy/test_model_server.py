"""The model server starts as the files start it, and its health check tells."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

from serving.client import RecommenderClient
from serving.process import start_server
from tests.serving.deploy.conftest import DEPLOY
from tests.serving.deploy.test_programs import arguments
from tests.serving.tiny_models import ITEMS

MODEL_CONFIG = "--model_config_file"


def test_the_server_starts_with_these_flags_and_its_health_check_passes(models, compose):
    """The embedded server takes the official one's flags; the folders are ours."""
    flags = [
        flag.replace("/config/", f"{DEPLOY}/")
        for flag in arguments("model-server")
        # Names a folder that only the container has; `start_server` writes one like it.
        if not flag.startswith(f"{MODEL_CONFIG}=")
    ]
    check = compose["services"]["model-server"]["healthcheck"]["test"]
    assert check[0] == "CMD"
    with start_server(models, rest_port=0, flags=flags) as server:
        port = server.rest_address.rpartition(":")[2]
        command = [part.replace("8501", port) for part in check[1:]]
        assert subprocess.run(command, timeout=20, check=False).returncode == 0
        with RecommenderClient(server.address) as client:
            # An answer of a hundred items, their reasons and a history of hundreds.
            described = client.describe(["A1"] * 700)
            assert {item.title for item in described} == {"red mug"}
            with ThreadPoolExecutor(8) as pool:
                # Share batches, in which shorter lists are padded.
                lists = [ITEMS[: 1 + number % len(ITEMS)] for number in range(120)]
                ranked = pool.map(lambda candidates: client.rank(["A1"], candidates), lists)
                assert [{item.item_id for item in one} for one in ranked] == [*map(set, lists)]
        gone = [part.replace("models/recommender", "models/nothing") for part in command]
        assert subprocess.run(gone, timeout=20, check=False).returncode != 0
    assert subprocess.run(command, timeout=20, check=False).returncode != 0
