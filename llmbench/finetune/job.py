"""One fine-tuning job: what is known of it, and what can be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from llmbench.background import run
from llmbench.catalog.training_prices import training_price
from llmbench.errors import FineTuningUnavailableError, InvalidRequestError, UsageError
from llmbench.finetune.quoting import TrainingQuote
from llmbench.finetune.states import ENDED, JobEvent, JobState, JobStatus, TrainingMetric
from llmbench.finetune.submission import recover, reread
from llmbench.finetune.tuned import register
from llmbench.finetune.waiting import Tell, follow

if TYPE_CHECKING:
    from llmbench.config import ProjectConfig
    from llmbench.finetune.backend import TuningBackend
    from llmbench.ledger import Ledger
    from llmbench.ledger.tuning import TuningRow

__all__ = ["Job"]

T = TypeVar("T")


class Job:
    """A job as the ledger has it; `refresh`, `events`, `metrics`, `cancel` and `wait` ask the trainer.

    Made by `finetune.start`, `finetune.resume` and `finetune.jobs`. Methods are plain functions, that may be
    called from a notebook's cell. Each raises ProviderError where the trainer cannot be asked; nothing that
    the ledger has is lost by that.
    """

    def __init__(
        self,
        ledger: Ledger,
        row: TuningRow,
        *,
        backend: TuningBackend | None = None,
        config: ProjectConfig | None = None,
        note: str = "",
    ) -> None:
        self._ledger = ledger
        self._row = row
        self._given = backend
        self._config = config
        self.note = note
        """What was found when it was started or taken up; empty where there is nothing to say."""

    # What the ledger has

    @property
    def id(self) -> str | None:
        """The trainer's id; None: it is not known whether there is a job, which `refresh` finds out."""
        return self._row.job_id

    @property
    def state(self) -> JobState:
        """queued, running, succeeded, failed, cancelled or unavailable, as of the last look."""
        return self.status.state

    @property
    def status(self) -> JobStatus:
        """What the last look showed."""
        row = self._row
        if row.closed_at is not None:
            return JobStatus(None, "failed", base_model=row.base_model, error=row.why_closed)
        if not row.status:
            return JobStatus(row.job_id, "queued", base_model=row.base_model)
        return JobStatus.from_dict(row.status)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.status.ended

    @property
    def endpoint(self) -> str:
        """Where it was started."""
        return self._row.endpoint

    @property
    def place(self) -> str:
        """Who trains: openai, azure, together, replicate, local."""
        return self._row.place

    @property
    def base_model(self) -> str:
        """What is trained, as it was named."""
        return self._row.base_model

    @property
    def tuned_model(self) -> str | None:
        """The id of the model that came of it; None before it has succeeded."""
        return self.status.tuned_model

    @property
    def model(self) -> str | None:
        """The same as `endpoint/model`, as matrix and router take it."""
        tuned = self.tuned_model
        return None if tuned is None else f"{self.endpoint}/{tuned}"

    @property
    def quote(self) -> TrainingQuote | None:
        """What it was said to cost; None for a job that was started elsewhere."""
        quoted = self._row.quoted
        return TrainingQuote.from_dict(quoted).with_estimate(self._row.estimated_usd) if quoted else None

    @property
    def usd(self) -> float | None:
        """What it cost, in USD: the trainer's own estimate, else its count of tokens at the price quoted.

        None before it has succeeded, and where neither is known.
        """
        quote, status = self.quote, self.status
        if status.state != "succeeded" or quote is None:
            return None
        if quote.estimated_usd is not None:
            return quote.estimated_usd
        if quote.usd_per_million_tokens is None:
            return quote.usd
        price = training_price(self.place, self.base_model, quote.method)
        # Together counts the tokens of the file once.
        if price is None or status.trained_tokens is None or self.place == "together":
            return None
        return price._replace(usd_per_million_tokens=quote.usd_per_million_tokens).usd(status.trained_tokens)

    @property
    def begun_at(self) -> datetime | None:
        """When it was asked for; None where it was not yet."""
        return self._row.asked_at or self.status.created_at

    @property
    def seconds(self) -> float | None:
        """Since it was asked for, up to its end; None where one of both is not known."""
        status = self.status
        begin = self.begun_at
        end = status.finished_at if status.ended else self._row.seen_at
        return None if begin is None or end is None else max(0.0, (end - begin).total_seconds())

    # What asks the trainer

    def refresh(self) -> JobStatus:
        """Look at the job, keep what is seen, and give it. One that has ended is not asked for again.

        A job that the trainer no longer knows is `unavailable`, with the reason; what was known of it stays.
        A job that succeeds becomes a model of the project: see `model`.
        """
        return self._run(self._refresh)

    def events(self) -> list[JobEvent]:
        """What happened so far, the oldest first; empty where the trainer tells nothing."""
        return self._run(lambda backend: backend.events(self._known_id()))

    def metrics(self) -> list[TrainingMetric]:
        """The loss curve so far, by step; empty where the trainer tells nothing."""
        return self._run(lambda backend: backend.metrics(self._known_id()))

    def cancel(self) -> JobStatus:
        """Ask the trainer to stop the job; its state right after, which may be running for a while. One that
        has ended is left as it is. What was trained until then may be charged.
        """
        return self._run(self._cancel)

    def wait(
        self, timeout_s: float | None = None, poll_s: float = 15.0, *, progress: Tell | None = print
    ) -> JobStatus:
        """Look every `poll_s` seconds until the job has ended, or `timeout_s` seconds have passed; the last
        state. A job that is still at work is no error. `progress` is told a line when something changes.

        Failures of the network, and limits, are waited out. Ctrl-C stops the waiting alone; the job goes on,
        and the message says how to take it up again.
        """
        if not poll_s > 0 or (timeout_s is not None and not timeout_s > 0):
            raise UsageError(
                f"poll_s and timeout_s must be seconds above 0; they are {poll_s!r}, {timeout_s!r}."
            )
        tell = progress or (lambda _: None)
        try:
            return self._run(lambda backend: follow(self, backend, timeout_s, poll_s, tell))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"The waiting was stopped; the job {self.id} at {self.place} goes on. "
                f"finetune.resume({self.id!r}).wait() takes it up again, and .cancel() stops it."
            ) from None

    async def look(self, backend: TuningBackend) -> JobStatus:
        """As `refresh`, on the event loop."""
        return await self._refresh(backend)

    async def _refresh(self, backend: TuningBackend) -> JobStatus:
        self._row = await reread(self._ledger, self._row)
        if self._row.job_id is None and self._row.closed_at is None:
            self._row, self.note = await recover(backend, self._ledger, self._row)
        if self._row.job_id is None:
            return self.status
        if self.state in ENDED - {"unavailable"}:
            await self._become_a_model(backend)
            return self.status
        try:
            status = await backend.look(self._row.job_id)
        except FineTuningUnavailableError as error:
            status = self._gone(str(error))
        except InvalidRequestError as error:
            status = self._gone(f"{self.place} no longer knows the job: {error}")
        return await self._keep(backend, status)

    async def _cancel(self, backend: TuningBackend) -> JobStatus:
        if self.ended and self.state != "unavailable":
            return self.status
        job_id = self._known_id()
        try:
            status = await backend.cancel(job_id)
        except InvalidRequestError:
            # A job that has just ended cannot be stopped, which vendors say as of one that is not there.
            status = await self._refresh(backend)
            if not status.ended:
                raise
            return status
        return await self._keep(backend, status)

    def _gone(self, why: str) -> JobStatus:
        return replace(self.status, state="unavailable", error=why)

    async def _keep(self, backend: TuningBackend, status: JobStatus) -> JobStatus:
        def write() -> None:
            self._ledger.tuning_seen(
                self._row.tag,
                job_id=self._row.job_id,
                state=status.state,
                status=status.to_dict(),
                at=backend.clock.now(),
            )

        await asyncio.to_thread(write)
        self._row = await reread(self._ledger, self._row)
        await self._become_a_model(backend)
        return self.status

    async def _become_a_model(self, backend: TuningBackend) -> None:
        status = self.status
        if status.state != "succeeded" or status.tuned_model is None:
            return
        root = self._config.root if self._config else None
        note = await asyncio.to_thread(
            register, self._row, status.tuned_model, at=_when(status, backend), root=root
        )
        self.note = note or self.note

    def _known_id(self) -> str:
        if self._row.job_id is None:
            raise UsageError("It is not known whether there is such a job; call refresh() to find out.")
        return self._row.job_id

    def _run(self, ask: Callable[[TuningBackend], Awaitable[T]]) -> T:
        backend, opened = self._backend()

        async def asked() -> T:
            try:
                return await ask(backend)
            finally:
                if opened:
                    await backend.aclose()

        return run(asked())

    def _backend(self) -> tuple[TuningBackend, bool]:
        """What trains, and whether it was opened for this."""
        if self._given is not None:
            return self._given, False
        from llmbench.finetune.vendor import backend_of
        from llmbench.providers.registry import open_endpoint

        provider = open_endpoint(self.endpoint, config=self._config, recorder=self._ledger)
        return backend_of(provider), True

    def __repr__(self) -> str:
        status = self.status
        word = f" ({status.vendor_state})" if status.vendor_state not in {None, status.state} else ""
        model = f", model={self.model!r}" if self.model else ""
        why = f", error={status.error!r}" if status.error else ""
        base = f", base_model={self.base_model!r}"
        return f"Job({self.id!r} at {self.place}, {status.state}{word}{base}{model}{why})"


def _when(status: JobStatus, backend: TuningBackend) -> datetime:
    return status.finished_at or backend.clock.now()
