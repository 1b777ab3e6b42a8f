"""One call with its attempts: the only retry layer there is.

Each attempt becomes one CallRecord, durable before the answer is handed out. Between attempts
the wait doubles with full jitter, or is what the server asked for (Retry-After); a wait that
would pass the deadline ends the call with the error at hand.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmbench.catalog.prices import UNKNOWN, Price
from llmbench.errors import (
    LedgerError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.types import Attempt, CallRecord, CallStatus, ChatRequest, LLMResponse, RawAnswer, Timing

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

    def wait(self, attempt: int, error: ProviderError, rng: random.Random) -> float:
        """Seconds before the attempt after `attempt`."""
        jittered = rng.random() * min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1))
        if error.retry_after is not None:
            # A little over what was asked, so that waiting callers do not all come back at once.
            return max(jittered, error.retry_after * (1 + 0.1 * rng.random()))
        return jittered


_STOPPED = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)

# Jitter spreads callers over time; it never touches a result, so it needs no seed.
_jitter = random.Random()  # noqa: S311


class Call:
    """One request to one provider, through all its attempts."""

    def __init__(
        self, provider: BaseLLMProvider, request: ChatRequest, *, run_id: str | None, deadline_s: float | None
    ) -> None:
        self._provider = provider
        self._request = request
        self._run_id = run_id
        self._clock = provider.clock
        self._id = os.urandom(16).hex()
        self._hash = provider.request_hash(request)
        self._attempts: list[Attempt] = []
        self._deadline_s = provider.retry.deadline_s if deadline_s is None else deadline_s
        self._start_clock()

    def _start_clock(self) -> None:
        self._begin = self._clock.monotonic()
        self._deadline = self._begin + self._deadline_s

    async def complete(self) -> LLMResponse:
        """Try until an answer comes, a failure is final, or attempts or time are used up."""
        while True:
            started_at, start = self._clock.now(), self._clock.monotonic()
            try:
                async with self._clock.timeout(self._deadline - start):
                    raw = await self._provider._complete(self._request)  # noqa: SLF001 - the other half of the template
            except BaseException as error:  # noqa: BLE001 - a cancelled try may have been billed too
                await self._after_failure(error, started_at, start)
            else:
                return await self._answered(raw, started_at, start)

    async def stream(self) -> AsyncIterator[str | LLMResponse]:
        """Text as it comes, then the LLMResponse. After the first piece nothing is retried:
        the reader has already seen it.
        """
        self._start_clock()  # a stream may be read long after it was asked for
        while True:
            started_at, start = self._clock.now(), self._clock.monotonic()
            first: float | None = None
            raw: RawAnswer | None = None
            pieces = self._provider._stream(self._request)  # noqa: SLF001
            try:
                # Each piece has its own timeout: one around a `yield` would cancel the reader.
                while True:
                    async with self._clock.timeout(self._deadline - self._clock.monotonic()):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    if isinstance(piece, RawAnswer):
                        raw = piece
                        continue
                    if first is None:
                        first = (self._clock.monotonic() - start) * 1000
                    yield piece
                if raw is None:
                    raise TypeError(f"{type(self._provider).__name__}._stream ended without a RawAnswer")
            except BaseException as error:  # noqa: BLE001 - as above
                await _close(pieces)
                await self._after_failure(error, started_at, start, final=first is not None)
            else:
                if raw.time_to_first_token_ms is None:
                    raw = replace(raw, time_to_first_token_ms=first)
                yield await self._answered(raw, started_at, start)
                return

    async def _after_failure(
        self, error: BaseException, started_at: datetime, start: float, *, final: bool = False
    ) -> None:
        """Record the failed attempt; then wait for the next one, or raise."""
        failure = self._as_provider_error(error)
        status: CallStatus = "cancelled" if isinstance(error, _STOPPED) else "error"
        cause = failure or error
        billed = failure.maybe_billed if failure else True
        cost = None if billed and not self._provider.self_hosted else 0.0
        attempt = self._note(started_at, start, status, f"{type(cause).__name__}: {cause}", cost)
        record = self._record(started_at, attempt, error_type=type(cause).__name__, error_message=str(cause))
        try:
            await self._keep(record)
        except LedgerError as unrecorded:
            if isinstance(error, _STOPPED):
                raise error from unrecorded  # who was told to stop must stop
            raise
        if failure is None:
            raise error
        failure.attempts = tuple(self._attempts)
        if final or not failure.retryable or len(self._attempts) >= self._provider.retry.max_attempts:
            raise failure from error.__cause__ or (error if error is not failure else None)
        pause = self._provider.retry.wait(len(self._attempts), failure, _jitter)
        if self._clock.monotonic() + pause >= self._deadline:
            raise failure from error.__cause__ or (error if error is not failure else None)
        await self._clock.sleep(pause)

    def _as_provider_error(self, error: BaseException) -> ProviderError | None:
        if isinstance(error, ModelUnavailableError) and error.shutdown_date is None:
            date = self._provider.shutdown_date(self._request.model)
            if date:
                error.ends_on(date)
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, TimeoutError):
            seconds = self._deadline - self._begin
            return ProviderTimeoutError(
                f"{self._provider.endpoint}/{self._request.model} gave no answer within {seconds:g} s; "
                "try again, or raise deadline_s.",
                provider=self._provider.name,
                model=self._request.model,
            )
        return None

    async def _answered(self, raw: RawAnswer, started_at: datetime, start: float) -> LLMResponse:
        price, problem = self._price(raw)
        attempt = self._note(started_at, start, "ok", None, price.usd, raw)
        record = self._record(started_at, attempt, raw=raw, price=price)
        response = self._response(raw, price, attempt)
        try:
            await self._keep(record)
        except LedgerError as error:
            error.response = response
            raise
        if problem is not None:
            raise problem
        return response

    def _price(self, raw: RawAnswer) -> tuple[Price, Exception | None]:
        """The price, and what went wrong with finding it: raised only once the answer is kept."""
        if raw.reported_cost is not None and not self._provider.self_hosted:
            return Price(raw.reported_cost, "reported", None, None), None
        try:
            return self._provider.price_answer(self._request.model, raw), None
        except Exception as problem:  # noqa: BLE001 - whatever it is, the answer was paid for
            return UNKNOWN, problem

    def _note(
        self,
        started_at: datetime,
        start: float,
        status: CallStatus,
        error: str | None,
        cost: float | None,
        raw: RawAnswer | None = None,
    ) -> Attempt:
        latency = (self._clock.monotonic() - start) * 1000
        usage = raw.usage if raw else None
        attempt = Attempt(len(self._attempts) + 1, started_at, latency, status, error, usage, cost)
        self._attempts.append(attempt)
        return attempt

    def _record(
        self,
        started_at: datetime,
        attempt: Attempt,
        *,
        raw: RawAnswer | None = None,
        price: Price | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> CallRecord:
        provider, request = self._provider, self._request
        details: dict[str, Any] = {}
        if raw:
            details = {
                "content": raw.content,
                "finish_reason": raw.finish_reason,
                "usage": raw.usage,
                "queue_ms": raw.queue_ms,
                "load_ms": raw.load_ms,
                "prefill_ms": raw.prefill_ms,
                "decode_ms": raw.decode_ms,
                "time_to_first_token_ms": raw.time_to_first_token_ms,
                "served_model": raw.served_model,
                "fingerprint": raw.fingerprint,
                "metadata": raw.metadata,
            }
        if price:
            details |= {"cost_basis": price.basis, "price_book": price.book, "price_as_of": price.as_of}
        elif provider.self_hosted:
            details["cost_basis"] = "self-hosted"
        return CallRecord(
            call_id=self._id,
            attempt=attempt.number,
            request_hash=self._hash,
            endpoint=provider.endpoint,
            provider=provider.name,
            backend=provider.backend,
            model=request.model,
            messages=request.messages,
            params=request.params,
            repeat=request.repeat,
            started_at=started_at,
            latency_ms=attempt.latency_ms,
            wall_ms=(self._clock.monotonic() - self._begin) * 1000,
            status=attempt.status,
            error_type=error_type,
            error_message=error_message,
            cost=attempt.cost,
            run_id=self._run_id,
            **details,
        )

    async def _keep(self, record: CallRecord) -> None:
        """Make the record durable, also when the caller is cancelled meanwhile."""
        if self._provider.recorder is None:
            return
        writing = asyncio.ensure_future(self._provider.recorder.record(record))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing}, timeout=5)
            raise

    def _response(self, raw: RawAnswer, price: Price, attempt: Attempt) -> LLMResponse:
        return LLMResponse(
            content=raw.content,
            model=self._request.model,
            provider=self._provider.name,
            tokens_used=raw.usage.total_tokens if raw.usage else 0,
            cost=price.usd,
            latency_ms=round(attempt.latency_ms),
            metadata=dict(raw.metadata),
            usage=raw.usage,
            cost_basis=price.basis,
            price_as_of=price.as_of,
            timing=Timing(
                latency_ms=attempt.latency_ms,
                wall_ms=(self._clock.monotonic() - self._begin) * 1000,
                queue_ms=raw.queue_ms,
                load_ms=raw.load_ms,
                prefill_ms=raw.prefill_ms,
                decode_ms=raw.decode_ms,
                time_to_first_token_ms=raw.time_to_first_token_ms,
            ),
            attempts=tuple(self._attempts),
            finish_reason=raw.finish_reason,
            endpoint=self._provider.endpoint,
            served_model=raw.served_model,
            fingerprint=raw.fingerprint,
            call_id=self._id,
        )


async def _close(pieces: AsyncIterator[str | RawAnswer]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        await close()
