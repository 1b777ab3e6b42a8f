from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmbench.errors import (
    BadResponseError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ServerError,
    UsageError,
)
from llmbench.providers import BaseLLMProvider, LlamaProvider, MixtralProvider
from llmbench.providers.adapter import Place
from llmbench.providers.replicate_backend import open_adapter
from llmbench.providers.replicate_wire import prediction_answer, prediction_input
from llmbench.secret import Secret
from llmbench.types import ChatRequest, LLMResponse
from tests.providers.cases import KEY
from tests.providers.dialects.replicate import ReplicateDialect
from tests.providers.vendor_stub import VendorStub, serving

HELLO = [{"role": "user", "content": "hello"}]


def build(stub: VendorStub, **settings: Any) -> BaseLLMProvider:
    return LlamaProvider(
        {"backend": "replicate", "base_url": stub.url, "api_key": KEY, "poll_s": 0.01, **settings}
    )


def ask(stub: VendorStub, model: str = "stub/m", **options: Any) -> LLMResponse:
    provider = build(stub, max_attempts=1)

    async def once() -> LLMResponse:
        try:
            return await provider.chat_completion(HELLO, model, **options)
        finally:
            await provider.aclose()

    return asyncio.run(once())


def test_a_cold_start_is_apart_from_the_run() -> None:
    with serving(ReplicateDialect("stub/")) as stub:
        answer = ask(stub)
    assert answer.timing is not None
    assert answer.timing.queue_ms == 12_500
    assert answer.timing.prefill_ms == pytest.approx(20.0)
    assert answer.timing.decode_ms == pytest.approx(30.0)
    assert answer.metadata["predict_time_s"] == 0.05


def test_the_catalogs_price_holds_by_token(stub: VendorStub) -> None:
    provider = build(stub)
    assert provider.get_model_info("llama-3-70b").cost_per_1k_output_tokens == pytest.approx(0.00275)


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [("fails", ServerError), ("too-long", ContextWindowError), ("nsfw", ContentFilteredError)],
)
def test_a_prediction_that_fails(scenario: str, kind: type[ProviderError]) -> None:
    with serving(ReplicateDialect("stub/")) as stub, pytest.raises(kind) as caught:
        ask(stub, f"stub/{scenario}")
    assert type(caught.value) is kind


def test_who_leaves_cancels_the_prediction() -> None:
    with serving(ReplicateDialect("stub/")) as stub:
        provider = build(stub, poll_s=5)

        async def leave() -> None:
            task = asyncio.create_task(provider.chat_completion(HELLO, "stub/m"))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await provider.aclose()

        asyncio.run(leave())
        assert stub.cut.is_set(), "the prediction runs, and is charged, on"


def test_a_model_that_replicate_does_not_have_is_not_asked_for() -> None:
    with serving(ReplicateDialect("stub/")) as stub:
        with pytest.raises(ModelUnavailableError, match="owner/name"):
            ask(stub, "llama-3.1-8b")
        assert not stub.asked


@pytest.mark.parametrize("option", ["seed", "stop", "response_format"])
def test_what_its_models_do_not_take_is_refused(option: str, stub: VendorStub) -> None:
    value = {"seed": 1, "stop": ["x"], "response_format": {"type": "json_object"}}[option]
    with pytest.raises(InvalidRequestError, match=f"llama on replicate .*{option}"):
        build(stub).request(HELLO, "llama-3-70b", **{option: value})


def request(*contents: tuple[str, str], **params: Any) -> ChatRequest:
    return ChatRequest("m", [{"role": role, "content": content} for role, content in contents], params)


def test_llama_3s_template() -> None:
    # Meta's example, llama.com/docs/model-cards-and-prompt-formats/meta-llama-3
    found = prediction_input(
        request(("system", "You are a helpful AI assistant"), ("user", "What can you help me with?")),
        model="meta/meta-llama-3-70b-instruct",
        provider="llama",
    )
    assert found["prompt"] == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "You are a helpful AI assistant<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWhat can you help me with?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert found["prompt_template"] == "{prompt}"


def test_mixtrals_template() -> None:
    found = prediction_input(
        request(
            ("system", "be kind"), ("user", "one"), ("assistant", "two"), ("user", "three"), max_tokens=5
        ),
        model="mistralai/mixtral-8x7b-instruct-v0.1",
        provider="mixtral",
    )
    assert found["prompt"] == "<s>[INST] be kind\n\none [/INST] two</s>[INST] three [/INST]"
    assert found["max_new_tokens"] == 5


@pytest.mark.parametrize("mark", ["<|eot_id|>", "[/INST]", "</s>"])
def test_content_cannot_end_its_own_turn(mark: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]"):
        prediction_input(request(("user", f"x {mark} y")), model="meta/x", provider="llama")


def test_turns_of_mixtral_alternate() -> None:
    with pytest.raises(InvalidRequestError, match="alternate"):
        prediction_input(request(("user", "a"), ("user", "b")), model="a/mixtral", provider="mixtral")


@pytest.mark.parametrize(
    ("home", "there", "allowed"),
    [
        ("https://api.replicate.com", "https://stream.replicate.com/v1/x", True),
        ("https://api.replicate.com", "https://stream.replicate.com.evil.example/x", False),
        ("https://api.replicate.com", "http://stream.replicate.com/x", False),
        ("https://proxy.example", "https://stream.replicate.com/x", False),
        ("https://proxy.example", "https://proxy.example/x", True),
        ("https://proxy.example", "https://proxy.example:444/x", False),
    ],
)
def test_the_key_goes_to_no_other_host(home: str, there: str, allowed: bool) -> None:
    adapter = open_adapter(Place("llama", home, Secret(KEY)))
    if allowed:
        adapter._check_host(there, request(("user", "x")))
        return
    with pytest.raises(BadResponseError, match="another host"):
        adapter._check_host(there, request(("user", "x")))


@pytest.mark.parametrize("poll_s", [0, -1, "1", True])
def test_the_time_between_two_looks(poll_s: Any, stub: VendorStub) -> None:
    with pytest.raises(UsageError, match="poll_s"):
        build(stub, poll_s=poll_s)


@pytest.mark.parametrize(
    "prediction",
    [
        {},
        {"output": {"a": 1}, "metrics": "x", "created_at": 3, "started_at": None},
        {"output": ["a", 3, None], "metrics": {"input_token_count": -1, "output_token_count": True}},
        {"output": "text", "metrics": {"predict_time": float("nan"), "time_to_first_token": "x"}},
        {"created_at": "2026-01-01T00:00:05Z", "started_at": "2026-01-01T00:00:00Z"},
    ],
)
def test_odd_predictions_make_no_wrong_numbers(prediction: dict[str, Any]) -> None:
    answer = prediction_answer(prediction, request(("user", "x")))
    assert answer.usage is None
    assert answer.queue_ms is None
    assert answer.decode_ms is None


@pytest.mark.parametrize("family", [LlamaProvider, MixtralProvider])
def test_both_families_have_models_there(family: Callable[[dict[str, Any]], BaseLLMProvider]) -> None:
    assert family({"backend": "replicate", "api_key": KEY}).list_models()
