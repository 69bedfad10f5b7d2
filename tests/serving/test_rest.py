"""The REST face: rows and columns, status, metadata, errors."""

import base64
import json
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def call(server):
    def ask(path, body=None):
        url = f"http://{server.rest_address}/v1/models/{path}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return ask


def test_rows_of_one_input_need_no_names(call):
    status, answer = call("kinds:predict", {"instances": [[1.0, 2.0], [3.0, 4.5]]})
    assert status == 200
    assert answer == {
        "predictions": [
            {"y": [2.0, 4.0], "z": [2.0, 3.0]},
            {"y": [6.0, 9.0], "z": [4.0, 5.5]},
        ]
    }


def test_columns_answer_columns(call):
    for inputs in ([[1, 2]], {"x": [[1, 2]]}):
        answer = call("kinds/versions/1:predict", {"inputs": inputs})
        assert answer == (200, {"outputs": {"y": [[2.0, 4.0]], "z": [[2.0, 3.0]]}})


def test_rows_of_several_inputs_are_objects(call):
    row = {
        "history_item_id": ["B1", "A1"],
        "history_event": ["", ""],
        "history_timestamp": [0, 0],
        "exclude_item_id": [""],
        "context_country": "France",
    }
    status, answer = call("recommender:predict", {"instances": [row, row]})
    assert status == 200
    assert [row["item_id"][0] for row in answer["predictions"]] == ["A2", "A2"]
    assert answer["predictions"][0]["probability_return"] == [0.25] * 4


def test_strings_may_come_as_base64_and_a_single_output_is_unwrapped(call):
    encoded = {"b64": base64.b64encode("Ü-ber".encode()).decode()}
    body = {"signature_name": "describe", "instances": [encoded, "zz"]}
    status, answer = call("retrieval:predict", body)
    assert status == 200
    assert [row["known"] for row in answer["predictions"]] == [True, False]
    assert answer["predictions"][0]["title"] == "Käse 起司"
    history = {"history_item_id": [["A1"]], "history_event": [[""]], "history_timestamp": [[0]]}
    body = {"signature_name": "embed_query", "inputs": history | {"context_country": [""]}}
    assert call("retrieval:predict", body) == (200, {"outputs": [[0.0, -1.0, -2.0]]})


def test_status_and_metadata(call):
    assert call("kinds") == call("kinds/versions/1")
    assert call("kinds") == (
        200,
        {
            "model_version_status": [
                {
                    "version": "1",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        },
    )
    status, answer = call("kinds/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "kinds", "version": "1", "signature_name": ""}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "2"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("nobody:predict", {"instances": [1]}, 404, "not found for request: Latest(nobody)"),
        ("nobody", None, 404, "Could not find any versions of model nobody"),
        ("kinds/versions/9", None, 404, "Could not find version 9 of model kinds"),
        ("kinds/labels/x:predict", {"instances": []}, 400, "servable version label: x"),
        ("kinds:predict", b"{", 400, "JSON Parse error"),
        ("kinds:predict", b"[]", 400, "not an object"),
        ("kinds:predict", {}, 400, "either 'instances' or 'inputs'"),
        ("kinds:predict", {"instances": [1], "inputs": [1]}, 400, "and not both"),
        ("kinds:predict", {"instances": []}, 400, "at least one row"),
        ("kinds:predict", {"instances": [[1, 2], [3]]}, 400, "lists of unequal length"),
        ("kinds:predict", {"instances": [[1, [2]]]}, 400, "lists of unequal depth"),
        ("kinds:predict", {"instances": [["a", "b"]]}, 400, 'x should hold a number, not "a"'),
        ("kinds:predict", {"signature_name": "no", "inputs": 1}, 400, 'key "no" not found'),
        ("kinds:predict", {"signature_name": "fails", "inputs": 7}, 400, "is not in [0, 1)"),
        ("kinds:predict", {"signature_name": "fails", "inputs": 2**40}, 400, "out of the range"),
        ("kinds:predict", {"signature_name": "fails", "inputs": 1.5}, 400, "hold an integer"),
        ("recommender:predict", {"instances": [{"a": 1}]}, 400, "row 0 should be an object with"),
        ("retrieval:predict", {"signature_name": "describe", "inputs": [{"b64": "?"}]}, 400, "b64"),
        ("kinds:classify", {"instances": [1]}, 501, ":classify"),
        ("kinds/else", None, 404, "Malformed request: GET /v1/models/kinds/else"),
    ],
)  # fmt: skip
def test_errors_have_a_status_and_a_text(call, path, body, status, text):
    code, answer = call(path, body)
    assert code == status
    assert list(answer) == ["error"]
    assert text in answer["error"]
    assert call("kinds:predict", {"instances": [[1, 2]]})[0] == 200
