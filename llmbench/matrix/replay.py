"""Which planned calls the ledger can already answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from llmbench.matrix.outcome import NOT_CALLED, Outcome, from_record
from llmbench.matrix.plan import Cell, Plan, PlannedCall
from llmbench.types import CallRecord, ChatRequest

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Job", "Replay"]

_BATCH = 500
"""Planned calls looked up at once: enough to make a query's cost small, few enough to hold."""


class Job(NamedTuple):
    """A planned call as it would be sent, and its earlier answer if there is one."""

    call: PlannedCall
    request: ChatRequest
    request_hash: str
    record: CallRecord | None


class Replay:
    """Writes the requests of a plan, batch by batch, and finds their answers in the ledger.

    `not_before` leaves older answers out. A content filter's refusal is an answer too, although
    the ledger has it as an error.
    """

    def __init__(
        self,
        plan: Plan,
        providers: Mapping[str, BaseLLMProvider],
        ledger: Ledger,
        not_before: datetime | None = None,
    ) -> None:
        self._plan = plan
        self._providers = providers
        self._ledger = ledger
        self.not_before = not_before
        self._filtered: dict[str, CallRecord] | None = None

    def batches(self, cell: Cell) -> Iterator[list[Job]]:
        """The calls of `cell` in their order. Raises UsageError or InvalidRequestError for a request
        that cannot be written, LedgerError where the ledger cannot be read.
        """
        calls = self._plan.calls(cell)
        while batch := list(islice(calls, _BATCH)):
            yield self._looked_up(batch)

    def outcomes(self, failures: Mapping[str, Outcome]) -> dict[str, list[Outcome]]:
        """What there is of every planned call, by cell label: its recorded or earlier answer, else
        its entry in `failures` (by request hash), else that it was not called yet.
        """
        found: dict[str, list[Outcome]] = {}
        for cell in self._plan.cells:
            if cell.recorded is not None:
                found[cell.label] = [cell.recorded.outcome(call.item) for call in self._plan.calls(cell)]
                continue
            found[cell.label] = [
                from_record(job.record)
                if job.record is not None
                else failures.get(job.request_hash, Outcome(error=NOT_CALLED))
                for batch in self.batches(cell)
                for job in batch
            ]
        return found

    def _looked_up(self, batch: list[PlannedCall]) -> list[Job]:
        written: list[tuple[PlannedCall, ChatRequest, str]] = []
        request: ChatRequest | None = None
        for call in batch:
            cell = call.cell
            assert cell.endpoint is not None  # noqa: S101 - recorded models never get here
            assert cell.template is not None  # noqa: S101
            provider = self._providers[cell.endpoint]
            if request is None or call.repeat == 0:
                messages = cell.template.messages(call.item)
                request = provider.request(messages, cell.asked_model, repeat=call.repeat, **cell.options)
            else:
                request = ChatRequest(request.model, request.messages, request.params, call.repeat)
            written.append((call, request, provider.request_hash(request)))
        answers = self._ledger.answers([h for _, _, h in written], not_before=self.not_before)
        filtered = self._content_filtered()
        return [Job(call, sent, h, answers.get(h) or filtered.get(h)) for call, sent, h in written]

    def _content_filtered(self) -> dict[str, CallRecord]:
        if self._filtered is None:
            self._filtered = {
                record.request_hash: record
                for record in self._ledger.calls(since=self.not_before, status="error")
                if record.error_type == "ContentFilteredError"
            }
        return self._filtered
