"""The asynchronous client where it differs: many questions at once on one connection."""

import asyncio

import pytest

from serving import errors
from serving.client import AsyncRecommenderClient
from serving.process import free_port


def test_questions_at_once_share_a_connection(server):
    async def ask():
        async with AsyncRecommenderClient(server.address) as client:
            answers = await asyncio.gather(
                *(client.recommend([item], k=1) for item in ("A1", "B1", "C1") * 5)
            )
            return [answer[0].item_id for answer in answers]

    assert asyncio.run(ask()) == ["A1", "B1", "C1"] * 5


def test_titles_context_and_errors_are_those_of_the_blocking_client(server):
    async def ask():
        async with AsyncRecommenderClient(server.address) as client:
            assert client.address == server.address
            answer = await client.recommend(["B1", "A1"], k=1, context={"country": "France"})
            assert (answer[0].title, answer[0].reason_title) == ("blue mug", "red mug")
            with pytest.raises(errors.UnknownItemError, match="the item zz is not in"):
                await client.similar("zz")
            with pytest.raises(errors.InvalidRequestError, match="no context feature mood"):
                await client.recommend([], context={"mood": "x"})
            assert [one.name for one in await client.models(["nobody", "ranking"])] == ["ranking"]

    asyncio.run(ask())


def test_a_question_can_be_cancelled(server):
    async def ask():
        async with AsyncRecommenderClient(f"127.0.0.1:{free_port()}", retries=4) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recommend(["A1"]), 0.3)
        async with AsyncRecommenderClient(server.address) as client:
            assert await client.recommend([], k=1)

    asyncio.run(ask())


def test_a_server_that_is_down_is_said_so():
    address = f"127.0.0.1:{free_port()}"

    async def ask():
        async with AsyncRecommenderClient(address, retries=0) as client:
            await client.recommend(["A1"])

    with pytest.raises(errors.ServerUnreachableError, match=f"no model server .* {address}"):
        asyncio.run(ask())
