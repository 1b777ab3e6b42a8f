"""Fine-tuning at OpenAI and on Azure, through OpenAI's SDK.

OpenAI takes no new jobs after 2027-01-06 (developers.openai.com/api/docs/deprecations); the date
stands in the catalog, and is checked before a file is uploaded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmbench.catalog.models import all_models, canonical_name
from llmbench.providers.fine_tuning import (
    Tuner,
    TuningOrder,
    instant,
    job_result,
    normal_status,
)
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.training_file import CHAT, TrainingFile

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["look", "submit", "trainable_id", "tuner"]

_LEAST_EXAMPLES = 10
_OPTIONS = frozenset({"n_epochs", "batch_size", "learning_rate_multiplier"})
_STATES = {
    "validating_files": "queued",
    "queued": "queued",
    "paused": "queued",
    "running": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}


def trainable_id(model: str) -> str:
    """The dated snapshot that stands for a family's name; anything else as it is.

    >>> trainable_id("gpt-4o-mini")
    'gpt-4o-mini-2024-07-18'
    """
    facts = all_models().get(canonical_name(model) or "")
    return facts.aliases[0] if facts and facts.name == model and facts.aliases else model


def tuner(chat: SdkChat) -> Tuner:
    """How OpenAI fine-tunes; a file needs at least 10 examples there."""
    return Tuner(
        caller=chat,
        options=_OPTIONS,
        submit=lambda provider, order: submit(provider, chat, order),
        look=lambda provider, job_id: look(provider, chat, job_id),
        formats=frozenset({CHAT}),
        least=_LEAST_EXAMPLES,
    )


async def submit(provider: BaseLLMProvider, chat: SdkChat, order: TuningOrder) -> dict[str, Any]:
    """Upload the files and start the job."""
    client = await chat.client()
    training = await _upload(client, order.training)
    arguments: dict[str, Any] = {"model": order.base_model, "training_file": training}
    if order.validation is not None:
        arguments["validation_file"] = await _upload(client, order.validation)
    if order.suffix is not None:
        arguments["suffix"] = order.suffix
    if order.seed is not None:
        arguments["seed"] = order.seed
    if order.options:
        supervised = {"hyperparameters": dict(order.options)}
        arguments["method"] = {"type": "supervised", "supervised": supervised}
    job = await client.fine_tuning.jobs.create(**arguments)
    return _result(provider, job) | {"training_file_sha256": order.training.sha256}


async def look(provider: BaseLLMProvider, chat: SdkChat, job_id: str) -> dict[str, Any]:
    """The state of a job."""
    client = await chat.client()
    return _result(provider, await client.fine_tuning.jobs.retrieve(job_id))


async def _upload(client: Any, file: TrainingFile) -> str:
    content = await asyncio.to_thread(file.path.open, "rb")
    with content:
        uploaded = await client.files.create(file=(file.path.name, content), purpose="fine-tune")
    found: str = uploaded.id
    return found


def _result(provider: BaseLLMProvider, job: Any) -> dict[str, Any]:
    details = job.to_dict()
    error = details.get("error")
    return job_result(
        provider,
        job_id=job.id,
        status=normal_status(details.get("status"), _STATES, provider=provider, job_id=job.id),
        vendor_status=details.get("status"),
        base_model=details.get("model"),
        fine_tuned_model=details.get("fine_tuned_model"),
        training_file_id=details.get("training_file"),
        trained_tokens=details.get("trained_tokens"),
        created_at=instant(details.get("created_at")),
        finished_at=instant(details.get("finished_at")),
        error=(error.get("message") or None) if isinstance(error, dict) else None,
        details=details,
    )
