"""The chat-completions format: bodies, replies and errors, as the servers write them."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from llmbench.providers.base import BaseLLMProvider
from llmbench.providers.wire import chat_body, read_answer, read_usage
from llmbench.providers.wire_errors import error_from_status, retry_after_seconds, shown
from llmbench.providers.wire_stream import StreamReader
from llmbench.types import CHAT_OPTIONS, ChatRequest, RawAnswer, Usage

HELLO = [{"role": "user", "content": "Grüße 👋"}]


def reply(message: dict[str, Any] | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "message": message or {"content": "hi"}, "finish_reason": "stop"}
    return json.dumps({"model": "m-1", "choices": [choice], **fields}).encode()


def answer(body: bytes | str) -> RawAnswer:
    return read_answer(body, provider="acme", model="m")


# Bodies


def test_body_holds_only_what_was_given() -> None:
    request = ChatRequest("m", HELLO, {"temperature": 0, "stop": ["\n"]}, repeat=3)
    assert chat_body(request) == {"model": "m", "messages": HELLO, "temperature": 0, "stop": ["\n"]}


def test_body_stream_asks_for_usage() -> None:
    body = chat_body(ChatRequest("m", HELLO), stream=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_body_vendor_spellings() -> None:
    request = ChatRequest("llama", HELLO, {"max_tokens": 5})
    body = chat_body(
        request, model="meta/llama", max_tokens_field="max_completion_tokens", extra={"cache_prompt": False}
    )
    assert body == {
        "model": "meta/llama",
        "messages": HELLO,
        "max_completion_tokens": 5,
        "cache_prompt": False,
    }


@pytest.mark.parametrize("option", ["n", "logit_bias", "tools", "temprature"])
def test_body_unknown_option_is_named(option: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"'{option}'.*temperature"):
        chat_body(ChatRequest("m", HELLO, {option: 1}), provider="acme")


def test_options_are_those_of_the_base() -> None:
    assert BaseLLMProvider.options == CHAT_OPTIONS


# Replies


def test_answer_whole() -> None:
    raw = answer(
        reply(
            id="c1",
            system_fingerprint="fp",
            service_tier="flex",
            usage={
                "prompt_tokens": 100,
                "completion_tokens": 30,
                "total_tokens": 130,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
                "completion_tokens_details": {"reasoning_tokens": 20},
                "cost": 0.00125,
            },
            timings={"prompt_ms": 12.5, "predicted_ms": 80},
        )
    )
    assert raw == RawAnswer(
        content="hi",
        usage=Usage(100, 30, 64, 8, 20),
        finish_reason="stop",
        served_model="m-1",
        fingerprint="fp",
        reported_cost=0.00125,
        prefill_ms=12.5,
        decode_ms=80.0,
        metadata={"id": "c1", "service_tier": "flex"},
    )


def test_answer_without_usage_is_unknown_not_zero() -> None:
    raw = answer(reply())
    assert raw.usage is None
    assert raw.reported_cost is None
    assert raw.prefill_ms is None


def test_answer_refusal_is_an_answer() -> None:
    raw = answer(reply({"content": None, "refusal": "I can't help with that."}))
    assert raw.content == "I can't help with that."
    assert raw.metadata["refusal"] == "I can't help with that."


def test_answer_of_reasoning_only_is_empty_text() -> None:
    raw = answer(reply({"content": None, "reasoning_content": "Let me think"}))
    assert raw.content == ""
    assert raw.metadata["reasoning"] == "Let me think"


def test_answer_content_in_parts() -> None:
    raw = answer(
        reply({"content": [{"type": "text", "text": "a"}, {"type": "x"}, {"type": "text", "text": "b"}]})
    )
    assert raw.content == "ab"


@pytest.mark.parametrize("content", [0, 1.5, True, {}, {"text": "a"}, ["a"], [None], [{"text": 5}]])
def test_content_that_cannot_be_read_is_no_empty_answer(content: Any) -> None:
    with pytest.raises(BadResponseError, match="content that cannot be read"):
        answer(reply({"content": content}))
    with pytest.raises(BadResponseError, match="content that cannot be read"):
        read(sse(delta("a"), {"choices": [{"delta": {"content": content}}]}, "[DONE]"))


@pytest.mark.parametrize(
    ("word", "ours"),
    [("eos", "stop"), ("max_tokens", "length"), ("length", "length"), ("tool_calls", "tool_calls")],
)
def test_answer_finish_reason(word: str, ours: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": ""}, "finish_reason": word}]})
    assert answer(body).finish_reason == ours


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>it works</html>",
        b'{"choices": [',
        b"[1]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": "hi"}]}',
        b"\xff\xfe\x00",
        b'{"choices": [{"text": "a completion, not a chat"}]}',
        b"[" * 100_000,
    ],
)
def test_answer_garbage(body: bytes) -> None:
    with pytest.raises(BadResponseError, match=r"acme answered a request to 'm' with .*base_url") as caught:
        answer(body)
    assert (caught.value.provider, caught.value.model) == ("acme", "m")


def test_answer_error_under_status_200() -> None:
    with pytest.raises(RateLimitError):
        answer(b'{"error": {"message": "slow down", "code": 429}}')
    with pytest.raises(ServerError):
        answer(b'{"error": {"message": "upstream died"}}')
    with pytest.raises(ContextWindowError):
        answer(b'{"object": "error", "code": 400, "message": "maximum context length is 10", "type": "x"}')


# Usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 1}, Usage(5, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 8}, Usage(9, 1, 8)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 8}, Usage(9, 1, 8)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(9, 1)),
        # xAI: reasoning stands beside the completion
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 115,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(10, 105, reasoning_tokens=100),
        ),
        # Contradictions are unknown, not a guess.
        ({"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}}, None),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 1,
                "completion_tokens_details": {"reasoning_tokens": 6},
            },
            None,
        ),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": "5", "completion_tokens": 1}, None),
        ({"prompt_tokens": True, "completion_tokens": 1}, None),
        ({"prompt_tokens": -1, "completion_tokens": 1}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 1}, None),  # the ledger could not keep it
        (None, None),
        ([], None),
    ],
)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert read_usage(usage) == expected


def test_usage_not_understood_is_kept() -> None:
    raw = answer(reply(usage={"tokens": 7}))
    assert raw.usage is None
    assert raw.metadata["usage_not_understood"] == {"tokens": 7}


# Streams


def sse(*events: Any, end: str = "\n\n") -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
    return "".join(f"data: {text}{end}" for text in texts).encode()


def delta(text: str | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"model": "m-1", "choices": [{"delta": {"content": text, **fields}, "finish_reason": finish}]}


STREAM = (
    b": keep-alive\n\nevent: message\n"
    + sse(delta(fields="x"), delta("Grü"), delta("ße 👋"), delta(None, "stop"))
    + sse(
        {
            "choices": [],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
            "timings": {"prompt_ms": 1, "predicted_ms": 2},
        },
        "[DONE]",
    )
)


def read(*chunks: bytes) -> tuple[list[str], RawAnswer]:
    reader = StreamReader(provider="acme", model="m")
    texts = [text for chunk in chunks for text in reader.feed(chunk)]
    texts += reader.feed(b"", last=True)
    return texts, reader.finish()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_stream_cut_anywhere(sizes: list[int], line_end: bytes) -> None:
    data, chunks = STREAM.replace(b"\n", line_end), []
    while data:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[:size])
        data = data[size:]
    texts, raw = read(*chunks)
    assert texts == ["Grü", "ße 👋"]
    assert raw == RawAnswer(
        "Grüße 👋", Usage(3, 2), "stop", served_model="m-1", prefill_ms=1.0, decode_ms=2.0, metadata={}
    )


def test_stream_without_last_blank_line() -> None:
    texts, raw = read(sse(delta("a")) + sse(delta("b", "length"), end=""))
    assert texts == ["a", "b"]
    assert (raw.content, raw.finish_reason) == ("ab", "length")


def test_stream_without_done_ends_at_finish_reason() -> None:
    assert read(sse(delta("a"), delta(None, "stop")))[1].content == "a"


@pytest.mark.parametrize(
    "data",
    [b"", b": nothing\n\n", sse(delta("a")), sse(delta("a")) + b'data: {"choi', sse(delta("a")) + b"da"],
)
def test_stream_cut_in_the_middle(data: bytes) -> None:
    with pytest.raises(ConnectionFailedError, match="cut the stream of 'm'"):
        read(data)


def test_stream_repeated_behind_its_end_counts_once() -> None:
    texts, raw = read(STREAM + STREAM, STREAM)
    assert texts == ["Grü", "ße 👋"]
    assert raw.content == "Grüße 👋"


def test_stream_of_several_answers_is_read_as_one_of_them() -> None:
    events = [
        {"choices": [{"index": k, "delta": {"content": text}}]} for k, text in enumerate("ab") for _ in "12"
    ]
    assert read(sse(*events, "[DONE]"))[1].content == "aa"


def test_stream_error_in_the_middle() -> None:
    with pytest.raises(ServerError, match="engine died"):
        read(sse(delta("a"), {"error": {"message": "engine died"}}, "[DONE]"))
    with pytest.raises(RateLimitError):
        read(sse(delta("a"), {"choices": [{"error": {"code": 429, "message": "slow"}, "delta": {}}]}))


@pytest.mark.parametrize("event", ["{oops}", "[1]", '"text"', "[" * 100_000])
def test_stream_garbage(event: str) -> None:
    with pytest.raises(BadResponseError, match="an event that is"):
        read(sse(event, delta("a", "stop")))


def test_stream_ignored_by_the_server() -> None:
    body = reply(usage={"prompt_tokens": 1, "completion_tokens": 1})
    texts, raw = read(body[:10], body[10:])
    assert texts == []
    assert (raw.content, raw.usage) == ("hi", Usage(1, 1))


def test_stream_event_over_several_lines() -> None:
    pretty = json.dumps(delta("a", "stop"), indent=1).replace("\n", "\ndata: ")
    assert read(f"data: {pretty}\n\n".encode())[1].content == "a"


# Errors


def error(status: int, body: Any = None, headers: dict[str, str] | None = None, **more: Any) -> ProviderError:
    text = body if isinstance(body, str | bytes) else json.dumps(body or {})
    return error_from_status(status, text, headers or {}, "acme", "m", **more)


def openai(message: str, code: str | None = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, openai("Incorrect API key provided", "invalid_api_key"), AuthenticationError),
        (
            401,
            {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}},
            AuthenticationError,
        ),
        (403, openai("Your account was flagged"), AuthenticationError),
        (402, openai("Insufficient credits"), QuotaExhaustedError),
        (429, openai("You exceeded your current quota", "insufficient_quota"), QuotaExhaustedError),
        (429, openai("stop", "billing_hard_limit_reached"), QuotaExhaustedError),
        (400, openai("Your credit balance is too low to access the API"), QuotaExhaustedError),
        (403, {"error": "insufficient balance"}, QuotaExhaustedError),
        (429, openai("Rate limit reached for m on tokens per min", "rate_limit_exceeded"), RateLimitError),
        (429, "", RateLimitError),
        (404, openai("The model `m` does not exist", "model_not_found"), ModelUnavailableError),
        (404, {"detail": "Not Found"}, ModelUnavailableError),
        (410, {}, ModelUnavailableError),
        (400, openai("no such model", "model_not_available"), ModelUnavailableError),
        (400, openai("too long", "context_length_exceeded"), ContextWindowError),
        (
            400,  # llama.cpp, as measured
            {
                "error": {
                    "code": 400,
                    "message": "request (3031 tokens) exceeds the available context size (2048 tokens), try "
                    "increasing it",
                    "type": "exceed_context_size_error",
                }
            },
            ContextWindowError,
        ),
        (
            400,  # vLLM
            {
                "object": "error",
                "message": "This model's maximum context length is 1024 tokens. However, you requested 1500",
                "type": "BadRequestError",
                "code": 400,
            },
            ContextWindowError,
        ),
        (
            400,
            openai("The decoder prompt (length 2000) is longer than the maximum model length of 1024."),
            ContextWindowError,
        ),
        (413, openai("prompt is too long: 210000 tokens > 200000 maximum"), ContextWindowError),
        (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096"}, ContextWindowError),
        (400, openai("The response was filtered", "content_filter"), ContentFilteredError),
        (
            400,  # Azure
            {"error": {"code": "x", "message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            ContentFilteredError,
        ),
        (403, openai("m requires moderation; your input was flagged for violence"), ContentFilteredError),
        (400, openai("Invalid value for temperature", "invalid_value"), InvalidRequestError),
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, InvalidRequestError),
        (413, "<html>Request Entity Too Large</html>", InvalidRequestError),
        (302, "", InvalidRequestError),
        (408, {}, ProviderTimeoutError),
        (504, "<html>Gateway Time-out</html>", ProviderTimeoutError),
        (524, "", ProviderTimeoutError),
        (500, openai("The server had an error"), ServerError),
        (502, b"\xff\xfe", ServerError),
        (503, "null", ServerError),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, ServerError),
        (500, [{"error": {"code": 500, "message": "wrapped in a list"}}], ServerError),
    ],
)
def test_error_kind(status: int, body: Any, kind: type[ProviderError]) -> None:
    found = error(status, body)
    assert type(found) is kind
    assert (found.provider, found.model, found.status_code) == ("acme", "m", status)
    message = str(found)
    assert "acme" in message
    assert "'m'" in message
    assert message.endswith(".")
    assert "\n" not in message
    assert "{" not in message or "detail" in str(body)


def test_error_message_holds_what_the_server_said() -> None:
    message = str(error(422, {"detail": [{"msg": "Field required"}]}))
    assert "Field required" in message
    assert "Gateway" in str(error(504, "<html><style>a{b}</style><h1>Bad\nGateway</h1></html>"))


def test_error_braces_in_what_the_server_said() -> None:
    assert "{model}" in str(error(500, openai("cannot render {model}")))


def test_error_long_text_is_cut() -> None:
    assert len(str(error(500, openai("x" * 10_000)))) < 500


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 402, 504])
def test_error_never_shows_the_key(status: int) -> None:
    key = "sk-proj-abcdef0123456789"
    padded = "y" * 230 + f" Bearer {key}"  # across the place where a long text is cut
    for said in (f"bad key {key}", padded, f"<b>{key}</b>"):
        assert "abcdef" not in str(error(status, openai(said), secrets=(key, "")))
        assert "abcdef" not in str(error(status, said, secrets=(key,)))


def test_answer_never_shows_the_key_in_errors() -> None:
    with pytest.raises(BadResponseError) as caught:
        read_answer(b"<p>Authorization: Bearer sk-12345</p>", provider="a", model="m", secrets=["sk-12345"])
    assert "sk-12345" not in str(caught.value)
    assert "****" in str(caught.value)


@pytest.mark.parametrize("hostile", ["\ud83d", "\x1b[2J", "\x07", "\x00", "\u202e"])
def test_what_a_terminal_cannot_show_or_obeys_is_not_shown(hostile: str) -> None:
    said = str(error(500, {"error": {"message": f"a{hostile}b"}}))
    assert "a\ufffd" in said
    assert said.isprintable()


def test_shown_empty() -> None:
    assert shown("  \n") == ""


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"RETRY-AFTER-MS": "1500", "Retry-After": "9"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "tomorrow"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30 +" + "9" * 20}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, now=NOW) == seconds


def test_rate_limit_carries_the_wait() -> None:
    found = error(429, {}, {"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT"}, now=NOW)
    assert found.retry_after == 30.0
    assert "wait 30 s" in str(found)
    assert error(503, "", {"Retry-After": "2"}).retry_after == 2.0


def test_quota_words_with_a_wait_are_a_rate_limit() -> None:
    said = openai("You exceeded your current quota, please check your plan and billing details")
    assert type(error(429, said, {"Retry-After": "34"})) is RateLimitError
    assert type(error(429, said)) is QuotaExhaustedError


@given(st.integers(300, 599), st.binary(max_size=200))
def test_error_of_any_bytes(status: int, body: bytes) -> None:
    assert isinstance(error_from_status(status, body, {}, "acme", "m"), ProviderError)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: (
            st.lists(c)
            | st.dictionaries(
                st.sampled_from(["error", "choices", "message", "code", "type", "usage", "content", "delta"]),
                c,
            )
        ),
        max_leaves=8,
    )
)
def test_answer_of_any_json(value: Any) -> None:
    with contextlib.suppress(ProviderError):
        answer(json.dumps(value))


@pytest.mark.parametrize("cost", ["NaN", "-5", "Infinity", '"free"', "28303312"])
def test_a_reported_cost_that_is_no_amount_is_unknown(cost: str) -> None:
    body = (
        '{"model": "m", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], '
        f'"usage": {{"prompt_tokens": 1, "completion_tokens": 1, "cost": {cost}}}}}'
    )
    assert read_answer(body, provider="p", model="m").reported_cost is None


def test_a_rate_limit_that_names_the_billing_page_is_a_rate_limit() -> None:
    message = "Rate limit reached for m. See https://platform.example/account/billing for higher limits."
    body = {"error": {"message": message, "code": "rate_limit_exceeded"}}
    assert type(error_from_status(429, body, {}, "p", "m")) is RateLimitError
