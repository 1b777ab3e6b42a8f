from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llmbench.errors import (
    BadResponseError,
    ConnectionFailedError,
    ContextWindowError,
    ModelUnavailableError,
    ProviderError,
    ServerError,
    UsageError,
)
from llmbench.providers import LlamaProvider
from llmbench.providers.ollama_wire import LineReader, chat_body, chat_error, read_reply
from llmbench.types import ChatRequest, LLMResponse
from tests.providers.dialects.ollama import OllamaDialect
from tests.providers.vendor_stub import VendorStub, serving

HELLO = [{"role": "user", "content": "hello"}]


def ask(stub: VendorStub, model: str = "m", **settings: Any) -> LLMResponse:
    provider = LlamaProvider({"backend": "ollama", "base_url": stub.url, **settings})

    async def once() -> LLMResponse:
        try:
            return await provider.chat_completion(HELLO, model)
        finally:
            await provider.aclose()

    return asyncio.run(once())


def test_nanoseconds_split_load_prefill_and_decode() -> None:
    with serving(OllamaDialect()) as stub:
        timing = ask(stub).timing
    assert timing is not None
    assert (timing.load_ms, timing.prefill_ms, timing.decode_ms) == (5.0, 20.0, 30.0)


def test_a_call_costs_nothing() -> None:
    with serving(OllamaDialect()) as stub:
        answer = ask(stub)
    assert (answer.cost, answer.cost_basis) == (0.0, "self-hosted")


def test_a_prompt_that_is_too_long_is_never_cut_in_silence() -> None:
    with serving(OllamaDialect()) as stub:
        ask(stub)
        assert stub.asked[0].body["truncate"] is False
        assert stub.asked[0].body["shift"] is False


def test_context_and_keep_alive_are_passed_on() -> None:
    with serving(OllamaDialect()) as stub:
        ask(stub, context=8192, keep_alive="10m")
        assert stub.asked[0].body["options"] == {"num_ctx": 8192}
        assert stub.asked[0].body["keep_alive"] == "10m"


@pytest.mark.parametrize("path", ["", "/", "/v1", "/api", "/v1/"])
def test_an_address_may_end_in_the_paths_of_other_interfaces(path: str) -> None:
    with serving(OllamaDialect()) as stub:
        stub.url += path
        assert ask(stub).content


def test_a_model_that_is_not_there_is_named_with_how_to_get_it() -> None:
    with serving(OllamaDialect()) as stub, pytest.raises(ModelUnavailableError, match="ollama pull missing"):
        ask(stub, "missing", max_attempts=1)


def test_what_to_pull_is_the_id_that_was_sent() -> None:
    with serving(OllamaDialect()) as stub, pytest.raises(ModelUnavailableError) as caught:
        ask(stub, "llama-9-tiny", model_ids={"llama-9-tiny": "missing"}, max_attempts=1)
    assert "ollama pull missing." in str(caught.value)
    assert caught.value.model == "llama-9-tiny"


@pytest.mark.parametrize(
    "setting",
    [{"context": 0}, {"context": "8192"}, {"context": True}, {"keep_alive": True}, {"keep_alive": [1]}],
    ids=str,
)
def test_settings_that_cannot_be_meant(setting: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(setting))):
        LlamaProvider({"backend": "ollama", **setting})


def request(**params: Any) -> ChatRequest:
    return ChatRequest("m", [{"role": "user", "content": "hi"}], params)


def test_json_without_a_schema() -> None:
    body = chat_body(
        request(response_format={"type": "json_object"}), model="m", stream=False, provider="ollama"
    )
    assert body["format"] == "json"


def test_a_role_that_templates_do_not_know_is_not_lost() -> None:
    messages = [{"role": "developer", "content": "be kind"}, {"role": "user", "content": "hi"}]
    body = chat_body(ChatRequest("m", messages), model="m", stream=False, provider="ollama")
    assert body["messages"] == [{"role": "system", "content": "be kind"}, messages[1]]
    assert messages[0]["role"] == "developer"


# As ollama/ollama words them: its llama-server, its MLX runner, and the check before both.
TOO_LONG = [
    (400, "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"),
    (400, "the input length exceeds the context length"),
    (
        400,
        "the prompt is longer than the context length currently available to the model; shorten the prompt",
    ),
    (500, "input length (9000 tokens) exceeds the model's maximum context length (4096 tokens)"),
]


@pytest.mark.parametrize(("status", "text"), TOO_LONG)
def test_a_prompt_that_is_too_long(status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    error = chat_error(status, body, {}, provider="ollama", model="m")
    assert type(error) is ContextWindowError
    assert error.status_code == status
    with pytest.raises(ContextWindowError):
        LineReader(provider="ollama", model="m").feed(body + b"\n")


@pytest.mark.parametrize("text", ["context canceled", "failed to create context: out of memory", ""])
def test_other_failures_stay_failures_of_the_server(text: str) -> None:
    error = chat_error(500, json.dumps({"error": text}).encode(), {}, provider="ollama", model="m")
    assert type(error) is ServerError


def test_a_reply_that_is_not_finished_is_no_answer() -> None:
    body = {"message": {"content": "4"}, "done": False}
    with pytest.raises(BadResponseError, match="not finished"):
        read_reply(json.dumps(body).encode(), provider="ollama", model="m")


def test_thinking_is_no_content() -> None:
    body = {"message": {"content": "4", "thinking": "2 + 2"}, "done": True, "done_reason": "stop"}
    answer = read_reply(json.dumps(body).encode(), provider="ollama", model="m")
    assert answer.content == "4"
    assert answer.metadata == {"reasoning": "2 + 2"}


def test_a_missing_count_makes_no_usage() -> None:
    body = {"message": {"content": "4"}, "done": True, "eval_count": 3}
    assert read_reply(json.dumps(body).encode(), provider="ollama", model="m").usage is None


HOSTILE = [
    b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe", b'{"message": null}', b'{"message": "text"}',
    b'{"message": {"content": 3}, "done": true, "eval_count": -1, "prompt_eval_count": "x"}',
    b'{"message": {"content": "a"}, "done": true, "eval_count": NaN, "prompt_eval_count": true}',
    b'{"error": {"message": 3}}', b'{"error": ["x"]}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_raise_nothing_else(body: bytes) -> None:
    try:
        answer = read_reply(body, provider="ollama", model="m")
        assert answer.usage is None
    except ProviderError:
        pass
    reader = LineReader(provider="ollama", model="m")
    try:
        reader.feed(body + b"\n")
        reader.feed(b"", last=True)
        reader.finish()
    except ProviderError:
        pass


def test_a_line_cut_in_its_middle_is_a_cut_stream() -> None:
    reader = LineReader(provider="ollama", model="m")
    reader.feed(b'{"message": {"content": "a"}, "done": false}\n{"mess')
    with pytest.raises(ConnectionFailedError):
        reader.feed(b"", last=True)


@pytest.mark.parametrize("content", [0, True, {}, ["a"]])
def test_content_that_cannot_be_read_is_no_empty_answer(content: Any) -> None:
    body = json.dumps({"message": {"content": content}, "done": True}).encode()
    with pytest.raises(BadResponseError, match="content that cannot be read"):
        read_reply(body, provider="ollama", model="m")
    with pytest.raises(BadResponseError, match="content that cannot be read"):
        LineReader(provider="ollama", model="m").feed(body + b"\n")


def test_what_comes_behind_the_end_does_not_count() -> None:
    reader = LineReader(provider="ollama", model="m")
    line = b'{"message": {"content": "a"}, "done": true}\n'
    assert reader.feed(line + line) == ["a"]
    assert reader.feed(line, last=True) == []
    assert reader.finish().content == "a"
