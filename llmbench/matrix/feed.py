"""The calls of one endpoint, a batch ahead of the workers that make them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmbench.matrix.replay import Job

__all__ = ["Feed"]


class Feed:
    """What is to be called, batch by batch, shared by workers. Belongs to one event loop.

    While calls are made, the batch after them is looked up in a thread: the workers do not all stand
    still for it, and no more than one batch is held besides the calls that are `ready`.
    """

    def __init__(self, batches: Iterator[list[Job]]) -> None:
        self._batches = batches
        self._coming: asyncio.Task[list[Job] | None] | None = None
        self.ready: deque[Job] = deque()
        """Calls to be made, the next one first."""
        self.lock = asyncio.Lock()
        """Held by the worker that takes from `ready`, or fills it."""

    async def batch(self) -> list[Job] | None:
        """The next batch, None after the last. Raises what its looking up raised."""
        coming, self._coming = self._coming or self._look_up(), None
        found = await coming
        if found is not None:
            self._coming = self._look_up()
        return found

    async def close(self) -> None:
        """Wait for what is still being looked up for nobody, so that no thread reads on after the run."""
        if self._coming is not None:
            await asyncio.wait({self._coming})
            if not self._coming.cancelled():
                self._coming.exception()  # of no concern to calls that are not made

    def _look_up(self) -> asyncio.Task[list[Job] | None]:
        # Templates, hashes and the ledger's query would hold up answers on this loop.
        return asyncio.create_task(asyncio.to_thread(next, self._batches, None))
