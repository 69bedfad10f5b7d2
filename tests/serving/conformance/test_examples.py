"""Classify, Regress and MultiInference: answers from tf.Examples, worked by hand."""

import pytest

from tests.serving.conformance.messages import classification, example, inference, regression

FIRST = example(x=0.25, y=1.5, name="red")
SECOND = example(x=-1.0)


def classes(result):
    return [
        [(one.label, one.score) for one in classifications.classes]
        for classifications in result.classifications
    ]


def test_classes_come_with_their_scores(stubs):
    response = stubs.call(classification("examples", "", FIRST, SECOND))
    assert classes(response.result) == [
        [("red-x", 0.25), ("red-y", 1.5)],
        [("?-x", -1.0), ("?-y", 0.0)],
    ]
    assert response.model_spec.name == "examples"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("classify_scores", [("", 0.25), ("", 1.5)]),
        ("classify_classes", [("red-x", 0.0), ("red-y", 0.0)]),
        ("shared_classify", [("red-x", 0.25), ("red-y", 1.5)]),
    ],
)
def test_a_signature_may_give_either_or_both(stubs, signature, expected):
    assert classes(stubs.call(classification("examples", signature, FIRST)).result) == [expected]


@pytest.mark.parametrize(
    ("signature", "expected"), [("regress", [2.0, -2.0]), ("regress_column", [0.25, -1.0])]
)
def test_regressions_are_one_value_an_example(stubs, signature, expected):
    response = stubs.call(regression("examples", signature, FIRST, SECOND, version=1))
    assert [one.value for one in response.result.regressions] == expected
    assert response.model_spec.signature_name == signature


def test_a_context_belongs_to_every_example(stubs):
    request = classification("examples")
    request.input.example_list_with_context.context.CopyFrom(example(y=3.0, name="all"))
    request.input.example_list_with_context.examples.extend([example(x=1.0), example(x=2.0)])
    assert classes(stubs.call(request).result) == [
        [("all-x", 1.0), ("all-y", 3.0)],
        [("all-x", 2.0), ("all-y", 3.0)],
    ]


def test_several_tasks_share_one_run(stubs):
    tasks = (("examples", "shared_classify", "classify"), ("examples", "regress", "regress"))
    response = stubs.call(inference(*tasks, examples=[FIRST]))
    first, second = response.results
    assert classes(first.classification_result) == [[("red-x", 0.25), ("red-y", 1.5)]]
    assert [one.value for one in second.regression_result.regressions] == [2.0]
    assert [result.model_spec.signature_name for result in response.results] == [
        "shared_classify",
        "regress",
    ]
    assert first.model_spec.version.value == 1


def test_predict_takes_serialised_examples_too(stubs):
    inputs = {"inputs": [FIRST.SerializeToString()]}
    response = stubs.predict("examples", "regress", **inputs)
    assert list(response.outputs["outputs"].float_val) == [2.0]
