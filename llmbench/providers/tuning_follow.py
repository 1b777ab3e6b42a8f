"""What is asked of a vendor about fine-tuning: the same for every vendor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import FineTuningUnavailableError
from llmbench.providers.fine_tuning import (
    SubmissionLog,
    Tuner,
    costs_nothing,
    start_tuning,
    tried,
    tried_about_job,
)
from llmbench.providers.tunable import check_tunable
from llmbench.providers.tuning_result import JobEvent, TrainingMetric

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = [
    "cancel_tuning",
    "check_tuning",
    "find_tuning",
    "look_at_job",
    "submit_tuning",
    "tuning_events",
    "tuning_metrics",
    "tuning_options",
]


def check_tuning(provider: BaseLLMProvider, model: str) -> None:
    """Raise FineTuningUnavailableError, with reason and date, where `model` cannot be trained there today."""
    check_tunable(provider, model, needs_inference=_tuner(provider, model).needs_inference)


def tuning_options(provider: BaseLLMProvider, model: str) -> frozenset[str]:
    """What a job takes beyond file, model, suffix and seed."""
    return _tuner(provider, model).options


async def submit_tuning(
    provider: BaseLLMProvider,
    training_file: str | Path,
    base_model: str,
    *,
    suffix: str | None,
    validation_file: str | Path | None,
    seed: int | None,
    deadline_s: float,
    options: Mapping[str, Any],
    log: SubmissionLog | None = None,
) -> dict[str, Any]:
    """Start a job as `provider.fine_tune` does, telling `log` how far it is."""
    return await start_tuning(
        _tuner(provider, base_model),
        training_file,
        base_model,
        provider._trainable_id(base_model),  # noqa: SLF001 - the base's own word
        suffix=suffix,
        validation_file_path=validation_file,
        seed=seed,
        deadline_s=deadline_s,
        options=options,
        log=log,
    )


async def look_at_job(provider: BaseLLMProvider, job_id: str) -> dict[str, Any]:
    """The state of a job. Raises InvalidRequestError for one that the vendor does not know."""
    tuner = _tuner(provider, job_id)
    return await tried_about_job(tuner, job_id, tuner.look)


async def cancel_tuning(provider: BaseLLMProvider, job_id: str) -> dict[str, Any]:
    """Ask the vendor to stop a job; its state right after."""
    tuner = _tuner(provider, job_id)
    return await tried_about_job(tuner, job_id, tuner.cancel)


async def tuning_events(provider: BaseLLMProvider, job_id: str) -> list[JobEvent]:
    """What happened to a job, the oldest first."""
    tuner = _tuner(provider, job_id)
    found = await tried_about_job(tuner, job_id, tuner.events)
    # Events of one second come in the order in which they were listed.
    return sorted(found, key=lambda event: event.at.timestamp() if event.at else 0.0)


async def tuning_metrics(provider: BaseLLMProvider, job_id: str) -> list[TrainingMetric]:
    """The loss curve of a job, by step."""
    tuner = _tuner(provider, job_id)
    found = await tried_about_job(tuner, job_id, tuner.metrics)
    return sorted(found, key=lambda metric: metric.step)


async def find_tuning(provider: BaseLLMProvider, file_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The states of the jobs whose training file is one of `file_ids`, the newest first."""
    about = ", ".join(file_ids)
    tuner = _tuner(provider, about)
    found, failure = await tried(
        provider, tuner.caller, lambda: tuner.find(file_ids), about, provider.retry.deadline_s
    )
    if failure is not None:
        raise costs_nothing(failure)
    return found or []


def _tuner(provider: BaseLLMProvider, about: str) -> Tuner:
    tuner = provider._tuner()  # noqa: SLF001 - the base's own word
    if tuner is None:
        who = f"{provider.name} on {provider.backend}" if provider.backend else provider.name
        raise FineTuningUnavailableError(
            f"{who} has no fine-tuning ({about!r}); OpenAI, Together and Replicate have, and the provider "
            "local trains on this machine.",
            provider=provider.name,
            model=about,
        )
    return tuner
