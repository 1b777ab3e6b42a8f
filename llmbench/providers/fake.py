"""A provider that answers from a script, for tests, demonstrations and notebooks without keys.

It is no model: its name in every record is "fake", and no report presents it as anything else.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from llmbench.catalog.info import unlisted_model_info
from llmbench.catalog.prices import SELF_HOSTED, Price, TokenPrice, price_from, token_price
from llmbench.errors import UsageError
from llmbench.providers.base import BaseLLMProvider
from llmbench.types import ChatRequest, Message, ModelInfo, RawAnswer, Usage

__all__ = ["FakeClock", "FakeProvider"]

Reply = str | RawAnswer | BaseException
Answering = Callable[[Sequence[Message], Mapping[str, Any]], Reply | Awaitable[Reply]]
Script = Reply | Iterable[Reply] | Answering

_deadline: ContextVar[float | None] = ContextVar("fake_deadline", default=None)


class FakeClock:
    """A clock that moves only when somebody sleeps.

    >>> clock = FakeClock()
    >>> asyncio.run(clock.sleep(90))
    >>> clock.monotonic()
    90.0
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self.sleeps: list[float] = []
        """Every wait that was asked for, in seconds."""

    def monotonic(self) -> float:
        """Seconds slept so far."""
        return self._elapsed

    def now(self) -> datetime:
        """The start plus what was slept."""
        return self._start + timedelta(seconds=self._elapsed)

    async def sleep(self, seconds: float) -> None:
        """Move the clock; past the deadline of an enclosing `timeout`, up to it and TimeoutError."""
        self.sleeps.append(seconds)
        deadline = _deadline.get()
        await asyncio.sleep(0)
        if deadline is not None and self._elapsed + seconds > deadline:
            self._elapsed = deadline
            raise TimeoutError
        self._elapsed += seconds

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Make `sleep` in the body raise TimeoutError once `seconds` have passed on this clock."""
        return self._timeout(seconds)

    @asynccontextmanager
    async def _timeout(self, seconds: float | None) -> AsyncIterator[None]:
        before = _deadline.get()
        token = _deadline.set(before if seconds is None else self._elapsed + seconds)
        try:
            yield
        finally:
            _deadline.reset(token)


class FakeProvider(BaseLLMProvider):
    """Answers from `script`.

    Args:
        script: a reply (a text, a RawAnswer, or an exception to raise) to every call, replies in the
            order of calls, or a function of (messages, params) that gives one, plain or async. A list
            that runs out raises UsageError.
        latency_ms: what each try takes; real time, or the clock's when `clock` is a FakeClock.
        prices: {model: {"input": USD per 1M, "output": USD per 1M}}; any other model is unpriced.
        self_hosted: every call costs 0.0, as on a machine of one's own.
        config: the settings common to all providers (`ledger`, `max_attempts`, `clock`, ...).

    Tokens are counted as words, so that a test can work them out by eye.

    >>> provider = FakeProvider(["positive"], prices={"m": {"input": 1, "output": 2}})
    >>> answer = asyncio.run(provider.chat_completion([{"role": "user", "content": "one two"}], "m"))
    >>> answer.content, answer.tokens_used, answer.cost
    ('positive', 3, 4e-06)
    """

    name: ClassVar[str] = "fake"
    personal_data = True  # nothing leaves the process

    def __init__(
        self,
        script: Script = (),
        *,
        latency_ms: float = 0.0,
        prices: Mapping[str, Mapping[str, Any]] | None = None,
        self_hosted: bool = False,
        **config: Any,
    ) -> None:
        super().__init__(config)
        self._script: Answering | Iterator[Reply]
        if isinstance(script, str | RawAnswer | BaseException):
            self._script = itertools.repeat(script)
        else:
            self._script = script if callable(script) else iter(list(script))
        self._latency_s = latency_ms / 1000
        self._prices: dict[str, TokenPrice] = {
            model: token_price(row, "2026-01-01") for model, row in (prices or {}).items()
        }
        self.self_hosted = self_hosted
        self.requests: list[ChatRequest] = []
        """Every try that reached the provider, in order."""

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        self.requests.append(request)
        reply = await self._next(request)
        await self.clock.sleep(self._latency_s)
        if isinstance(reply, BaseException):
            raise reply
        return reply if isinstance(reply, RawAnswer) else _spoken(reply, request)

    async def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        answer = await self._complete(request)
        words = answer.content.split(" ")
        for number, word in enumerate(words):
            yield word if number == len(words) - 1 else word + " "
        yield answer

    async def _next(self, request: ChatRequest) -> Reply:
        if callable(self._script):
            reply = self._script(request.messages, request.params)
            return await reply if inspect.isawaitable(reply) else reply
        try:
            return next(self._script)
        except StopIteration:
            raise UsageError(
                f"The script of FakeProvider {self.endpoint!r} has run out after "
                f"{len(self.requests) - 1} calls; give it more replies."
            ) from None

    def _quirks(self, model: str) -> None:  # noqa: ARG002 - a scripted model has none
        return None

    def price(self, model: str, usage: Usage | None) -> Price:
        """By the `prices` given; None for any other model."""
        if self.self_hosted:
            return SELF_HOSTED
        return price_from(self._prices.get(model), usage, book="fake")

    def get_model_info(self, model: str) -> ModelInfo:
        """A description of the scripted model."""
        return unlisted_model_info(
            model, provider=self.name, price=self._prices.get(model), own=self.self_hosted
        )

    def list_models(self) -> list[ModelInfo]:
        """The models that have prices, or one called "fake"."""
        return [self.get_model_info(model) for model in self._prices or ("fake",)]


def _spoken(text: str, request: ChatRequest) -> RawAnswer:
    read = sum(len(message["content"].split()) for message in request.messages)
    return RawAnswer(
        content=text,
        usage=Usage(input_tokens=read, output_tokens=len(text.split())),
        finish_reason="stop",
        served_model=request.model,
    )
