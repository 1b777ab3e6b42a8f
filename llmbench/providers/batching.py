"""Requests through a vendor's batches, to the end: submitted once, found again after any stop, recorded.

Before a vendor is asked to start a batch, its row is in the ledger (`llmbench.providers.batch_log`), and the
vendor's id as soon as there is one. Whoever comes later looks for a row's batch at the vendor's before
anything is submitted again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from llmbench.errors import BadResponseError, ProviderError
from llmbench.providers.batch_log import BatchLog
from llmbench.providers.batch_purse import Purse, Unlimited
from llmbench.providers.batches import (
    Asked,
    Batcher,
    BatchJob,
    Result,
    at_batch_tier,
    custom_id,
    split,
    unfinished,
)
from llmbench.types import Attempt, BatchJournal, BatchRow, ChatRequest, LLMResponse

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["BatchRun"]

T = TypeVar("T")

_CREATE_SECONDS = 300.0
"""A submission is given up after so long; later than that the vendor's list says whether there is one."""
_UPLOAD_SECONDS = 1800.0
_FIRST_POLL_SECONDS = 5.0
_LONGEST_POLL_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 3600.0
_WRITTEN_TOGETHER = 500
_NOT_FOUND = 404
_GONE = "gone"
_FIRST_SERVER_FAULT = 500


@dataclass(slots=True)
class BatchRun:
    """Sends requests through `batcher`, each at most `rounds` times.

    `settle` is told of each request, once, its hash and its answer or final error, and gives what it was
    charged in USD, at most. `not_before`: batches from before that instant are not taken up. `say` is
    told what is being waited for. Without a journal nothing outlives the process.
    """

    batcher: Batcher
    settle: Callable[[str, LLMResponse | ProviderError], float]
    run_id: str | None = None
    journal: BatchJournal | None = None
    not_before: datetime | None = None
    purse: Purse = field(default_factory=Unlimited)
    say: Callable[[str], None] = lambda _: None
    rounds: int = 2
    poll_s: float | None = None
    """Seconds between two looks; None begins with 5 and ends with 60."""
    _earlier: dict[str, tuple[Attempt, ...]] = field(default_factory=dict)

    _log: BatchLog = field(init=False)

    def __post_init__(self) -> None:
        self._log = BatchLog(self._provider, self.journal)

    @property
    def _provider(self) -> BaseLLMProvider:
        return self.batcher.provider

    async def run(self, requests: Iterable[ChatRequest]) -> None:
        """Take up the batches that hold some of `requests`, submit the rest, and wait for all.

        Raises BudgetExceededError once nothing is under way that might make room, LedgerError, and a
        ProviderError where the vendor cannot be asked: what is under way stays at the vendor's, and the
        same run again takes it up.
        """
        waiting = {self._provider.request_hash(request): request for request in requests}
        try:
            async with asyncio.TaskGroup() as group:
                for row in await self._log.open_rows(self.not_before):
                    mine = [Asked(h, waiting.pop(h)) for h in row.request_hashes if h in waiting]
                    if mine:
                        reserved = self.purse.take([asked.request for asked in mine])
                        group.create_task(self._resume(row, mine, reserved))
                await self._submit([Asked(h, request) for h, request in waiting.items()], 1, group)
        except BaseExceptionGroup as several:
            raise _first(several) from None

    # Submitting

    async def _submit(self, asked: Sequence[Asked], round_: int, group: asyncio.TaskGroup | None) -> None:
        """Into batches, one model each, as many as the budget allows at a time."""
        by_model: dict[str, list[Asked]] = {}
        for one in asked:
            by_model.setdefault(one.request.model, []).append(one)
        async with asyncio.TaskGroup() as own:
            for model, of_model in by_model.items():
                start = 0
                while start < len(of_model):
                    part = await asyncio.to_thread(self._largest, of_model[start:])
                    await self.purse.room(part[0].request)
                    requests = [one.request for one in part]
                    part = part[: max(1, self.purse.fitting(requests))]
                    reserved = self.purse.take([one.request for one in part])
                    start += len(part)
                    (group or own).create_task(self._start(model, part, reserved, round_))

    def _largest(self, asked: Sequence[Asked]) -> list[Asked]:
        """As many as one batch may hold."""
        tag = "0" * 20
        few = asked[: self.batcher.limits.requests]
        entries = [self.batcher.entry(custom_id(tag, one.request_hash), one.request) for one in few]
        return list(few[: next(split(entries, self.batcher.limits))])

    async def _start(self, model: str, asked: list[Asked], reserved: float, round_: int) -> None:
        row = BatchRow(
            secrets.token_hex(10),
            self._provider.endpoint,
            model,
            tuple(one.request_hash for one in asked),
            self._provider.clock.now(),
            self.run_id,
        )
        try:
            entries = [self.batcher.entry(custom_id(row.tag, h), request) for h, request in asked]
            self.say(f"{len(asked)} calls of {model} go into a batch")
            uploaded = await self._patiently(
                lambda: self.batcher.upload(row.tag, entries), model, _UPLOAD_SECONDS
            )
        except ProviderError as error:
            failure: ProviderError = error
        else:
            # The clock of the row starts with what may start a batch, not with the upload.
            row = replace(row, prepared_at=self._provider.clock.now())
            await self._log.prepare(row)
            try:
                job = await self._create(row, uploaded)
            except ProviderError as error:
                failure = error
            else:
                if job is not None:
                    await self._follow(replace(row, job_id=job.id), asked, reserved, round_)
                    return
                failure = unfinished(self._provider, model, "the vendor did not start it")
            await self._log.close(row, "not started")
        await self._settle_all(row, asked, lambda _: failure, None, reserved, round_)

    async def _create(self, row: BatchRow, uploaded: object) -> BatchJob | None:
        """Start it, once; where it is not clear whether that was done, look for it."""
        tries = 0
        while True:
            tries += 1
            try:
                job = await self.batcher.asked(
                    lambda: self.batcher.create(row.tag, row.model, uploaded), row.model, _CREATE_SECONDS
                )
            except ProviderError as error:
                in_doubt = (
                    error.maybe_billed
                    or (error.status_code or 0) >= _FIRST_SERVER_FAULT
                    or isinstance(error, BadResponseError)
                )
                if in_doubt:
                    return await self._find(row)
                pause = self._pause(tries, error)
                if pause is None:
                    error.maybe_billed = False
                    raise
                await self._provider.clock.sleep(pause)
            else:
                await self._log.submitted(row, job)
                return job

    # Taking up

    async def _resume(self, row: BatchRow, asked: list[Asked], reserved: float) -> None:
        if row.job_id is None:
            job = await self._find(row)
            if job is None:
                await self._log.close(row, "never started")
                self.purse.settle(reserved, 0.0)
                await self._submit(asked, 1, None)
                return
            row = replace(row, job_id=job.id)
        await self._follow(row, asked, reserved, 1)

    async def _find(self, row: BatchRow) -> BatchJob | None:
        """The batch of `row` at the vendor's; None once it is certain that there is none."""
        certain = row.prepared_at + timedelta(seconds=_CREATE_SECONDS)
        wait = self.poll_s or _FIRST_POLL_SECONDS
        while True:
            self.say(f"looking for a batch of {row.model} whose start was cut off")
            found = await self._patiently(lambda: self.batcher.find(row), row.model)
            if found.job is not None:
                await self._log.submitted(row, found.job)
                return found.job
            if not found.perhaps and self._provider.clock.now() >= certain:
                return None
            await self._provider.clock.sleep(wait)
            wait = self._longer(wait)

    # Waiting and collecting

    async def _follow(self, row: BatchRow, asked: list[Asked], reserved: float, round_: int) -> None:
        """Wait for the batch of `row`, then record what it says of `asked`."""
        model = row.model
        job = await self._wait(row)
        results, strange = await self._results(row, job)
        known = await self._log.recorded(row, [one.request_hash for one in asked])
        how = f"it ended as {job.vendor_status} and says nothing of it"
        how += f"; {strange} of its lines cannot be read or are of other requests" if strange else ""

        def result(one: Asked) -> Result:
            found = results.get(custom_id(row.tag, one.request_hash))
            if found is not None:
                return found if isinstance(found, ProviderError) else at_batch_tier(found)
            return job.failure or unfinished(self._provider, model, how, billed=job.complete)

        await self._settle_all(row, asked, result, job.ended_at, reserved, round_, known=known)

    async def _wait(self, row: BatchRow) -> BatchJob:
        """The batch once it has ended; one that the vendor no longer knows has ended as "gone"."""
        job_id, model = str(row.job_id), row.model
        wait = self.poll_s or _FIRST_POLL_SECONDS
        while True:
            try:
                job = await self._patiently(lambda: self.batcher.look(job_id, model), model)
            except ProviderError as error:
                if error.status_code != _NOT_FOUND:
                    raise
                return BatchJob(job_id, ended=True, vendor_status=_GONE, complete=True)
            if job.ended:
                return job
            self.say(f"a batch of {len(row.request_hashes)} calls of {model} is {job.vendor_status}")
            await self._provider.clock.sleep(wait)
            wait = self._longer(wait)

    async def _results(self, row: BatchRow, job: BatchJob) -> tuple[dict[str, Result], int]:
        """What the batch says of its requests, by their ids in it, and how many lines are of no use."""
        if job.vendor_status == _GONE:
            return {}, 0
        names = {custom_id(row.tag, h) for h in row.request_hashes}
        found: dict[str, Result] = {}
        strange = 0
        for line in await self._patiently(
            lambda: self.batcher.collect(job, row.model), row.model, _UPLOAD_SECONDS
        ):
            if line.custom_id is None or line.custom_id not in names or line.result is None:
                strange += 1
            elif isinstance(found.get(line.custom_id, line.result), ProviderError):
                found[line.custom_id] = line.result
            else:
                found.setdefault(line.custom_id, line.result)  # the first answer of two
        return found, strange

    async def _settle_all(
        self,
        row: BatchRow,
        asked: Sequence[Asked],
        result: Callable[[Asked], Result],
        ended_at: datetime | None,
        reserved: float,
        round_: int,
        *,
        known: frozenset[str] = frozenset(),
    ) -> None:
        again: list[Asked] = []
        charged = 0.0
        for start in range(0, len(asked), _WRITTEN_TOGETHER):
            few = asked[start : start + _WRITTEN_TOGETHER]
            outcomes = await asyncio.gather(
                *(
                    self._log.record(
                        row,
                        one,
                        result(one),
                        ended_at,
                        earlier=self._earlier.get(one.request_hash, ()),
                        is_known=one.request_hash in known,
                    )
                    for one in few
                )
            )
            for one, outcome in zip(few, outcomes, strict=True):
                if isinstance(outcome, ProviderError) and outcome.retryable and round_ < self.rounds:
                    self._earlier[one.request_hash] = outcome.attempts
                    again.append(one)
                else:
                    charged += self.settle(one.request_hash, outcome)
        if row.job_id is not None and await self._log.has_all_of(row):
            await self._log.close(row, "collected")
        self.purse.settle(reserved, charged)
        if again:
            await self._submit(again, round_ + 1, None)

    def _longer(self, wait: float) -> float:
        return self.poll_s or min(_LONGEST_POLL_SECONDS, wait * 1.5)

    async def _patiently(
        self, ask: Callable[[], Awaitable[T]], model: str, deadline_s: float | None = None
    ) -> T:
        """What `ask` gives; it starts nothing, so it is tried again where that may help."""
        retry, tries = self._provider.retry, 0
        while True:
            tries += 1
            try:
                return await self.batcher.asked(ask, model, deadline_s or retry.deadline_s)
            except ProviderError as error:
                error.maybe_billed = False
                pause = self._pause(tries, error)
                if pause is None:
                    raise
                await self._provider.clock.sleep(pause)

    def _pause(self, tries: int, error: ProviderError) -> float | None:
        """Seconds before the next try; None where there is none."""
        retry = self._provider.retry
        if not error.retryable or tries >= retry.max_attempts:
            return None
        # No deadline bounds what a vendor may ask for, and one may ask for years.
        wait = retry.wait(tries, error)
        return wait if wait <= _LONGEST_WAIT_SECONDS else None


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    while True:
        error = several.exceptions[0]
        if not isinstance(error, BaseExceptionGroup):
            return error
        several = error
