"""Fine-tuning at OpenAI and on Azure, through OpenAI's SDK.

OpenAI takes no new jobs after 2027-01-06 (developers.openai.com/api/docs/deprecations); the date
stands in the catalog, and is checked before a file is uploaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import DatasetError
from llmbench.numbers import finite
from llmbench.providers.fine_tuning import Submission, Tuner
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.training_file import CHAT, TrainingFile
from llmbench.providers.tuning_result import JobEvent, TrainingMetric, job_result, normal_status
from llmbench.providers.vendor_json import (
    first_number,
    first_text,
    has_more,
    instant,
    numbers,
    read_list,
    read_reply,
)
from llmbench.providers.wire_errors import shown

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["OpenAITuner", "trainable_id"]

_LEAST_EXAMPLES = 10
_PAGE = 100
_MOST_PAGES = 50
_NAMED = frozenset({"step", "train_loss", "valid_loss", "full_valid_loss", "epoch"})
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


class OpenAITuner(Tuner):
    """Fine-tuning at OpenAI and on Azure; a file needs at least 10 examples there."""

    options: ClassVar[frozenset[str]] = _OPTIONS
    formats: ClassVar[frozenset[str]] = frozenset({CHAT})
    least: ClassVar[int] = _LEAST_EXAMPLES
    needs_inference: ClassVar[bool] = True

    def __init__(self, provider: BaseLLMProvider, chat: SdkChat) -> None:
        super().__init__(provider, chat)
        self._chat = chat

    async def submit(self, submission: Submission) -> dict[str, Any]:
        """Upload the files and start the job."""
        client, order = await self._chat.client(), submission.order
        arguments: dict[str, Any] = {"model": order.base_model}
        arguments["training_file"] = await _upload(self.provider, client, submission, order.training)
        if order.validation is not None:
            arguments["validation_file"] = await _upload(self.provider, client, submission, order.validation)
        if order.suffix is not None:
            arguments["suffix"] = order.suffix
        if order.seed is not None:
            arguments["seed"] = order.seed
        if order.options:
            supervised = {"hyperparameters": dict(order.options)}
            arguments["method"] = {"type": "supervised", "supervised": supervised}
        await submission.starting()
        reply = await client.fine_tuning.jobs.with_raw_response.create(**arguments)
        return _result(self.provider, reply.http_response.content, "a new fine-tuning job")

    async def look(self, job_id: str) -> dict[str, Any]:
        """The state of a job."""
        client = await self._chat.client()
        reply = await client.fine_tuning.jobs.with_raw_response.retrieve(job_id)
        return _result(self.provider, reply.http_response.content, f"the job {job_id!r}")

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Stop a job."""
        client = await self._chat.client()
        reply = await client.fine_tuning.jobs.with_raw_response.cancel(job_id)
        return _result(self.provider, reply.http_response.content, f"the job {job_id!r}")

    async def find(self, file_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Jobs that train one of these files, among the newest of the account."""
        client = await self._chat.client()

        async def page(after: Mapping[str, str]) -> bytes:
            reply = await client.fine_tuning.jobs.with_raw_response.list(limit=_PAGE, **after)
            return bytes(reply.http_response.content)

        rows = await _pages(self.provider, page, "its fine-tuning jobs")
        return [
            _of(self.provider, row)
            for row in rows
            if row.get("training_file") in file_ids and isinstance(row.get("id"), str)
        ]

    async def events(self, job_id: str) -> list[JobEvent]:
        """What happened to a job."""
        # The vendor lists the newest first.
        return [_event(row) for row in reversed(await self._event_rows(job_id))]

    async def metrics(self, job_id: str) -> list[TrainingMetric]:
        """The loss curve, which is told in events."""
        return [
            TrainingMetric(
                step=int(data["step"]),
                training_loss=finite(data.get("train_loss")),
                validation_loss=first_number(data, ("full_valid_loss", "valid_loss")),
                epoch=finite(data.get("epoch")),
                more={key: value for key, value in numbers(data).items() if key not in _NAMED},
            )
            for row in await self._event_rows(job_id)
            if isinstance(data := row.get("data"), dict) and finite(data.get("step")) is not None
        ]

    async def _event_rows(self, job_id: str) -> list[dict[str, Any]]:
        client = await self._chat.client()

        async def page(after: Mapping[str, str]) -> bytes:
            reply = await client.fine_tuning.jobs.with_raw_response.list_events(job_id, limit=_PAGE, **after)
            return bytes(reply.http_response.content)

        return await _pages(self.provider, page, f"the events of the job {job_id!r}")


async def _pages(
    provider: BaseLLMProvider, page: Callable[[Mapping[str, str]], Awaitable[bytes]], what: str
) -> list[dict[str, Any]]:
    """The rows of a list, page by page, up to a number of pages that no list of interest has."""
    found: list[dict[str, Any]] = []
    after: Mapping[str, str] = {}
    for _ in range(_MOST_PAGES):
        body = await page(after)
        rows = read_list(body, provider, what, "data")
        found += rows
        last = rows[-1].get("id") if rows else None
        if not isinstance(last, str) or not has_more(body):
            break
        after = {"after": last}
    return found


def _event(row: Mapping[str, Any]) -> JobEvent:
    at, data = instant(row.get("created_at")), row.get("data")
    step = finite(data.get("step")) if isinstance(data, dict) else None
    level = str(row.get("level") or "info")
    return JobEvent(
        at=datetime.fromisoformat(at) if at else None,
        level="warning" if level == "warn" else level,
        message=str(row.get("message") or ""),
        step=None if step is None else int(step),
    )


async def _upload(provider: BaseLLMProvider, client: Any, submission: Submission, file: TrainingFile) -> str:
    what = f"the file {file.path.name!r}"
    content = await asyncio.to_thread(file.path.open, "rb")
    with content:
        reply = await client.files.with_raw_response.create(
            file=(file.path.name, content), purpose="fine-tune"
        )
    uploaded = read_reply(reply.http_response.content, provider, what)
    file_id = await submission.sent(uploaded["id"])
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
    return _of(provider, read_reply(body, provider, what))


def _of(provider: BaseLLMProvider, job: Mapping[str, Any]) -> dict[str, Any]:
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
        details=dict(job),
    )
