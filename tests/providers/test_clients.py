from __future__ import annotations

import asyncio
import gc

from llmbench import background
from llmbench.providers.clients import PerLoop


class Client:
    def __init__(self) -> None:
        self.closed_in: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        self.closed_in = asyncio.get_running_loop()


def test_each_loop_has_its_own_client_closed_with_it() -> None:
    per_loop: PerLoop[Client] = PerLoop(Client, Client.close)

    async def twice() -> tuple[Client, Client, asyncio.AbstractEventLoop]:
        return await per_loop.get(), await per_loop.get(), asyncio.get_running_loop()

    first, again, loop = asyncio.run(twice())
    second, _, other = asyncio.run(twice())
    assert first is again
    assert first is not second
    assert first.closed_in is loop
    assert second.closed_in is other


def test_aclose_reaches_the_background_loop() -> None:
    per_loop: PerLoop[Client] = PerLoop(Client, Client.close)
    elsewhere = background.run(per_loop.get())

    async def close_all() -> Client:
        here = await per_loop.get()
        await per_loop.aclose()
        return here

    here = asyncio.run(close_all())
    background.run(asyncio.sleep(0.01))  # the other loop closes its own when it comes to it
    assert here.closed_in is not None
    assert elsewhere.closed_in is not None
    assert elsewhere.closed_in is not here.closed_in


def test_closing_never_waits_for_another_loop() -> None:
    """The kernel's loop waits in a plain function while the background loop closes."""
    per_loop: PerLoop[Client] = PerLoop(Client, Client.close)

    async def kernel() -> Client:
        here = await per_loop.get()
        background.run(per_loop.aclose())
        await asyncio.sleep(0.05)
        return here

    assert asyncio.run(asyncio.wait_for(kernel(), 5)).closed_in is not None


def test_a_closed_client_is_replaced() -> None:
    per_loop: PerLoop[Client] = PerLoop(Client, Client.close)

    async def reopen() -> bool:
        before = await per_loop.get()
        await per_loop.aclose()
        return await per_loop.get() is not before

    assert asyncio.run(reopen())


def test_a_dropped_client_is_closed_in_its_loop() -> None:
    per_loop: PerLoop[Client] | None = PerLoop(Client, Client.close)
    assert per_loop is not None
    client = background.run(per_loop.get())
    assert client.closed_in is None
    per_loop = None
    gc.collect()
    background.run(asyncio.sleep(0.01))
    assert client.closed_in is not None
