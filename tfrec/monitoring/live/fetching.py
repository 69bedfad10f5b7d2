"""HTTP calls that end in time, whatever the other side does."""

import asyncio
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import aiohttp

MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Fetched:
    """What became of a call.

    Attributes:
        text: the body; empty if the call failed.
        error: why it failed, in a few words; empty if it did not.
        seconds: how long it took.
    """

    text: str
    error: str
    seconds: float


def fetch_all(urls: Mapping[str, str], timeout: float) -> dict[str, Fetched]:
    """Gets several pages at once; none keeps the others waiting, or takes longer than `timeout`.

    Args:
        urls: addresses by any name.
        timeout: seconds for a whole call, its last byte included.
    """
    if not urls:
        return {}
    # In a thread of its own, because a notebook's thread has a loop already.
    with ThreadPoolExecutor(1) as pool:
        calls = _fetch_all(dict(urls), timeout)
        return pool.submit(asyncio.run, calls).result()


def post_json(url: str, body: Any, timeout: float) -> str:
    """Posts `body` as JSON; returns why it failed, or "" if it was accepted (status 2xx)."""
    return asyncio.run(_post(url, json.dumps(body, ensure_ascii=False), timeout))


async def _fetch_all(urls: dict[str, str], timeout: float) -> dict[str, Fetched]:
    limit = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=limit) as session:
        answers = await asyncio.gather(*(_fetch(session, url) for url in urls.values()))
    return dict(zip(urls, answers, strict=True))


async def _fetch(session: aiohttp.ClientSession, url: str) -> Fetched:
    started = time.monotonic()
    text, error = "", ""
    try:
        async with session.get(url) as response:
            if response.status == 200:
                body = await _read(response)
                text = body.decode("utf-8")
            else:
                error = f"status {response.status}"
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        error = _in_words(failure)
    return Fetched(text, error, time.monotonic() - started)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES >> 20} MB")
    return b"".join(parts)


async def _post(url: str, body: str, timeout: float) -> str:
    limit = aiohttp.ClientTimeout(total=timeout)
    headers = {"Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            session.post(url, data=body.encode()) as response,
        ):
            return "" if response.ok else f"status {response.status}"
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        return _in_words(failure)


def _in_words(failure: Exception) -> str:
    # asyncio's time-out is an OSError without a word.
    return (
        "no answer in time"
        if isinstance(failure, TimeoutError)
        else (str(failure) or type(failure).__name__)
    )
