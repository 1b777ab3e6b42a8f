"""How many calls of one endpoint are in flight: as many as it takes well."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmbench.errors import RateLimitError
from llmbench.matrix.checks import whole_number

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.types import Attempt

__all__ = ["CEILING", "Lane", "Lanes", "lanes_for"]

CEILING = 64
"""Calls in flight at most where nobody says otherwise."""
_RATE_LIMIT = RateLimitError.__name__
_SLOWER = 2.0
"""A median latency of so many times the first one means that calls wait at the server for each other."""


class Lane:
    """One place among the calls in flight, and what the call in it told of its endpoint."""

    __slots__ = ("latency_ms", "limited", "round")

    def __init__(self, number: int) -> None:
        self.round = number
        self.latency_ms: float | None = None
        self.limited = False

    def note(self, attempts: Sequence[Attempt], latency_ms: float | None) -> None:
        """The attempts of the call, and how long its answer took, if there was one."""
        self.latency_ms = latency_ms
        self.limited = any((each.error or "").startswith(_RATE_LIMIT) for each in attempts)


class Lanes:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989, Computer Networks 17).

    A round is as many answers as there are lanes. After each one there is one lane more, up to
    `ceiling`, unless its median latency shows that the server is the one that waits; then there is
    one fewer, but not fewer than at the start. A rate limit halves the lanes, once for all the calls
    that were in flight together.

    Belongs to one event loop.
    """

    def __init__(self, start: int, ceiling: int) -> None:
        self.start = start
        self.ceiling = max(start, ceiling)
        self.limit = start
        self.halved = 0
        """How often rate limits have halved them."""
        self._in_flight = 0
        self._round = 0
        self._latencies: list[float] = []
        self._usual: float | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> Lane:
        """Wait for a lane, first come first served."""
        while self._in_flight >= self.limit:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn that this one cannot take
                raise
        self._in_flight += 1
        return Lane(self._round)

    def leave(self, lane: Lane) -> None:
        """Give the lane back."""
        self._in_flight -= 1
        if lane.limited:
            if lane.round == self._round:
                self.limit = max(1, self.limit // 2)
                self.halved += 1
                self._round += 1
                self._latencies.clear()
        elif lane.latency_ms is not None:
            self._latencies.append(lane.latency_ms)
            if len(self._latencies) >= self.limit:
                self._end_round()
        self._wake()

    def _end_round(self) -> None:
        median = sorted(self._latencies)[len(self._latencies) // 2]
        self._latencies.clear()
        if self._usual is None:
            self._usual = median
        if median <= _SLOWER * self._usual:
            self.limit = min(self.ceiling, self.limit + 1)
        else:
            self.limit = max(min(self.start, self.limit), self.limit - 1)

    def _wake(self) -> None:
        for _ in range(self.limit - self._in_flight):
            while self._waiting and self._waiting[0].done():
                self._waiting.popleft()
            if not self._waiting:
                return
            self._waiting.popleft().set_result(None)


def lanes_for(
    concurrency: int | Mapping[str, int] | None, providers: Mapping[str, BaseLLMProvider]
) -> dict[str, Lanes]:
    """Lanes of each endpoint: as many as `concurrency` says, else from what the provider advises.

    Raises UsageError for a number that is none of calls.
    """
    lanes: dict[str, Lanes] = {}
    for endpoint, provider in providers.items():
        given = concurrency.get(endpoint) if isinstance(concurrency, Mapping) else concurrency
        if given is not None:
            most = whole_number("concurrency", given)
            lanes[endpoint] = Lanes(most, most)
        else:
            # An endpoint that advises one call at a time computes on this machine.
            advised = provider.concurrency
            lanes[endpoint] = Lanes(advised, CEILING if advised > 1 else 1)
    return lanes
