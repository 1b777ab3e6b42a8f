from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from llmbench.errors import (
    AuthenticationError,
    BadResponseError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers import AnthropicProvider
from llmbench.providers.anthropic_stream import MessageStreamReader
from llmbench.providers.anthropic_wire import message_arguments, read_message, read_usage
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import ChatRequest, LLMResponse, Usage
from tests.providers.asking import HELLO, ask_once
from tests.providers.cases import KEY
from tests.providers.dialects.anthropic import THOUGHT, AnthropicDialect, message
from tests.providers.vendor_stub import ANSWER, VendorStub, running, serving


@pytest.fixture
def stub() -> Iterator[VendorStub]:
    with serving(AnthropicDialect()) as server:
        yield server


def ask(url: str, model: str = "m", *, stream: bool = False, **options: Any) -> LLMResponse:
    provider = AnthropicProvider({"base_url": url, "api_key": KEY, "max_attempts": 1})
    return ask_once(provider, model, stream=stream, **options)


def arguments(max_output: int | None = 64, **params: Any) -> dict[str, Any]:
    return message_arguments(ChatRequest("m", HELLO, params), max_output=max_output, provider="anthropic")


# What is sent


def test_without_max_tokens_the_most_that_the_model_writes_is_asked_for() -> None:
    assert arguments()["max_tokens"] == 64
    assert arguments(max_tokens=5)["max_tokens"] == 5


def test_without_max_tokens_an_unknown_model_is_refused_before_any_call(stub: VendorStub) -> None:
    with pytest.raises(InvalidRequestError, match="give max_tokens"):
        ask(stub.url, "claude-nobody-knows")
    assert not stub.asked


def test_an_answer_of_any_length_needs_no_stream(stub: VendorStub) -> None:
    # The SDK refuses it unless it is given a timeout: it expects the network to cut a long silence.
    assert ask(stub.url, max_tokens=128_000).content == ANSWER


def test_sampling_is_sent_under_the_version_that_has_it(stub: VendorStub) -> None:
    ask(stub.url, max_tokens=5)
    ask(stub.url, max_tokens=5, temperature=0, top_p=0.5)
    plain, sampled = stub.asked
    assert plain.headers["anthropic-version"] == "2026-10-21"
    assert sampled.headers["anthropic-version"] == "2023-06-01"
    assert (sampled.body["temperature"], sampled.body["top_p"]) == (0, 0.5)


def test_a_temperature_above_1_is_refused() -> None:
    assert arguments(temperature=1.0)["extra_body"] == {"temperature": 1.0}
    with pytest.raises(InvalidRequestError, match=r"temperature for 'm' from 0 to 1; it is 1\.5"):
        arguments(temperature=1.5)


def test_json_object_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="json_schema"):
        arguments(response_format={"type": "json_object"})
    assert "output_config" not in arguments(response_format={"type": "text"})


@pytest.mark.parametrize("effort", ["none", "minimal", "", 5, None, ["low"]])
def test_an_effort_that_is_none_is_refused(effort: Any) -> None:
    with pytest.raises(InvalidRequestError, match="reasoning_effort"):
        arguments(reasoning_effort=effort)


def test_a_request_is_refused_when_it_is_made() -> None:
    provider = AnthropicProvider({"api_key": KEY})
    with pytest.raises(InvalidRequestError, match="put it first"):
        provider.request([*HELLO, {"role": "system", "content": "be kind"}], "m", max_tokens=5)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="bedrock"):
        AnthropicProvider({"api_key": KEY, "backend": "bedrock"})


@pytest.mark.parametrize("address", ["https://api.anthropic.com/v1", "https://api.anthropic.com/"])
def test_the_vendors_address_may_be_spelled_otherwise(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-from-the-environment")
    assert AnthropicProvider({"base_url": address}).base_url == "https://api.anthropic.com"


def test_nothing_of_the_environment_is_followed(stub: VendorStub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_API_KEY": "sk-env",
        "ANTHROPIC_AUTH_TOKEN": "token-env",
        "ANTHROPIC_CUSTOM_HEADERS": "x-api-key: sk-other\nAuthorization: Bearer sk-other\nX-Gateway: secret",
        "ANTHROPIC_PROFILE": "nobody",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    assert ask(stub.url, max_tokens=5).content == ANSWER
    headers = {key.lower(): value for key, value in stub.asked[0].headers.items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert not {"x-api-key", "x-gateway"} & set(headers)


def test_a_redirect_is_not_followed() -> None:
    reached: list[str] = []

    def add_routes(app: web.Application) -> None:
        async def elsewhere(request: web.Request) -> web.Response:
            reached.append(request.path)
            return web.json_response(message("m"))

        async def redirect(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect("/elsewhere")

        app.router.add_post("/v1/messages", redirect)
        app.router.add_post("/elsewhere", elsewhere)

    with running(add_routes) as root, pytest.raises(InvalidRequestError, match="another address"):
        ask(root, max_tokens=5)
    assert not reached


def test_an_unclosed_provider_is_closed_with_its_loop(
    stub: VendorStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    provider = AnthropicProvider({"base_url": stub.url, "api_key": KEY})
    asyncio.run(provider.chat_completion(HELLO, "m", max_tokens=5))
    del provider
    gc.collect()
    assert not caplog.records


def test_a_cut_before_the_reply_may_have_been_billed() -> None:
    def add_routes(app: web.Application) -> None:
        async def cut(request: web.Request) -> web.Response:
            await request.read()
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        app.router.add_post("/v1/messages", cut)

    with running(add_routes) as root, pytest.raises(ConnectionFailedError) as caught:
        ask(root, max_tokens=5)
    assert caught.value.maybe_billed


# What comes back


def test_what_the_reply_says_beside_the_text(stub: VendorStub) -> None:
    whole = ask(stub.url, max_tokens=5)
    assert whole.metadata == {
        "id": "msg_1", "request_id": "req_2", "service_tier": "standard", "reasoning": THOUGHT,
    }  # fmt: skip
    streamed = ask(stub.url, max_tokens=5, stream=True)
    assert streamed.metadata == {k: v for k, v in whole.metadata.items() if k != "request_id"}
    assert streamed.served_model == whole.served_model


TWO = {"input_tokens": 1, "output_tokens": 4}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (TWO, Usage(1, 4)),
        (TWO | {"cache_read_input_tokens": 8, "cache_creation_input_tokens": 2}, Usage(11, 4, 8, 2)),
        (TWO | {"cache_read_input_tokens": None, "output_tokens_details": None}, Usage(1, 4)),
        (TWO | {"output_tokens_details": {"thinking_tokens": 4}}, Usage(1, 4, reasoning_tokens=4)),
        (TWO | {"output_tokens_details": {"thinking_tokens": 5}}, None),
        (TWO | {"cache_read_input_tokens": -1}, None),
        (TWO | {"cache_creation_input_tokens": "8"}, None),
        (TWO | {"input_tokens": -1}, None),
        (TWO | {"input_tokens": True}, None),
        (TWO | {"input_tokens": 1.0}, None),
        (TWO | {"input_tokens": 10**30}, None),
        (TWO | {"output_tokens": None}, None),
        ({"input_tokens": 1}, None),
        ({"output_tokens": 1}, None),
        ([], None),
        (None, None),
    ],
)
def test_usage(counts: Any, expected: Usage | None) -> None:
    assert read_usage(counts) == expected


def whole(**changes: Any) -> str:
    return json.dumps({**message("m"), **changes})


def read(body: str | bytes) -> Any:
    return read_message(body, provider="anthropic", model="m")


def test_usage_that_is_not_understood_is_kept() -> None:
    answer = read(whole(usage={"input_tokens": 1, "output_tokens": -4}))
    assert answer.usage is None
    assert answer.metadata["usage_not_understood"] == {"input_tokens": 1, "output_tokens": -4}
    assert read(whole(usage="many")).usage is None
    assert "usage_not_understood" in read(whole(usage="many")).metadata
    assert "usage_not_understood" not in read(whole(usage=None)).metadata


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_finish_reason(word: str, ours: str) -> None:
    assert read(whole(stop_reason=word)).finish_reason == ours


def test_why_it_stopped_is_kept() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": None}
    answer = read(whole(stop_reason="refusal", stop_details=details, stop_sequence="END"))
    assert answer.metadata["stop_details"] == details
    assert answer.metadata["stop_sequence"] == "END"


def test_several_blocks_of_text_are_one_text() -> None:
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "b"},
    ]
    assert read(whole(content=blocks)).content == "ab"


HOSTILE = [
    b"", b"null", b"[]", b"5", b'"text"', b"{}", b'{"content": "text"}', b'{"content": {"type": "text"}}',
    b'{"content": [5]}', b'{"content": [null]}', b'{"content": [{"text": "a"}]}',
    b'{"content": [{"type": ["text"], "text": "a"}]}', b'{"content": [{"type": "text"}]}',
    b'{"content": [{"type": "text", "text": null}]}', b'{"content": [{"type": "thinking", "thinking": 5}]}',
    b"\xff\xfe", b"[" * 100_000, b'{"usage": ' + b"9" * 5000 + b"}", b"<html>gateway</html>",
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:40]))
def test_what_is_no_message_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponseError, match="Messages interface"):
        read(body)


ODD = ["x", 5, None, [], {}, float("nan"), -1, True, [{}], {"a": float("inf")}]


@pytest.mark.parametrize("key", sorted({*message("m"), "stop_details", "error"}))
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_message_with_an_odd_field_is_read_or_a_provider_error(key: str, value: Any) -> None:
    try:
        answer = read(whole(**{key: value}))
    except ProviderError:
        assert key in {"content", "error"}
    else:
        assert isinstance(answer.content, str)
        assert answer.usage is None or answer.usage.total_tokens >= 0


def test_a_text_of_10_megabytes() -> None:
    text = "ü" * 5_000_000
    assert read(whole(content=[{"type": "text", "text": text}])).content == text


def event(**fields: Any) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


def text_delta(text: Any) -> bytes:
    return event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def reader() -> MessageStreamReader:
    return MessageStreamReader(provider="anthropic", model="m")


def test_a_stream_without_its_end_is_cut() -> None:
    stream = reader()
    stream.feed(text_delta("a"))
    end = event(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
    stream.feed(end, last=True)
    with pytest.raises(ConnectionFailedError, match="before its end"):
        stream.finish()


def test_an_event_cut_at_the_end_is_a_cut_stream() -> None:
    with pytest.raises(ConnectionFailedError):
        reader().feed(b'data: {"type": "content_blo', last=True)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", ServerError),
        ("api_error", ServerError),
        ("rate_limit_error", RateLimitError),
        ("billing_error", QuotaExhaustedError),
        ("authentication_error", AuthenticationError),
        ("invalid_request_error", InvalidRequestError),
        ("new_error", ServerError),
        (None, ServerError),
    ],
)
def test_an_error_in_mid_stream(kind: Any, error: type[ProviderError]) -> None:
    stream = reader()
    stream.feed(text_delta("a"))
    with pytest.raises(error) as caught:
        stream.feed(event(type="error", error={"type": kind, "message": "no"}))
    assert type(caught.value) is error


def test_a_filtered_output_in_mid_stream() -> None:
    said = {
        "type": "invalid_request_error",
        "message": "Output blocked by content filtering policy",
        "details": None,
    }
    with pytest.raises(ContentFilteredError):
        reader().feed(event(type="error", error=said | {"details": None}))


def test_counts_of_the_end_replace_those_of_the_start() -> None:
    stream = reader()
    start = message("m") | {"usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}}
    stream.feed(event(type="message_start", message=start))
    stream.feed(event(type="message_delta", delta={}, usage={"input_tokens": None, "output_tokens": 7}))
    stream.feed(event(type="message_stop"))
    assert stream.finish().usage == Usage(7, 7, cache_read_tokens=2)


def test_a_server_that_ignores_the_wish_to_stream() -> None:
    stream = reader()
    assert not stream.feed(json.dumps(message("m"), indent=1).encode(), last=True)
    assert stream.finish().content == ANSWER


@pytest.mark.parametrize("data", [b"5", b"[]", b"{", b"null", b'{"type": "content_block_delta"}'], ids=repr)
def test_garbage_in_a_stream(data: bytes) -> None:
    with pytest.raises(BadResponseError):
        reader().feed(b"data: " + data + b"\n\nevent: ping\n")


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "kind", ["message_start", "content_block_start", "content_block_delta", "message_delta", "new"]
)
def test_an_odd_event_is_read_or_a_provider_error(kind: str, value: Any) -> None:
    stream = reader()
    try:
        stream.feed(event(type=kind, message=value, delta=value, content_block=value, usage=value))
        stream.feed(event(type="message_stop"))
        answer = stream.finish()
    except ProviderError:
        assert kind.startswith("content_block")
    else:
        assert answer.usage is None


# What went wrong


@pytest.mark.parametrize(
    ("status", "kind", "text", "error"),
    [
        (413, "request_too_large", "Request exceeds the maximum size", InvalidRequestError),
        # https://github.com/docker/docker-agent/issues/569
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000",
            ContextWindowError,
        ),
        # https://github.com/anthropics/claude-code/issues/38035
        (
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2026-04-01",
            QuotaExhaustedError,
        ),
        (402, "billing_error", "Payment failed", QuotaExhaustedError),
        (529, "overloaded_error", "Overloaded", ServerError),
        (400, "invalid_request_error", "temperature: Extra inputs are not permitted", InvalidRequestError),
    ],
)
def test_error_kind(status: int, kind: str, text: str, error: type[ProviderError]) -> None:
    body = {"type": "error", "error": {"type": kind, "message": text}}
    found = error_from_status(status, json.dumps(body), {}, "anthropic", "m")
    assert type(found) is error
    assert text in str(found)


@pytest.mark.parametrize(
    ("code", "error"),
    [("enforced_spend_limit_reached", QuotaExhaustedError), ("ramp_limit_exceeded", RateLimitError)],
)
def test_the_code_in_the_details_is_read(code: str, error: type[ProviderError]) -> None:
    said = {"type": "rate_limit_error", "message": "Over", "details": {"error_code": code}}
    found = error_from_status(429, {"type": "error", "error": said}, {}, "anthropic", "m")
    assert type(found) is error


def test_what_comes_behind_the_end_does_not_count() -> None:
    delta = b'data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}\n\n'
    whole = delta + b'data: {"type": "message_stop"}\n\n'
    reader = MessageStreamReader(provider="anthropic", model="m")
    assert reader.feed(whole + whole) == ["a"]
    assert reader.feed(whole) == []
    assert reader.finish().content == "a"
