"""Network clients belong to the event loop they were made in, and close with it.

A notebook uses two loops in one process: the kernel's own (top-level await) and the background
loop (plain functions). A client shared between them fails at random, and one dropped without
closing made another client's call hang in three of three tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["PerLoop"]

Client = TypeVar("Client")


class PerLoop(Generic[Client]):
    """One client for each event loop, made at first use by `create`, ended by `close`.

    Closing rides on asynchronous generators: a loop that shuts down (the end of `asyncio.run`,
    of the background loop) finishes every generator started in it, and the client's `close`
    stands in the `finally` of one.
    """

    def __init__(self, create: Callable[[], Client], close: Callable[[Client], Awaitable[None]]) -> None:
        self._create = create
        self._close = close
        self._open: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[Client, AsyncGenerator[None, None]]
        ] = WeakKeyDictionary()

    async def get(self) -> Client:
        """The running loop's client."""
        loop = asyncio.get_running_loop()
        entry = self._open.get(loop)
        if entry is None:
            client = self._create()
            lifetime = self._lifetime(loop, client)
            self._open[loop] = (client, lifetime)
            await anext(lifetime)
            return client
        return entry[0]

    async def _lifetime(self, loop: asyncio.AbstractEventLoop, client: Client) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._open.pop(loop, None)
            await self._close(client)

    async def aclose(self) -> None:
        """Close the clients of all loops: this one's now, another running loop's in that loop."""
        here = asyncio.get_running_loop()
        for loop, (_, lifetime) in list(self._open.items()):
            if loop is here:
                await lifetime.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_finish(lifetime), loop))
            else:
                self._open.pop(loop, None)


async def _finish(lifetime: AsyncGenerator[None, None]) -> None:
    await lifetime.aclose()
