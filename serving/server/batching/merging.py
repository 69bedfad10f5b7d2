"""The inputs of several requests as one, and the outputs of the one run as theirs again."""

from collections.abc import Sequence

import numpy as np

from serving.server.arrays import Array
from serving.server.statuses import Code, ServingError


def merge(parts: Sequence[Array], rows: int) -> Array:
    """Joins one input of several requests along its first dimension.

    Where the other dimensions differ, shorter ones are filled up with the empty value of the type
    ("" or 0). The official server fills up with the first value of the request's tensor instead:
    it agrees for rows that begin with the empty value.

    Args:
        parts: the input's values, request by request; all of one rank.
        rows: how many rows the result should have; the first row is repeated for missing ones.

    Returns:
        The values `[rows, ...]`.
    """
    values = [part.values for part in parts]
    inner = tuple(max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True))
    given = sum(len(value) for value in values)
    if given == rows and all(value.shape[1:] == inner for value in values):
        joined = values[0] if len(values) == 1 else np.concatenate(values)
        return Array(parts[0].dtype, joined)
    filler = b"" if values[0].dtype == np.object_ else 0
    joined = np.full((rows, *inner), filler, values[0].dtype)
    start = 0
    for value in values:
        inside = tuple(slice(size) for size in value.shape[1:])
        joined[(slice(start, start + len(value)), *inside)] = value
        start += len(value)
    joined[start:] = joined[0]
    return Array(parts[0].dtype, joined)


def split(outputs: Sequence[Array], sizes: Sequence[int], rows: int) -> list[list[Array]]:
    """Cuts the outputs of a run into those of each request.

    Args:
        outputs: what the run returned.
        sizes: rows of each request.
        rows: rows of the run's inputs.

    Returns:
        One list of outputs a request.

    Raises:
        ServingError: FAILED_PRECONDITION with the official server's text, if an output does not
            have one entry a row.
    """
    for output in outputs:
        if not output.values.ndim:
            raise ServingError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if len(output.values) != rows:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                "dimension sizes of the input tensors",
            )
    result = []
    start = 0
    for size in sizes:
        result.append(
            [Array(output.dtype, output.values[start : start + size]) for output in outputs]
        )
        start += size
    return result
