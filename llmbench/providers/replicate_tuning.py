"""Training at Replicate, through its own SDK: a version of a model is trained into one of the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from llmbench.errors import UsageError
from llmbench.providers.fine_tuning import Submission, Tuner, TuningOrder
from llmbench.providers.replicate_backend import ReplicatePredictions
from llmbench.providers.tuning_result import JobEvent, job_result, normal_status
from llmbench.providers.vendor_json import instant, read_list, read_object, read_reply

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["ReplicateTuner", "tuner"]

_OPTIONS = frozenset(
    {
        "destination", "version", "num_train_epochs", "learning_rate", "train_batch_size", "lora_rank",
        "lora_alpha", "lora_dropout",
    }
)  # fmt: skip
_STATES = {
    "starting": "queued",
    "processing": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
    "aborted": "cancelled",
}
_MOST_PAGES = 50
_LIST = "/v1/trainings"
_OWNER_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_VERSION = re.compile(r"\w+", re.ASCII)


def tuner(provider: BaseLLMProvider, predictions: ReplicatePredictions) -> ReplicateTuner:
    """How Replicate fine-tunes."""
    return ReplicateTuner(provider, predictions)


class ReplicateTuner(Tuner):
    """Training at Replicate."""

    options: ClassVar[frozenset[str]] = _OPTIONS

    def __init__(self, provider: BaseLLMProvider, predictions: ReplicatePredictions) -> None:
        super().__init__(provider, predictions)
        self._predictions = predictions

    def check(self, order: TuningOrder) -> None:
        """Refuse an order without what Replicate needs: UsageError naming it."""
        if not _OWNER_AND_NAME.fullmatch(str(order.options.get("destination", ""))):
            raise UsageError(
                "Replicate trains into a model of yours; give destination='owner/name', a model made "
                "beforehand."
            )
        if not _VERSION.fullmatch(str(order.options.get("version", ""))):
            raise UsageError(
                "Replicate trains one version of a model; give version=..., the id on the model's page."
            )
        if not _OWNER_AND_NAME.fullmatch(order.base_model):
            raise UsageError(
                "A model of Replicate's is written owner/name, without a version; "
                f"{order.base_model!r} is not."
            )
        if order.suffix is not None:
            raise UsageError("Replicate names the result by destination and takes no suffix; leave it out.")

    async def submit(self, submission: Submission) -> dict[str, Any]:
        """Upload the file and start the training."""
        client, order = await self._predictions.client(), submission.order
        options = dict(order.options)
        destination, version = options.pop("destination"), options.pop("version")
        training = await client.files.async_create(order.training.path)
        await submission.sent(training.id)
        fields: dict[str, Any] = {"train_data": training.urls["get"], **options}
        if order.validation is not None:
            validation = await client.files.async_create(order.validation.path)
            await submission.sent(validation.id)
            fields["validation_data"] = validation.urls["get"]
        if order.seed is not None:
            fields["seed"] = order.seed
        await submission.starting()
        # The SDK's trainings.async_create refuses a status that Replicate documents ("aborted"), and then the
        # job that it has just started is lost.
        reply = await client._async_request(  # noqa: SLF001
            "POST",
            f"/v1/models/{order.base_model}/versions/{version}/trainings",
            json={"input": fields, "destination": destination},
        )
        result = _result(self.provider, reply.content, "a new training")
        return result | {"base_model": order.base_model, "training_file_id": training.id}

    async def look(self, job_id: str) -> dict[str, Any]:
        """The state of a training."""
        client = await self._predictions.client()
        reply = await client._async_request("GET", f"/v1/trainings/{job_id}")  # noqa: SLF001 - as above
        return _result(self.provider, reply.content, f"the training {job_id!r}")

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Stop a training."""
        client = await self._predictions.client()
        reply = await client._async_request("POST", f"/v1/trainings/{job_id}/cancel")  # noqa: SLF001 - as above
        return _result(self.provider, reply.content, f"the training {job_id!r}")

    async def find(self, file_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Trainings of one of these files, which their input names by its address, among the newest."""
        client = await self._predictions.client()
        found: list[dict[str, Any]] = []
        address: str | None = _LIST
        for _ in range(_MOST_PAGES):
            if address is None:
                break
            reply = await client._async_request("GET", address)  # noqa: SLF001 - as above
            rows = read_list(reply.content, self.provider, "its trainings", "results")
            found += [row for row in rows if _trains(row, file_ids) and isinstance(row.get("id"), str)]
            address = _next_page(reply.content)
        return [_of(self.provider, row) for row in found]

    async def events(self, job_id: str) -> list[JobEvent]:
        """The lines that a training logs; Replicate puts no time to them, and has no metrics."""
        result = await self.look(job_id)
        logs = result["details"].get("logs")
        lines = logs.splitlines() if isinstance(logs, str) else []
        return [JobEvent(None, "info", line.strip()) for line in lines if line.strip()]


def _trains(row: Mapping[str, Any], file_ids: Sequence[str]) -> bool:
    given = row.get("input")
    data = given.get("train_data") if isinstance(given, dict) else None
    return isinstance(data, str) and any(data.rstrip("/").endswith(f"/{file_id}") for file_id in file_ids)


def _next_page(body: bytes) -> str | None:
    """The path of the next page: the key goes to no other host than the one configured."""
    following = read_object(body).get("next")
    if not isinstance(following, str) or not following:
        return None
    parts = urlsplit(following)
    # Nothing but another page of the same list.
    return f"{_LIST}?{parts.query}" if parts.path.endswith(_LIST) and parts.query else None


def _result(provider: BaseLLMProvider, body: bytes, what: str) -> dict[str, Any]:
    return _of(provider, read_reply(body, provider, what))


def _of(provider: BaseLLMProvider, job: Mapping[str, Any]) -> dict[str, Any]:
    output, error = job.get("output"), job.get("error")
    return job_result(
        provider,
        job_id=job["id"],
        status=normal_status(job.get("status"), _STATES, provider=provider, job_id=job["id"]),
        vendor_status=job.get("status"),
        base_model=job.get("model"),
        fine_tuned_model=output.get("version") if isinstance(output, dict) else None,
        created_at=instant(job.get("created_at")),
        finished_at=instant(job.get("completed_at")),
        error=str(error) if error else None,
        details=dict(job),
    )
