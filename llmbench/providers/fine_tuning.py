"""What the vendors' fine-tuning has in common: the training file, the states of a job, the result.

A result is a dict with these keys; None where the vendor does not say:

    job_id              the vendor's
    status              queued, running, succeeded, failed or cancelled
    vendor_status       the vendor's own word
    provider, backend   who trains
    base_model          the id that was, or is being, trained
    fine_tuned_model    the id to call, once there is one
    training_file_id, training_file_sha256
    trained_tokens      billed by most vendors
    created_at, finished_at   ISO instants in UTC
    error               why it failed
    details             the vendor's reply
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import (
    BadResponseError,
    FineTuningUnavailableError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.providers.training_file import (
    CHAT,
    COMPLETION,
    TEXT,
    TrainingFile,
    check_training_file,
)
from llmbench.types import ModelCapability

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = [
    "Caller",
    "Tuner",
    "TuningOrder",
    "check_tunable",
    "instant",
    "job_result",
    "look_at_tuning",
    "normal_status",
    "start_tuning",
]

_CLOSED = re.compile(
    r"fine[- ]?tun\w*[^.]{0,80}(no longer|not (available|enabled|supported|allowed)|closed|disabled)"
    r"|(no longer|not (available|enabled|allowed))[^.]{0,80}fine[- ]?tun",
    re.IGNORECASE,
)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TuningOrder:
    """What is to be trained."""

    training: TrainingFile
    base_model: str
    """The vendor's id."""
    suffix: str | None = None
    validation: TrainingFile | None = None
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Caller(Protocol):
    """An adapter, as far as fine-tuning needs it."""

    @property
    def foreign(self) -> tuple[type[Exception], ...]:
        """What its SDK raises."""

    def failure(self, error: Exception, model: str) -> ProviderError:
        """The error of ours for one of these."""


@dataclass(frozen=True, slots=True)
class Tuner:
    """How one vendor fine-tunes."""

    caller: Caller
    options: frozenset[str]
    """What a job takes beyond file, model, suffix and seed."""
    submit: Callable[[BaseLLMProvider, TuningOrder], Awaitable[dict[str, Any]]]
    look: Callable[[BaseLLMProvider, str], Awaitable[dict[str, Any]]]
    check: Callable[[TuningOrder], None] = lambda _: None
    """Refuses an order that lacks something, before anything is sent."""
    formats: frozenset[str] = frozenset({CHAT, COMPLETION, TEXT})
    least: int = 1
    """Examples that a training file must have."""


async def start_tuning(
    provider: BaseLLMProvider,
    tuner: Tuner,
    training_file_path: str | Path,
    base_model: str,
    vendors_id: str,
    *,
    suffix: str | None,
    validation_file_path: str | Path | None,
    seed: int | None,
    deadline_s: float,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Check everything, then submit once."""
    check_tunable(provider, base_model)
    unknown = sorted(set(options) - tuner.options)
    if unknown:
        raise UsageError(
            f"{provider.name} has no fine-tuning option {unknown[0]!r}; it takes "
            f"{', '.join(sorted(tuner.options))}."
        )
    validation = None
    if validation_file_path is not None:
        validation = check_training_file(validation_file_path, formats=tuner.formats)
    training = check_training_file(training_file_path, formats=tuner.formats, least=tuner.least)
    order = TuningOrder(training, vendors_id, suffix, validation, seed, dict(options))
    tuner.check(order)
    return await _tried_once(
        provider, tuner.caller, lambda: tuner.submit(provider, order), about=base_model, deadline_s=deadline_s
    )


async def look_at_tuning(provider: BaseLLMProvider, tuner: Tuner, job_id: str) -> dict[str, Any]:
    """The state of a job."""
    if not job_id.strip():
        raise UsageError("job_id is empty; give the id that fine_tune gave.")
    return await _tried_once(
        provider,
        tuner.caller,
        lambda: tuner.look(provider, job_id),
        about=job_id,
        deadline_s=provider.retry.deadline_s,
        job_id=job_id,
    )


def check_tunable(provider: BaseLLMProvider, model: str) -> None:
    """Refuse, before anything is sent, a model or a date for which the catalog says no.

    Raises FineTuningUnavailableError with the reason and, where there is one, the date.
    """
    facts = all_models().get(canonical_name(model) or "")
    place, today = provider.backend or provider.name, provider.clock.now().date().isoformat()
    reason = None
    if facts is None:
        return  # a vendor's newer model, or one of the user's own: the vendor decides
    if ModelCapability.FINE_TUNING not in facts.capabilities:
        tunable = [m.name for m in provider.list_models() if m.supports_fine_tuning]
        reason = f"it cannot be fine-tuned; {', '.join(tunable) or 'no model here'} can"
    elif today > facts.fine_tuning_until.get(place, "9999"):
        reason = f"the vendor takes no new jobs after {facts.fine_tuning_until[place]}"
    elif today >= facts.shutdown.get(place, "9999"):
        reason = f"it was shut down on {facts.shutdown[place]}"
    if reason:
        raise FineTuningUnavailableError(
            f"{place} cannot fine-tune {model!r}: {reason}.", provider=provider.name, model=model
        )


async def _tried_once(
    provider: BaseLLMProvider,
    caller: Caller,
    ask: Callable[[], Awaitable[Result]],
    *,
    about: str,
    deadline_s: float,
    job_id: str | None = None,
) -> Result:
    """`ask`, once: a second submission might start, and charge, a second job.

    Raises a ProviderError; InvalidRequestError for a job that the vendor does not know, and
    FineTuningUnavailableError where the vendor says that it no longer trains for this account.
    """
    try:
        async with provider.clock.timeout(deadline_s):
            return await ask()
    except TimeoutError:
        failure: ProviderError = ProviderTimeoutError(
            f"{provider.endpoint} gave no answer about {about!r} within {deadline_s:g} s; a job may have "
            "been started: look at the vendor's list before asking again.",
            provider=provider.name,
            model=about,
        )
    except caller.foreign as error:
        failure = caller.failure(error, about)
    if job_id is not None and failure.status_code == 404:
        failure = InvalidRequestError(
            f"{provider.endpoint} has no fine-tuning job {job_id!r}; check the id and the account.",
            provider=provider.name,
            status_code=404,
        )
    elif failure.status_code in {400, 403, 404, 410} and _CLOSED.search(str(failure)):
        failure = FineTuningUnavailableError(
            f"{provider.endpoint} does not fine-tune {about!r} for this account: {failure}",
            provider=provider.name,
            model=about,
            status_code=failure.status_code,
        )
    # Raised outside of the handler, so that no exception of the SDK is kept as its context.
    raise failure


def normal_status(word: Any, words: Mapping[str, str], *, provider: BaseLLMProvider, job_id: str) -> str:
    """The state for a vendor's word. Raises BadResponseError for a word that is not known."""
    found = words.get(word) if isinstance(word, str) else None
    if found is None:
        raise BadResponseError(
            f"{provider.endpoint} reports the job {job_id!r} as {word!r}, which llmbench does not know; look "
            "at the vendor's page of the job, and upgrade llmbench.",
            provider=provider.name,
        )
    return found


def instant(value: Any) -> str | None:
    """An epoch, an ISO text or a datetime as an ISO instant in UTC.

    >>> instant(0), instant("2026-01-02T03:04:05Z"), instant("soon")
    ('1970-01-01T00:00:00+00:00', '2026-01-02T03:04:05+00:00', None)
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str):
            value = datetime.fromisoformat(value)
        if not isinstance(value, datetime):
            return None
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def job_result(provider: BaseLLMProvider, **known: Any) -> dict[str, Any]:
    """A result with every key; what is not given is None."""
    keys = (
        "job_id", "status", "vendor_status", "provider", "backend", "base_model", "fine_tuned_model",
        "training_file_id", "training_file_sha256", "trained_tokens", "created_at", "finished_at", "error",
        "details",
    )  # fmt: skip
    return {**dict.fromkeys(keys), "provider": provider.name, "backend": provider.backend, **known}
