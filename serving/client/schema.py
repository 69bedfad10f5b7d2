"""What the signatures of the served models take, and predictions with the context they have."""

from collections.abc import Mapping
from typing import Any

from serving.client import calls
from serving.client.calls import Operation
from serving.client.requests import column
from serving.errors import InvalidRequestError, ModelMissingError

CONTEXT_PREFIX = "context_"


class Schema:
    """The inputs of every signature asked for so far, as the server told them."""

    def __init__(self, address: str) -> None:
        """Knows nothing yet; `address` is the server's, for errors."""
        self._address = address
        self._inputs: dict[tuple[str, str], dict[str, int]] = {}

    def inputs(self, model: str, signature: str, deadline: float) -> Operation[dict[str, int]]:
        """Returns a signature's inputs by name: how many numbers a vector holds, 0 for no vector.

        Raises:
            ModelMissingError: if the model has no such signature.
        """
        # Looked up once: another thread may forget it at any moment, see `predict`.
        inputs = self._inputs.get((model, signature))
        if inputs is None:
            definitions = yield from calls.signatures(model, deadline)
            told = {
                (model, name): {alias: _width(info) for alias, info in definition.inputs.items()}
                for name, definition in definitions.items()
            }
            self._inputs.update(told)
            inputs = told.get((model, signature))
        if inputs is None:
            raise ModelMissingError(
                f"the model {model} at {self._address} has no signature {signature}; export it "
                "again with `tfrec export`, a surface after `tfrec train surfaces`"
            )
        return inputs

    def predict(
        self,
        model: str,
        signature: str,
        inputs: Mapping[str, Any],
        context: Mapping[str, str],
        deadline: float,
    ) -> Operation[Any]:
        """Calls Predict with the context features that the model has; "" where none is given.

        A new version may have other context features than the one that was asked for its
        signature, so a rejected request is tried once more with fresh metadata.

        Returns:
            The PredictResponse.

        Raises:
            InvalidRequestError: if `context` has a feature that the model lacks.
        """
        for fresh in (False, True):
            if fresh:
                self._inputs.pop((model, signature), None)
            known = (model, signature) in self._inputs
            accepted = yield from self.inputs(model, signature, deadline)
            features = {name for name in accepted if name.startswith(CONTEXT_PREFIX)}
            given = {CONTEXT_PREFIX + name: value for name, value in context.items()}
            unknown = sorted(set(given) - features)
            if unknown and not known:
                names = sorted(name.removeprefix(CONTEXT_PREFIX) for name in features)
                raise InvalidRequestError(
                    f"the model {model} has no context feature "
                    f"{', '.join(name.removeprefix(CONTEXT_PREFIX) for name in unknown)}; it has "
                    f"{', '.join(names) or 'none'}"
                )
            if unknown:
                continue
            contextual = {name: column([given.get(name, "")]) for name in features}
            try:
                return (
                    yield from calls.predict(model, signature, {**inputs, **contextual}, deadline)
                )
            except InvalidRequestError:
                if not known:
                    raise
        raise AssertionError("the second round returns or raises")


def _width(info: Any) -> int:
    sizes = [dimension.size for dimension in info.tensor_shape.dim]
    return max(sizes[1], 0) if len(sizes) == 2 else 0
