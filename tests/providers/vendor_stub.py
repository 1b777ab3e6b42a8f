"""A stub of a vendor's server on loopback: what is the same for every vendor's dialect.

The model's name chooses the scenario: "m" answers, "rate" limits the rate, "cut" breaks a stream.
A dialect (tests/providers/dialects/) says how its vendor words each of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from llmbench.types import Usage

PIECES = ("Grüße", ", ", "welt")
ANSWER = "".join(PIECES)


class Failure(NamedTuple):
    """How a vendor words one failure; ECHO in `text` stands for the key header as it was sent."""

    status: int
    headers: Mapping[str, str]
    text: str


class Asked(NamedTuple):
    """One request, as it came and as it is meant."""

    scenario: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    meant: dict[str, Any]
    """model, messages (list of role and content), stream, and under the names of llmbench's own
    options what was asked for; `response_format` as the JSON schema alone."""


class Dialect(Protocol):
    """How one vendor speaks."""

    failures: Mapping[str, Failure]
    """By scenario: those of unauthorized, forbidden, rate, quota, missing, context, filter,
    invalid, server, busy that the vendor has."""
    usage: Usage
    """What the stub reports for scenario "m", as llmbench must count it."""
    served: str | None
    """The id of the model that the stub says served scenario "m"."""

    def base_url(self, root: str) -> str:
        """The setting for a stub at `root` (http://127.0.0.1:PORT)."""

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        """Add the handlers; each calls `stub.note` first, then `stub.misbehave`."""

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        """The key that a request carried."""


@dataclass
class VendorStub:
    """What it was asked, and where it is."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set when the first request has come."""
    cut: threading.Event = field(default_factory=threading.Event)
    """Set when a client left in the middle of an answer."""

    def note(self, request: web.Request, scenario: str, body: dict[str, Any], meant: dict[str, Any]) -> None:
        """Remember a request that asks for an answer."""
        self.asked.append(Asked(scenario, dict(request.headers), body, meant))
        self.connections.add(request.transport)
        self.arrived.set()

    async def misbehave(
        self, request: web.Request, scenario: str, dialect: Dialect
    ) -> web.StreamResponse | None:
        """The reply of a scenario that is the same for all vendors; None where the dialect answers."""
        failure = dialect.failures.get(scenario)
        if scenario == "flaky" and sum(a.scenario == "flaky" for a in self.asked) < 3:
            failure = dialect.failures["busy"]
        if failure:
            echoed = dialect.key_of(request.headers) or ""
            return web.Response(
                status=failure.status,
                headers=dict(failure.headers),
                text=failure.text.replace("ECHO", echoed),
                content_type="application/json",
            )
        if scenario == "html":
            return web.Response(text="<html>gateway</html>", content_type="text/html")
        if scenario == "garbage":
            return web.Response(text='{"choices": [', content_type="application/json")
        if scenario == "slow":
            await self.hang()
        return None

    async def hang(self) -> None:
        """Answer nothing for long; note a client that leaves."""
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            self.cut.set()
            raise

    async def send_cut_anywhere(
        self, request: web.Request, events: list[bytes], *, abort: bool, content_type: str
    ) -> web.StreamResponse:
        """A stream whose chunks split lines and UTF-8 characters; `abort` ends it in the middle."""
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for data in events:
            for start in range(0, len(data), 7):
                await response.write(data[start : start + 7])
        if abort:
            assert request.transport is not None
            request.transport.abort()
        return response


@contextmanager
def serving(dialect: Dialect) -> Iterator[VendorStub]:
    """A stub that speaks `dialect`, in a thread of its own."""
    stub = VendorStub()
    with running(lambda app: dialect.add_routes(app, stub)) as root:
        stub.url = dialect.base_url(root)
        yield stub


@contextmanager
def running(add_routes: Callable[[web.Application], None], port: int = 0) -> Iterator[str]:
    """An aiohttp application in a thread of its own; gives http://127.0.0.1:PORT."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        app = web.Application(client_max_size=2**28)  # a batch of 50,000 requests is posted as one file
        add_routes(app)
        # A client that leaves cancels its handler, which is how the stub sees it.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        runners.append(runner)
        ready.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{runners[0].addresses[0][1]}"
    finally:  # a test that fails inside must not leave a thread that keeps the whole run from ending
        asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
