"""The class every provider extends: a provider is translate in, call, translate out.

The base owns what must be the same everywhere: the check of what is asked, the one retry layer,
the deadline, timing, prices, and the recording of every attempt before its answer is handed out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from llmbench.catalog.books import price_book, price_call
from llmbench.catalog.info import model_info, models_of
from llmbench.catalog.models import ModelFacts, all_models, canonical_name
from llmbench.catalog.prices import SELF_HOSTED, Price, Tier, tier_served
from llmbench.catalog.quirks import Quirks
from llmbench.catalog.tuned_models import tuned_base
from llmbench.errors import InvalidRequestError, UsageError
from llmbench.providers.batchable import Batchable
from llmbench.providers.calling import Call, RetryPolicy
from llmbench.providers.clock import Clock, SystemClock
from llmbench.providers.fine_tuning import Tuner
from llmbench.providers.identity import request_hash
from llmbench.providers.request_checks import check_numbers, checked_messages
from llmbench.providers.stream import Stream
from llmbench.providers.trail import Trail
from llmbench.providers.tuning_follow import look_at_job, submit_tuning
from llmbench.secret import Secret
from llmbench.types import (
    CHAT_OPTIONS,
    ChatRequest,
    LLMResponse,
    Message,
    ModelInfo,
    RawAnswer,
    Recorder,
    Usage,
)

__all__ = ["BaseLLMProvider"]


class BaseLLMProvider(Batchable, ABC):
    """Base of all providers. A subclass sets `name` and implements `_complete` and `_stream`.

    `config` keys understood by every provider: `api_key`, `base_url`, `backend`, `model` (asked
    for where a call names none), `endpoint` (the name it is recorded under; default `name`),
    `ledger` (a Recorder; without one nothing is recorded), `deadline_s` (120), `max_attempts` (6),
    `price_book` ("current"), `allow_http`, `personal_data` (True: the endpoint may be sent items that
    hold personal data). A subclass adds its own in `settings`.
    """

    name: ClassVar[str]
    """The provider's word in responses, the ledger and the catalog: openai, llama, ..."""
    settings: ClassVar[frozenset[str]] = frozenset()
    """Keys of `config` that this provider understands beyond the common ones."""
    options: frozenset[str] = CHAT_OPTIONS
    """Parameters of `chat_completion` that can be passed on; any other is refused."""
    self_hosted: bool = False
    """True where calls cost nothing beyond the hours of one's own machine."""
    usd_per_hour: float | None = None
    """What these hours cost, where the configuration says so."""
    personal_data: bool = False
    """True where items that hold personal data may be sent."""

    _COMMON_SETTINGS = frozenset(
        {
            "api_key", "base_url", "backend", "model", "endpoint", "ledger", "deadline_s", "max_attempts",
            "price_book", "allow_http", "clock", "personal_data",
        }
    )  # fmt: skip

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        config = dict(config or {})
        self._refuse_unknown(config)
        key = config.get("api_key")
        self._key: Secret | None = Secret(key) if isinstance(key, str) else key
        self.base_url: str | None = config.get("base_url")
        self.backend: str | None = config.get("backend")
        self.default_model: str | None = config.get("model")
        self.endpoint: str = config.get("endpoint") or self.name
        # Looked up here, because a book that is not there must not be noticed after a paid call.
        self.price_book: str = price_book(config.get("price_book", "current")).name
        self.recorder: Recorder | None = config.get("ledger")
        self.clock: Clock = config.get("clock") or SystemClock()
        self.personal_data = bool(config.get("personal_data", self.personal_data))
        self.retry = RetryPolicy(
            **{key: config[key] for key in ("max_attempts", "deadline_s") if config.get(key) is not None}
        )

    def _refuse_unknown(self, config: Mapping[str, Any]) -> None:
        allowed = self._COMMON_SETTINGS | self.settings
        for key in config:
            if key not in allowed:
                raise UsageError(
                    f"{type(self).__name__} does not know the setting {key!r}; "
                    f"it takes {', '.join(sorted(allowed))}."
                )

    # What a subclass implements

    @abstractmethod
    async def _complete(self, request: ChatRequest) -> RawAnswer:
        """Make one try. Raise a ProviderError for any failure."""

    @abstractmethod
    def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        """Make one try, giving pieces of text as they come and a RawAnswer last."""

    def _refuse_unsayable(self, request: ChatRequest) -> None:
        """Raise InvalidRequestError, before anything is sent, for what the vendor's interface cannot say."""

    def _target(self, model: str) -> str | None:  # noqa: ARG002 - a model's file is its target where there is one
        """What is behind the endpoint's name: its address, or the sha256 of a model's file."""
        return self.base_url

    def _fixed_fields(self) -> Mapping[str, Any]:
        """What the configuration adds to every request, and so is part of its identity."""
        return {}

    def _tuner(self) -> Tuner | None:
        """How the vendor fine-tunes, where it does."""
        return None

    def _trainable_id(self, model: str) -> str:
        """The vendor's id of a model that is to be trained."""
        return model

    def _catalog_name(self, model: str) -> str:
        """The catalog's spelling for a model that the configuration calls `model`."""
        return model

    def _quirks(self, model: str) -> Quirks | None:
        """The peculiarities of `model` that the catalog knows."""
        facts = self._facts(model)
        return facts.quirks if facts else None

    def _facts(self, model: str) -> ModelFacts | None:
        """What the catalog knows of `model`, or of the base that it was tuned from."""
        name = self._catalog_name(model)
        found = canonical_name(name) or tuned_base(name, self.backend or self.name)
        return all_models().get(found or "")

    async def aclose(self) -> None:
        """Close the connections; the provider may be used again and opens new ones."""

    # What callers use

    @property
    def concurrency(self) -> int:
        """Calls in flight at a time where nobody says otherwise."""
        return 8

    async def chat_completion(
        self,
        messages: Sequence[Message],
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        *,
        repeat: int = 0,
        run_id: str | None = None,
        deadline_s: float | None = None,
        **options: Any,
    ) -> LLMResponse:
        """Ask `model` to answer `messages`.

        Only parameters that are given are sent. `repeat` tells several draws of one request
        apart. `deadline_s` bounds the whole call with its retries. Every attempt is recorded
        before this returns or raises.

        Raises a ProviderError when no attempt succeeded, LedgerError when an answer came but
        could not be made durable (the answer is then in the error's `response`).
        """
        request = self.request(messages, model, temperature, max_tokens, repeat=repeat, **options)
        return await self.answer(request, run_id=run_id, deadline_s=deadline_s)

    def stream_chat_completion(
        self,
        messages: Sequence[Message],
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        *,
        repeat: int = 0,
        run_id: str | None = None,
        deadline_s: float | None = None,
        **options: Any,
    ) -> Stream:
        """Like `chat_completion`, with the text as it comes: `async for text in stream`, then
        `stream.response` is the whole LLMResponse with usage, cost and time to first token.
        """
        request = self.request(messages, model, temperature, max_tokens, repeat=repeat, **options)
        return Stream(Call(self, request, self._trail(run_id, deadline_s)).stream())

    def _trail(self, run_id: str | None, deadline_s: float | None) -> Trail:
        seconds = self.retry.deadline_s if deadline_s is None else deadline_s
        return Trail(self.clock, seconds, self.recorder, run_id)

    async def fine_tune(
        self,
        training_file_path: str | Path,
        base_model: str,
        suffix: str | None = None,
        *,
        validation_file_path: str | Path | None = None,
        seed: int | None = None,
        deadline_s: float = 600.0,
        **options: Any,
    ) -> dict[str, Any]:
        """Check the training file, upload it and start a fine-tuning job, once: nothing is retried.

        Gives a dict with `job_id`, `status` and more: see `llmbench.providers.fine_tuning`.
        Raises DatasetError naming the bad lines of a file, FineTuningUnavailableError where the
        provider, the model or the date has no fine-tuning, UsageError for an unknown option, and
        ProviderError.
        """
        return await submit_tuning(
            self,
            training_file_path,
            base_model,
            suffix=suffix,
            validation_file=validation_file_path,
            seed=seed,
            deadline_s=deadline_s,
            options=options,
        )

    async def get_fine_tuning_status(self, job_id: str) -> dict[str, Any]:
        """The state of a fine-tuning job, as `fine_tune` gives it.

        Raises InvalidRequestError for a job that the vendor does not know.
        """
        return await look_at_job(self, job_id)

    def get_model_info(self, model: str) -> ModelInfo:
        """What the catalog knows of `model`; never the network. UsageError if it knows nothing."""
        name = self._catalog_name(model)
        return model_info(name, provider=self.name, backend=self.backend, book=self.price_book)

    def list_models(self) -> list[ModelInfo]:
        """The catalog's models of this provider and backend; never the network."""
        return models_of(self.name, backend=self.backend, book=self.price_book)

    # What the floors above use

    def request(
        self,
        messages: Sequence[Message],
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        *,
        repeat: int = 0,
        **options: Any,
    ) -> ChatRequest:
        """Check what is asked, and put it in one value. Raises UsageError or InvalidRequestError."""
        chosen = model or self.default_model
        if not chosen:
            raise UsageError(f"No model is named for endpoint {self.endpoint!r}; give model=...")
        given = {"temperature": temperature, "max_tokens": max_tokens, **options}
        params = {key: value for key, value in given.items() if value is not None}
        check_numbers(params)
        self._refuse_options(chosen, params)
        request = ChatRequest(chosen, checked_messages(messages), params, repeat)
        self._refuse_unsayable(request)
        return request

    async def answer(
        self,
        request: ChatRequest,
        *,
        request_hash: str | None = None,
        run_id: str | None = None,
        deadline_s: float | None = None,
    ) -> LLMResponse:
        """`chat_completion` of what `request` has checked before, whose hash may be known already."""
        trail = self._trail(run_id, deadline_s)
        return await Call(self, request, trail, request_hash=request_hash).complete()

    def _refuse_options(self, model: str, params: Mapping[str, Any]) -> None:
        """Refuse what provider, backend or model cannot honour: an option is never dropped."""
        who = f"{self.name} on {self.backend}" if self.backend else self.name
        refusal = None
        unknown = next((key for key in params if key not in self.options), None)
        if unknown:
            refusal = (
                f"{who} cannot pass on the option {unknown!r} to {model!r}; "
                f"it passes on {', '.join(sorted(self.options))}."
            )
        elif (quirks := self._quirks(model)) and (reason := quirks.refusal(params)):
            refusal = f"{model!r} {reason}, and {who} does not drop what was asked for; ask without it."
        if refusal:
            raise InvalidRequestError(refusal, provider=self.name, model=model)

    def request_hash(self, request: ChatRequest, endpoint: str | None = None) -> str:
        """The identity of a request: see `llmbench.providers.identity.request_hash`. `endpoint` is the
        name it is recorded under, where that is not the provider's own.
        """
        return request_hash(
            request,
            endpoint=endpoint or self.endpoint,
            provider=self.name,
            backend=self.backend,
            target=self._target(request.model),
            fixed=self._fixed_fields(),
        )

    def price(self, model: str, usage: Usage | None) -> Price:
        """What the API charges for `usage` of `model`; `usd` None where that is not known."""
        return self.price_at(model, usage, "standard")

    def price_at(self, model: str, usage: Usage | None, tier: Tier | None) -> Price:
        """As `price`, at a tier; None is one whose price is not known."""
        if self.self_hosted:
            return SELF_HOSTED
        return price_call(
            self._catalog_name(model),
            usage,
            provider=self.name,
            backend=self.backend,
            book=self.price_book,
            tier=tier,
        )

    def price_answer(self, model: str, answer: RawAnswer) -> Price:
        """What the API charges for an answer that came: as `price`, at the tier that served it."""
        tier = tier_served(answer.metadata.get("service_tier"))
        # A subclass may have prices of its own, for the standard tier.
        return (
            self.price(model, answer.usage)
            if tier == "standard"
            else self.price_at(model, answer.usage, tier)
        )

    def shutdown_date(self, model: str) -> str | None:
        """ISO date on which `model` ends here, where the catalog knows it."""
        facts = self._facts(model)
        return facts.shutdown.get(self.backend or self.name) if facts else None

    def secrets(self) -> Iterable[str]:
        """Values to mask in whatever a server says."""
        return (self._key.reveal(),) if self._key else ()

    def __repr__(self) -> str:
        where = f", base_url={self.base_url!r}" if self.base_url else ""
        backend = f", backend={self.backend!r}" if self.backend else ""
        return f"{type(self).__name__}(endpoint={self.endpoint!r}{backend}{where})"
