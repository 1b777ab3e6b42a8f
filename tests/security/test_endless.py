"""Texts that a careless search reads for hours, and replies without an end: nothing hangs, no memory fills.

A search that starts again at every character takes ten seconds and more of CPU for one of these texts, and
one that does not a few milliseconds.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from llmbench.errors import BadResponseError
from llmbench.matrix import Dataset
from llmbench.matrix.dataset import Item
from llmbench.matrix.graders import PerItem
from llmbench.matrix.prompts import Prompt
from llmbench.providers import transport
from llmbench.providers.transport import HttpTransport
from llmbench.providers.wire_errors import error_from_status
from tests.providers.vendor_stub import running

LIMIT_S = 2.0
COUNT = 50_000
UNITS = (
    "\n", " \n", "\r\n", " ", "\t", ".", "?!", "<", "<a ", "<style", "<!--", "a", "a-", "1", "1,", "1.", "-",
    "(", "[", "{", "```json\n", "`", "*", "_", "$", "\\", '"', "&amp;", "a@", "data:", "/a", "answer is ",
)  # fmt: skip
ENDLESS = {repr(unit): "x" + unit * (COUNT // len(unit)) + "x" for unit in UNITS}


@contextmanager
def soon() -> Iterator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < LIMIT_S


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_a_prompt_of_it(text: str) -> None:
    with soon():
        (message,) = Prompt("t", "{{ prompt }}", "prompt").messages(
            Item("1", {"prompt": text}, None, None, None, 1)
        )
    assert message["content"] == text


EXPECTED = {
    "choice": "yes",
    "contains": "it is four",
    "exact": "four",
    "json_schema": '{"type": "object"}',
    "numeric": "4",
    "regex": "fou?r",
    "similarity": "it is four",
}


@pytest.mark.parametrize("name", PerItem().graders)
def test_an_answer_of_it(name: str) -> None:
    fields = {"prompt": "p", "choices": "yes|no"}
    rows = tuple(Item(str(k), fields, EXPECTED[name], None, None, k) for k in range(2))
    grader = PerItem().graders[name].bind(Dataset(Path("d"), "", rows, ("prompt", "choices")))
    for text in ENDLESS.values():
        with soon():
            assert grader.grade(text, rows[0]).score < 0.5


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_a_servers_page_of_it(text: str) -> None:
    with soon():
        error = error_from_status(500, f"<title>Down</title> {text}", {}, "acme", "m")
    assert "Down" in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize("kind", ["bomb", "endless", "refusal"])
def test_a_reply_without_an_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_LARGEST_BODY", 1_000_000)
    packed = gzip.compress(b"0" * 20_000_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        if kind == "bomb":
            return web.Response(
                body=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json"
            )
        response = web.StreamResponse(status=500 if kind == "refusal" else 200)
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"0" * 100_000)
        return response

    async def streamed(client: HttpTransport) -> None:
        async with client.stream_json("x", {}) as reply:
            if kind == "refusal":
                await reply.read()
            async for _ in reply:
                pass

    async def ask(url: str) -> None:
        client = HttpTransport(url, name="gpu1")
        try:
            with pytest.raises(BadResponseError, match="more than 1 MB"):
                await client.post_json("x", {})
            with pytest.raises(BadResponseError, match="more than 1 MB"):
                await streamed(client)
        finally:
            await client.aclose()

    with running(lambda app: app.router.add_post("/x", answer) and None) as url:
        asyncio.run(ask(url))
