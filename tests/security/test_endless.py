"""Texts that a careless search reads for hours, and replies without an end: nothing hangs, no memory fills.

A search that starts again at every character takes ten seconds and more of CPU for one of these texts, and
one that does not a few milliseconds.
"""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from llmbench.errors import BadResponseError
from llmbench.matrix import Dataset
from llmbench.matrix.dataset import Item
from llmbench.matrix.graders import PerItem
from llmbench.matrix.prompts import Prompt
from llmbench.providers import replicate_transport, reply_limit, transport
from llmbench.providers.ollama_wire import LineReader
from llmbench.providers.replicate_wire import EventReader
from llmbench.providers.sse import EventSplitter, LineSplitter
from llmbench.providers.transport import HttpTransport
from llmbench.providers.wire_errors import error_from_status
from tests.providers.asking import ask_once
from tests.providers.cases import CASES
from tests.providers.vendor_stub import running

LIMIT_S = 2.0
COUNT = 50_000
UNITS = (
    "\n", " \n", "\r\n", " ", "\t", ".", "?!", "<", "<a ", "<style", "<!--", "a", "a-", "1", "1,", "1.", "-",
    "(", "[", "{", "```json\n", "`", "*", "_", "$", "\\", '"', "&amp;", "a@", "data:", "/a", "answer is ",
)  # fmt: skip
ENDLESS = {repr(unit): "x" + unit * (COUNT // len(unit)) + "x" for unit in UNITS}


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def catching_all(answer: Answer) -> Callable[[web.Application], None]:
    """The routes of a server that answers whatever it is asked by `answer`."""

    def add_routes(app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", answer)

    return add_routes


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


@pytest.mark.parametrize(
    "reader", [LineSplitter(), EventSplitter(), EventReader(), LineReader(provider="o", model="m")]
)
def test_a_streams_line_of_it(reader: Any) -> None:
    with soon():
        for _ in range(2_000):
            assert reader.feed(b"x" * 16_384) == []


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes, few enough for a test."""
    for module in (reply_limit, transport, replicate_transport):
        monkeypatch.setattr(module, "LARGEST_REPLY", 1_000_000)
    monkeypatch.setattr(reply_limit, "_LARGEST_FILE", 3_000_000)
    return 1_000_000


@pytest.mark.usefixtures("largest")
@pytest.mark.parametrize("kind", ["bomb", "endless", "refusal"])
def test_a_reply_without_an_end(kind: str) -> None:
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

    with running(catching_all(answer)) as url:
        asyncio.run(ask(url))


BLANK = b" " * 99_999 + b"\n"
"""What may stand in any body and any stream."""


SAME = {name for name in CASES if name.startswith("mixtral")} | {"together"}
"""What goes through the same adapter as another."""
OWN_TRANSPORT = {name for name in CASES if name == "custom" or name.endswith(("vllm", "ollama"))}


class Endless:
    """Any request is answered by blanks that never end; counts those that the client took."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.taken = 0
        self.left = threading.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        coding = {"bomb": "gzip", "double": "gzip, gzip", "odd": "zstd"}.get(self.kind)
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        response = web.StreamResponse(status=500 if self.kind == "refusal" else 200)
        if coding:
            response.headers["Content-Encoding"] = coding
        await response.prepare(request)
        try:
            while self.taken < 2_000:
                await response.write(packer.compress(BLANK) if self.kind == "bomb" else BLANK)
                self.taken += 1
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
        return response


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", ["bomb", "double", "endless", "odd", "refusal"])
@pytest.mark.parametrize("name", sorted(CASES.keys() - SAME))
def test_a_vendors_reply_without_an_end(largest: int, name: str, kind: str, stream: bool) -> None:
    """Through every SDK: refused at the limit, with the connection given up."""
    case, server = CASES[name], Endless(kind)
    said = "more than 1 MB"
    if kind in {"double", "odd"}:
        said = "more than 1 MB|not HTTP" if name in OWN_TRANSPORT else "which nobody asked for"
    with running(catching_all(server.answer)) as url:
        provider = case.build(case.dialect.base_url(url), max_attempts=1)
        tracemalloc.start()
        try:
            with pytest.raises(BadResponseError, match=said) as caught:
                ask_once(provider, case.model("m"), stream=stream, max_tokens=5)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if kind in {"endless", "refusal"}:
            assert server.left.wait(10)
            assert server.taken < 200
            assert peak < 12 * largest
    assert provider.endpoint in str(caught.value)
    assert caught.value.model == case.model("m")


OPENAIS = b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
ANTHROPICS = (
    b'data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}\n\n'
    b'data: {"type": "message_stop"}\n\n'
)
OLLAMAS = b'{"message": {"content": "hi"}, "done": true, "done_reason": "stop"}\n'


@pytest.mark.parametrize("after", ["nothing", "comments", "cut"])
@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("openai", OPENAIS),
        ("custom", OPENAIS),
        ("llama on together", OPENAIS),
        ("anthropic", ANTHROPICS),
        ("llama on ollama", OLLAMAS),
    ],
)
def test_a_stream_that_stays_open_behind_its_end(name: str, stream: bytes, after: str) -> None:
    """The answer is whole: it is neither waited on nor lost."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(stream)
        for _ in range(0 if after == "cut" else 100):
            await asyncio.sleep(0.1)
            if after == "comments":
                await response.write(b": still here\n\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    with running(catching_all(answer)) as url:
        provider = CASES[name].build(CASES[name].dialect.base_url(url), max_attempts=1)
        found = ask_once(provider, "m", stream=True, max_tokens=5)
    assert found.content == "hi"
    assert found.timing is not None
    assert found.timing.latency_ms < 5_000
