"""Network clients belong to the event loop they were made in, and close with it.

A notebook uses two loops in one process: the kernel's own (top-level await) and the background
loop (plain functions). A client shared between them fails at random, and one dropped without
closing made another client's call hang in three of three tries.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any, Generic, TypeVar

__all__ = ["PerLoop"]

Client = TypeVar("Client")

_Lifetime = AsyncGenerator[None, None]
_Open = MutableMapping[asyncio.AbstractEventLoop, tuple[Any, _Lifetime]]

# Keeps open clients from the garbage collector, which would drop them instead of closing them.
_alive: MutableMapping[asyncio.AbstractEventLoop, set[_Lifetime]] = weakref.WeakKeyDictionary()


class PerLoop(Generic[Client]):
    """One client for each event loop, made at first use by `create`, ended by `close`.

    Closing rides on asynchronous generators: a loop that shuts down (the end of `asyncio.run`,
    of the background loop) finishes every generator started in it, and the client's `close`
    stands in the `finally` of one. A PerLoop that is dropped has its clients closed in their loops.
    """

    def __init__(self, create: Callable[[], Client], close: Callable[[Client], Awaitable[None]]) -> None:
        self._create = create
        self._close = close
        self._open: _Open = weakref.WeakKeyDictionary()
        weakref.finalize(self, _close_dropped, self._open).atexit = False

    async def get(self) -> Client:
        """The running loop's client."""
        loop = asyncio.get_running_loop()
        entry = self._open.get(loop)
        if entry is None:
            client = self._create()
            lifetime = _lifetime(self._open, loop, client, self._close)
            self._open[loop] = (client, lifetime)
            _alive.setdefault(loop, set()).add(lifetime)
            await anext(lifetime)
            return client
        found: Client = entry[0]
        return found

    async def aclose(self) -> None:
        """Close the clients of all loops: this one's now, another's when that loop comes to it.

        Another loop is not waited for: its thread may be waiting for this one.
        """
        here = asyncio.get_running_loop()
        for loop, (_, lifetime) in list(self._open.items()):
            if loop is here:
                await _finish(loop, lifetime)
            else:
                self._open.pop(loop, None)
                _close_soon(loop, lifetime)


async def _lifetime(
    open_clients: _Open,
    loop: asyncio.AbstractEventLoop,
    client: Client,
    close: Callable[[Client], Awaitable[None]],
) -> _Lifetime:
    try:
        yield
    finally:
        open_clients.pop(loop, None)
        await close(client)


async def _finish(loop: asyncio.AbstractEventLoop, lifetime: _Lifetime) -> None:
    await lifetime.aclose()
    _alive.get(loop, set()).discard(lifetime)


def _close_dropped(open_clients: _Open) -> None:
    for loop, (_, lifetime) in list(open_clients.items()):
        _close_soon(loop, lifetime)


def _close_soon(loop: asyncio.AbstractEventLoop, lifetime: _Lifetime) -> None:
    # A loop that has ended meanwhile has closed its clients itself.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_close_later, loop, lifetime)


def _close_later(loop: asyncio.AbstractEventLoop, lifetime: _Lifetime) -> None:
    task = loop.create_task(_finish(loop, lifetime))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()
