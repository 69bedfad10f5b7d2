"""Classify and Regress over REST: JSON to tf.Examples, results to JSON."""

import json
from typing import Any

from serving import wire
from serving.server.json_documents import (
    bytes_of,
    invalid,
    is_base64,
    kind_of,
    parse,
    short_float,
    shown,
    signature_name,
)

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def fill_request(body: bytes, request: Any) -> None:
    """Reads the body of a ``:classify`` or ``:regress`` call into its request message.

    Args:
        body: JSON with ``examples``, and maybe ``context`` and ``signature_name``.
        request: a ClassificationRequest or RegressionRequest.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    document = parse(body)
    request.model_spec.signature_name = signature_name(document)
    examples = document.get("examples")
    if examples is None:
        raise invalid(
            f"JSON Value: {shown(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    if not isinstance(examples, list):
        raise invalid(
            f"JSON Value: {shown(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid(f"JSON Value: {shown(document)} 'examples' value is an empty array")
    serialized = [_example(example).SerializeToString() for example in examples]
    if "context" in document:
        target = request.input.example_list_with_context
        target.context = _example(document["context"]).SerializeToString()
        target.examples.extend(serialized)
    else:
        request.input.example_list.examples.extend(serialized)


def classes_to_json(response: Any) -> str:
    """Writes a ClassificationResponse: pairs of label and score, example by example."""
    results = [
        [[one.label, short_float(one.score)] for one in classifications.classes]
        for classifications in response.result.classifications
    ]
    return json.dumps({"results": results}, ensure_ascii=False)


def regressions_to_json(response: Any) -> str:
    """Writes a RegressionResponse: one value an example."""
    return json.dumps({"results": [short_float(one.value) for one in response.result.regressions]})


def _example(value: Any) -> Any:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {kind_of(value)}")
    example = wire.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for element in content if isinstance(content, list) else [content]:
            _add(feature, name, element)
    return example


def _add(feature: Any, name: str, element: Any) -> None:
    value: Any
    if isinstance(element, str) or is_base64(element):
        kind, value = "bytes_list", bytes_of(element)
    elif isinstance(element, int):
        kind, value = "int64_list", int(element)
        if value >= 1 << 63:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
    elif isinstance(element, float):
        kind, value = "float_list", element
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {kind_of(element)}")
    before = feature.WhichOneof("kind")
    if before not in (None, kind):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: {_KINDS[before]}"
        )
    try:
        getattr(feature, kind).value.append(value)
    except ValueError as error:
        raise invalid(f"Feature: {name} has an element out of range") from error
