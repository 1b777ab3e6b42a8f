from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llmbench.errors import ConnectionFailedError, ModelUnavailableError, ProviderError
from llmbench.providers import LlamaProvider
from llmbench.providers.ollama_wire import LineReader, chat_body, read_reply
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


def request(**params: Any) -> ChatRequest:
    return ChatRequest("m", [{"role": "user", "content": "hi"}], params)


def test_json_without_a_schema() -> None:
    body = chat_body(
        request(response_format={"type": "json_object"}), model="m", stream=False, provider="ollama"
    )
    assert body["format"] == "json"


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
