"""What became of one planned call: an answer, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from llmbench.types import CallRecord, LLMResponse

__all__ = [
    "FILTERED",
    "NOT_CALLED",
    "NOT_JUDGED",
    "NO_OPPONENT",
    "Outcome",
    "from_record",
    "from_response",
    "newest_and_books",
]

NOT_CALLED = "not called yet"
NOT_JUDGED = "not judged"
"""Begins the note of an answer whose judge gave no verdict."""
NO_OPPONENT = "what it is compared with has no answer"
FILTERED = "content_filter"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell's answer to one item. `cost_usd` is what this answer costs, whenever it was paid;
    None is not known.
    """

    answer: str | None = None
    """None: missing. A refusal and a content filter are answers, the latter an empty one."""
    error: str | None = None
    finish_reason: str | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the input, read from the vendor's cache."""
    reasoning_tokens: int | None = None
    """Of the output."""
    served_model: str | None = None
    replayed: bool = False
    attempts: int = 0
    answered_at: datetime | None = None
    price_book: str | None = None

    @property
    def missing(self) -> bool:
        """Whether there is nothing to grade."""
        return self.answer is None


def from_record(record: CallRecord) -> Outcome:
    """An answer that the ledger has; a content filter's refusal is an empty answer."""
    filtered = record.status != "ok"
    # A row from elsewhere may have no latency, which a record holds as NaN.
    latency = record.latency_ms if math.isfinite(record.latency_ms) else None
    return Outcome(
        answer="" if filtered else record.content or "",
        error=record.error_message if filtered else None,
        finish_reason=FILTERED if filtered else record.finish_reason,
        cost_usd=record.cost,
        latency_ms=latency,
        input_tokens=record.usage.input_tokens if record.usage else None,
        output_tokens=record.usage.output_tokens if record.usage else None,
        cached_tokens=record.usage.cache_read_tokens if record.usage else None,
        reasoning_tokens=record.usage.reasoning_tokens if record.usage else None,
        served_model=record.served_model,
        replayed=True,
        attempts=record.attempt,
        answered_at=record.started_at + timedelta(milliseconds=latency or 0.0),
        price_book=record.price_book,
    )


def from_response(response: LLMResponse, price_book: str | None) -> Outcome:
    """An answer that has just come, with the same values as its row in the ledger."""
    last = response.attempts[-1] if response.attempts else None
    latency: float | None = last.latency_ms if last else float(response.latency_ms)
    if latency is not None and not math.isfinite(latency):
        latency = None  # of a batch
    return Outcome(
        answer=response.content,
        finish_reason=response.finish_reason,
        # Earlier attempts are the run's spending; this is what the answer itself costs.
        cost_usd=last.cost if last else response.cost,
        latency_ms=latency,
        input_tokens=response.usage.input_tokens if response.usage else None,
        output_tokens=response.usage.output_tokens if response.usage else None,
        cached_tokens=response.usage.cache_read_tokens if response.usage else None,
        reasoning_tokens=response.usage.reasoning_tokens if response.usage else None,
        served_model=response.served_model,
        attempts=max(1, len(response.attempts)),
        answered_at=last.started_at + timedelta(milliseconds=latency or 0.0) if last else None,
        price_book=price_book,
    )


def newest_and_books(
    parts: Iterable[Mapping[str, Sequence[Outcome | None]]],
) -> tuple[str | None, str | None]:
    """ISO instant of the newest answer, and the price books of all; None where nothing tells."""
    there = [outcome for part in parts for found in part.values() for outcome in found if outcome is not None]
    instants = [outcome.answered_at for outcome in there if outcome.answered_at is not None]
    books = ", ".join(sorted({outcome.price_book for outcome in there if outcome.price_book}))
    return max(instants).isoformat() if instants else None, books or None
