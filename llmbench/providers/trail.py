"""What one call leaves behind: its attempts, a durable record of each, and the answer."""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmbench.catalog.prices import UNKNOWN, Price
from llmbench.errors import LedgerError
from llmbench.types import Attempt, CallRecord, CallStatus, ChatRequest, LLMResponse, RawAnswer, Timing

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.clock import Clock
    from llmbench.types import Recorder

__all__ = ["Sent", "Trail"]

_RECORDING_SECONDS = 5.0

# Seeded by the system once: asking it for each call cost as much as writing the record.
_ids = random.Random(os.urandom(32))  # noqa: S311 - an id, no secret
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _ids.seed(os.urandom(32)))


def _new_id() -> str:
    return f"{_ids.getrandbits(128):032x}"


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt on its way: to whom, what, and since when."""

    provider: BaseLLMProvider
    endpoint: str
    """The name under which it is recorded."""
    request: ChatRequest
    request_hash: str
    started_at: datetime
    start: float
    """By the trail's clock; NaN where how long the answer took says nothing of the model, as in a batch."""


@dataclass(slots=True)
class Trail:
    """One call through all its attempts, whichever providers they are sent to."""

    clock: Clock
    deadline_s: float
    recorder: Recorder | None
    run_id: str | None = None
    unit_id: str | None = None
    experiment_id: str | None = None
    arm: str | None = None
    route: Mapping[str, Any] | None = None
    id: str = field(default_factory=_new_id)
    attempts: list[Attempt] = field(default_factory=list)
    begin: float = field(init=False)
    took_ms: float | None = None
    """All of the call, where the trail did not see it begin; NaN where that is not known."""

    def __post_init__(self) -> None:
        self.start_clock()

    def start_clock(self) -> None:
        """From now on the deadline runs."""
        self.begin = self.clock.monotonic()

    @property
    def seconds_left(self) -> float:
        """Until the deadline; negative after it."""
        return self.begin + self.deadline_s - self.clock.monotonic()

    def _wall_ms(self) -> float:
        return (self.clock.monotonic() - self.begin) * 1000 if self.took_ms is None else self.took_ms

    async def failed(self, sent: Sent, cause: BaseException, status: CallStatus, cost: float | None) -> None:
        """Keep an attempt that ended in `cause`. Raises LedgerError if it cannot be kept."""
        attempt = self._note(sent, status, f"{type(cause).__name__}: {cause}", cost)
        basis = {"cost_basis": "self-hosted"} if sent.provider.self_hosted else {}
        told = {"error_type": type(cause).__name__, "error_message": str(cause)}
        await self._keep(self._record(sent, attempt, **basis, **told))

    async def answered(self, sent: Sent, raw: RawAnswer) -> LLMResponse:
        """Keep an attempt that was answered, and give the answer.

        Raises LedgerError, which holds the answer, if it cannot be kept.
        """
        price, problem = _price(sent, raw)
        attempt = self._note(sent, "ok", None, price.usd, raw)
        response = self._response(sent, raw, price, attempt)
        try:
            await self._keep(self._record(sent, attempt, **_told_by(raw, price)))
        except LedgerError as error:
            error.response = response
            raise
        if problem is not None:
            raise problem
        return response

    def _note(
        self,
        sent: Sent,
        status: CallStatus,
        error: str | None,
        cost: float | None,
        raw: RawAnswer | None = None,
    ) -> Attempt:
        attempt = Attempt(
            number=len(self.attempts) + 1,
            started_at=sent.started_at,
            latency_ms=(self.clock.monotonic() - sent.start) * 1000,
            status=status,
            error=error,
            usage=raw.usage if raw else None,
            cost=cost,
            model=f"{sent.endpoint}/{sent.request.model}",
        )
        self.attempts.append(attempt)
        return attempt

    def _record(self, sent: Sent, attempt: Attempt, **told: Any) -> CallRecord:
        provider, request = sent.provider, sent.request
        return CallRecord(
            call_id=self.id,
            attempt=attempt.number,
            request_hash=sent.request_hash,
            endpoint=sent.endpoint,
            provider=provider.name,
            backend=provider.backend,
            model=request.model,
            messages=request.messages,
            params=request.params,
            repeat=request.repeat,
            started_at=sent.started_at,
            latency_ms=attempt.latency_ms,
            wall_ms=self._wall_ms(),
            status=attempt.status,
            cost=attempt.cost,
            run_id=self.run_id,
            unit_id=self.unit_id,
            experiment_id=self.experiment_id,
            arm=self.arm,
            route=self.route,
            **told,
        )

    async def _keep(self, record: CallRecord) -> None:
        """Make the record durable, also when the caller is cancelled meanwhile."""
        if self.recorder is None:
            return
        writing = asyncio.ensure_future(self.recorder.record(record))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing}, timeout=_RECORDING_SECONDS)
            raise

    def _response(self, sent: Sent, raw: RawAnswer, price: Price, attempt: Attempt) -> LLMResponse:
        return LLMResponse(
            content=raw.content,
            model=sent.request.model,
            provider=sent.provider.name,
            tokens_used=raw.usage.total_tokens if raw.usage else 0,
            cost=price.usd,
            latency_ms=round(attempt.latency_ms) if math.isfinite(attempt.latency_ms) else 0,
            metadata=dict(raw.metadata) if self.route is None else {**raw.metadata, "route": self.route},
            usage=raw.usage,
            cost_basis=price.basis,
            price_as_of=price.as_of,
            timing=Timing(
                latency_ms=attempt.latency_ms,
                wall_ms=self._wall_ms(),
                queue_ms=raw.queue_ms,
                load_ms=raw.load_ms,
                prefill_ms=raw.prefill_ms,
                decode_ms=raw.decode_ms,
                time_to_first_token_ms=raw.time_to_first_token_ms,
            ),
            attempts=tuple(self.attempts),
            finish_reason=raw.finish_reason,
            endpoint=sent.endpoint,
            served_model=raw.served_model,
            fingerprint=raw.fingerprint,
            call_id=self.id,
        )


def _price(sent: Sent, raw: RawAnswer) -> tuple[Price, Exception | None]:
    """The price, and what went wrong with finding it: raised only once the answer is kept."""
    if raw.reported_cost is not None and not sent.provider.self_hosted:
        return Price(raw.reported_cost, "reported", None, None), None
    try:
        return sent.provider.price_answer(sent.request.model, raw), None
    except Exception as problem:  # noqa: BLE001 - whatever it is, the answer was paid for
        return UNKNOWN, problem


def _told_by(raw: RawAnswer, price: Price) -> dict[str, Any]:
    return {
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
        "cost_basis": price.basis,
        "price_book": price.book,
        "price_as_of": price.as_of,
    }
