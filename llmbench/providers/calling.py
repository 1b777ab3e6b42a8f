"""One call with its attempts: the only retry layer there is.

Each attempt becomes one CallRecord, durable before the answer is handed out. Between attempts
the wait doubles with full jitter, or is what the server asked for (Retry-After); a wait that
would pass the deadline ends the call with the error at hand.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmbench.errors import (
    LedgerError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.providers.trail import Sent, Trail
from llmbench.types import CallStatus, ChatRequest, LLMResponse, RawAnswer

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Call", "RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried."""

    max_attempts: int = 6
    deadline_s: float = 120.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise UsageError(f"max_attempts must be at least 1; it is {self.max_attempts!r}.")
        if not self.deadline_s > 0:
            raise UsageError(f"deadline_s must be more than 0 seconds; it is {self.deadline_s!r}.")

    def wait(self, attempt: int, error: ProviderError, rng: random.Random | None = None) -> float:
        """Seconds before the attempt after `attempt`."""
        rng = rng or _jitter
        jittered = rng.random() * min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1))
        if error.retry_after is not None:
            # A little over what was asked, so that waiting callers do not all come back at once.
            return max(jittered, error.retry_after * (1 + 0.1 * rng.random()))
        return jittered


_STOPPED = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)

# Jitter spreads callers over time; it never touches a result, so it needs no seed.
_jitter = random.Random()  # noqa: S311


class Call:
    """One request to one provider; its attempts go onto `trail`, which may hold other providers' too."""

    def __init__(
        self,
        provider: BaseLLMProvider,
        request: ChatRequest,
        trail: Trail,
        endpoint: str | None = None,
        request_hash: str | None = None,
    ) -> None:
        self._provider = provider
        self._endpoint = endpoint or provider.endpoint
        self._request = request
        self._trail = trail
        self._clock = trail.clock
        self._hash = request_hash or provider.request_hash(request, self._endpoint)

    async def complete(self) -> LLMResponse:
        """Try until an answer comes, a failure is final, or attempts or time are used up."""
        while True:
            try:
                return await self.try_once()
            except ProviderError as failure:
                pause = self._pause(failure)
                if pause is None:
                    raise
            await self._clock.sleep(pause)

    async def try_once(self, within_s: float | None = None) -> LLMResponse:
        """One attempt, of at most `within_s` seconds and not past the deadline.

        Raises the ProviderError that it ended in, with all attempts of the trail so far.
        """
        sent = self._send()
        left = self._trail.seconds_left
        limit = left if within_s is None else min(left, within_s)
        try:
            async with self._clock.timeout(limit):
                raw = await self._provider._complete(self._request)  # noqa: SLF001 - the other half of the template
        except BaseException as error:  # noqa: BLE001 - a cancelled try may have been billed too
            seconds = within_s if within_s is not None and limit < left else self._trail.deadline_s
            failure = await self._failed(error, sent, seconds)
            raise failure from error.__cause__ or (error if error is not failure else None)
        return await self._trail.answered(sent, raw)

    async def stream(self) -> AsyncIterator[str | LLMResponse]:
        """Text as it comes, then the LLMResponse. After the first piece nothing is retried:
        the reader has already seen it.
        """
        self._trail.start_clock()  # a stream may be read long after it was asked for
        while True:
            sent = self._send()
            first: float | None = None
            raw: RawAnswer | None = None
            pieces = self._provider._stream(self._request)  # noqa: SLF001
            try:
                # Each piece has its own timeout: one around a `yield` would cancel the reader.
                while True:
                    async with self._clock.timeout(self._trail.seconds_left):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    if isinstance(piece, RawAnswer):
                        raw = piece
                        continue
                    if first is None:
                        first = (self._clock.monotonic() - sent.start) * 1000
                    yield piece
                if raw is None:
                    raise TypeError(f"{type(self._provider).__name__}._stream ended without a RawAnswer")
            except BaseException as error:  # noqa: BLE001 - as above
                await _close(pieces)
                failure = await self._failed(error, sent, self._trail.deadline_s)
                pause = self._pause(failure) if first is None else None
                if pause is None:
                    raise failure from error.__cause__ or (error if error is not failure else None)
                await self._clock.sleep(pause)
            else:
                if raw.time_to_first_token_ms is None:
                    raw = replace(raw, time_to_first_token_ms=first)
                yield await self._trail.answered(sent, raw)
                return

    def _send(self) -> Sent:
        now, start = self._clock.now(), self._clock.monotonic()
        return Sent(self._provider, self._endpoint, self._request, self._hash, now, start)

    async def _failed(self, error: BaseException, sent: Sent, seconds: float) -> ProviderError:
        """Record the failed attempt. Gives what is to be raised, or raises what is no ProviderError."""
        failure = self._as_provider_error(error, seconds)
        status: CallStatus = "cancelled" if isinstance(error, _STOPPED) else "error"
        billed = failure.maybe_billed if failure else True
        cost = None if billed and not self._provider.self_hosted else 0.0
        try:
            await self._trail.failed(sent, failure or error, status, cost)
        except LedgerError as unrecorded:
            if isinstance(error, _STOPPED):
                raise error from unrecorded  # who was told to stop must stop
            raise
        if failure is None:
            raise error
        failure.attempts = tuple(self._trail.attempts)
        return failure

    def _pause(self, failure: ProviderError) -> float | None:
        """Seconds before the next attempt; None if there is none."""
        policy, made = self._provider.retry, len(self._trail.attempts)
        if not failure.retryable or made >= policy.max_attempts:
            return None
        pause = policy.wait(made, failure)
        return pause if pause < self._trail.seconds_left else None

    def _as_provider_error(self, error: BaseException, seconds: float) -> ProviderError | None:
        if isinstance(error, ModelUnavailableError) and error.shutdown_date is None:
            date = self._provider.shutdown_date(self._request.model)
            if date:
                error.ends_on(date)
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, TimeoutError):
            return ProviderTimeoutError(
                f"{self._endpoint}/{self._request.model} gave no answer within {seconds:g} s; "
                "try again, or raise deadline_s.",
                provider=self._provider.name,
                model=self._request.model,
            )
        return None


async def _close(pieces: AsyncIterator[str | RawAnswer]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        await close()
