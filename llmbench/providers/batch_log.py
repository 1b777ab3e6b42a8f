"""What a batch leaves in the ledger: its row before it is started, and each of its results.

Ids of calls follow from the row, so that a result that is collected twice is recorded once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from llmbench.errors import ProviderError
from llmbench.providers.batches import Asked, BatchJob, Result, milliseconds_between
from llmbench.providers.trail import Sent, Trail
from llmbench.types import Attempt, BatchJournal, BatchRow, LLMResponse

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["BatchLog"]


class BatchLog:
    """The batches of one provider. Without a journal nothing outlives the process."""

    def __init__(self, provider: BaseLLMProvider, journal: BatchJournal | None) -> None:
        self._provider = provider
        self._journal = journal

    async def open_rows(self, not_before: datetime | None) -> list[BatchRow]:
        """The batches that are not closed, the first first."""
        if self._journal is None:
            return []
        rows = await asyncio.to_thread(self._journal.open_batches, self._provider.endpoint)
        return [row for row in rows if not_before is None or row.prepared_at >= not_before]

    async def prepare(self, row: BatchRow) -> None:
        """Return once it is durable that `row` may be started."""
        await self._keep(lambda journal: journal.prepare_batch(row))

    async def submitted(self, row: BatchRow, job: BatchJob) -> None:
        """Return once it is durable that the vendor has `row` as `job`."""
        await self._keep(lambda journal: journal.batch_submitted(row.tag, job.id))

    async def close(self, row: BatchRow, why: str) -> None:
        """Nothing more is to come of `row`."""
        await self._keep(lambda journal: journal.close_batch(row.tag, why))

    async def has_all_of(self, row: BatchRow) -> bool:
        """Whether every result of `row` is in the ledger."""
        return len(await self.recorded(row, row.request_hashes)) == len(set(row.request_hashes))

    async def recorded(self, row: BatchRow, request_hashes: Sequence[str]) -> frozenset[str]:
        """Those of `request_hashes` whose results in the batch of `row` are in the ledger."""
        if self._journal is None:
            return frozenset()
        hash_of = {_call_id(row.tag, h): h for h in request_hashes}
        found = await asyncio.to_thread(self._journal.recorded_calls, list(hash_of))
        return frozenset(hash_of[call_id] for call_id in found)

    async def record(
        self,
        row: BatchRow,
        one: Asked,
        result: Result,
        ended_at: datetime | None,
        *,
        earlier: Sequence[Attempt] = (),
        is_known: bool = False,
    ) -> LLMResponse | ProviderError:
        """Make one result durable, as the one attempt of a call whose id follows from the row.

        `earlier`: its attempts in batches before. `is_known`: the ledger has it already. Raises LedgerError.
        """
        provider = self._provider
        # A batch has a turnaround and no latency: its answers say nothing of how fast the model is.
        recorder = None if is_known else provider.recorder
        trail = Trail(provider.clock, math.inf, recorder, row.run_id, id=_call_id(row.tag, one.request_hash))
        trail.took_ms = milliseconds_between(row.prepared_at, ended_at)
        sent = Sent(provider, provider.endpoint, one.request, one.request_hash, row.prepared_at, math.nan)
        if not isinstance(result, ProviderError):
            response = await trail.answered(sent, result)
            return replace(response, attempts=_numbered(earlier, trail.attempts))
        error = copy(result)  # each request has attempts of its own
        await trail.failed(sent, error, "error", None if error.maybe_billed else 0.0)
        error.attempts = _numbered(earlier, trail.attempts)
        return error

    async def _keep(self, change: Callable[[BatchJournal], None]) -> None:
        if self._journal is not None:
            await asyncio.to_thread(change, self._journal)


def _call_id(tag: str, request_hash: str) -> str:
    return f"{tag}{request_hash[:24]}"


def _numbered(*parts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    attempts = [attempt for part in parts for attempt in part]
    return tuple(replace(attempt, number=number) for number, attempt in enumerate(attempts, 1))
