"""What is known of signatures, while other threads forget it."""

import pytest

from serving import wire
from serving.client.schema import Schema
from serving.errors import ModelMissingError


class Forgotten(dict):
    """Holds each entry for one look only, as where another thread forgets it right after that."""

    def __contains__(self, key):
        return self.pop(key, None) is not None

    def get(self, key, default=None):
        return self.pop(key, default)

    def __setitem__(self, key, value):
        pass

    def update(self, *_):
        pass


def metadata(alias):
    """Returns a server's answer: one signature with one input."""
    signatures = wire.SignatureDefMap()
    signatures.signature_def["sig"].inputs[alias].tensor_shape.dim.add(size=-1)
    response = wire.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    return response


def run(operation, *responses):
    """Returns an operation's result, given the responses to its calls."""
    answers = iter(responses)
    try:
        next(operation)
        while True:
            operation.send(next(answers))
    except StopIteration as end:
        return end.value


def test_a_signature_that_is_forgotten_while_it_is_looked_up_is_told_all_the_same():
    schema = Schema("localhost:1")
    schema._inputs = Forgotten({("m", "sig"): {"a": 0}})
    assert run(schema.inputs("m", "sig", 1.0)) == {"a": 0}
    assert run(schema.inputs("m", "sig", 1.0), metadata("b")) == {"b": 0}


def test_a_signature_that_is_missing_is_said():
    schema = Schema("localhost:1")
    with pytest.raises(ModelMissingError, match="at localhost:1 has no signature other"):
        run(schema.inputs("m", "other", 1.0), metadata("b"))
    # What the server told otherwise is not asked again.
    assert run(schema.inputs("m", "sig", 1.0)) == {"b": 0}
