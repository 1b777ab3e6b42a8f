"""Time as a provider sees it, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the retry layer asks of time."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def now(self) -> datetime:
        """The aware UTC instant."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Raise TimeoutError in the body after `seconds`; None waits for ever."""


class SystemClock:
    """The real one."""

    monotonic = staticmethod(time.perf_counter)

    def now(self) -> datetime:
        """The aware UTC instant."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Raise TimeoutError in the body after `seconds`; None waits for ever."""
        return asyncio.timeout(seconds)
