"""What the vendors' fine-tuning has in common: an order, one submission, the states of a job, the result.

A result is a dict with these keys; None where the vendor does not say:

    job_id              the vendor's
    status              queued, running, succeeded, failed or cancelled
    vendor_status       the vendor's own word
    provider, backend   who trains
    base_model          the id that was, or is being, trained
    fine_tuned_model    the id to call, once there is one
    training_file_id    the vendor's
    training_file_sha256    of the file that was checked and sent; only `fine_tune` knows it
    trained_tokens      billed by most vendors
    created_at, finished_at   ISO instants in UTC
    error               why it failed
    details             the vendor's reply, keys masked
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from llmbench.errors import (
    BadResponseError,
    DatasetError,
    FineTuningUnavailableError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.providers.training_file import CHAT, COMPLETION, TEXT, TrainingFile, check_training_file
from llmbench.providers.tunable import check_tunable

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.tuning_result import JobEvent, TrainingMetric

__all__ = [
    "Caller",
    "Submission",
    "SubmissionLog",
    "Tuner",
    "TuningOrder",
    "costs_nothing",
    "start_tuning",
    "tried",
    "tried_about_job",
]

T = TypeVar("T")

_CLOSED = re.compile(
    r"fine[- ]?tun\w*[^.]{0,80}(no longer|not (available|enabled|supported|allowed)|closed|disabled)"
    r"|(no longer|not (available|enabled|allowed))[^.]{0,80}fine[- ]?tun",
    re.IGNORECASE,
)
_FIRST_SERVER_FAULT = 500
# Anything else would reach another path of the vendor's interface.
_JOB_ID = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]*")


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
    asked_for: str = ""
    """The model as the caller named it."""


class SubmissionLog(Protocol):
    """Who keeps what a submission has come to, so that a crash loses nothing and pays nothing twice."""

    async def sent(self, file_id: str) -> None:
        """Return once it is durable that the vendor has a file."""

    async def starting(self, estimated_usd: float | None = None) -> None:
        """Return once it is durable that a job may exist from here on; `estimated_usd` is the vendor's.

        Raises BudgetExceededError where that is too much.
        """


class Submission:
    """An order on its way. Its vendor says `sent` for each file, and `starting` before the one request
    that starts a job; what fails before that has started none.
    """

    def __init__(self, order: TuningOrder, log: SubmissionLog | None = None) -> None:
        self.order = order
        self.files: list[str] = []
        self.asked = False
        self._log = log

    @property
    def wants_price(self) -> bool:
        """Whether the vendor's own estimate is of use."""
        return self._log is not None

    async def sent(self, file_id: str) -> str:
        """Note a file that is at the vendor's."""
        self.files.append(file_id)
        if self._log is not None:
            await self._log.sent(file_id)
        return file_id

    async def starting(self, estimated_usd: float | None = None) -> None:
        """Say that a job may exist from here on. Raises DatasetError where a file was changed meanwhile, and
        what the log raises.
        """
        for file in (self.order.training, self.order.validation):
            if file is not None:
                file.refuse_if_changed()
        if self._log is not None:
            await self._log.starting(estimated_usd)
        self.asked = True


class Caller(Protocol):
    """An adapter, as far as fine-tuning needs it."""

    @property
    def foreign(self) -> tuple[type[Exception], ...]:
        """What its SDK raises."""

    def failure(self, error: Exception, model: str) -> ProviderError:
        """The error of ours for one of these."""


class Tuner(ABC):
    """How one vendor fine-tunes, for one provider. Methods raise ProviderError and what `caller.foreign`
    names.
    """

    options: ClassVar[frozenset[str]]
    """What a job takes beyond file, model, suffix and seed."""
    formats: ClassVar[frozenset[str]] = frozenset({CHAT, COMPLETION, TEXT})
    least: ClassVar[int] = 1
    """Examples that a training file must have."""
    needs_inference: ClassVar[bool] = False
    """Whether a model whose calls have ended cannot be trained either."""

    def __init__(self, provider: BaseLLMProvider, caller: Caller) -> None:
        self.provider = provider
        self.caller = caller

    def check(self, order: TuningOrder) -> None:  # noqa: B027 - most orders lack nothing
        """Refuse an order that lacks something, before anything is sent."""

    @abstractmethod
    async def submit(self, submission: Submission) -> dict[str, Any]:
        """Send the files and start the job; gives its state."""

    @abstractmethod
    async def look(self, job_id: str) -> dict[str, Any]:
        """The state of a job."""

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask the vendor to stop a job; gives its state."""
        raise UsageError(f"{self.provider.endpoint} cannot stop a job; {job_id!r} goes on.")

    async def find(self, file_ids: Sequence[str]) -> list[dict[str, Any]]:  # noqa: ARG002
        """The states of the jobs whose training file is one of these, the newest first."""
        return []

    async def events(self, job_id: str) -> list[JobEvent]:  # noqa: ARG002
        """What happened to a job."""
        return []

    async def metrics(self, job_id: str) -> list[TrainingMetric]:  # noqa: ARG002
        """The loss curve of a job."""
        return []


async def start_tuning(
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
    log: SubmissionLog | None = None,
) -> dict[str, Any]:
    """Check everything, then submit once: a second submission might start, and charge, a second job."""
    provider = tuner.provider
    check_tunable(provider, base_model, needs_inference=tuner.needs_inference)
    unknown = sorted(set(options) - tuner.options)
    if unknown:
        raise UsageError(
            f"{provider.backend or provider.name} has no fine-tuning option {unknown[0]!r}; it takes "
            f"{', '.join(sorted(tuner.options))}."
        )
    if not deadline_s > 0:
        raise UsageError(f"deadline_s must be a number of seconds above 0; it is {deadline_s!r}.")

    def checked(path: str | Path, least: int) -> TrainingFile:
        return check_training_file(path, formats=tuner.formats, least=least)

    # In a thread, because a large file takes long and the loop has other calls.
    training = await asyncio.to_thread(checked, training_file_path, tuner.least)
    validation = None
    if validation_file_path is not None:
        validation = await asyncio.to_thread(checked, validation_file_path, 1)
    given = {key: value for key, value in options.items() if value is not None}
    order = TuningOrder(training, vendors_id, suffix, validation, seed, given, base_model)
    tuner.check(order)
    submission = Submission(order, log)
    try:
        result, failure = await tried(
            provider, tuner.caller, lambda: tuner.submit(submission), base_model, deadline_s
        )
    except OSError as error:
        raise DatasetError(
            f"A file of the order ({error.filename}) could not be read while it was being sent: "
            f"{error.strerror}; no job was started."
        ) from error
    if failure is not None or result is None:
        failure = failure or BadResponseError(f"{provider.endpoint} said nothing.", provider=provider.name)
        raise _says_what_was_started(_closed(failure, provider, base_model), submission)
    return {**result, "training_file_sha256": training.sha256}


async def tried_about_job(tuner: Tuner, job_id: str, ask: Callable[[str], Awaitable[T]]) -> T:
    """What `ask` gives about a job. Raises InvalidRequestError with status 404 for one that is not there."""
    provider = tuner.provider
    job_id = str(job_id or "")
    if not job_id.strip():
        raise UsageError("job_id is empty; give the id that fine_tune gave.")
    unknown = InvalidRequestError(
        f"{provider.endpoint} has no fine-tuning job {job_id!r}; check the id and the account.",
        provider=provider.name,
        status_code=404,
    )
    if not _JOB_ID.fullmatch(job_id):
        raise unknown
    result, failure = await tried(
        provider, tuner.caller, lambda: ask(job_id), job_id, provider.retry.deadline_s
    )
    if failure is not None or result is None:
        failure = _closed(failure or unknown, provider, job_id)
        # The id is all that such a request says, so a request that is wrong has a wrong id.
        raise unknown if failure.status_code in {400, 404, 410, 422} else costs_nothing(failure)
    return result


async def tried(
    provider: BaseLLMProvider,
    caller: Caller,
    ask: Callable[[], Awaitable[T]],
    about: str,
    deadline_s: float,
) -> tuple[T | None, ProviderError | None]:
    """What `ask` gives, or what went wrong: for the caller to raise outside of this handler, so that no
    exception of the SDK is kept as its context.
    """
    try:
        async with provider.clock.timeout(deadline_s):
            return await ask(), None
    except TimeoutError:
        failure: ProviderError = ProviderTimeoutError(
            f"{provider.endpoint} gave no answer about {about!r} within {deadline_s:g} s.",
            provider=provider.name,
            model=about,
        )
    except ProviderError as error:
        failure = error
    except caller.foreign as error:
        failure = caller.failure(error, about)
    return None, failure


def _closed(failure: ProviderError, provider: BaseLLMProvider, about: str) -> ProviderError:
    """FineTuningUnavailableError where the vendor says that it does not train for this account."""
    if failure.status_code not in {400, 403, 404, 410} or not _CLOSED.search(str(failure)):
        return failure
    return FineTuningUnavailableError(
        f"{provider.endpoint} does not fine-tune {about!r} for this account: {failure}",
        provider=provider.name,
        model=about,
        status_code=failure.status_code,
    )


def _says_what_was_started(failure: ProviderError, submission: Submission) -> ProviderError:
    """The failure, with whether a job may exist at the vendor's, and be charged."""
    # A gateway's 5xx, and a reply that cannot be read, may follow a job that was started.
    in_doubt = failure.maybe_billed or (failure.status_code or 0) >= _FIRST_SERVER_FAULT
    failure.maybe_billed = submission.asked and (in_doubt or isinstance(failure, BadResponseError))
    if failure.maybe_billed:
        what = "a job may have been started: look at the vendor's list of jobs before asking again"
    else:
        what = "no job was started"
    if submission.files:
        what += f"; uploaded: {', '.join(submission.files)}"
    failure.args = (f"{str(failure).removesuffix('.')}; {what}.",)
    return failure


def costs_nothing(failure: ProviderError) -> ProviderError:
    """The failure of a request that only reads, or stops something."""
    failure.maybe_billed = False
    return failure
