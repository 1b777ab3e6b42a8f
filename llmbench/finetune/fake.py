"""A trainer that trains nothing, for tests, demonstrations and documents without keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmbench.errors import InvalidRequestError
from llmbench.finetune.states import JobEvent, JobState, JobStatus, TrainingMetric
from llmbench.providers.fake import FakeClock

if TYPE_CHECKING:
    from llmbench.finetune.backend import JobOrder, SubmissionLog
    from llmbench.providers.clock import Clock

__all__ = ["FakeTuning"]


class FakeTuning:
    """A `TuningBackend` whose jobs pass through `states`, one at each look; every record calls it "fake".

    It charges nothing (`self_hosted`) unless `usd` is given, which it then tells as its own estimate.

    >>> FakeTuning().place
    'fake'
    """

    endpoint = "fake"
    place = "fake"

    def __init__(
        self,
        states: Sequence[JobState] = ("queued", "running", "succeeded"),
        *,
        usd: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._states = list(states)
        self._usd = usd
        self._jobs: dict[str, JobStatus] = {}
        self._files: dict[str, str] = {}
        self.self_hosted = usd is None
        self.estimates = usd is not None
        self.clock: Clock = clock or FakeClock()
        self.started = 0
        """Jobs that were started."""

    def check(self, order: JobOrder) -> None:
        """Everything can be meant."""

    async def submit(self, order: JobOrder, log: SubmissionLog) -> JobStatus:
        """Start a job that is queued."""
        file_id = f"file-{order.training_sha256[:8]}"
        await log.sent(file_id)
        await log.starting(self._usd)
        self.started += 1
        job_id = f"fake-{self.started}"
        self._files[job_id] = file_id
        self._jobs[job_id] = JobStatus(
            job_id, self._states[0], self._states[0], order.base_model, created_at=self.clock.now()
        )
        return self._jobs[job_id]

    async def look(self, job_id: str) -> JobStatus:
        """The next state; the last one stays."""
        status = self._known(job_id)
        state: JobState = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if status.state != "cancelled":
            done = state == "succeeded"
            status = replace(
                status,
                state=state,
                vendor_state=state,
                tuned_model=f"{status.base_model}-tuned" if done else None,
                finished_at=self.clock.now() if done else None,
                error="it was told to fail" if state == "failed" else None,
            )
        self._jobs[job_id] = status
        return status

    async def events(self, job_id: str) -> list[JobEvent]:
        """That it was started."""
        return [JobEvent(self._known(job_id).created_at, "info", "started")]

    async def metrics(self, job_id: str) -> list[TrainingMetric]:
        """A curve that falls."""
        self._known(job_id)
        return [TrainingMetric(step, training_loss=2.0 / step) for step in (1, 2, 4)]

    async def cancel(self, job_id: str) -> JobStatus:
        """Stop it."""
        self._jobs[job_id] = replace(self._known(job_id), state="cancelled", vendor_state="cancelled")
        return self._jobs[job_id]

    async def find(self, file_ids: Sequence[str]) -> list[JobStatus]:
        """Those of these files."""
        return [self._jobs[job_id] for job_id, file_id in self._files.items() if file_id in file_ids][::-1]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _known(self, job_id: str) -> JobStatus:
        if job_id not in self._jobs:
            raise InvalidRequestError(f"fake has no job {job_id!r}.", provider="fake", status_code=404)
        return self._jobs[job_id]
