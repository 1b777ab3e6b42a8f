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
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers import GeminiProvider
from llmbench.providers.gemini_stream import ContentStreamReader
from llmbench.providers.gemini_wire import content_arguments, read_content, read_usage
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import ChatRequest, LLMResponse, Usage
from tests.providers.asking import HELLO, ask_once
from tests.providers.cases import KEY
from tests.providers.dialects.gemini import COUNTS, OVERLOADED, THOUGHT, GeminiDialect, content
from tests.providers.vendor_stub import ANSWER, VendorStub, running, serving

SCHEMA = {
    "type": "object",
    "properties": {"a_b": {"type": ["string", "null"], "default": None, "$ref": "#/$defs/C"}},
    "$defs": {"C": {"enum": ["x", None]}},
}


@pytest.fixture
def stub() -> Iterator[VendorStub]:
    with serving(GeminiDialect()) as server:
        yield server


def ask(url: str, model: str = "m", *, stream: bool = False, **options: Any) -> LLMResponse:
    provider = GeminiProvider({"base_url": url, "api_key": KEY, "max_attempts": 1})
    return ask_once(provider, model, stream=stream, **options)


def config(**params: Any) -> dict[str, Any]:
    found = content_arguments(ChatRequest("m", HELLO, params), provider="gemini")["config"]
    assert isinstance(found, dict)
    return found


# What is sent


def test_the_sdk_makes_one_request_for_a_call(stub: VendorStub) -> None:
    ask(stub.url)
    ask(stub.url, stream=True)
    hello = {"contents": [{"parts": [{"text": "hello"}], "role": "user"}], "generationConfig": {}}
    assert [asked.body for asked in stub.asked] == [hello, hello]


def test_a_schema_arrives_as_it_is(stub: VendorStub) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    ask(stub.url, response_format=wanted)
    assert stub.asked[0].meant["response_format"] == SCHEMA


def test_json_object_and_text() -> None:
    assert config(response_format={"type": "json_object"})["response_mime_type"] == "application/json"
    assert "response_json_schema" not in config(response_format={"type": "json_object"})
    assert config(response_format={"type": "text"}) == config()


@pytest.mark.parametrize(
    "option",
    [
        {"reasoning_effort": "none"},
        {"reasoning_effort": 5},
        {"service_tier": "auto"},
        {"seed": "seven"},
        {"seed": 1.5},
        {"top_p": "half"},
        {"presence_penalty": []},
    ],
    ids=repr,
)
def test_an_option_that_cannot_be_sent_is_refused_before_any_call(
    option: dict[str, Any], stub: VendorStub
) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(option))):
        ask(stub.url, **option)
    assert not stub.asked


@pytest.mark.parametrize("model", ["../../v1/files", "m?key=other", "m&alt=json"])
def test_a_model_that_is_no_name_is_refused(model: str, stub: VendorStub) -> None:
    with pytest.raises(InvalidRequestError, match="cannot send the request"):
        ask(stub.url, model)
    with pytest.raises(InvalidRequestError, match="cannot send the request"):
        ask(stub.url, model, stream=True)
    assert not stub.asked


def test_a_request_is_refused_when_it_is_made() -> None:
    provider = GeminiProvider({"api_key": KEY})
    with pytest.raises(InvalidRequestError, match="put it first"):
        provider.request([*HELLO, {"role": "system", "content": "be kind"}], "m")


def test_developer_is_system(stub: VendorStub) -> None:
    provider = GeminiProvider({"base_url": stub.url, "api_key": KEY})

    async def once() -> None:
        await provider.chat_completion([{"role": "developer", "content": "be kind"}, *HELLO], "m")
        await provider.aclose()

    asyncio.run(once())
    assert stub.asked[0].body["systemInstruction"]["parts"] == [{"text": "be kind"}]


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="vertex"):
        GeminiProvider({"api_key": KEY, "backend": "vertex"})


@pytest.mark.parametrize("end", ["/v1beta", "/"])
def test_the_vendors_address_may_be_spelled_otherwise(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = "https://generativelanguage.googleapis.com"
    monkeypatch.setenv("GOOGLE_API_KEY", "key-from-the-environment")
    assert GeminiProvider({"base_url": home + end}).base_url == home


def test_nothing_of_the_environment_is_followed(stub: VendorStub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_VERTEX_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_GENAI_API_VERSION": "v9",
        "GOOGLE_GENAI_HTTP_CLIENT": "httpx",
        "GOOGLE_CLOUD_PROJECT": "project",
        "GOOGLE_CLOUD_LOCATION": "europe-west1",
        "GOOGLE_API_KEY": "key-of-google",
        "GEMINI_API_KEY": "key-of-gemini",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    assert ask(stub.url).content == ANSWER
    headers = {key.lower(): value for key, value in stub.asked[0].headers.items()}
    assert headers["x-goog-api-key"] == KEY
    assert "authorization" not in headers


def test_a_redirect_is_not_followed() -> None:
    reached: list[str] = []

    def add_routes(app: web.Application) -> None:
        async def elsewhere(request: web.Request) -> web.Response:
            reached.append(request.path)
            return web.json_response(content("m"))

        async def redirect(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect("/elsewhere")

        app.router.add_post("/v1beta/models/{call}", redirect)
        app.router.add_post("/elsewhere", elsewhere)

    with running(add_routes) as root:
        for stream in (False, True):
            with pytest.raises(InvalidRequestError, match="another address"):
                ask(root, stream=stream)
    assert not reached


def test_an_unclosed_provider_is_closed_with_its_loop(
    stub: VendorStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    provider = GeminiProvider({"base_url": stub.url, "api_key": KEY})
    asyncio.run(provider.chat_completion(HELLO, "m"))
    del provider
    gc.collect()
    assert not [record for record in caplog.records if record.name not in {"httpx2", "aiohttp.access"}]


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_before_the_reply_may_have_been_billed(*, stream: bool) -> None:
    def add_routes(app: web.Application) -> None:
        async def cut(request: web.Request) -> web.Response:
            await request.read()
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        app.router.add_post("/v1beta/models/{call}", cut)

    with running(add_routes) as root, pytest.raises(ConnectionFailedError) as caught:
        ask(root, stream=stream)
    assert caught.value.maybe_billed


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Content-Encoding": "gzip"}, ConnectionFailedError),
        ({"Content-Type": "image/png"}, BadResponseError),
    ],
)
def test_a_body_of_other_bytes(*, headers: dict[str, str], error: type[ProviderError], stream: bool) -> None:
    def add_routes(app: web.Application) -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=b"\xff\xfe\x00 no text", headers=headers)

        app.router.add_post("/v1beta/models/{call}", answer)

    with running(add_routes) as root, pytest.raises(error):
        ask(root, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("scenario", ["rate", "unauthorized", "filter", "busy", "html"])
def test_a_stream_fails_as_a_whole_reply_does(scenario: str, stub: VendorStub, *, stream: bool) -> None:
    kinds = {
        "rate": RateLimitError,
        "unauthorized": AuthenticationError,
        "filter": ContentFilteredError,
        "busy": ServerError,
        "html": BadResponseError,
    }
    with pytest.raises(kinds[scenario]) as caught:
        ask(stub.url, scenario, stream=stream)
    assert type(caught.value) is kinds[scenario]
    assert caught.value.retry_after == (1.0 if scenario == "rate" else None)


def test_leaving_a_stream_stops_the_server() -> None:
    left: list[bool] = []

    def add_routes(app: web.Application) -> None:
        async def drip(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                for _ in range(200):
                    await response.write(f"data: {json.dumps(content('m'))}\n\n".encode())
                    await asyncio.sleep(0.05)
            except (asyncio.CancelledError, ConnectionError):
                left.append(True)
                raise
            return response

        app.router.add_post("/v1beta/models/{call}", drip)

    async def leave(root: str) -> None:
        provider = GeminiProvider({"base_url": root, "api_key": KEY})
        async with provider.stream_chat_completion(HELLO, "m") as stream:
            assert await anext(stream) == ANSWER
        for _ in range(100):
            if left:
                break
            await asyncio.sleep(0.02)
        await provider.aclose()

    with running(add_routes) as root:
        asyncio.run(leave(root))
        assert left


# What comes back


def test_what_the_reply_says_beside_the_text(stub: VendorStub) -> None:
    whole = ask(stub.url)
    assert whole.metadata == {"id": "response-1", "service_tier": "standard", "reasoning": THOUGHT}
    streamed = ask(stub.url, stream=True)
    assert streamed.metadata == {"id": "response-1", "reasoning": THOUGHT}
    assert streamed.usage == whole.usage


BOTH = {"promptTokenCount": 9, "candidatesTokenCount": 2}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (BOTH, Usage(9, 2)),
        (BOTH | {"totalTokenCount": 11}, Usage(9, 2)),
        (BOTH | {"thoughtsTokenCount": 5, "totalTokenCount": 16}, Usage(9, 7, reasoning_tokens=5)),
        (BOTH | {"toolUsePromptTokenCount": 4, "totalTokenCount": 15}, Usage(13, 2)),
        (BOTH | {"cachedContentTokenCount": 9}, Usage(9, 2, 9)),
        ({"promptTokenCount": 9, "totalTokenCount": 9}, Usage(9, 0)),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 5, "totalTokenCount": 14}, Usage(9, 5, 0, 0, 5)),
        (BOTH | {"cachedContentTokenCount": 10}, None),
        (BOTH | {"totalTokenCount": 12}, None),
        (BOTH | {"totalTokenCount": None}, None),
        (BOTH | {"thoughtsTokenCount": -5}, None),
        (BOTH | {"candidatesTokenCount": "2"}, None),
        (BOTH | {"promptTokenCount": 9.0}, None),
        (BOTH | {"promptTokenCount": True}, None),
        (BOTH | {"promptTokenCount": 10**30}, None),
        (BOTH | {"promptTokenCount": None}, None),
        ({"candidatesTokenCount": 2}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_usage(counts: Any, expected: Usage | None) -> None:
    assert read_usage(counts) == expected


def whole(**changes: Any) -> str:
    return json.dumps({**content("m"), **changes})


def read(body: str | bytes) -> Any:
    return read_content(body, provider="gemini", model="m")


def test_usage_that_is_not_understood_is_kept() -> None:
    counts = COUNTS | {"totalTokenCount": 1}
    answer = read(whole(usageMetadata=counts))
    assert answer.usage is None
    assert answer.metadata["usage_not_understood"] == counts


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("SPII", "content_filter"),
        ("A_WORD_OF_NEXT_YEAR", "A_WORD_OF_NEXT_YEAR"),
    ],
)
def test_finish_reason(word: str, ours: str) -> None:
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": word, "finishMessage": "so"}
    answer = read(whole(candidates=[candidate]))
    assert answer.finish_reason == ours
    assert answer.metadata["finish_message"] == "so"


def test_a_blocked_prompt_is_filtered_content() -> None:
    with pytest.raises(ContentFilteredError, match="SAFETY"):
        read(json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m"}))
    assert read(whole(promptFeedback={"safetyRatings": []})).content == ANSWER


HOSTILE = [
    b"", b"null", b"[]", b"[5]", b"5", b'"text"', b"{}", b'{"candidates": []}', b'{"candidates": {}}',
    b'{"candidates": [5]}', b'{"candidates": "text"}', b'{"candidates": [{"content": 5}]}',
    b'{"candidates": [{"content": {"parts": 5}}]}', b'{"candidates": [{"content": {"parts": [5]}}]}',
    b'{"candidates": [{"content": {"parts": [{"text": 5}]}}]}', b"\xff\xfe", b"[" * 100_000,
    b'{"candidates": ' + b"9" * 5000 + b"}", b"<html>gateway</html>",
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:60]))
def test_what_is_no_answer_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponseError, match="generateContent interface"):
        read(body)


ODD = ["x", 5, None, [], {}, float("nan"), -1, True, [{}], {"a": float("inf")}, [None]]


@pytest.mark.parametrize("key", sorted({*content("m"), "promptFeedback", "error"}))
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_reply_with_an_odd_field_is_read_or_a_provider_error(key: str, value: Any) -> None:
    try:
        answer = read(whole(**{key: value}))
    except ProviderError:
        assert key in {"candidates", "error"}
    else:
        assert answer.content in {ANSWER, ""}
        assert answer.usage is None or answer.usage.total_tokens >= 0


@pytest.mark.parametrize("key", ["content", "finishReason", "finishMessage", "index"])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_candidate_with_an_odd_field_is_read_or_a_provider_error(key: str, value: Any) -> None:
    candidate = {**content("m")["candidates"][0], key: value}
    try:
        answer = read(whole(candidates=[candidate]))
    except BadResponseError:
        assert key == "content"
    else:
        assert answer.content == (ANSWER if key != "content" else "")


def test_a_text_of_10_megabytes() -> None:
    text = "ü" * 5_000_000
    assert read(whole(candidates=[{"content": {"parts": [{"text": text}]}}])).content == text


def event(**fields: Any) -> bytes:
    return f"data: {json.dumps(fields)}\r\n\r\n".encode()


def reader() -> ContentStreamReader:
    return ContentStreamReader(provider="gemini", model="m")


def test_a_stream_without_its_end_is_cut() -> None:
    stream = reader()
    candidate = {"content": {"parts": [{"text": "a"}]}}
    assert stream.feed(event(candidates=[candidate]), last=True) == ["a"]
    with pytest.raises(ConnectionFailedError, match="before its end"):
        stream.finish()


@pytest.mark.parametrize("body", [b"", b"data: ", b'data: {"candidates": [{"conte'])
def test_nothing_and_half_an_event_are_cut_streams(body: bytes) -> None:
    def read_whole() -> None:
        stream = reader()
        stream.feed(body, last=True)
        stream.finish()

    with pytest.raises(ConnectionFailedError):
        read_whole()


def test_an_error_behind_the_word_stop_is_an_error() -> None:
    stream = reader()
    assert stream.feed(event(**content("m"))) == [ANSWER]
    stream.feed(json.dumps(OVERLOADED, indent=2).encode(), last=True)
    with pytest.raises(ServerError, match="overloaded"):
        stream.finish()


@pytest.mark.parametrize("rest", [b"<html>", b"{}", json.dumps(content("m")).encode()])
def test_anything_else_behind_a_stream_is_a_bad_response(rest: bytes) -> None:
    stream = reader()
    stream.feed(event(**content("m")) + rest, last=True)
    with pytest.raises(BadResponseError):
        stream.finish()


def test_an_error_as_an_event() -> None:
    with pytest.raises(ServerError) as caught:
        reader().feed(event(**OVERLOADED))
    assert caught.value.status_code == 503


@pytest.mark.parametrize("code", ["503", None, True, 3.5, 200, 10**30])
def test_an_error_with_an_odd_code(code: Any) -> None:
    with pytest.raises(ServerError):
        reader().feed(event(error={"code": code, "message": "no"}))


def test_a_gateway_that_ignores_the_wish_to_stream() -> None:
    pieces = [content("m"), content("m")]
    stream = reader()
    assert not stream.feed(json.dumps(pieces, indent=1).encode(), last=True)
    assert stream.finish().content == ANSWER * 2


@pytest.mark.parametrize("data", [b"5", b"[]", b"{", b"null", b'{"candidates": [5]}'], ids=repr)
def test_garbage_in_a_stream(data: bytes) -> None:
    with pytest.raises(BadResponseError):
        reader().feed(b"data: " + data + b"\n\nevent: ping\n")


# What went wrong


def error_of(code: int, message: str, *details: Any) -> ProviderError:
    body = {"error": {"code": code, "message": message, "status": "X", "details": list(details)}}
    return error_from_status(code, json.dumps(body), {}, "gemini", "m")


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        # https://github.com/google-gemini/gemini-cli/issues/2020
        (429, "Resource has been exhausted (e.g. check quota).", RateLimitError),
        (429, "Your prepayment credits are depleted. Please go to AI Studio.", QuotaExhaustedError),
        (429, "You exceeded your current quota, please check your plan and billing", QuotaExhaustedError),
        (403, "Your API key was reported as leaked. Please use another API key.", AuthenticationError),
        (400, "User location is not supported for the API use.", InvalidRequestError),
        (404, "models/x is not found for API version v1beta", ModelUnavailableError),
        (504, "Deadline expired before operation could complete.", ProviderTimeoutError),
        (503, "The model is overloaded. Please try again later.", ServerError),
    ],
)
def test_error_kind(code: int, message: str, error: type[ProviderError]) -> None:
    assert type(error_of(code, message)) is error


@pytest.mark.parametrize("limit", ["PerMinute", "PerDay"])
def test_a_quota_that_reopens_is_waited_for(limit: str) -> None:
    # A daily limit with a window of seconds: https://github.com/diegosouzapw/OmniRoute/issues/9504
    failure = {"violations": [{"quotaId": f"GenerateRequests{limit}PerProjectPerModel-FreeTier"}]}
    found = error_of(429, "You exceeded your current quota", failure, {"retryDelay": "36.429760048s"})
    assert type(found) is RateLimitError
    assert found.retry_after == pytest.approx(36.43, abs=0.01)


@pytest.mark.parametrize("delay", ["soon", "", "-5s", "5", 5, None, ["5s"], "1e999s", "٣s", "nans"])
def test_a_wait_that_is_none_is_no_wait(delay: Any) -> None:
    found = error_of(429, "slow down", {"retryDelay": delay}, 5, None)
    assert type(found) is RateLimitError
    assert found.retry_after is None


def test_the_header_goes_before_the_body() -> None:
    body = {"error": {"message": "slow down", "details": [{"retryDelay": "5s"}]}}
    assert error_from_status(429, body, {"Retry-After": "2"}, "gemini", "m").retry_after == 2
