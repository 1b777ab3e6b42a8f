"""Fine-tuning at OpenAI and on Azure, through OpenAI's SDK.

OpenAI takes no new jobs after 2027-01-06 (developers.openai.com/api/docs/deprecations); the date
stands in the catalog, and is checked before a file is uploaded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import DatasetError
from llmbench.providers.fine_tuning import Submission, Tuner
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.training_file import CHAT, TrainingFile
from llmbench.providers.tuning_result import first_text, instant, job_result, normal_status, read_reply
from llmbench.providers.wire_errors import shown

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["look", "submit", "trainable_id", "tuner"]

_LEAST_EXAMPLES = 10
# Azure refuses a job whose file it is still reading: "must point to a completed file import"
# (learn.microsoft.com/answers/questions/2118156). OpenAI lets the job wait instead.
_STILL_READING = frozenset({"uploaded", "pending", "notRunning", "running"})
_SECONDS_BETWEEN_LOOKS = 2.0
_OPTIONS = frozenset({"n_epochs", "batch_size", "learning_rate_multiplier"})
_STATES = {
    "validating_files": "queued",
    "queued": "queued",
    "paused": "queued",
    "running": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    # Azure's further words
    "created": "queued",
    "pending": "queued",
    "notRunning": "queued",
    "resuming": "queued",
    "pausing": "running",
    "canceled": "cancelled",
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
        submit=lambda provider, submission: submit(provider, chat, submission),
        look=lambda provider, job_id: look(provider, chat, job_id),
        formats=frozenset({CHAT}),
        least=_LEAST_EXAMPLES,
        needs_inference=True,
    )


async def submit(provider: BaseLLMProvider, chat: SdkChat, submission: Submission) -> dict[str, Any]:
    """Upload the files and start the job."""
    client, order = await chat.client(), submission.order
    arguments: dict[str, Any] = {"model": order.base_model}
    arguments["training_file"] = await _upload(provider, client, submission, order.training)
    if order.validation is not None:
        arguments["validation_file"] = await _upload(provider, client, submission, order.validation)
    if order.suffix is not None:
        arguments["suffix"] = order.suffix
    if order.seed is not None:
        arguments["seed"] = order.seed
    if order.options:
        supervised = {"hyperparameters": dict(order.options)}
        arguments["method"] = {"type": "supervised", "supervised": supervised}
    submission.starting()
    reply = await client.fine_tuning.jobs.with_raw_response.create(**arguments)
    return _result(provider, reply.http_response.content, "a new fine-tuning job")


async def look(provider: BaseLLMProvider, chat: SdkChat, job_id: str) -> dict[str, Any]:
    """The state of a job."""
    client = await chat.client()
    reply = await client.fine_tuning.jobs.with_raw_response.retrieve(job_id)
    return _result(provider, reply.http_response.content, f"the job {job_id!r}")


async def _upload(provider: BaseLLMProvider, client: Any, submission: Submission, file: TrainingFile) -> str:
    what = f"the file {file.path.name!r}"
    content = await asyncio.to_thread(file.path.open, "rb")
    with content:
        reply = await client.files.with_raw_response.create(
            file=(file.path.name, content), purpose="fine-tune"
        )
    uploaded = read_reply(reply.http_response.content, provider, what)
    file_id = submission.sent(uploaded["id"])
    while provider.backend == "azure" and uploaded.get("status") in _STILL_READING:
        await provider.clock.sleep(_SECONDS_BETWEEN_LOOKS)
        reply = await client.files.with_raw_response.retrieve(file_id)
        uploaded = read_reply(reply.http_response.content, provider, what)
    if uploaded.get("status") == "error":
        reason = shown(str(uploaded.get("status_details") or "it does not say why"))
        raise DatasetError(
            f"{provider.endpoint} could not read {what}, {file_id} there: {reason}; no job was started."
        )
    return file_id


def _result(provider: BaseLLMProvider, body: bytes, what: str) -> dict[str, Any]:
    job = read_reply(body, provider, what)
    error = job.get("error")
    return job_result(
        provider,
        job_id=job["id"],
        status=normal_status(job.get("status"), _STATES, provider=provider, job_id=job["id"]),
        vendor_status=job.get("status"),
        base_model=job.get("model"),
        fine_tuned_model=job.get("fine_tuned_model"),
        training_file_id=job.get("training_file"),
        trained_tokens=job.get("trained_tokens"),
        created_at=instant(job.get("created_at")),
        finished_at=instant(job.get("finished_at")),
        # A job without an error has null here, or an empty table.
        error=first_text([error.get("message"), error.get("code")]) if isinstance(error, dict) else None,
        details=job,
    )
