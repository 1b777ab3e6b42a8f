"""Calls of a run held to the requests and tokens a minute that a vendor allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmbench.matrix.duration import limit_of
from llmbench.routing.limits import Limit, Window

if TYPE_CHECKING:
    from llmbench.types import ChatRequest

__all__ = ["Pace"]

_CHARACTERS_A_TOKEN = 4


class Pace:
    """One window of a minute for each model that has a limit. Belongs to one event loop."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self._windows: dict[tuple[str, str], Window | None] = {}

    async def enter(
        self, target: tuple[str, str], request: ChatRequest, most_output: int | None
    ) -> Entry | None:
        """Wait until the call fits, and count it; None where its model has no limit.

        It is counted as about as many tokens as it may use. One that never fits alone is let through: the
        vendor will say so itself.
        """
        window = self._window(target)
        if window is None:
            return None
        characters = sum(len(message["content"]) for message in request.messages)
        tokens = characters / _CHARACTERS_A_TOKEN + (most_output or 0)
        while True:
            now = time.monotonic()
            at = window.free_at(now, tokens)
            if at <= now or at == float("inf"):
                return Entry(window, window.enter(now, tokens))
            await asyncio.sleep(at - now)

    def _window(self, target: tuple[str, str]) -> Window | None:
        if target not in self._windows:
            limit = limit_of(target, self._limits)
            counted = limit is not None and (limit.requests_per_minute or limit.tokens_per_minute)
            self._windows[target] = Window(limit) if limit is not None and counted else None
        return self._windows[target]


class Entry:
    """A call that was counted."""

    def __init__(self, window: Window, entry: list[float]) -> None:
        self._window = window
        self._entry = entry

    def settle(self, tokens: int) -> None:
        """Put the `tokens` that it used in the place of those that were expected."""
        self._window.settle(self._entry, tokens)
