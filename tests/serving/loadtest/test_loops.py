"""Both loops on a clock and a server of our own."""

import threading
from types import SimpleNamespace

import grpc
import pytest

from serving import tensors, wire
from serving.loadtest import loops
from serving.loadtest.loops import PreparedCall, closed_loop, open_loop

CALLS = [PreparedCall("recommend", b"first"), PreparedCall("similar", b"second")]


def response(*items, version=3):
    message = wire.PredictResponse()
    message.model_spec.version.value = version
    message.outputs["item_id"].CopyFrom(tensors.make(tensors.DT_STRING, [1, len(items)], items))
    return message


class Answered:
    """A call that has ended."""

    def __init__(self, answer):
        self._answer = answer

    def add_done_callback(self, callback):
        callback(self)

    def code(self):
        is_code = isinstance(self._answer, grpc.StatusCode)
        return self._answer if is_code else grpc.StatusCode.OK

    def result(self):
        return self._answer


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when somebody sleeps."""
    now = SimpleNamespace(seconds=100.0)

    def sleep(seconds):
        now.seconds += seconds

    now.sleep = sleep
    fake = SimpleNamespace(perf_counter=lambda: now.seconds, sleep=sleep)
    monkeypatch.setattr(loops, "time", fake)
    return now


def test_a_server_that_stalls_is_charged_for_every_request_that_was_due(clock):
    stalls = iter([1.0])

    def send(_):
        clock.sleep(next(stalls, 0.0))
        return Answered(response("a"))

    due = [number / 10 for number in range(15)]
    samples = open_loop(send, CALLS, due)
    # The first takes one second, in which ten more become due: they waited 0.9, 0.8, … seconds.
    # A loop that waits for answers would have reported one slow request, and fourteen of 0 s.
    expected = [max(0.0, 1.0 - moment) for moment in due]
    assert [one.latency for one in samples] == pytest.approx(expected)
    assert [one.late for one in samples] == pytest.approx([0.0, *expected[1:]])
    assert [one.kind for one in samples[:3]] == ["recommend", "similar", "recommend"]


def test_requests_are_sent_when_due_and_not_earlier(clock):
    sent = []

    def send(request):
        sent.append((request, clock.seconds))
        return Answered(response("a"))

    open_loop(send, CALLS, [0.0, 0.5, 0.75])
    assert sent == [(b"first", 100.0), (b"second", 100.5), (b"first", 100.75)]


def test_an_open_loop_does_not_wait_for_answers():
    """All requests are under way before the first is answered."""
    waiting = []

    class Waiting(Answered):
        def add_done_callback(self, callback):
            waiting.append((self, callback))
            if len(waiting) == 5:
                for call, done in waiting:
                    threading.Thread(target=done, args=(call,)).start()

    samples = open_loop(lambda _: Waiting(response("a")), CALLS, [0.0] * 5)
    assert len(samples) == 5


def test_the_status_and_the_version_of_an_answer_are_noted():
    answers = iter(
        [
            response("a", version=7),
            response("", version=7),
            grpc.StatusCode.UNAVAILABLE,
            wire.PredictResponse(),
        ]
    )
    samples = open_loop(lambda _: Answered(next(answers)), CALLS, [0.0] * 4)
    assert [(one.code, one.version) for one in samples] == [
        ("OK", 7),
        ("EMPTY", 7),
        ("UNAVAILABLE", 0),
        ("EMPTY", 0),
    ]


def test_a_ranking_answers_with_scores_alone():
    message = wire.PredictResponse()
    message.outputs["score"].CopyFrom(tensors.make(tensors.DT_FLOAT, [1, 1], [0.5]))
    (sample,) = open_loop(lambda _: Answered(message), CALLS, [0.0])
    assert sample.code == "OK"


def test_stop_ends_an_endless_test_and_observers_see_every_sample():
    stop, seen = threading.Event(), []

    def observe(sample):
        seen.append(sample)
        if len(seen) == 3:
            stop.set()

    endless = iter(int, 1)
    samples = open_loop(
        lambda _: Answered(response("a")), CALLS, endless, stop=stop, observe=observe
    )
    assert samples == seen
    assert len(seen) == 3


def test_clients_of_a_closed_loop_ask_at_the_same_time_and_each_waits_for_its_answer():
    clients, stop = 3, threading.Event()
    all_ask = threading.Barrier(clients)
    mine = threading.local()
    overlapping = []

    class Slow(Answered):
        def code(self):
            if not hasattr(mine, "answers"):
                mine.answers = 0
                # Passes when every client waits for its first answer.
                all_ask.wait(10)
            mine.waiting = False
            return super().code()

    def send(_):
        overlapping.append(getattr(mine, "waiting", False))
        mine.waiting = True
        return Slow(response("a"))

    def observe(_):
        if len(overlapping) >= 30:
            stop.set()

    samples = closed_loop(send, CALLS, 60.0, clients=clients, stop=stop, observe=observe)
    assert 30 <= len(samples) == len(overlapping) < 40
    assert not any(overlapping)
    assert {one.kind for one in samples} == {"recommend", "similar"}


def test_a_closed_loop_ends_in_time(clock):
    def send(_):
        clock.sleep(0.25)
        return Answered(response("a"))

    samples = closed_loop(send, CALLS, 1.0, clients=1)
    assert [one.due for one in samples] == [0.0, 0.25, 0.5, 0.75]
    assert [one.latency for one in samples] == [0.25] * 4
