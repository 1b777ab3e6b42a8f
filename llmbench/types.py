"""Values that pass between the floors: what is asked, what is answered, what is recorded.

Conventions: tokens are counted inclusively (`input_tokens` contains cached ones, `output_tokens`
contains reasoning), times are milliseconds, instants are aware UTC datetimes, money is USD as
float, and None always means "not known".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = [
    "CHAT_OPTIONS",
    "REASONING_OPTIONS",
    "TIERED_OPTIONS",
    "Attempt",
    "BatchJournal",
    "BatchRow",
    "CallRecord",
    "CallStatus",
    "ChatRequest",
    "CostBasis",
    "LLMResponse",
    "Message",
    "ModelCapability",
    "ModelInfo",
    "RawAnswer",
    "Recorder",
    "Timing",
    "Usage",
]

CostBasis = Literal["priced", "reported", "self-hosted", "recorded", "unknown"]
"""Where a cost comes from: our price book, the vendor's own figure, an endpoint of one's own
(0.0: GPU hours are a line of their own), a column of a data set, or nowhere."""

CallStatus = Literal["ok", "error", "cancelled"]


CHAT_OPTIONS = frozenset(
    {
        "temperature", "max_tokens", "top_p", "stop", "seed", "response_format", "presence_penalty",
        "frequency_penalty",
    }
)  # fmt: skip
"""Parameters of a request that llmbench passes on. `n` is not among them: several answers to one
request would share one usage and one price; repeats are calls of their own."""

REASONING_OPTIONS = CHAT_OPTIONS | {"reasoning_effort"}
"""With what models take that think before they answer."""

TIERED_OPTIONS = REASONING_OPTIONS | {"service_tier"}
"""With the choice of how soon, and at what price, a vendor serves a request."""


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


class ModelCapability(enum.StrEnum):
    """What a model can be used for."""

    CHAT = "chat"
    FINE_TUNING = "fine_tuning"
    EMBEDDINGS = "embeddings"


@shown
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cache_read_tokens` and `cache_write_tokens` are part of
    `input_tokens`, `reasoning_tokens` is part of `output_tokens`; vendors that count apart are
    converted where their reply is read.

    >>> Usage(input_tokens=100, output_tokens=20, cache_read_tokens=60).total_tokens
    120
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        counts = (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        )
        if min(counts) < 0:
            raise UsageError(f"A token count is negative in {self}.")
        if self.cache_read_tokens + self.cache_write_tokens > self.input_tokens:
            raise UsageError(f"More cached than input tokens in {self}: input must include cached tokens.")
        if self.reasoning_tokens > self.output_tokens:
            raise UsageError(f"More reasoning than output tokens in {self}: output must include reasoning.")

    @property
    def total_tokens(self) -> int:
        """Input plus output."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call; None where the endpoint does not tell.

    `latency_ms` is the attempt that answered, from send to last byte. `wall_ms` also holds
    earlier attempts and the waits between them. The rest are parts of `latency_ms`.
    """

    latency_ms: float
    wall_ms: float
    queue_ms: float | None = None
    load_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None
    time_to_first_token_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call. A failed try that may have been billed has `cost` None."""

    number: int
    started_at: datetime
    latency_ms: float
    status: CallStatus
    error: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    model: str | None = None
    """endpoint/model."""


@shown
@dataclass(frozen=True, slots=True)
class LLMResponse:
    """An answer, the same for every provider."""

    content: str
    """Generated text."""
    model: str
    """The model that was asked for; what served it is `served_model`."""
    provider: str
    """openai, llama, mixtral, ..."""
    tokens_used: int
    """Input plus output tokens; 0 where the endpoint reports none (then `usage` is None)."""
    cost: float | None
    """USD charged for the answer; None: no price. What failed `attempts` were charged is in them."""
    latency_ms: int
    """The attempt that answered, from send to last byte."""
    metadata: dict[str, Any]
    """Anything else that the endpoint said."""
    usage: Usage | None = None
    cost_basis: CostBasis = "unknown"
    price_as_of: str | None = None
    """ISO date of the price used."""
    timing: Timing | None = None
    attempts: tuple[Attempt, ...] = ()
    finish_reason: str | None = None
    """"stop", "length", "content_filter", or the endpoint's own word."""
    endpoint: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    call_id: str | None = None
    replayed: bool = False
    """True where the answer comes from the ledger and no call was made."""


@shown
@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the catalog knows of a model."""

    name: str
    provider: str
    capabilities: list[ModelCapability]
    cost_per_1k_input_tokens: float | None
    cost_per_1k_output_tokens: float | None
    context_window: int | None
    supports_fine_tuning: bool
    supports_local_deployment: bool
    max_output_tokens: int | None = None
    price_as_of: str | None = None
    shutdown_date: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a provider is asked to send: messages, and only the parameters the caller gave."""

    model: str
    messages: Sequence[Message]
    params: Mapping[str, Any] = field(default_factory=dict)
    """temperature, max_tokens, stop, seed, top_p, response_format: those given, no default added."""
    repeat: int = 0
    """Which of several draws of the same request this is; part of its identity, never sent."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What a provider's adapter makes of a reply, before it is priced and timed."""

    content: str
    usage: Usage | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    reported_cost: float | None = None
    queue_ms: float | None = None
    load_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None
    time_to_first_token_ms: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt, as the ledger keeps it."""

    call_id: str
    """One per `chat_completion`; its attempts share it."""
    attempt: int
    """1-based."""
    request_hash: str
    """Identity of the request: see `llmbench.providers.identity`."""
    endpoint: str
    provider: str
    backend: str | None
    model: str
    messages: Sequence[Message]
    params: Mapping[str, Any]
    repeat: int
    started_at: datetime
    latency_ms: float
    wall_ms: float
    status: CallStatus
    error_type: str | None = None
    error_message: str | None = None
    content: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    queue_ms: float | None = None
    load_ms: float | None = None
    prefill_ms: float | None = None
    decode_ms: float | None = None
    time_to_first_token_ms: float | None = None
    cost: float | None = None
    cost_basis: CostBasis = "unknown"
    price_book: str | None = None
    price_as_of: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    run_id: str | None = None
    """The matrix or report run that made the call."""
    unit_id: str | None = None
    """For whom the call was made (a lead, an account), where the caller says so."""
    experiment_id: str | None = None
    arm: str | None = None
    """The arm of the experiment that the unit is assigned to; what was asked is `model`."""
    route: Mapping[str, Any] | None = None
    """How a router came to ask this model; None for a call that no router made."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Recorder(Protocol):
    """All that a provider knows of the ledger."""

    async def record(self, call: CallRecord) -> None:
        """Return once `call` is durable; raise LedgerError if it cannot be made so."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch of requests as the ledger keeps it: written before the vendor is asked to start it, so
    that one whose start was cut off is looked for at the vendor's, and not started twice.
    """

    tag: str
    """Ours: under it the vendor's list shows the batch, where the vendor has room for it."""
    endpoint: str
    model: str
    request_hashes: tuple[str, ...]
    prepared_at: datetime
    run_id: str | None = None
    job_id: str | None = None
    """The vendor's; None: it is not known whether the vendor has it."""


@runtime_checkable
class BatchJournal(Protocol):
    """All that a provider's batches know of the ledger, beside the Recorder."""

    def prepare_batch(self, row: BatchRow) -> None:
        """Return once `row` is durable."""

    def batch_submitted(self, tag: str, job_id: str) -> None:
        """Return once it is durable that the vendor has the batch as `job_id`."""

    def close_batch(self, tag: str, why: str) -> None:
        """Nothing more is to come of the batch: all is recorded, or the vendor does not have it."""

    def open_batches(self, endpoint: str) -> list[BatchRow]:
        """The batches of `endpoint` that are not closed, the first first."""

    def recorded_calls(self, call_ids: Sequence[str]) -> set[str]:
        """Those of `call_ids` of which there is an attempt."""
