"""Fine-tuning at Together AI, through its own SDK."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmbench.errors import (
    BadResponseError,
    FineTuningUnavailableError,
    ProviderError,
    ServerError,
    UsageError,
)
from llmbench.providers.fine_tuning import Submission, Tuner, TuningOrder
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.tuning_result import first_text, instant, job_result, normal_status, read_reply

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["check_order", "look", "open_client", "submit", "tuner", "upload"]

_LORA = frozenset({"lora_r", "lora_alpha", "lora_dropout"})
_PLAIN = frozenset(
    {
        "n_epochs", "n_checkpoints", "n_evals", "batch_size", "learning_rate", "warmup_ratio",
        "max_grad_norm", "weight_decay", "packing", "max_seq_length",
    }
)  # fmt: skip
_OPTIONS = _PLAIN | _LORA | {"lora", "train_on_inputs"}
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
_ENDED = frozenset({"succeeded", "failed", "cancelled"})
_NOT_FOUND = 404


def tuner(chat: SdkChat) -> Tuner:
    """How Together fine-tunes. It trains models whose calls have ended, so that it is asked which."""
    return Tuner(
        caller=chat,
        options=_OPTIONS,
        submit=lambda provider, submission: submit(provider, chat, submission),
        look=lambda provider, job_id: look(provider, chat, job_id),
        check=check_order,
    )


def check_order(order: TuningOrder) -> None:
    """Refuse an order that Together's uploads or training types have no place for."""
    for file in (order.training, order.validation):
        if file is not None and file.path.suffix != ".jsonl":
            raise UsageError(f"Together takes the file {file.path.name} only if its name ends in .jsonl.")
    adapter = sorted(set(order.options) & _LORA)
    if order.options.get("lora") is False and adapter:
        raise UsageError(f"lora=False trains all weights and has no {adapter[0]}; leave one of them out.")


async def submit(provider: BaseLLMProvider, chat: SdkChat, submission: Submission) -> dict[str, Any]:
    """Ask whether the model can be trained, upload the files and start the job."""
    client, order = await open_client(chat), submission.order
    model, limits = await _limits(provider, client, order)
    body: dict[str, Any] = {"model": model, **_options(order.options, limits)}
    body["training_file"] = submission.sent(await upload(provider, chat, client, order.training.path))
    if order.validation is not None:
        body["validation_file"] = submission.sent(await upload(provider, chat, client, order.validation.path))
    if order.suffix is not None:
        body["suffix"] = order.suffix
    if order.seed is not None:
        body["random_seed"] = order.seed
    submission.starting()
    # The SDK's fine_tuning.create would add 14 defaults of its own that nobody asked for.
    reply = await client.post("/v1/fine-tunes", body=body, cast_to=_response_type())
    return _result(provider, reply.content, "a new fine-tuning job")


async def look(provider: BaseLLMProvider, chat: SdkChat, job_id: str) -> dict[str, Any]:
    """The state of a job."""
    client = await open_client(chat)
    reply = await client.fine_tuning.with_raw_response.retrieve(job_id)
    return _result(provider, reply.http_response.content, f"the job {job_id!r}")


async def open_client(chat: SdkChat) -> Any:
    """The SDK's client for everything but chat completions."""
    # Chat completions have an address of their own at Together; everything else is at this one.
    return (await chat.client()).with_options(base_url=chat.base_url)


def _response_type() -> type:
    import httpx

    return httpx.Response


async def _limits(provider: BaseLLMProvider, client: Any, order: TuningOrder) -> tuple[str, Any]:
    """The id under which Together trains the model asked for, and its limits.

    A model that the catalog names by the id of its calls (-Turbo) is trained under another (-Reference).
    """
    import together

    stem = order.base_model.removesuffix("-Turbo")
    named_by_catalog = order.base_model != order.asked_for
    for model in (order.base_model, f"{stem}-Reference", stem) if named_by_catalog else (order.base_model,):
        try:
            return model, await client.fine_tuning.model_limits(model_name=model)
        except together.APIStatusError as error:
            if error.status_code != _NOT_FOUND:
                raise
    raise FineTuningUnavailableError(
        f"{provider.endpoint} does not fine-tune {order.asked_for!r}; its page of supported models "
        "(docs.together.ai/docs/fine-tuning/supported-models) has the ids that it does.",
        provider=provider.name,
        model=order.asked_for,
        status_code=_NOT_FOUND,
    )


def _options(options: Mapping[str, Any], limits: Any) -> dict[str, Any]:
    """The options in the words of Together's interface; what is not given is left to it."""
    found = {key: value for key, value in options.items() if key in _PLAIN}
    adapter = {key: value for key, value in options.items() if key in _LORA}
    if options.get("lora") is False:
        found["training_type"] = {"type": "Full"}
    elif adapter or options.get("lora"):
        # Together wants rank and alpha with every LoRA; the SDK fills them in like this.
        rank = adapter.get("lora_r", getattr(getattr(limits, "lora_training", None), "default_rank", None))
        if rank is None:
            raise UsageError("Together names no default rank for this model; give lora_r and lora_alpha.")
        found["training_type"] = {"type": "Lora", "lora_r": rank, "lora_alpha": rank * 2, **adapter}
    if "train_on_inputs" in options:
        found["training_method"] = {"method": "sft", "train_on_inputs": options["train_on_inputs"]}
    return found


async def upload(
    provider: BaseLLMProvider, chat: SdkChat, client: Any, path: Path, purpose: str = "fine-tune"
) -> str:
    """Give Together a file; its id there. The SDK sends the content to a storage that Together names,
    without the key.
    """
    import together

    failure: ProviderError
    try:
        # The file has been checked; the SDK's own check needs packages of its own.
        return str((await client.files.upload(path, purpose=purpose, check=False)).id)
    except together.APIStatusError as error:
        if error.request.url.host == urlsplit(chat.base_url).hostname:
            raise
        failure = ServerError(
            f"The storage at {error.request.url.host} that {provider.endpoint} names for uploads refused "
            f"the file {path.name} (status {error.status_code}); try again later.",
            provider=provider.name,
            status_code=error.status_code,
        )
    except OSError:
        raise
    except chat.foreign:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK's uploads raise asserts, ValueError and plain Exception
        failure = BadResponseError(
            f"{provider.endpoint} at {chat.base_url} did not take the file {path.name} as its SDK "
            f"expects ({type(error).__name__}); check base_url and the file.",
            provider=provider.name,
        )
    raise failure


def _result(provider: BaseLLMProvider, body: bytes, what: str) -> dict[str, Any]:
    job = read_reply(body, provider, what)
    status = normal_status(job.get("status"), _STATES, provider=provider, job_id=job["id"])
    events = [event for event in job.get("events") or () if isinstance(event, dict)]
    errors = [event.get("message") for event in events if str(event.get("level")).endswith("error")]
    return job_result(
        provider,
        job_id=job["id"],
        status=status,
        vendor_status=job.get("status"),
        base_model=job.get("model"),
        # Together names the model to come from the start, but it can be called only at the end.
        fine_tuned_model=job.get("model_output_name") if status == "succeeded" else None,
        training_file_id=job.get("training_file"),
        trained_tokens=job.get("token_count"),
        created_at=instant(job.get("created_at")),
        finished_at=instant(job.get("updated_at")) if status in _ENDED else None,
        error=first_text(errors[::-1]) if status == "failed" else None,
        details=job,
    )
