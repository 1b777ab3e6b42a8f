"""What every provider that speaks to a server must do, each on a stub of its vendor.

The table docs/providers.md is made of this suite's results: `make provider-table`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llmbench import background
from llmbench.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextWindowError,
    DatasetError,
    FineTuningUnavailableError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers import BaseLLMProvider
from llmbench.types import TIERED_OPTIONS, LLMResponse
from tests.providers.cases import CASES, KEY, Case
from tests.providers.vendor_stub import ANSWER, PIECES, VendorStub, serving

HELLO = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]
TURNS = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]
SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["a", "b"]}},
    "required": ["label"],
    "additionalProperties": False,
}
OPTIONS: dict[str, Any] = {
    "temperature": 0.5,
    "max_tokens": 5,
    "top_p": 0.25,
    "stop": ["\n", "END"],
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "reasoning_effort": "low",
    "service_tier": "flex",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    },
}

feature = pytest.mark.feature
Make = Callable[..., BaseLLMProvider]


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def stub(case: Case) -> Iterator[VendorStub]:
    with serving(case.dialect) as server:
        yield server


@pytest.fixture
def make(case: Case, stub: VendorStub) -> Make:
    return lambda **settings: case.build(settings.pop("base_url", stub.url), **settings)


@pytest.fixture
def ask(case: Case) -> Callable[..., LLMResponse]:
    def asked(provider: BaseLLMProvider, scenario: str, messages: Any = HELLO, **options: Any) -> LLMResponse:
        async def once() -> LLMResponse:
            try:
                return await provider.chat_completion(messages, case.model(scenario), **options)
            finally:
                await provider.aclose()

        return asyncio.run(once())

    return asked


Ask = Callable[..., LLMResponse]


@feature("chat")
def test_chat(make: Make, ask: Ask, stub: VendorStub, case: Case) -> None:
    answer = ask(make(), "m", max_tokens=50)
    assert answer.content == ANSWER
    assert answer.usage == case.dialect.usage
    assert answer.tokens_used == case.dialect.usage.total_tokens
    assert answer.finish_reason == getattr(case.dialect, "finish_reason", "stop")
    assert answer.served_model == case.dialect.served
    assert answer.model == case.model("m")
    assert case.dialect.key_of(stub.asked[0].headers) == KEY


@feature("system message")
def test_system_message(make: Make, ask: Ask, stub: VendorStub) -> None:
    ask(make(), "m", max_tokens=5)
    assert stub.asked[0].meant["messages"] == HELLO


@feature("multi-turn")
def test_multi_turn(make: Make, ask: Ask, stub: VendorStub) -> None:
    ask(make(), "m", TURNS, max_tokens=5)
    assert stub.asked[0].meant["messages"] == TURNS


@feature("nothing unrequested is sent")
def test_nothing_is_sent_that_was_not_asked_for(make: Make, ask: Ask, stub: VendorStub) -> None:
    ask(make(), "m", max_tokens=5)
    assert set(stub.asked[0].meant) <= {"model", "messages", "stream", "max_tokens"}
    assert not stub.asked[0].meant.get("stream")


@pytest.mark.parametrize("option", sorted(TIERED_OPTIONS))
@feature("{option}")
def test_option(
    make: Make, ask: Ask, stub: VendorStub, option: str, record_property: Callable[[str, object], None]
) -> None:
    provider = make()
    given = {"max_tokens": 5, option: OPTIONS[option]}
    if option in provider.options:
        ask(provider, "m", **given)
        assert stub.asked[0].meant[option] == (SCHEMA if option == "response_format" else OPTIONS[option])
        return
    record_property("outcome", "refused")
    with pytest.raises(InvalidRequestError, match=option) as caught:
        ask(provider, "m", **given)
    assert provider.name in str(caught.value)
    assert not stub.asked


@feature("tools, images: refused")
def test_tools_and_images_are_refused(make: Make, ask: Ask, stub: VendorStub) -> None:
    with pytest.raises(InvalidRequestError, match="tools"):
        ask(make(), "m", tools=[{"type": "function"}])
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    with pytest.raises(UsageError, match="images"):
        ask(make(), "m", picture)
    assert not stub.asked


async def read_stream(provider: BaseLLMProvider, model: str) -> tuple[list[str], LLMResponse]:
    try:
        stream = provider.stream_chat_completion(HELLO, model, max_tokens=50)
        return [piece async for piece in stream], stream.response
    finally:
        await provider.aclose()


@feature("streaming")
def test_stream(make: Make, stub: VendorStub, case: Case) -> None:
    pieces, response = asyncio.run(read_stream(make(), case.model("m")))
    assert "".join(pieces) == ANSWER
    assert [piece for piece in pieces if piece] == list(PIECES)
    assert response.content == ANSWER
    assert response.finish_reason == getattr(case.dialect, "finish_reason", "stop")
    assert stub.asked[0].meant["stream"] is True


@feature("usage in a stream")
def test_stream_has_usage(make: Make, case: Case) -> None:
    _, response = asyncio.run(read_stream(make(), case.model("m")))
    assert response.usage == case.dialect.usage


@feature("time to first token")
def test_stream_times_the_first_token(make: Make, case: Case) -> None:
    _, response = asyncio.run(read_stream(make(), case.model("m")))
    assert response.timing is not None
    assert response.timing.time_to_first_token_ms is not None
    assert 0 < response.timing.time_to_first_token_ms <= response.timing.latency_ms


@pytest.mark.parametrize("scenario", ["cut", "stream-error"])
@feature("broken stream is an error")
def test_stream_that_breaks_is_an_error(make: Make, case: Case, scenario: str) -> None:
    with pytest.raises((ConnectionFailedError, ServerError)):
        asyncio.run(read_stream(make(max_attempts=1), case.model(scenario)))


FAILURES: dict[str, type[ProviderError]] = {
    "unauthorized": AuthenticationError,
    "forbidden": AuthenticationError,
    "quota": QuotaExhaustedError,
    "missing": ModelUnavailableError,
    "context": ContextWindowError,
    "filter": ContentFilteredError,
    "invalid": InvalidRequestError,
    "server": ServerError,
    "busy": ServerError,
    "garbage": BadResponseError,
    "html": BadResponseError,
    "rate": RateLimitError,
}
FAILURE_CASES = [
    pytest.param(name, scenario, id=f"{name}-{scenario}")
    for name, case in sorted(CASES.items())
    for scenario in FAILURES
    if scenario in {"garbage", "html"} or scenario in case.dialect.failures
]


@pytest.mark.parametrize(("case_name", "scenario"), FAILURE_CASES)
@feature("error: {scenario}")
def test_error_classes(case_name: str, scenario: str) -> None:
    case = CASES[case_name]
    with serving(case.dialect) as stub:
        provider = case.build(stub.url, max_attempts=1)

        async def once() -> None:
            try:
                await provider.chat_completion(HELLO, case.model(scenario), max_tokens=5)
            finally:
                await provider.aclose()

        with pytest.raises(ProviderError) as caught:
            asyncio.run(once())
    error = caught.value
    assert type(error) is FAILURES[scenario]
    assert error.model == case.model(scenario)
    assert provider.endpoint in str(error)
    assert KEY not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r} {error.attempts!r}"


@feature("unknown model: shutdown date")
def test_a_model_that_is_gone_is_named_with_its_date(
    make: Make, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = make(max_attempts=1)
    monkeypatch.setattr(provider, "shutdown_date", lambda _model: "2026-04-16")
    with pytest.raises(ModelUnavailableError, match="2026-04-16") as caught:
        ask(provider, "missing", max_tokens=5)
    assert caught.value.shutdown_date == "2026-04-16"


@feature("final errors are tried once")
def test_final_errors_are_tried_once(make: Make, ask: Ask, stub: VendorStub) -> None:
    with pytest.raises(InvalidRequestError):
        ask(make(), "invalid", max_tokens=5)
    assert len(stub.asked) == 1


@feature("one retry layer")
def test_one_retry_layer(make: Make, ask: Ask, stub: VendorStub) -> None:
    answer = ask(make(), "flaky", max_tokens=5)
    assert answer.content == ANSWER
    assert [a.status for a in answer.attempts] == ["error", "error", "ok"]
    assert len(stub.asked) == 3


@feature("Retry-After")
def test_retry_after(make: Make, ask: Ask, case: Case) -> None:
    if "rate" not in case.dialect.failures:
        pytest.skip("the backend has no rate limit")
    with pytest.raises(RateLimitError) as caught:
        ask(make(max_attempts=1), "rate", max_tokens=5)
    assert caught.value.retry_after == 1.0


@feature("deadline")
def test_deadline(make: Make, stub: VendorStub, case: Case) -> None:
    async def late() -> None:
        provider = make()
        # What an SDK imports at its first call is none of the deadline's.
        await provider.chat_completion(HELLO, case.model("m"), max_tokens=5)
        try:
            await provider.chat_completion(HELLO, case.model("slow"), max_tokens=5, deadline_s=0.5)
        finally:
            await provider.aclose()

    with pytest.raises(ProviderTimeoutError):
        asyncio.run(late())
    assert stub.cut.wait(5), "the server was left working"


@feature("cancellation reaches the server")
def test_cancellation_reaches_the_server(make: Make, stub: VendorStub, case: Case) -> None:
    async def cancel() -> None:
        provider = make()
        task = asyncio.create_task(provider.chat_completion(HELLO, case.model("slow"), max_tokens=5))
        assert await asyncio.to_thread(stub.arrived.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.aclose()

    asyncio.run(cancel())
    assert stub.cut.wait(5), "the server was left working"


@feature("nobody listens")
def test_nobody_listens(make: Make, ask: Ask) -> None:
    with pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1") as caught:
        ask(make(base_url="http://127.0.0.1:9/v1", max_attempts=1), "m", max_tokens=5)
    assert not caught.value.maybe_billed


@pytest.mark.parametrize(("scenario", "reason"), [("long", "length"), ("filtered-answer", "content_filter")])
@feature("an answer: {reason}")
def test_truncated_and_filtered_are_answers(
    make: Make, ask: Ask, case: Case, scenario: str, reason: str
) -> None:
    if scenario in getattr(case.dialect, "lacks", ()):
        pytest.skip("the backend has no such end")
    assert ask(make(), scenario, max_tokens=5).finish_reason == reason


@feature("no text is an empty answer")
def test_no_text_is_an_empty_answer(make: Make, ask: Ask) -> None:
    assert ask(make(), "silent", max_tokens=5).content == ""


@feature("connections are kept")
def test_connections_are_kept(make: Make, stub: VendorStub, case: Case) -> None:
    async def many() -> None:
        provider = make()
        for _ in range(5):
            await provider.chat_completion(HELLO, case.model("m"), max_tokens=5)
        await provider.aclose()

    asyncio.run(many())
    assert len(stub.connections) == 1


@feature("two event loops")
def test_two_loops_in_one_process(make: Make, case: Case) -> None:
    provider = make()

    async def both() -> tuple[str, str, str]:
        def call() -> Any:
            return provider.chat_completion(HELLO, case.model("m"), max_tokens=5)

        first = await call()
        second = await asyncio.to_thread(background.run, call())
        third = await call()
        await provider.aclose()
        return first.content, second.content, third.content

    assert set(asyncio.run(both())) == {ANSWER}
    background.run(provider.aclose())


@feature("fine-tuning")
def test_fine_tuning_checks_its_file_or_is_refused(
    make: Make, stub: VendorStub, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    provider = make()
    absent = tmp_path / "absent.jsonl"
    if provider._tuner() is None:
        record_property("outcome", "refused")
        with pytest.raises(FineTuningUnavailableError, match=provider.name):
            asyncio.run(provider.fine_tune(absent, "m"))
        return
    # What follows the check is in test_fine_tuning.py.
    with pytest.raises(DatasetError, match=r"absent\.jsonl"):
        asyncio.run(provider.fine_tune(absent, "m"))
    assert not stub.asked


@feature("https beyond this machine")
def test_http_is_refused_beyond_loopback(make: Make) -> None:
    with pytest.raises(ConfigError, match="allow_http"):
        make(base_url="http://gpu1.example:8000/v1")


@feature("key is masked")
def test_no_key_in_what_a_provider_shows(make: Make) -> None:
    provider = make()

    def shown(value: object, depth: int = 0) -> str:
        inner = getattr(value, "__dict__", {})
        if depth == 3 or isinstance(value, ModuleType):
            inner = {}
        return repr(value) + "".join(shown(item, depth + 1) for item in dict(inner).values())

    assert KEY not in shown(provider)
    assert KEY not in repr(vars(provider))


@feature("models without a network")
def test_models_come_from_the_catalog_without_a_network(make: Make) -> None:
    provider = make(base_url="http://127.0.0.1:9/v1")
    assert all(info.provider == provider.name for info in provider.list_models())
