"""What every provider that speaks to a server must do, on one stub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmbench import background
from llmbench.errors import (
    AuthenticationError,
    BadResponseError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
)
from llmbench.providers import BaseLLMProvider, CustomProvider, OpenAIProvider
from llmbench.types import LLMResponse, Usage

KEY = "sk-conformance-0123456789"
HELLO = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]

Make = Callable[..., BaseLLMProvider]

PROVIDERS: dict[str, Callable[[dict[str, Any]], BaseLLMProvider]] = {
    "custom": CustomProvider,
    "openai": OpenAIProvider,
}


@pytest.fixture(params=sorted(PROVIDERS))
def make(request: pytest.FixtureRequest, stub: Any) -> Make:
    def build(**settings: Any) -> BaseLLMProvider:
        return PROVIDERS[request.param]({"base_url": stub.url, "api_key": KEY, **settings})

    return build


def ask(provider: BaseLLMProvider, model: str, **options: Any) -> LLMResponse:
    return asyncio.run(provider.chat_completion(HELLO, model, **options))


def test_chat(make: Make, stub: Any) -> None:
    answer = ask(make(), "m", temperature=0.7, max_tokens=50)
    assert answer.content == "Grüße, welt"
    assert answer.usage == Usage(11, 3, cache_read_tokens=4, reasoning_tokens=1)
    assert answer.finish_reason == "stop"
    assert answer.served_model == "m-2026-01-01"
    assert answer.fingerprint == "fp_1"
    assert stub.bodies[0]["messages"] == HELLO
    assert stub.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_nothing_is_sent_that_was_not_asked_for(make: Make, stub: Any) -> None:
    ask(make(), "m")
    assert set(stub.bodies[0]) <= {"model", "messages", "stream"}
    assert not stub.bodies[0].get("stream")


def test_every_option_arrives(make: Make, stub: Any) -> None:
    schema = {"type": "json_object"}
    ask(make(), "m", temperature=0.0, max_tokens=5, top_p=0.5, stop=["\n"], seed=7, response_format=schema)
    body = stub.bodies[0]
    assert body["temperature"] == 0.0
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 5
    assert (body["top_p"], body["stop"], body["seed"], body["response_format"]) == (0.5, ["\n"], 7, schema)


def test_stream(make: Make, stub: Any) -> None:
    async def read() -> tuple[list[str], LLMResponse]:
        stream = make().stream_chat_completion(HELLO, "m")
        return [piece async for piece in stream], stream.response

    pieces, response = asyncio.run(read())
    assert [p for p in pieces if p] == ["Grüße", ", ", "welt"]
    assert response.content == "Grüße, welt"
    assert response.usage == Usage(11, 3, cache_read_tokens=4, reasoning_tokens=1)
    assert response.finish_reason == "stop"
    assert response.timing is not None
    assert response.timing.time_to_first_token_ms is not None
    assert stub.bodies[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("model", ["cut", "stream-error"])
def test_stream_that_breaks_is_an_error(make: Make, model: str) -> None:
    async def read() -> None:
        async for _ in make(max_attempts=1).stream_chat_completion(HELLO, model):
            pass

    with pytest.raises((ConnectionFailedError, ServerError)):
        asyncio.run(read())


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("unauthorized", AuthenticationError),
        ("forbidden", AuthenticationError),
        ("quota", QuotaExhaustedError),
        ("missing", ModelUnavailableError),
        ("context", ContextWindowError),
        ("filter", ContentFilteredError),
        ("invalid", InvalidRequestError),
        ("server", ServerError),
        ("busy", ServerError),
        ("garbage", BadResponseError),
        ("html", BadResponseError),
        ("rate", RateLimitError),
    ],
)
def test_error_classes(make: Make, model: str, error: type[ProviderError]) -> None:
    provider = make(max_attempts=1)
    with pytest.raises(error) as caught:
        ask(provider, model)
    assert type(caught.value) is error
    assert caught.value.model == model
    assert (
        KEY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"
    )


def test_final_errors_are_tried_once(make: Make, stub: Any) -> None:
    with pytest.raises(QuotaExhaustedError):
        ask(make(), "quota")
    assert len(stub.bodies) == 1


def test_one_retry_layer(make: Make, stub: Any) -> None:
    answer = ask(make(), "flaky")
    assert answer.content == "Grüße, welt"
    assert [a.status for a in answer.attempts] == ["error", "error", "ok"]
    assert len(stub.bodies) == 3


def test_retry_after(make: Make) -> None:
    with pytest.raises(RateLimitError) as caught:
        ask(make(max_attempts=1), "rate")
    assert caught.value.retry_after == 1.0


def test_deadline(make: Make, stub: Any) -> None:
    with pytest.raises(ProviderTimeoutError):
        ask(make(), "slow", deadline_s=0.3)
    assert stub.cut.wait(5), "the server was left working"


def test_cancellation_reaches_the_server(make: Make, stub: Any) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(make().chat_completion(HELLO, "slow"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert stub.cut.wait(5), "the server was left working"


def test_nobody_listens(make: Make) -> None:
    with pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1"):
        ask(make(base_url="http://127.0.0.1:9/v1", max_attempts=1), "m")


@pytest.mark.parametrize(("model", "reason"), [("long", "length"), ("filtered-answer", "content_filter")])
def test_truncated_and_filtered_are_answers(make: Make, model: str, reason: str) -> None:
    assert ask(make(), model).finish_reason == reason


def test_no_text_is_an_empty_answer(make: Make) -> None:
    assert ask(make(), "silent").content == ""


def test_connections_are_kept(make: Make, stub: Any) -> None:
    async def many() -> None:
        provider = make()
        for _ in range(5):
            await provider.chat_completion(HELLO, "m")

    asyncio.run(many())
    assert len(stub.connections) == 1


def test_two_loops_in_one_process(make: Make) -> None:
    provider = make()

    async def both() -> tuple[str, str, str]:
        first = await provider.chat_completion(HELLO, "m")
        second = await asyncio.to_thread(background.run, provider.chat_completion(HELLO, "m"))
        third = await provider.chat_completion(HELLO, "m")
        return first.content, second.content, third.content

    assert set(asyncio.run(both())) == {"Grüße, welt"}


def test_http_is_refused_beyond_loopback(make: Make) -> None:
    from llmbench.errors import ConfigError

    with pytest.raises(ConfigError, match="allow_http"):
        make(base_url="http://gpu1.example:8000/v1")


def test_models_come_from_the_catalog_without_a_network(make: Make) -> None:
    provider = make(base_url="http://127.0.0.1:9/v1")
    assert all(info.provider == provider.name for info in provider.list_models())
