"""One trainer for every provider that fine-tunes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.tuning_result import JobEvent, TrainingMetric

__all__ = ["UniversalModelTrainer"]


class UniversalModelTrainer:
    """Starts fine-tuning jobs and looks at them, whoever the provider is.

    Raises UsageError if `provider` is no provider, as a router is not: a job belongs to one vendor.

    >>> from llmbench import FakeProvider
    >>> UniversalModelTrainer(FakeProvider(["x"]))
    UniversalModelTrainer(FakeProvider(endpoint='fake'))
    """

    def __init__(self, provider: BaseLLMProvider) -> None:
        if not callable(getattr(provider, "fine_tune", None)):
            raise UsageError(
                f"A trainer needs a provider, such as OpenAIProvider or LlamaProvider; it was given "
                f"a {type(provider).__name__}."
            )
        self.provider = provider

    async def fine_tune(
        self,
        training_file_path: str | Path,
        base_model: str,
        suffix: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Check and upload the file and start a job: a dict with `job_id`, `status` and more.

        `options` and errors are those of the provider's own `fine_tune`.
        """
        return await self.provider.fine_tune(training_file_path, base_model, suffix, **options)

    async def get_fine_tuning_status(self, job_id: str) -> dict[str, Any]:
        """The state of a job, as `fine_tune` gives it."""
        return await self.provider.get_fine_tuning_status(job_id)

    async def cancel_fine_tuning(self, job_id: str) -> dict[str, Any]:
        """Ask the provider to stop a job; its state right after, as `fine_tune` gives it."""
        from llmbench.providers.tuning_follow import cancel_tuning

        return await cancel_tuning(self.provider, job_id)

    async def get_fine_tuning_events(self, job_id: str) -> list[JobEvent]:
        """What happened to a job, the oldest first."""
        from llmbench.providers.tuning_follow import tuning_events

        return await tuning_events(self.provider, job_id)

    async def get_fine_tuning_metrics(self, job_id: str) -> list[TrainingMetric]:
        """The loss curve of a job, by step."""
        from llmbench.providers.tuning_follow import tuning_metrics

        return await tuning_metrics(self.provider, job_id)

    def __repr__(self) -> str:
        return f"UniversalModelTrainer({self.provider!r})"
