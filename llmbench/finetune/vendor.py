"""A provider as what trains: OpenAI, Azure, Together, Replicate, and this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.finetune.states import JobStatus
from llmbench.providers import tuning_follow as follow

if TYPE_CHECKING:
    from llmbench.finetune.backend import JobOrder, SubmissionLog, TuningBackend
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.clock import Clock
    from llmbench.providers.tuning_result import JobEvent, TrainingMetric

__all__ = ["VendorTuning", "backend_of"]

_EPOCHS = {
    "openai": "n_epochs",
    "azure": "n_epochs",
    "together": "n_epochs",
    "replicate": "num_train_epochs",
}
_ESTIMATES = frozenset({"together"})


def backend_of(provider: BaseLLMProvider | TuningBackend) -> TuningBackend:
    """What trains behind a provider. Raises UsageError for what is neither, as a router is not."""
    if callable(getattr(provider, "submit", None)):
        return provider  # type: ignore[return-value]
    if not callable(getattr(provider, "fine_tune", None)):
        raise UsageError(
            "A fine-tuning job needs a provider, such as OpenAIProvider or LlamaProvider, or the name of an "
            f"endpoint; it was given a {type(provider).__name__}."
        )
    return VendorTuning(provider)  # type: ignore[arg-type]


class VendorTuning:
    """A `TuningBackend` over a provider."""

    def __init__(self, provider: BaseLLMProvider) -> None:
        self.provider = provider
        self.deadline_s = 600.0
        """Of the whole submission, uploads included."""

    @property
    def endpoint(self) -> str:
        """The provider's name in llmbench.toml, else the vendor's."""
        return self.provider.endpoint

    @property
    def place(self) -> str:
        """Whose prices hold."""
        return self.provider.backend or self.provider.name

    @property
    def self_hosted(self) -> bool:
        """The provider's: a job on one's own machine has no price a token."""
        return self.provider.self_hosted

    @property
    def estimates(self) -> bool:
        """Whether the vendor prices an order itself."""
        return self.place in _ESTIMATES

    @property
    def clock(self) -> Clock:
        """The provider's."""
        return self.provider.clock

    def check(self, order: JobOrder) -> None:
        """Refuse a model or a date for which the catalog says no, and options that the vendor has not."""
        follow.check_tuning(self.provider, order.base_model)
        known = follow.tuning_options(self.provider, order.base_model)
        epochs = _EPOCHS.get(self.place, "n_epochs")
        for taken, ours in ((epochs, "epochs"), ("lora", "method")):
            if taken in order.options:
                raise UsageError(f"Give {ours}=... and not {taken!r}: the quote is of what is trained.")
        unknown = sorted(set(order.options) - known)
        if unknown:
            raise UsageError(
                f"{self.place} has no fine-tuning option {unknown[0]!r}; it takes {', '.join(sorted(known))}."
            )
        if order.method == "full" and self.place != "together":
            raise UsageError(f"{self.place} does not train all weights on request; leave method out.")

    async def submit(self, order: JobOrder, log: SubmissionLog) -> JobStatus:
        """Upload the files and start the job, once."""
        result = await follow.submit_tuning(
            self.provider,
            order.training_file,
            order.base_model,
            suffix=order.suffix,
            validation_file=order.validation_file,
            seed=order.seed,
            deadline_s=self.deadline_s,
            options=self._options(order),
            log=log,
        )
        return JobStatus.from_result(result)

    def _options(self, order: JobOrder) -> Mapping[str, Any]:
        # An adapter is what Together trains where it is not told otherwise.
        method = {"lora": False} if self.place == "together" and order.method == "full" else {}
        return {**method, **order.options, _EPOCHS.get(self.place, "n_epochs"): order.epochs}

    async def look(self, job_id: str) -> JobStatus:
        """The state of a job."""
        return JobStatus.from_result(await follow.look_at_job(self.provider, job_id))

    async def events(self, job_id: str) -> list[JobEvent]:
        """What happened so far."""
        return await follow.tuning_events(self.provider, job_id)

    async def metrics(self, job_id: str) -> list[TrainingMetric]:
        """The loss curve so far."""
        return await follow.tuning_metrics(self.provider, job_id)

    async def cancel(self, job_id: str) -> JobStatus:
        """Ask the vendor to stop the job."""
        return JobStatus.from_result(await follow.cancel_tuning(self.provider, job_id))

    async def find(self, file_ids: Sequence[str]) -> list[JobStatus]:
        """Jobs that train one of these files."""
        return [JobStatus.from_result(found) for found in await follow.find_tuning(self.provider, file_ids)]

    async def aclose(self) -> None:
        """Close the connections."""
        await self.provider.aclose()
