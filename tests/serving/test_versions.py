"""What the server process does while versions come, go and are broken."""

import contextlib
import shutil
import signal
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2, prediction_log_pb2

from serving.client import RecommenderClient
from serving.errors import ServerUnreachableError
from serving.process import ServerStartError, free_port, start_server
from tests.serving import tiny_models
from tests.serving.conftest import Stubs, predict_request

FAST = ("--file_system_poll_wait_seconds=0.1", "--load_retry_interval_micros=300000")
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE
UNLOADING = get_model_status_pb2.ModelVersionStatus.UNLOADING
END = get_model_status_pb2.ModelVersionStatus.END


@pytest.fixture
def models(tmp_path):
    """A folder with one version of one model, whose scores start at 1000."""
    folder = tmp_path / "models"
    (folder / "retrieval").mkdir(parents=True)
    tiny_models.save_retrieval(folder / "retrieval" / "1", offset=1000.0)
    return folder


@contextlib.contextmanager
def serving(models, *flags):
    with start_server(models, flags=(*FAST, *flags)) as server, Stubs(server.address) as stubs:
        yield server, stubs


def eventually(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def similar_score(stubs):
    outputs = stubs.predict("retrieval", "similar", item_id=["A1"]).outputs
    return tf.make_ndarray(outputs["score"])[0, 0]


def states(stubs, model="retrieval"):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    response = stubs.model.GetModelStatus(request)
    return {status.version: status.state for status in response.model_version_status}


def test_a_new_version_takes_over_without_a_failed_request(models):
    with serving(models) as (_, stubs):
        scores, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                scores.append(similar_score(stubs))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        tiny_models.save_retrieval(models / "retrieval" / "20250101000000", offset=2000.0)
        eventually(lambda: states(stubs) == {1: END, 20250101000000: AVAILABLE})
        stop.set()
        for thread in threads:
            thread.join()
        # A failed request would have ended its thread with fewer answers than after the roll.
        assert set(scores) == {999.0, 1999.0}
        assert similar_score(stubs) == 1999.0


def test_a_request_under_way_ends_on_the_version_it_began_on(tmp_path):
    folder = tmp_path / "models" / "kinds"
    folder.mkdir(parents=True)
    tiny_models.save_kinds(folder / "1")
    tiny_models.save_kinds(tmp_path / "2")
    with serving(tmp_path / "models") as (_, stubs):
        request = predict_request("kinds", "slow", loops=np.int32(2**31 - 1))
        # The run ends with its deadline; a busy machine has to load the next version before.
        call = stubs.prediction.Predict.future(request, timeout=15)
        # The version is taken when the run starts, not when the client sends.
        time.sleep(0.3)
        (tmp_path / "2").rename(folder / "2")
        eventually(lambda: states(stubs, "kinds") == {1: UNLOADING, 2: AVAILABLE})
        assert stubs.predict("kinds", x=[[1.0, 2.0]]).model_spec.version.value == 2
        assert not call.done()
        assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        eventually(lambda: states(stubs, "kinds") == {1: END, 2: AVAILABLE})


def cut_the_variables(folder):
    data = folder / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1])


def lose_the_graph(folder):
    (folder / "saved_model.pb").unlink()


def lose_the_variables(folder):
    shutil.rmtree(folder / "variables")


def cut_the_graph(folder):
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])


DAMAGES = (cut_the_variables, lose_the_variables, lose_the_graph, cut_the_graph)


def test_a_half_copied_version_is_logged_and_the_old_one_keeps_serving(models, tmp_path):
    with serving(models, "--max_num_load_retries=1000") as (server, stubs):
        serves = 1
        for version, damage in enumerate(DAMAGES, 2):
            whole, damaged = tmp_path / f"{version}", tmp_path / f"damaged-{version}"
            tiny_models.save_retrieval(whole, offset=1000.0 * version)
            shutil.copytree(whole, damaged)
            damage(damaged)
            damaged.rename(models / "retrieval" / str(version))
            said = f"version {version} cannot be loaded"
            eventually(lambda said=said: said in server.log())
            assert f"version {serves} keeps serving; trying again in 0 s" in server.log()
            assert similar_score(stubs) == 1000.0 * serves - 1
            assert states(stubs)[serves] == AVAILABLE
            # The copy is finished: one of the next tries finds a whole version.
            shutil.copytree(whole, models / "retrieval" / str(version), dirs_exist_ok=True)
            expected = 1000.0 * version - 1
            eventually(lambda expected=expected: similar_score(stubs) == expected)
            serves = version


def test_a_broken_version_is_given_up_with_its_error(models):
    with serving(models, "--max_num_load_retries=1") as (server, stubs):
        (models / "retrieval" / "2").mkdir()
        eventually(lambda: states(stubs).get(2) == END)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "retrieval"
        request.model_spec.version.value = 2
        (status,) = stubs.model.GetModelStatus(request).model_version_status
        assert status.status.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        assert "Could not find SavedModel" in status.status.error_message
        assert "giving up" in server.log()


def test_deleting_the_newest_version_rolls_back(models):
    tiny_models.save_retrieval(models / "retrieval" / "2", offset=2000.0)
    with serving(models) as (_, stubs):
        assert similar_score(stubs) == 1999.0
        shutil.rmtree(models / "retrieval" / "2")
        eventually(lambda: states(stubs) == {2: END, 1: AVAILABLE})
        assert similar_score(stubs) == 999.0


def test_a_vocabulary_in_the_assets_is_read(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("\n".join(tiny_models.ITEMS) + "\n", encoding="utf-8")
    folder = tmp_path / "models" / "retrieval"
    folder.mkdir(parents=True)
    tiny_models.save_retrieval(folder / "1", vocabulary=words)
    words.unlink()
    with serving(tmp_path / "models") as (server, _), RecommenderClient(server.address) as client:
        (known, unknown) = client.describe(["C1", "x"])
        assert (known.title, unknown.known) == ("candle", False)


def test_a_tokenizer_in_the_graph_runs(tmp_path):
    words = tmp_path / "vocab.txt"
    words.write_text("\n".join(("[UNK]", "red", "mu", "##g", "起", "司")), encoding="utf-8")
    folder = tmp_path / "models" / "tokenizer"
    folder.mkdir(parents=True)
    tiny_models.save_tokenizer(folder / "1", words)
    with serving(tmp_path / "models") as (_, stubs):
        outputs = stubs.predict("tokenizer", text=["RED mug", "起司"]).outputs
        assert tf.make_ndarray(outputs["tokens"]).tolist() == [[1, 2, 3], [4, 5, -1]]


def write_warm_up(folder, *requests):
    (folder / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(folder / "assets.extra/tf_serving_warmup_requests")) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def test_warm_up_records_run_at_load(models):
    request = predict_request("retrieval", "similar", item_id=["A1"])
    write_warm_up(models / "retrieval" / "1", request, request)
    with serving(models) as (server, stubs):
        assert "2 warm-up requests" in server.log()
        assert similar_score(stubs) == 999.0


def test_a_failing_warm_up_record_fails_the_load(models):
    with serving(models) as (server, stubs):
        part = models / ".2"
        tiny_models.save_retrieval(part, offset=2000.0)
        write_warm_up(part, predict_request("retrieval", "similar", item_id=["A1"], x=[1]))
        part.rename(models / "retrieval" / "2")
        eventually(lambda: "version 2 cannot be loaded" in server.log())
        assert "input size does not match signature: 2!=1" in server.log()
        assert similar_score(stubs) == 999.0


def test_warm_up_can_be_switched_off(models):
    write_warm_up(models / "retrieval" / "1", predict_pb2.PredictRequest())
    with (
        pytest.raises(ServerStartError, match=r"version 1 of model retrieval cannot be loaded"),
        serving(models),
    ):
        pass
    with serving(models, "--enable_model_warmup=false") as (_, stubs):
        assert similar_score(stubs) == 999.0


def test_a_client_gets_over_a_restart(models):
    port = free_port()
    with start_server(models, port=port) as first, RecommenderClient(first.address) as client:
        assert client.similar("A1", titles=False)[0].score == 999.0
        first.process.kill()
        first.process.wait()
        with pytest.raises(ServerUnreachableError, match="no model server answers"):
            client.similar("A1", titles=False)
        with start_server(models, port=port):
            assert client.similar("A1", titles=False)[0].score == 999.0


def test_sigterm_lets_requests_end_and_exits_with_0(models):
    with start_server(models) as server, Stubs(server.address) as stubs:
        assert similar_score(stubs) == 999.0
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert "retrieval: version 1 is unloaded" in server.log()


def test_requests_under_way_are_answered_before_the_end(tmp_path):
    folder = tmp_path / "models" / "kinds"
    folder.mkdir(parents=True)
    tiny_models.save_kinds(folder / "1")
    with start_server(tmp_path / "models") as server, Stubs(server.address) as stubs:
        request = predict_request("kinds", "slow", loops=np.int32(30_000))
        call = stubs.prediction.Predict.future(request, timeout=60)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert call.result().outputs["done"].int_val[0] == 30_000
        assert server.process.wait(60) == 0


def test_the_log_holds_no_notices_of_tensorflow(models):
    with serving(models) as (server, stubs):
        similar_score(stubs)
        lines = server.log().splitlines()
        assert lines
        assert all(line.startswith("20") for line in lines), server.log()


def test_health_is_answered(models):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with serving(models) as (_, stubs):
        health = health_pb2_grpc.HealthStub(stubs.channel)
        for service in ("", "tensorflow.serving.PredictionService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_server_ends_with_the_process_that_started_it(models, run_python):
    code = (
        "import os, sys; from pathlib import Path; from serving.model_folder import find_models; "
        "from serving.process import ServerProcess, free_port; "
        "server = ServerProcess(find_models(Path(sys.argv[1])), port=free_port()); "
        "server.wait_until_ready(60); print(server.process.pid, flush=True); os._exit(1)"
    )
    pid = int(run_python("-c", code, str(models)).stdout)

    def gone():
        import psutil

        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    eventually(gone)
