"""Every error that llmbench raises on purpose.

    LLMBenchError
    ├── UsageError                  a call, an option or a parameter that cannot be meant
    ├── ConfigError                 llmbench.toml, the environment, a missing extra
    ├── DatasetError                a file of items: named by file, line and column
    ├── LedgerError                 the ledger cannot be opened, read or written
    ├── BudgetExceededError         the next call might cost more than what is left
    ├── ReportError                 a notebook, a report folder, a secret found in one
    └── ProviderError               a call to a model
        ├── AuthenticationError     the key is missing, wrong or not allowed
        ├── RateLimitError          too fast: wait `retry_after` seconds
        ├── QuotaExhaustedError     out of credit: waiting does not help
        ├── ProviderTimeoutError    no answer within the deadline
        ├── ConnectionFailedError   nothing listens, or the connection was cut
        ├── InvalidRequestError     the server refused the request as it is
        │   └── ContextWindowError  the messages are longer than the model reads
        ├── ContentFilteredError    the vendor refused the content
        ├── ModelUnavailableError   no such model, or it was shut down on `shutdown_date`
        ├── ServerError             the server failed (5xx)
        ├── BadResponseError        the body is not what the interface promises
        ├── BatchUnfinishedError    its batch ended before the request was answered
        └── FineTuningUnavailableError

A message is one sentence that says what happened, where, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from llmbench.types import Attempt, LLMResponse

__all__ = [
    "AuthenticationError",
    "BadResponseError",
    "BatchUnfinishedError",
    "BudgetExceededError",
    "ConfigError",
    "ConnectionFailedError",
    "ContentFilteredError",
    "ContextWindowError",
    "DatasetError",
    "FineTuningUnavailableError",
    "InvalidRequestError",
    "LLMBenchError",
    "LedgerError",
    "ModelUnavailableError",
    "ProviderError",
    "ProviderTimeoutError",
    "QuotaExhaustedError",
    "RateLimitError",
    "ReportError",
    "ServerError",
    "UsageError",
]


class LLMBenchError(Exception):
    """The root: `except LLMBenchError` catches all that llmbench raises on purpose."""


class UsageError(LLMBenchError):
    """The caller asked for something that cannot be meant."""


class ConfigError(LLMBenchError):
    """The project's configuration, its environment or its installation is not enough."""


class DatasetError(LLMBenchError):
    """A file of items is missing, unreadable, or has bad rows; the message names file and line."""


class LedgerError(LLMBenchError):
    """The ledger cannot be opened, read or written.

    `response` is the answer that could not be made durable, where one had already arrived.
    """

    response: LLMResponse | None = None


class BudgetExceededError(LLMBenchError):
    """The next call might cost more than what is left of the budget."""


class ReportError(LLMBenchError):
    """A report cannot be made, or must not be kept."""


class ProviderError(LLMBenchError):
    """A call to a model failed.

    `retryable`: the same request may succeed later. `disables_model`: no further request to this
    model can succeed until somebody acts. `maybe_billed`: the server may have done, and charged,
    work whose answer never arrived; `billed=False` where it is certain that it has not.
    """

    retryable: ClassVar[bool] = False
    disables_model: ClassVar[bool] = False
    maybe_billed: bool = False

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status_code: int | None = None,
        retry_after: float | None = None,
        billed: bool | None = None,
    ) -> None:
        super().__init__(message)
        if billed is not None:
            self.maybe_billed = billed
        self.provider = provider
        self.model = model
        self.status_code = status_code
        self.retry_after = retry_after
        """Seconds that the server asked to wait, where it said so."""
        self.attempts: tuple[Attempt, ...] = ()
        """Every try of the call that ended in this error."""


class AuthenticationError(ProviderError):
    """The key is missing, wrong or not allowed to use this model."""

    disables_model = True


class RateLimitError(ProviderError):
    """Too many requests or tokens a minute: wait `retry_after` seconds."""

    retryable = True


class QuotaExhaustedError(ProviderError):
    """Out of credit or over a spending limit: waiting does not help."""

    disables_model = True


class ProviderTimeoutError(ProviderError):
    """No answer within the time allowed."""

    retryable = True
    maybe_billed = True


class ConnectionFailedError(ProviderError):
    """Nothing listens at the address, or the connection was cut."""

    retryable = True
    maybe_billed = True


class InvalidRequestError(ProviderError):
    """The server refused the request as it is; sending it again does not help."""


class ContextWindowError(InvalidRequestError):
    """Messages and answer together are longer than what the model reads."""


class ContentFilteredError(ProviderError):
    """The vendor refused the content of the request. It counts as an answer, and scores 0."""


class ModelUnavailableError(ProviderError):
    """No such model at this endpoint, or it was shut down."""

    disables_model = True

    def __init__(self, message: str, *, shutdown_date: str | None = None, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.shutdown_date = shutdown_date
        """ISO date on which the vendor ends the model, where the catalog knows it."""

    def ends_on(self, date: str) -> None:
        """Add the date on which the vendor ends the model."""
        self.shutdown_date = date
        self.args = (f"{str(self).removesuffix('.')}; the catalog has it shut down on {date}.",)


class ServerError(ProviderError):
    """The server failed (5xx)."""

    retryable = True


class BadResponseError(ProviderError):
    """The body is not what the interface promises."""

    retryable = True
    maybe_billed = True


class BatchUnfinishedError(ProviderError):
    """The batch that the request was in expired, was cancelled or is gone: ask again."""

    retryable = True


class FineTuningUnavailableError(ProviderError):
    """The endpoint does not fine-tune, or no longer does."""
