"""What is asked about a local fine-tuning job, as about a vendor's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.providers.fine_tuning import Submission, Tuner, TuningOrder
from llmbench.providers.local_jobs import LocalJob
from llmbench.providers.local_recipe import LocalRecipe
from llmbench.providers.local_tuning import cancel_local_job, check_order, find_job, look, submit
from llmbench.providers.tuning_result import JobEvent, TrainingMetric

if TYPE_CHECKING:
    from llmbench.errors import ProviderError
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["LocalTuner"]


class _OwnMachine:
    """No SDK stands between, so nothing foreign is raised."""

    foreign: tuple[type[Exception], ...] = ()

    def failure(self, error: Exception, model: str) -> ProviderError:  # noqa: ARG002 - the protocol's
        raise error


class LocalTuner(Tuner):
    """How this machine fine-tunes."""

    options: ClassVar[frozenset[str]] = LocalRecipe.options()

    def __init__(self, provider: BaseLLMProvider) -> None:
        super().__init__(provider, _OwnMachine())

    def check(self, order: TuningOrder) -> None:
        """Refuse an order that cannot be carried out, before a folder is made for it."""
        check_order(order)

    async def submit(self, submission: Submission) -> dict[str, Any]:
        """Write the job's folder and start its process."""
        return await submit(self.provider, submission)

    async def look(self, job_id: str) -> dict[str, Any]:
        """The state of a job."""
        return await look(self.provider, job_id)

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """End a job, keeping its last checkpoint; its state after that."""
        await asyncio.to_thread(cancel_local_job, job_id)
        return await self.look(job_id)

    async def find(self, file_ids: Sequence[str]) -> list[dict[str, Any]]:
        """The states of these jobs, the newest first: an order's own id stands for its file. A folder in
        which no process was ever started is no job.
        """
        known = [
            job for job in map(LocalJob.named, file_ids) if job is not None and (job.folder / "pid").exists()
        ]
        found = [await self.look(job.job_id) for job in known]
        return sorted(found, key=lambda result: str(result["created_at"]), reverse=True)

    async def events(self, job_id: str) -> list[JobEvent]:
        """Beginning, validations and end."""
        job = find_job(job_id)
        order, state, progress = await asyncio.to_thread(lambda: (job.order(), job.state(), job.progress()))
        found = [JobEvent(datetime.fromisoformat(order["created_at"]), "info", "ordered")]
        found += [
            JobEvent(None, "info", f"validation loss {event['validation_loss']:.4f}", event["step"])
            for event in progress
            if event["event"] == "validation"
        ]
        if state.get("finished_at") or state["status"] == "failed":
            at = state.get("finished_at")
            level = "error" if state["status"] == "failed" else "info"
            said = str(state.get("error") or state["status"])
            found.append(JobEvent(datetime.fromisoformat(at) if at else None, level, said, state.get("step")))
        return found

    async def metrics(self, job_id: str) -> list[TrainingMetric]:
        """The loss curve: one entry a step, with the validation loss where it was taken."""
        progress = await asyncio.to_thread(find_job(job_id).progress)
        validation = {
            event["step"]: event["validation_loss"] for event in progress if event["event"] == "validation"
        }
        found = [
            TrainingMetric(
                step=event["step"],
                training_loss=event["loss"],
                validation_loss=validation.pop(event["step"], None),
                epoch=event.get("epoch"),
                more={
                    key: event[key]
                    for key in ("learning_rate", "tokens", "seconds", "cpu_seconds")
                    if key in event
                },
            )
            for event in progress
            if event["event"] == "step"
        ]
        return [*(TrainingMetric(step, None, loss) for step, loss in validation.items()), *found]
