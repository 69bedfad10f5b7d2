"""Which questions a load test asks, and of whom."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serving.client.calls import PREDICT, Operation
from serving.client.connection import Connection
from serving.client.operations import Operations
from serving.errors import InvalidRequestError
from serving.loadtest.loops import PreparedCall
from serving.loadtest.shoppers import Shopper

KINDS = ("recommend", "rank", "search", "similar")
CANDIDATES = 50
WORDS_OF_A_QUERY = 3
ITEMS_A_DESCRIBE = 500


def parse_mix(text: str) -> dict[str, float]:
    """Returns the share of each kind of call, from a text such as ``recommend=7,search=3``.

    Raises:
        InvalidRequestError: if the text is none.
    """
    shares = {}
    for part in text.split(","):
        kind, equals, number = part.strip().partition("=")
        if kind not in KINDS or kind in shares:
            raise InvalidRequestError(
                f"a mix names each of {', '.join(KINDS)} at most once, such as "
                f"recommend=7,search=3, not {text!r}"
            )
        try:
            shares[kind] = float(number) if equals else 1.0
        except ValueError:
            shares[kind] = -1.0
        if not 0.0 < shares[kind] < float("inf"):
            raise InvalidRequestError(f"the share of {kind} should be positive, not {number!r}")
    total = sum(shares.values())
    return {kind: share / total for kind, share in shares.items()}


def prepare_calls(
    connection: Connection,
    operations: Operations,
    shoppers: Sequence[Shopper],
    mix: Mapping[str, float],
    *,
    count: int,
    seed: int,
) -> list[PreparedCall]:
    """Makes the requests of a test, with what the client would send and nothing else.

    Args:
        connection: to the server, which is asked for its signatures and for titles.
        operations: the client's questions to it.
        shoppers: who asks, by turns, in random order.
        mix: share of each kind of call.
        count: how many requests to make.
        seed: of everything random.

    Raises:
        ClientError: if the server does not answer, or has not what the mix asks for.
    """
    generator = random.Random(seed)
    items = sorted({item for shopper in shoppers for item in shopper.history})
    if not items and set(mix) - {"recommend"}:
        raise InvalidRequestError(
            "every history is empty, so there is nothing to ask for but recommend"
        )
    asking = _by_turns(shoppers, generator)
    kinds = generator.choices(list(mix), list(mix.values()), k=count)
    visits = [(kind, next(asking), generator.choice(items) if items else "") for kind in kinds]
    searched = sorted({item for kind, _, item in visits if kind == "search"})
    queries = dict(_queries(connection, operations, searched))
    prepared = []
    for kind, shopper, item in visits:
        who = (shopper.history, shopper.events, shopper.timestamps)
        operation: Operation[Any]
        if kind == "recommend":
            operation = operations.recommend(*who, context=shopper.context)
        elif kind == "rank":
            candidates = generator.sample(items, min(CANDIDATES, len(items)))
            operation = operations.rank(who[0], candidates, *who[1:], context=shopper.context)
        elif kind == "search":
            operation = operations.search(queries[item], *who, context=shopper.context)
        else:
            operation = operations.similar(item)
        request = connection.run(first_prediction(operation))
        prepared.append(PreparedCall(kind, request.SerializeToString()))
    return prepared


def first_prediction(operation: Operation[Any]) -> Operation[Any]:
    """Runs an operation up to the prediction that it would make, and returns this request."""
    call = next(operation)
    while call.method is not PREDICT:
        call = operation.send((yield call))
    operation.close()
    return call.request


def _by_turns(shoppers: Sequence[Shopper], generator: random.Random) -> Iterator[Shopper]:
    while True:
        yield from generator.sample(shoppers, len(shoppers))


def _queries(
    connection: Connection, operations: Operations, items: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yields items and what people may type who look for them: the first words of their titles."""
    for start in range(0, len(items), ITEMS_A_DESCRIBE):
        asked = items[start : start + ITEMS_A_DESCRIBE]
        for item in connection.run(operations.describe(asked)):
            words = (item.title or "").split()[:WORDS_OF_A_QUERY]
            yield item.item_id, " ".join(words) or item.item_id
