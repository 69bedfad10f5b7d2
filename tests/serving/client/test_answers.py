from serving import tensors
from serving.client.answers import recommendations
from serving.client.results import Reason


def test_what_a_batching_server_padded_is_cut_off():
    """Two candidates that were ranked beside a list of four."""
    outputs = {
        "item_id": tensors.make(tensors.DT_STRING, [1, 2], ["a", "b"]),
        "score": tensors.make(tensors.DT_FLOAT, [1, 4], [0.5, 0.25, 9.0, 9.0]),
        "probability_buy": tensors.make(tensors.DT_FLOAT, [1, 4], [0.75, 0.5, 9.0, 9.0]),
    }
    answer = recommendations(outputs, 10)
    assert [(item.item_id, item.score) for item in answer] == [("a", 0.5), ("b", 0.25)]
    assert [item.probabilities for item in answer] == [{"buy": 0.75}, {"buy": 0.5}]


def test_reasons_are_those_of_the_item():
    outputs = {
        "item_id": tensors.make(tensors.DT_STRING, [1, 2], ["a", "b"]),
        "score": tensors.make(tensors.DT_FLOAT, [1, 2], [0.5, 0.25]),
        "reason_item_id": tensors.make(tensors.DT_STRING, [1, 2], ["x", ""]),
        "reason_item_ids": tensors.make(tensors.DT_STRING, [1, 2, 2], ["x", "y", "", ""]),
        "reason_weights": tensors.make(tensors.DT_FLOAT, [1, 2, 2], [0.5, 0.25, 0.0, 0.0]),
        "reason_words": tensors.make(tensors.DT_STRING, [1, 2, 2], ["red", "", "", ""]),
    }
    first, second = recommendations(outputs, 10)
    assert first.reasons == (Reason("x", 0.5), Reason("y", 0.25))
    assert (first.reason_words, second.reasons, second.reason_words) == (("red",), (), ())
