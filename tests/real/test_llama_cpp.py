"""llama.cpp's own server: what a custom endpoint, or a vLLM-style one, is in practice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from llmbench import CustomProvider, LlamaProvider
from llmbench.errors import (
    ConnectionFailedError,
    ContextWindowError,
    InvalidRequestError,
    ProviderTimeoutError,
)
from llmbench.providers import BaseLLMProvider
from tests.real.parts import (
    SCHEMA,
    Part,
    ask,
    check_schema,
    message,
    response_format,
    start_cancel,
    stream,
    together,
    wait_until,
)

MODEL = "smollm2-135m"
CAPITAL = "What is the capital of France?"
STORY = "Tell a long story about a river."
COUNT = "Count from 1 to 1000, one number a line."
CONTEXT = 2048  # of each slot, in llama_cpp_server.py


def custom(url: str, **config: Any) -> BaseLLMProvider:
    prices = {MODEL: {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"}}
    return CustomProvider({"base_url": f"{url}/v1", "prices": prices, "max_attempts": 1, **config})


def llama_on_vllm(url: str, **config: Any) -> BaseLLMProvider:
    return LlamaProvider({"backend": "vllm", "base_url": f"{url}/v1", "max_attempts": 1, **config})


@pytest.fixture(params=[custom, llama_on_vllm])
def provider(request: pytest.FixtureRequest, llama_cpp: Part) -> BaseLLMProvider:
    make: Callable[[str], BaseLLMProvider] = request.param
    return make(llama_cpp.url)


def busy_slots(part: Part) -> int:
    _, body = part.get("/slots")
    return sum(slot["is_processing"] for slot in json.loads(body))


def test_chat(provider: BaseLLMProvider) -> None:
    answer = ask(provider, CAPITAL, model=MODEL, temperature=0, max_tokens=8)
    assert answer.content
    assert (answer.model, answer.provider, answer.served_model) == (MODEL, provider.name, MODEL)
    assert answer.usage is not None
    # The same message read by the same model in process: tests/providers/test_local.py
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (37, 8)
    assert answer.finish_reason == "length"
    assert answer.timing is not None
    assert answer.timing.decode_ms is not None
    assert 0 < answer.timing.decode_ms < answer.timing.latency_ms


def test_cost(llama_cpp: Part) -> None:
    priced = ask(custom(llama_cpp.url), CAPITAL, model=MODEL, temperature=0, max_tokens=8)
    assert priced.cost == pytest.approx((37 * 1.0 + 8 * 2.0) / 1e6)
    assert (priced.cost_basis, priced.price_as_of) == ("priced", "2026-11-01")
    own = ask(llama_on_vllm(llama_cpp.url), CAPITAL, model=MODEL, temperature=0, max_tokens=8)
    assert (own.cost, own.cost_basis) == (0.0, "self-hosted")


def test_stream(provider: BaseLLMProvider) -> None:
    whole = ask(provider, CAPITAL, model=MODEL, temperature=0, max_tokens=24)
    pieces, answer = stream(provider, CAPITAL, model=MODEL, temperature=0, max_tokens=24)
    assert len(pieces) > 3
    assert "".join(pieces) == answer.content == whole.content
    assert answer.usage is not None
    assert whole.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (37, whole.usage.output_tokens)
    assert answer.timing is not None
    assert answer.timing.time_to_first_token_ms is not None
    assert 0 < answer.timing.time_to_first_token_ms < answer.timing.latency_ms


def test_a_prompt_read_before_is_counted_as_cached(provider: BaseLLMProvider) -> None:
    text = "The river is long and its water is cold. " * 20
    answers = [ask(provider, text, model=MODEL, temperature=0, max_tokens=1) for _ in range(2)]
    first, second = (answer.usage for answer in answers)
    assert first is not None
    assert second is not None
    assert first.input_tokens == second.input_tokens
    assert second.cache_read_tokens > second.input_tokens / 2


def test_system_message_and_several_turns(provider: BaseLLMProvider, llama_cpp: Part) -> None:
    turns = [
        {"role": "system", "content": "You answer in one word."},
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello Ada."},
        {"role": "user", "content": "What is my name?"},
    ]
    (answer,) = together(provider, [{"messages": turns, "model": MODEL, "max_tokens": 8}])
    _, prompt = llama_cpp.request("POST", "/apply-template", {"messages": turns})
    text = json.loads(prompt)["prompt"]
    assert all(turn["content"] in text for turn in turns)
    _, tokens = llama_cpp.request("POST", "/tokenize", {"content": text, "parse_special": True})
    assert answer.usage is not None
    assert answer.usage.input_tokens == len(json.loads(tokens)["tokens"])


def test_json_schema(provider: BaseLLMProvider) -> None:
    question = "Was this film good? 'I loved every minute.' Answer in JSON."
    answer = ask(
        provider,
        question,
        model=MODEL,
        temperature=0,
        max_tokens=100,
        response_format=response_format(),
    )
    check_schema(answer.content, SCHEMA)
    free = ask(provider, question, model=MODEL, temperature=0, max_tokens=100)
    with pytest.raises((ValueError, jsonschema.ValidationError)):
        check_schema(free.content, SCHEMA)  # so it was the schema that made the difference


def test_stop(provider: BaseLLMProvider) -> None:
    free = ask(provider, STORY, model=MODEL, temperature=0, max_tokens=40)
    word = free.content.split()[5]
    stopped = ask(provider, STORY, model=MODEL, temperature=0, max_tokens=40, stop=[word])
    assert stopped.content == free.content[: free.content.index(word)]
    assert (free.finish_reason, stopped.finish_reason) == ("length", "stop")


def test_seed(provider: BaseLLMProvider) -> None:
    def draw(seed: int) -> str:
        return ask(provider, STORY, model=MODEL, temperature=1.5, max_tokens=24, seed=seed).content

    assert draw(7) == draw(7)
    assert len({draw(seed) for seed in range(4)}) > 1


def test_other_options_arrive(provider: BaseLLMProvider) -> None:
    """top_p = 0 leaves only the likeliest word, whatever the temperature."""
    options = {"model": MODEL, "max_tokens": 12}
    likeliest = ask(provider, STORY, temperature=0, **options).content
    for seed in (1, 2):
        assert ask(provider, STORY, temperature=2, top_p=0.0, seed=seed, **options).content == likeliest
    penalized = ask(provider, "Say no no no no no.", temperature=0, frequency_penalty=2.0, **options)
    free = ask(provider, "Say no no no no no.", temperature=0, **options)
    assert penalized.content != free.content


def test_context_overflow(provider: BaseLLMProvider) -> None:
    with pytest.raises(ContextWindowError, match=rf"{CONTEXT}.*tokens|tokens.*{CONTEXT}") as caught:
        ask(provider, "word " * (CONTEXT + 10), model=MODEL, max_tokens=4)
    assert caught.value.status_code == 400
    assert len(caught.value.attempts) == 1
    with pytest.raises(ContextWindowError):
        stream(provider, "word " * (CONTEXT + 10), model=MODEL, max_tokens=4)


def wait_for_idle(part: Part) -> None:
    """Well before the answer of 1,900 tokens would be whole. llama.cpp looks for closed connections
    once it has had nothing to report for a second, so it must not be asked more often than that.
    """
    wait_until(lambda: busy_slots(part) == 0, "the server still works for nobody", within_s=6, every_s=1.5)


def test_cancelled_call_leaves_the_server_idle(provider: BaseLLMProvider, llama_cpp: Part) -> None:
    assert busy_slots(llama_cpp) == 0
    start_cancel(
        provider,
        lambda: busy_slots(llama_cpp) > 0,
        messages=message(COUNT),
        model=MODEL,
        temperature=0,
        max_tokens=1900,
    )
    assert busy_slots(llama_cpp) == 1
    wait_for_idle(llama_cpp)


@pytest.mark.parametrize("streamed", [False, True])
def test_deadline_leaves_the_server_idle(provider: BaseLLMProvider, llama_cpp: Part, streamed: bool) -> None:
    call: Any = stream if streamed else ask
    with pytest.raises(ProviderTimeoutError, match="within 1 s"):
        call(provider, COUNT, model=MODEL, temperature=0, max_tokens=1900, deadline_s=1)
    wait_for_idle(llama_cpp)


def test_unknown_option_is_refused(provider: BaseLLMProvider) -> None:
    with pytest.raises(InvalidRequestError, match=f"{provider.name}.*'mirostat'"):
        ask(provider, CAPITAL, model=MODEL, mirostat=2)


def test_option_that_the_server_refuses(provider: BaseLLMProvider) -> None:
    broken = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no such type"}}}
    with pytest.raises(InvalidRequestError) as caught:
        ask(provider, CAPITAL, model=MODEL, max_tokens=4, response_format=broken)
    assert caught.value.status_code == 400


def test_more_calls_than_slots(provider: BaseLLMProvider) -> None:
    numbers = range(8)
    answers = together(
        provider,
        [
            {
                "messages": message(f"Count from {n} to 20."),
                "model": MODEL,
                "max_tokens": 8,
                "temperature": 0,
            }
            for n in numbers
        ],
    )
    assert [answer.usage.output_tokens for answer in answers if answer.usage] == [8] * len(numbers)
    assert all(answer.content for answer in answers)


def test_nothing_listens(provider: BaseLLMProvider) -> None:
    gone = type(provider)(
        {
            "base_url": "http://127.0.0.1:9/v1",  # the discard port: nothing serves HTTP there
            "max_attempts": 1,
            "backend": provider.backend,
        }
    )
    with pytest.raises(ConnectionFailedError):
        ask(gone, CAPITAL, model=MODEL)
