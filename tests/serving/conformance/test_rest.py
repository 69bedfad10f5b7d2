"""The REST interface: rows and columns, classes and values, status, metadata, metrics, errors."""

import base64
import math

import pytest

ROW = {
    "history_item_id": ["B1", "A1"],
    "history_event": ["", ""],
    "history_timestamp": [0, 0],
    "exclude_item_id": [""],
    "context_country": "France",
}


def test_rows_of_one_input_need_no_names(rest):
    status, answer = rest("kinds:predict", {"instances": [[1.0, 2.0], [3.0, 4.5]]})
    assert status == 200
    assert answer == {
        "predictions": [
            {"y": [2.0, 4.0], "z": [2.0, 3.0]},
            {"y": [6.0, 9.0], "z": [4.0, 5.5]},
        ]
    }
    assert rest("kinds:predict", {"instances": [{"x": [1, 2]}]})[1]["predictions"][0]["z"] == [2, 3]


def test_columns_answer_columns(rest):
    for inputs in ([[1, 2]], {"x": [[1, 2]]}):
        answer = rest("kinds/versions/1:predict", {"inputs": inputs})
        assert answer == (200, {"outputs": {"y": [[2.0, 4.0]], "z": [[2.0, 3.0]]}})


def test_rows_of_several_inputs_are_objects(rest):
    status, answer = rest("recommender:predict", {"instances": [ROW, ROW]})
    assert status == 200
    assert [row["item_id"][0] for row in answer["predictions"]] == ["A2", "A2"]
    assert answer["predictions"][0]["probability_return"] == [0.25] * 4


def test_strings_may_come_as_base64_and_a_single_output_is_unwrapped(rest):
    encoded = {"b64": base64.b64encode("Ü-ber".encode()).decode()}
    body = {"signature_name": "describe", "instances": [encoded, "zz"]}
    status, answer = rest("retrieval:predict", body)
    assert status == 200
    assert [row["known"] for row in answer["predictions"]] == [True, False]
    assert answer["predictions"][0]["title"] == "Käse 起司"
    history = {"history_item_id": [["A1"]], "history_event": [[""]], "history_timestamp": [[0]]}
    body = {"signature_name": "embed_query", "inputs": history | {"context_country": [""]}}
    assert rest("retrieval:predict", body) == (200, {"outputs": [[0.0, -1.0, -2.0]]})
    body["instances"] = [{name: value[0] for name, value in body.pop("inputs").items()}]
    assert rest("retrieval:predict", body) == (200, {"predictions": [[0.0, -1.0, -2.0]]})


def test_an_output_that_is_named_bytes_is_base64(rest):
    body = {"signature_name": "echo_bytes", "instances": ["AB", {"b64": "/w=="}]}
    answer = {"predictions": [{"b64": "QUI="}, {"b64": "/w=="}]}
    assert rest("kinds:predict", body) == (200, answer)


def test_numbers_that_json_has_no_word_for_are_spelled(rest):
    status, answer = rest("kinds:predict", b'{"instances": [[NaN, Infinity]]}')
    assert status == 200
    assert math.isnan(answer["predictions"][0]["y"][0])
    assert answer["predictions"][0]["y"][1] == math.inf


def test_classes_and_values_of_examples(rest):
    body = {"examples": [{"x": 0.25, "y": 1.5, "name": "red"}, {"x": [-1.0]}]}
    assert rest("examples:classify", body) == (
        200,
        {"results": [[["red-x", 0.25], ["red-y", 1.5]], [["?-x", -1.0], ["?-y", 0.0]]]},
    )
    body = {"signature_name": "regress", "context": {"y": 10.0}, "examples": [{"x": 0.5}, {}]}
    assert rest("examples/versions/1:regress", body) == (200, {"results": [11.0, 10.0]})
    name = {"b64": base64.b64encode(b"b").decode()}
    body = {"signature_name": "classify_classes", "examples": [{"name": name}]}
    assert rest("examples:classify", body) == (200, {"results": [[["b-x", 0.0], ["b-y", 0.0]]]})


def test_status_and_metadata(rest):
    assert rest("kinds") == rest("kinds/versions/1")
    assert rest("kinds") == (
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
    status, answer = rest("kinds/metadata")
    assert status == 200
    assert rest("kinds/versions/1/metadata") == (200, answer)
    assert answer["model_spec"] == {"name": "kinds", "version": "1", "signature_name": ""}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "2"]


def test_paths_are_the_same_in_any_letters_and_escapes(rest):
    assert rest("/V1/Models/%6binds")[0] == 200


def test_metrics_have_the_official_names(rest, stubs):
    stubs.predict("kinds", x=[[1.0, 2.0]])
    rest("kinds/versions/9:predict", {"instances": [[1, 2]]})
    status, page = rest("/monitoring/prometheus/metrics")
    if status != 200:
        pytest.skip("the server was started without --monitoring_config_file")
    lines = page.splitlines()
    prefix = ":tensorflow:serving:"
    assert f"# TYPE {prefix}request_count counter" in lines
    counts = [line for line in lines if line.startswith(f"{prefix}request_count{{")]
    for code in ("OK", "NOT_FOUND"):
        (line,) = (
            one for one in counts if 'model_name="kinds"' in one and f'status="{code}"' in one
        )
        assert float(line.split()[-1]) >= 1
    for name in ("request_latency", "runtime_latency"):
        assert f"# TYPE {prefix}{name} histogram" in lines
        whole = [
            line
            for line in lines
            if line.startswith(f"{prefix}{name}_bucket{{")
            and 'model_name="kinds"' in line
            and 'API="Predict"' in line
            and 'le="+Inf"' in line
        ]
        assert whole and float(whole[0].split()[-1]) >= 1


ERRORS = {
    "unknown model": ("nobody:predict", {"instances": [1]}, 404, "for request: Latest(nobody)"),
    "unknown version": (
        "kinds/versions/9:predict",
        {"instances": [[1, 2]]},
        404,
        "for request: Specific(kinds, 9)",
    ),
    "unknown label": (
        "kinds/labels/x:predict",
        {"instances": [[1, 2]]},
        400,
        "Unrecognized servable version label: x",
    ),
    "version beyond 64 bits": (f"kinds/versions/{2**63}:predict", {}, 400, "to numeric"),
    "status of an unknown model": ("nobody", None, 404, "Could not find any versions of model"),
    "status of an unknown version": ("kinds/versions/9", None, 404, "Could not find version 9"),
    "status of no model": ("/v1/models", None, 400, "Missing model name in request."),
    "metadata of an unknown model": ("nobody/metadata", None, 404, "for request: Latest(nobody)"),
    "path that is none": ("kinds/else", None, 400, "Malformed request: GET /v1/models/kinds/else"),
    "verb that is none": ("kinds:rank", {}, 400, "Malformed request: POST /v1/models/kinds:rank"),
    "no body": ("kinds:predict", b"", 400, "JSON Parse error: The document is empty"),
    "half a document": ("kinds:predict", b'{"instances": [', 400, "JSON Parse error: "),
    "not UTF-8": ("kinds:predict", b'{"instances": ["\xff"]}', 400, ""),
    "nested too deep": ("kinds:predict", b"[" * 100_000, 400, "JSON Parse error: "),
    "no object": ("kinds:predict", b"[]", 400, "Is not object"),
    "no inputs": ("kinds:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
    "rows and columns": ("kinds:predict", {"instances": [1], "inputs": [1]}, 400, "only one of"),
    "no rows": ("kinds:predict", {"instances": []}, 400, "No values in 'instances' array"),
    "rows that are none": ("kinds:predict", {"instances": 1}, 400, "to be an list/array"),
    "signature that is no text": (
        "kinds:predict",
        {"signature_name": 1, "inputs": 1},
        400,
        "'signature_name' key must be a string value.",
    ),
    "unknown signature": (
        "kinds:predict",
        {"signature_name": "no", "inputs": 1},
        400,
        'Serving signature name: "no" not found in signature def',
    ),
    "rows of unequal length": ("kinds:predict", {"instances": [[1, 2], [3]]}, 400, ""),
    "rows of unequal depth": ("kinds:predict", {"instances": [[1, [2]]]}, 400, ""),
    "objects and lists": ("kinds:predict", {"instances": [{"x": [1, 2]}, [1, 2]]}, 400, ""),
    "text for a number": (
        "kinds:predict",
        {"instances": [["a", "b"]]},
        400,
        "is not of expected type: float",
    ),
    "null for a number": ("kinds:predict", {"instances": [[None, 1]]}, 400, "Type: Null"),
    "number for a text": (
        "retrieval:predict",
        {"signature_name": "describe", "inputs": [1]},
        400,
        "is not of expected type: string",
    ),
    "fraction for an integer": (
        "kinds:predict",
        {"signature_name": "fails", "inputs": 1.5},
        400,
        "is not of expected type: int32",
    ),
    "integer too large": ("kinds:predict", {"signature_name": "fails", "inputs": 2**40}, 400, ""),
    "fraction too large": ("kinds:predict", {"instances": [[1e300, 1]]}, 400, ""),
    "not base64": (
        "retrieval:predict",
        {"signature_name": "describe", "inputs": [{"b64": "?"}]},
        400,
        "Unable to base64 decode",
    ),
    "failing operation": (
        "kinds:predict",
        {"signature_name": "fails", "inputs": 7},
        400,
        "is not in [0, 1)",
    ),
    "row without its inputs": (
        "recommender:predict",
        {"instances": [{"context_country": "France"}]},
        400,
        "keys must be equal to: context_country,exclude_item_id,",
    ),
    "row with one input more": (
        "recommender:predict",
        {"instances": [{**ROW, "query": "red"}]},
        400,
        "",
    ),
    "column missing": (
        "recommender:predict",
        {"inputs": {"context_country": ["France"]}},
        400,
        "Missing named input: ",
    ),
    "plain rows for many inputs": (
        "recommender:predict",
        {"instances": [[1]]},
        400,
        "instances is a plain list, but expecting list of objects",
    ),
    "plain column for many inputs": (
        "recommender:predict",
        {"inputs": [1]},
        400,
        "inputs is a plain value/list, but expecting an object",
    ),
    "rows of outputs that have none": (
        "kinds:predict",
        {"signature_name": "slow", "instances": [1]},
        400,
        "",
    ),
    "no examples": ("examples:classify", {}, 400, "key 'examples' is expected"),
    "examples that are none": ("examples:classify", {"examples": 1}, 400, "list/array"),
    "an empty list of examples": ("examples:regress", {"examples": []}, 400, "is an empty array"),
    "example that is no object": (
        "examples:classify",
        {"examples": [1]},
        400,
        "Example must be JSON object but got JSON Number",
    ),
    "feature of two types": (
        "examples:classify",
        {"examples": [{"x": [1.0, "a"]}]},
        400,
        "Unexpected element type in feature: x expecting type: float",
    ),
    "feature without a value": ("examples:classify", {"examples": [{"x": None}]}, 400, "Null"),
    "feature of another type": ("examples:classify", {"examples": [{"x": 1}]}, 400, "int64"),
    "classify by a prediction": (
        "kinds:classify",
        {"examples": [{"x": 1.0}]},
        400,
        "No classification inputs found in SignatureDef",
    ),
}


@pytest.mark.parametrize("case", ERRORS, ids=lambda name: name.replace(" ", "-"))
def test_errors_have_a_status_and_a_text(rest, case):
    path, body, status, text = ERRORS[case]
    code, answer = rest(path, body)
    assert code == status, answer
    assert list(answer) == ["error"]
    assert text in answer["error"]
    assert rest("kinds:predict", {"instances": [[1, 2]]})[0] == 200
