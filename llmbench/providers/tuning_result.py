"""The result of a fine-tuning job, what happened to it and how it learned: the same for every vendor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import BadResponseError
from llmbench.shown import shown

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = [
    "JobEvent",
    "TrainingMetric",
    "job_result",
    "normal_status",
]

_KEYS = (
    "job_id", "status", "vendor_status", "provider", "backend", "base_model", "fine_tuned_model",
    "training_file_id", "training_file_sha256", "trained_tokens", "created_at", "finished_at", "error",
    "details",
)  # fmt: skip


@shown
class JobEvent(NamedTuple):
    """Something that happened to a job."""

    at: datetime | None
    level: str
    """info, warning or error."""
    message: str
    step: int | None = None


@shown
class TrainingMetric(NamedTuple):
    """How training stood at one step; None where the trainer does not say."""

    step: int
    training_loss: float | None = None
    validation_loss: float | None = None
    epoch: float | None = None
    more: Mapping[str, float] = {}
    """Whatever else was measured, under the trainer's own names."""


def normal_status(word: Any, words: Mapping[str, str], *, provider: BaseLLMProvider, job_id: str) -> str:
    """The state for a vendor's word. Raises BadResponseError for a word that is not known."""
    found = words.get(word) if isinstance(word, str) else None
    if found is None:
        raise BadResponseError(
            f"{provider.endpoint} reports the job {job_id!r} as {word!r:.80}, which llmbench does not know; "
            "look at the vendor's page of the job, and upgrade llmbench.",
            provider=provider.name,
        )
    return found


def job_result(provider: BaseLLMProvider, **known: Any) -> dict[str, Any]:
    """A result with every key of `llmbench.providers.fine_tuning`; what is not given is None."""
    return {**dict.fromkeys(_KEYS), "provider": provider.name, "backend": provider.backend, **known}
