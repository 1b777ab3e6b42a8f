"""Fine-tuning at Together AI, through its own SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmbench.providers.fine_tuning import Tuner, TuningOrder, instant, job_result, normal_status
from llmbench.providers.sdk_chat import SdkChat

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["look", "submit", "tuner"]

_OPTIONS = frozenset(
    {
        "n_epochs", "n_checkpoints", "n_evals", "batch_size", "learning_rate", "lr_scheduler_type",
        "warmup_ratio", "max_grad_norm", "weight_decay", "lora", "lora_r", "lora_alpha", "lora_dropout",
        "train_on_inputs", "training_method",
    }
)  # fmt: skip
_STATES = {
    "pending": "queued",
    "queued": "queued",
    "running": "running",
    "compressing": "running",
    "uploading": "running",
    "cancel_requested": "running",
    "cancelled": "cancelled",
    "user_error": "failed",
    "error": "failed",
    "completed": "succeeded",
}


def tuner(chat: SdkChat) -> Tuner:
    """How Together fine-tunes."""
    return Tuner(
        caller=chat,
        options=_OPTIONS,
        submit=lambda provider, order: submit(provider, chat, order),
        look=lambda provider, job_id: look(provider, chat, job_id),
    )


async def submit(provider: BaseLLMProvider, chat: SdkChat, order: TuningOrder) -> dict[str, Any]:
    """Upload the files and start the job."""
    client = await _client(chat)
    # The file has been checked; the SDK's own check needs packages of its own.
    training = await client.files.upload(order.training.path, purpose="fine-tune", check=False)
    arguments: dict[str, Any] = {"training_file": training.id, "model": order.base_model, **order.options}
    if order.validation is not None:
        validation = await client.files.upload(order.validation.path, purpose="fine-tune", check=False)
        arguments["validation_file"] = validation.id
    if order.suffix is not None:
        arguments["suffix"] = order.suffix
    if order.seed is not None:
        arguments["random_seed"] = order.seed
    job = await client.fine_tuning.create(**arguments)
    return _result(provider, job) | {"training_file_sha256": order.training.sha256}


async def look(provider: BaseLLMProvider, chat: SdkChat, job_id: str) -> dict[str, Any]:
    """The state of a job."""
    client = await _client(chat)
    return _result(provider, await client.fine_tuning.retrieve(job_id))


async def _client(chat: SdkChat) -> Any:
    # Chat completions have an address of their own at Together; everything else is at this one.
    return (await chat.client()).with_options(base_url=chat.base_url)


def _result(provider: BaseLLMProvider, job: Any) -> dict[str, Any]:
    details = job.to_dict(mode="json")
    job_id = str(details.get("id"))
    status = normal_status(details.get("status"), _STATES, provider=provider, job_id=job_id)
    events = [e for e in details.get("events") or () if isinstance(e, dict) and e.get("level") == "error"]
    ended = status in {"succeeded", "failed", "cancelled"}
    return job_result(
        provider,
        job_id=job_id,
        status=status,
        vendor_status=details.get("status"),
        base_model=details.get("model"),
        fine_tuned_model=details.get("model_output_name") or details.get("x_model_output_name"),
        training_file_id=details.get("training_file"),
        trained_tokens=details.get("token_count"),
        created_at=instant(details.get("created_at")),
        finished_at=instant(details.get("updated_at")) if ended else None,
        error=events[-1].get("message") if events and status == "failed" else None,
        details=details,
    )
