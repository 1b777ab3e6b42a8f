"""One prediction at Replicate: looked at until it has ended, and cancelled where it is left before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from replicate.client import Client

__all__ = ["RunningPrediction", "create_prediction"]

_ENDED = frozenset({"succeeded", "failed", "canceled", "aborted"})
_CREATE_SECONDS = 1.0
_CANCEL_SECONDS = 5.0


class RunningPrediction:
    """A prediction as last seen. Leaving its `async with` before it has ended cancels it at Replicate,
    or it would run, and be charged, on.
    """

    def __init__(self, client: Client, seen: Mapping[str, Any]) -> None:
        self._client = client
        self.seen = seen

    @property
    def stream_url(self) -> str | None:
        """Where its output streams, if it does."""
        urls = self.seen.get("urls")
        address = urls.get("stream") if isinstance(urls, Mapping) else None
        return address if isinstance(address, str) else None

    async def look(self) -> None:
        """Read it once."""
        # The SDK's own model of a prediction refuses the status "aborted".
        reply = await self._client._async_request("GET", f"/v1/predictions/{self.seen['id']}")  # noqa: SLF001
        seen = reply.json()
        if not isinstance(seen, dict) or not isinstance(seen.get("status"), str):
            raise TypeError("no prediction")
        # Its id is the one it was created with, whatever a later reply says.
        self.seen = {**seen, "id": self.seen["id"]}

    async def end(self, *, every_s: float) -> Mapping[str, Any]:
        """Look at it every `every_s` seconds until it has ended."""
        while not self._ended:
            await asyncio.sleep(every_s)
            await self.look()
        return self.seen

    @property
    def _ended(self) -> bool:
        return self.seen["status"] in _ENDED

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._ended:
            await _finish(self._cancel(), _CANCEL_SECONDS)

    async def _cancel(self) -> None:
        # Whatever becomes of it, the caller has left already.
        with contextlib.suppress(Exception):
            await self._client.predictions.async_cancel(self.seen["id"])


async def create_prediction(client: Client, **arguments: Any) -> RunningPrediction:
    """Create one. A caller that is cancelled meanwhile leaves none behind that came about just then."""
    creating = asyncio.ensure_future(client.predictions.async_create(**arguments))
    try:
        created = await asyncio.shield(creating)
    except asyncio.CancelledError:
        await _finish(creating, _CREATE_SECONDS)
        if not creating.cancelled() and creating.exception() is None:
            left = RunningPrediction(client, creating.result().dict())
            await _finish(left._cancel(), _CANCEL_SECONDS)  # noqa: SLF001
        raise
    return RunningPrediction(client, created.dict())


async def _finish(work: Coroutine[Any, Any, None] | asyncio.Future[Any], seconds: float) -> None:
    """Finish `work` for a caller who was cancelled, or give it up after `seconds` or at the next one."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if task.cancel():
            await asyncio.wait({task})
