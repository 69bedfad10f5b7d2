"""A server that batches, asked by several clients at once."""

import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.process import start_server
from tests.serving import tiny_models
from tests.serving.conformance.messages import tensor
from tests.serving.conftest import Stubs, predict_request

# A batch waits so long that it is sure to be full.
PARAMETERS = """
max_batch_size { value: 4 }
batch_timeout_micros { value: 500000 }
max_enqueued_batches { value: 2 }
num_batch_threads { value: 1 }
pad_variable_length_inputs: true
"""


@pytest.fixture(scope="module")
def batching(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batching")
    (folder / "models" / "kinds").mkdir(parents=True)
    tiny_models.save_kinds(folder / "models" / "kinds" / "1")
    (folder / "parameters").write_text(PARAMETERS)
    flags = ("--enable_batching", f"--batching_parameters_file={folder / 'parameters'}")
    with start_server(folder / "models", flags=flags) as server:
        yield server


@pytest.fixture(scope="module")
def stubs(batching):
    with Stubs(batching.address) as connected:
        yield connected


def row(text, *, index=0, only=()):
    """Returns a request of one row: the letters of `text`, and a row to look up."""
    return predict_request(
        "kinds", "batch", x=[list(text)], row=np.array([index], np.int32), only=only
    )


def at_once(stubs, *requests):
    """Sends requests together; returns outputs by name, or the code of what failed."""
    outcomes = []
    for future in [stubs.prediction.Predict.future(one, timeout=20) for one in requests]:
        try:
            outputs = future.result().outputs
            outcomes.append({name: tf.make_ndarray(outputs[name]).tolist() for name in outputs})
        except grpc.RpcError as error:
            outcomes.append(error.code().name)
    return outcomes


def test_requests_of_any_length_share_a_batch_and_get_their_own_answers(stubs):
    words = ("a", "bcd", "ef", "ghij")
    answers = at_once(stubs, *(row(word) for word in words))
    assert [answer["joined"] for answer in answers] == [[word.encode()] for word in words]
    assert [answer["rows"] for answer in answers] == [[4]] * 4
    assert [answer["width"] for answer in answers] == [[4]] * 4


def test_only_who_fails_fails(stubs):
    answers = at_once(stubs, row("a"), row("b", index=9), row("c", index=1), row("d", index=2))
    assert answers[1] == "INVALID_ARGUMENT"
    assert [answers[place]["text"] for place in (0, 2, 3)] == [[b"zero"], [b"one"], [b"two"]]


def test_outputs_that_are_asked_for_are_batched_by_themselves(stubs):
    asked = [row(word, only=["joined", "rows"]) for word in ("a", "b", "c", "d")]
    answers = at_once(stubs, *asked)
    assert [answer["joined"] for answer in answers] == [[b"a"], [b"b"], [b"c"], [b"d"]]
    assert all(answer["rows"] == [4] and len(answer) == 2 for answer in answers)


def test_what_is_malformed_is_refused_as_without_batching(stubs):
    code, text = stubs.refusal(predict_request("kinds", x=np.array([[1, 2]], np.int64)))
    assert (code, text) == ("INVALID_ARGUMENT", "Expects arg[0] to be float but int64 is provided")
    for shape in ([1] * 300, [10**12, 2], [-1, 2]):
        code, text = stubs.refusal(predict_request("kinds", x=tensor(shape=shape, float_val=[1])))
        assert (code, text) == ("INVALID_ARGUMENT", "tensor parsing error: x")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            predict_request("kinds", "slow", loops=np.int32(1)),
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            predict_request("kinds", "batch", x=[["a"], ["b"]], row=np.array([0], np.int32)),
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        (
            predict_request("kinds", x=np.ones([5, 2], np.float32)),
            "Task size 5 is larger than maximum input batch size 4",
        ),
    ],
    ids=["scalar", "unequal-rows", "too-many-rows"],
)
def test_what_cannot_be_batched_is_refused_in_the_official_words(stubs, request_, text):
    assert stubs.refusal(request_) == ("INVALID_ARGUMENT", text)


def test_a_full_queue_is_unavailable(stubs):
    def three(width):
        return predict_request("kinds", "batch", x=[["a"] * width] * 3, row=np.zeros(3, np.int32))

    # Lengths so different that they wait for batches of their own: 9 rows where 8 may wait.
    answers = at_once(stubs, three(1), three(33), three(65))
    assert sorted(isinstance(answer, str) for answer in answers) == [False, False, True]
    assert "UNAVAILABLE" in answers


def test_a_deadline_holds_in_the_queue(stubs):
    assert stubs.refusal(row("a"), timeout=0.2)[0] == "DEADLINE_EXCEEDED"


def test_many_clients_get_their_own_answers(batching):
    words = ["".join(chr(97 + (number + place) % 26) for place in range(1 + number % 40))
             for number in range(160)]  # fmt: skip

    def ask(some):
        with Stubs(batching.address) as stubs:
            return [
                tf.make_ndarray(stubs.call(row(word)).outputs["joined"]).tolist() for word in some
            ]

    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, [words[start::8] for start in range(8)]))
    assert answers == [[[word.encode()] for word in words[start::8]] for start in range(8)]
