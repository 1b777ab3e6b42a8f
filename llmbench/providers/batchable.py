"""Many requests at once: the half of a provider that is about batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import ProviderError, UsageError
from llmbench.providers.batches import Batcher, BatchJob
from llmbench.providers.batching import BatchRun
from llmbench.types import BatchJournal, ChatRequest, LLMResponse, Recorder

if TYPE_CHECKING:
    from llmbench.providers.calling import RetryPolicy

__all__ = ["Batchable"]


class Batchable:
    """What `BaseLLMProvider` takes from here; a provider whose vendor has batches says how in `_batcher`."""

    endpoint: str
    recorder: Recorder | None
    retry: RetryPolicy

    @abstractmethod
    def request_hash(self, request: ChatRequest, endpoint: str | None = None) -> str:
        """The identity of a request."""

    def _batcher(self) -> Batcher | None:
        """How the vendor takes many requests as one batch, where it does."""
        return None

    @property
    def has_batches(self) -> bool:
        """Whether the vendor takes many requests as one batch."""
        return self._batcher() is not None

    async def batch(
        self, requests: Sequence[ChatRequest], *, run_id: str | None = None, poll_s: float | None = None
    ) -> list[LLMResponse | ProviderError]:
        """Have `requests` (see `request`) answered in the vendor's batches, which takes up to a day: for
        each its answer, or why there is none, in their order.

        With a Ledger as `ledger`, the same call after any stop takes up the batches that it finds there,
        and submits nothing twice. `poll_s`: seconds between two looks at a batch, default 5 to 60.
        Raises UsageError where the vendor has no batches, ProviderError where it cannot be asked, and
        LedgerError.
        """
        found: dict[str, LLMResponse | ProviderError] = {}

        def settle(request_hash: str, outcome: LLMResponse | ProviderError) -> float:
            found[request_hash] = outcome
            return 0.0

        await self.run_batches(requests, settle, run_id=run_id, poll_s=poll_s)
        return [found[self.request_hash(request)] for request in requests]

    async def run_batches(
        self,
        requests: Iterable[ChatRequest],
        settle: Callable[[str, LLMResponse | ProviderError], float],
        **options: Any,
    ) -> None:
        """As `batch`, telling `settle` of each request as soon as its batch has ended; `options` are those
        of `llmbench.providers.batching.BatchRun`.
        """
        keeps: object = self.recorder
        journal = keeps if isinstance(keeps, BatchJournal) else None
        await BatchRun(self._needed_batcher(), settle, journal=journal, **options).run(requests)

    async def get_batch_status(self, job_id: str) -> BatchJob:
        """The state of a batch at the vendor's. Raises UsageError and ProviderError."""
        batcher = self._needed_batcher()
        return await batcher.asked(lambda: batcher.look(job_id, job_id), job_id, self.retry.deadline_s)

    def _needed_batcher(self) -> Batcher:
        batcher = self._batcher()
        if batcher is None:
            raise UsageError(f"{self.endpoint} has no batches; OpenAI, Together, Anthropic and Gemini have.")
        return batcher
