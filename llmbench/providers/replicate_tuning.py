"""Training at Replicate, through its own SDK: a version of a model is trained into one of the user's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.providers.fine_tuning import Tuner, TuningOrder, instant, job_result, normal_status
from llmbench.providers.replicate_backend import ReplicatePredictions

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["check_order", "look", "submit", "tuner"]

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
_OWNER_AND_NAME = re.compile(r"[^/\s:]+/[^/\s:]+")


def check_order(order: TuningOrder) -> None:
    """Refuse an order without what Replicate needs: UsageError naming it."""
    if not _OWNER_AND_NAME.fullmatch(str(order.options.get("destination", ""))):
        raise UsageError(
            "Replicate trains into a model of yours; give destination='owner/name', a model made beforehand."
        )
    if not order.options.get("version"):
        raise UsageError(
            "Replicate trains one version of a model; give version=..., the id on the model's page."
        )
    if order.suffix is not None:
        raise UsageError("Replicate names the result by destination and takes no suffix; leave it out.")


def tuner(predictions: ReplicatePredictions) -> Tuner:
    """How Replicate fine-tunes."""
    return Tuner(
        caller=predictions,
        options=_OPTIONS,
        submit=lambda provider, order: submit(provider, predictions, order),
        look=lambda provider, job_id: look(provider, predictions, job_id),
        check=check_order,
    )


async def submit(
    provider: BaseLLMProvider, predictions: ReplicatePredictions, order: TuningOrder
) -> dict[str, Any]:
    """Upload the file and start the training."""
    client = await predictions.client()
    training = await client.files.async_create(order.training.path)
    options = dict(order.options)
    destination, version = options.pop("destination"), options.pop("version")
    fields: dict[str, Any] = {"train_data": training.urls["get"], **options}
    if order.validation is not None:
        fields["validation_data"] = (await client.files.async_create(order.validation.path)).urls["get"]
    if order.seed is not None:
        fields["seed"] = order.seed
    job = await client.trainings.async_create(
        model=order.base_model, version=version, input=fields, destination=destination
    )
    result = _result(provider, job)
    return result | {
        "base_model": order.base_model,
        "training_file_id": training.id,
        "training_file_sha256": order.training.sha256,
    }


async def look(provider: BaseLLMProvider, predictions: ReplicatePredictions, job_id: str) -> dict[str, Any]:
    """The state of a training."""
    client = await predictions.client()
    return _result(provider, await client.trainings.async_get(job_id))


def _result(provider: BaseLLMProvider, job: Any) -> dict[str, Any]:
    details: dict[str, Any] = job.dict()
    output = details.get("output")
    return job_result(
        provider,
        job_id=details.get("id"),
        status=normal_status(
            details.get("status"), _STATES, provider=provider, job_id=str(details.get("id"))
        ),
        vendor_status=details.get("status"),
        base_model=details.get("model"),
        fine_tuned_model=output.get("version") if isinstance(output, dict) else None,
        created_at=instant(details.get("created_at")),
        finished_at=instant(details.get("completed_at")),
        error=details.get("error"),
        details=details,
    )
