"""A loopback server in a thread of the test's, and one that notes what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

__all__ = ["Exchange", "Witness", "serving"]

_OF_THIS_CONNECTION = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}


@contextlib.contextmanager
def serving(app: web.Application) -> Iterator[str]:
    """The address at which `app` is served."""
    started = threading.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(10), "the server's thread did not start"
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and what prism said of it."""

    method: str
    path: str
    body: Any
    status: int
    violations: list[dict[str, Any]]
    """Of the request; those of prism's own made-up reply are none of ours."""

    @property
    def is_valid(self) -> bool:
        return not self.violations and self.status not in {401, 404, 405, 406, 415, 422}


@dataclass(slots=True)
class Witness:
    """Passes every request on to `target`, and keeps it with the verdict."""

    target: str
    exchanges: list[Exchange] = field(default_factory=list)
    answer_itself: Callable[[web.Request], web.Response | None] = lambda _: None
    """Gives the reply to what the vendor's file leaves out; that is not kept, for nobody judges it."""

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", self._pass_on)
        return app

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        if (answer := self.answer_itself(request)) is not None:
            return answer
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_THIS_CONNECTION}
        async with (
            aiohttp.ClientSession(auto_decompress=True) as session,
            session.request(
                request.method,
                self.target + request.path_qs,
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as reply,
        ):
            said = await reply.read()
            self.exchanges.append(
                Exchange(request.method, request.path, _read(body), reply.status, _violations(reply, said))
            )
            passed = {k: v for k, v in reply.headers.items() if k.lower() not in _OF_THIS_CONNECTION}
            return web.Response(status=reply.status, body=said, headers=passed)


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:  # an upload
        return body


def _violations(reply: aiohttp.ClientResponse, said: bytes) -> list[dict[str, Any]]:
    found = json.loads(reply.headers.get("sl-violations", "[]"))
    of_request = [entry for entry in found if entry["location"][:1] == ["request"]]
    if not of_request and reply.content_type == "application/problem+json":
        problem = json.loads(said)
        found = problem.get("validation")
        of_request = (
            [entry for entry in found if entry.get("location", [])[:1] != ["response"]]
            if found
            else [{"message": problem.get("title", "refused")}]
        )
    return of_request
