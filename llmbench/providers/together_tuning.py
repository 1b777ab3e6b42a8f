"""Fine-tuning at Together AI, through its own SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.errors import (
    FineTuningUnavailableError,
    QuotaExhaustedError,
    UsageError,
)
from llmbench.numbers import finite
from llmbench.providers.fine_tuning import Submission, Tuner, TuningOrder
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.together_client import open_client, response_type, upload
from llmbench.providers.tuning_result import JobEvent, TrainingMetric, job_result, normal_status
from llmbench.providers.vendor_json import (
    first_number,
    first_text,
    instant,
    numbers,
    read_list,
    read_object,
    read_reply,
)

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["TogetherTuner", "tuner"]

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
_STEPS = ("train/global_step", "eval/global_step", "global_step", "step")
_NAMED = frozenset({"train/loss", "eval/loss", "train/epoch", "eval/epoch", *_STEPS})
# What the estimate takes of a job (docs.together.ai/reference/post-fine-tunes-estimate-price).
_OF_ESTIMATE = frozenset(
    {"training_file", "validation_file", "model", "n_epochs", "n_evals", "training_method", "training_type"}
)
_STILL_READING = frozenset({"train_file_not_validated", "eval_file_not_validated"})
_WAITS_FOR_ESTIMATE_S = (0.0, 2.0, 4.0, 8.0, 16.0, 30.0)


def tuner(provider: BaseLLMProvider, chat: SdkChat) -> TogetherTuner:
    """How Together fine-tunes."""
    return TogetherTuner(provider, chat)


class TogetherTuner(Tuner):
    """Fine-tuning at Together. It trains models whose calls have ended, so that it is asked which."""

    options: ClassVar[frozenset[str]] = _OPTIONS

    def __init__(self, provider: BaseLLMProvider, chat: SdkChat) -> None:
        super().__init__(provider, chat)
        self._chat = chat

    def check(self, order: TuningOrder) -> None:
        """Refuse an order that Together's uploads or training types have no place for."""
        for file in (order.training, order.validation):
            if file is not None and file.path.suffix != ".jsonl":
                raise UsageError(f"Together takes the file {file.path.name} only if its name ends in .jsonl.")
        adapter = sorted(set(order.options) & _LORA)
        if order.options.get("lora") is False and adapter:
            raise UsageError(f"lora=False trains all weights and has no {adapter[0]}; leave one of them out.")

    async def submit(self, submission: Submission) -> dict[str, Any]:
        """Ask whether the model can be trained, upload the files and start the job."""
        client, order = await open_client(self._chat), submission.order
        model, limits = await _limits(self.provider, client, order)
        body: dict[str, Any] = {"model": model, **_options(order.options, limits)}
        uploaded = await upload(self.provider, self._chat, client, order.training.path)
        body["training_file"] = await submission.sent(uploaded)
        if order.validation is not None:
            uploaded = await upload(self.provider, self._chat, client, order.validation.path)
            body["validation_file"] = await submission.sent(uploaded)
        if order.suffix is not None:
            body["suffix"] = order.suffix
        if order.seed is not None:
            body["random_seed"] = order.seed
        estimated = await estimate_usd(self.provider, client, body) if submission.wants_price else None
        await submission.starting(estimated)
        # The SDK's fine_tuning.create would add 14 defaults of its own that nobody asked for.
        reply = await client.post("/v1/fine-tunes", body=body, cast_to=response_type())
        return _result(self.provider, reply.content, "a new fine-tuning job")

    async def look(self, job_id: str) -> dict[str, Any]:
        """The state of a job."""
        client = await open_client(self._chat)
        reply = await client.fine_tuning.with_raw_response.retrieve(job_id)
        return _result(self.provider, reply.http_response.content, f"the job {job_id!r}")

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask Together to stop a job, which it does at its next step."""
        client = await open_client(self._chat)
        await client.fine_tuning.with_raw_response.cancel(job_id)
        # The reply has little more than the id.
        return await self.look(job_id)

    async def find(self, file_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Jobs that train one of these files."""
        client = await open_client(self._chat)
        reply = await client.fine_tuning.with_raw_response.list()
        rows = read_list(reply.http_response.content, self.provider, "its fine-tuning jobs", "data")
        found = [
            row for row in rows if row.get("training_file") in file_ids and isinstance(row.get("id"), str)
        ]
        return [
            _of(self.provider, row)
            for row in sorted(found, key=lambda row: str(row.get("created_at")), reverse=True)
        ]

    async def events(self, job_id: str) -> list[JobEvent]:
        """What happened to a job."""
        client = await open_client(self._chat)
        reply = await client.fine_tuning.with_raw_response.list_events(job_id)
        rows = read_list(
            reply.http_response.content, self.provider, f"the events of the job {job_id!r}", "data"
        )
        return [_event(row) for row in rows]

    async def metrics(self, job_id: str) -> list[TrainingMetric]:
        """The loss curve: Together tells training and evaluation of one step apart."""
        client = await open_client(self._chat)
        reply = await client.fine_tuning.with_raw_response.list_metrics(job_id)
        rows = read_list(
            reply.http_response.content, self.provider, f"the metrics of the job {job_id!r}", "metrics"
        )
        found: dict[int, dict[str, float]] = {}
        for row in rows:
            step = first_number(row, _STEPS)
            if step is not None:
                found.setdefault(int(step), {}).update(numbers(row))
        return [
            TrainingMetric(
                step=step,
                training_loss=row.get("train/loss"),
                validation_loss=row.get("eval/loss"),
                epoch=first_number(row, ("train/epoch", "eval/epoch")),
                more={key: value for key, value in row.items() if key not in _NAMED},
            )
            for step, row in found.items()
        ]


async def estimate_usd(provider: BaseLLMProvider, client: Any, job: Mapping[str, Any]) -> float | None:
    """Together's own price of a job, in USD; None where it gives none. It first reads the files: that is
    waited for, but not for long.
    """
    body = {key: value for key, value in job.items() if key in _OF_ESTIMATE}
    reason: object = None
    for wait_s in _WAITS_FOR_ESTIMATE_S:
        if wait_s:
            await provider.clock.sleep(wait_s)
        try:
            reply = await client.post("/v1/fine-tunes/estimate-price", body=body, cast_to=response_type())
        except _sdk().APIStatusError:
            return None  # it is an offer beside the interface: without it our own quote holds
        found = read_object(reply.content)
        usd = finite(found.get("estimated_total_price"))
        if usd is not None and found.get("estimation_available") is not False:
            _refuse_over_limit(provider, found, usd)
            return usd
        reason = found.get("unavailable_reason")
        if reason not in _STILL_READING:
            break
    return None


def _refuse_over_limit(provider: BaseLLMProvider, estimate: Mapping[str, Any], usd: float) -> None:
    if estimate.get("allowed_to_proceed") is False:
        limit = finite(estimate.get("user_limit"))
        raise QuotaExhaustedError(
            f"{provider.endpoint} would not run this job of ${usd:,.2f}: the account's limit is "
            f"{'not told' if limit is None else f'${limit:,.2f}'}; add credit at the vendor's.",
            provider=provider.name,
        )


def _sdk() -> Any:
    import together

    return together


def _event(row: Mapping[str, Any]) -> JobEvent:
    at, step = instant(row.get("created_at")), finite(row.get("step"))
    level = str(row.get("level") or "info").removeprefix("legacy_").removeprefix("i")
    return JobEvent(
        at=datetime.fromisoformat(at) if at else None,
        level=level if level in {"warning", "error"} else "info",
        message=str(row.get("message") or ""),
        # An event that belongs to no step has 0 or -1.
        step=int(step) if step is not None and step > 0 else None,
    )


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


def _result(provider: BaseLLMProvider, body: bytes, what: str) -> dict[str, Any]:
    return _of(provider, read_reply(body, provider, what))


def _of(provider: BaseLLMProvider, job: Mapping[str, Any]) -> dict[str, Any]:
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
        details=dict(job),
    )
