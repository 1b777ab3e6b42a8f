"""What trains: a vendor, or one's own machine. A job asks it through this one interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llmbench.providers.fine_tuning import SubmissionLog

if TYPE_CHECKING:
    from llmbench.finetune.states import JobEvent, JobStatus, TrainingMetric
    from llmbench.providers.clock import Clock

__all__ = ["JobOrder", "SubmissionLog", "TuningBackend"]


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What is to be trained; all of it is part of the order's identity but for the files' folders."""

    training_file: Path
    training_sha256: str
    base_model: str
    """As the caller named it."""
    epochs: int
    method: str = "lora"
    """"lora" or "full"; a vendor without the choice ignores it."""
    suffix: str | None = None
    validation_file: Path | None = None
    validation_sha256: str | None = None
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of this backend, in its own words."""


class TuningBackend(Protocol):
    """One place that trains.

    Failures are raised as ProviderError: InvalidRequestError with `status_code` 404 for a job that is not
    known, FineTuningUnavailableError where the place does not, or no longer does, fine-tune.
    """

    @property
    def endpoint(self) -> str:
        """The name under which `finetune.resume` opens it again: an endpoint of llmbench.toml, a vendor, or
        "local".
        """

    @property
    def place(self) -> str:
        """Whose prices hold: openai, azure, together, replicate, or local (own hours; no price a token)."""

    @property
    def self_hosted(self) -> bool:
        """Whether a job costs nothing beyond the hours of one's own machine."""

    @property
    def estimates(self) -> bool:
        """Whether `submit` gives `log.starting` a price of the place's own."""

    @property
    def clock(self) -> Clock:
        """What waits and tells the time."""

    def check(self, order: JobOrder) -> None:
        """Refuse, before anything is sent, an order that cannot be meant or that this place or date has no
        training for. Never the network.
        """

    async def submit(self, order: JobOrder, log: SubmissionLog) -> JobStatus:
        """Start one job: once, with no retry after `log.starting`, which is to be called right before the one
        request (or process) that starts it.
        """

    async def look(self, job_id: str) -> JobStatus:
        """The state of a job."""

    async def events(self, job_id: str) -> list[JobEvent]:
        """What happened so far, the oldest first; empty where the place tells nothing."""

    async def metrics(self, job_id: str) -> list[TrainingMetric]:
        """The loss curve so far, by step; empty where the place tells nothing."""

    async def cancel(self, job_id: str) -> JobStatus:
        """Ask the place to stop the job; the state right after."""

    async def find(self, file_ids: Sequence[str]) -> list[JobStatus]:
        """Jobs whose training file is one of these ids (as told to `log.sent`), the newest first. After a
        crash this tells whether there is a job; a place without files tells `log.sent` a name of its own.
        """

    async def aclose(self) -> None:
        """Close the connections; they are opened again at the next use."""
