"""A real vLLM, without a GPU, serving a tiny random Llama and then a tiny random Mixtral.

What the models say is noise; how it is served, counted, sampled and refused is vLLM's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from llmbench import CustomProvider, LlamaProvider, MixtralProvider
from llmbench.errors import (
    AuthenticationError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.loadtest import LoadPlan, Objective, load_test
from llmbench.providers import BaseLLMProvider
from tests.real.parts import (
    MODELS,
    VLLM_PYTHON,
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

KEY = "key-of-the-tests"
CONTEXT = 4096
STORY = "Tell a story."
# A model of noise may end its answer at any token; a grammar does not let it.
LONG = response_format({"type": "array", "items": {"enum": [1]}, "minItems": CONTEXT})
ENDLESS: dict[str, Any] = {"max_tokens": CONTEXT - 100, "temperature": 0, "response_format": LONG}
FAMILIES = {"tiny-llama": LlamaProvider, "tiny-mixtral": MixtralProvider}


@pytest.fixture(scope="module", params=list(FAMILIES))
def vllm(request: pytest.FixtureRequest) -> Iterator[Part]:
    """One model at a time: each server takes the memory and the cores of a small machine."""
    name: str = request.param

    def command(port: int) -> list[str]:
        return [
            *[str(VLLM_PYTHON), "-m", "vllm.entrypoints.openai.api_server"],
            *["--model", str(MODELS / name), "--served-model-name", name],
            *["--host", "127.0.0.1", "--port", str(port), "--api-key", KEY],
            *["--dtype", "bfloat16", "--max-model-len", str(CONTEXT), "--enforce-eager"],
            "--enable-prompt-tokens-details",
            # A model of noise would write blanks between the braces until it is cut off.
            *["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'],
        ]

    part = Part(
        f"vllm-{name}",
        command,
        ready="/health",
        within_s=180,
        environment={
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        },
        # Its processes wait for each other without sleeping; on a machine of two cores the client
        # would get no turn for up to 9 s, and its deadline would come after the whole answer.
        one_core=True,
    )
    with part:
        yield part


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.node.callspec.params["vllm"]
    return name


@pytest.fixture
def provider(vllm: Part, model: str) -> BaseLLMProvider:
    return open_provider(vllm, model)


def open_provider(part: Part, model: str, **config: Any) -> BaseLLMProvider:
    settings = {"backend": "vllm", "base_url": f"{part.url}/v1", "api_key": KEY, "max_attempts": 1}
    return FAMILIES[model](settings | config)


def counted(part: Part) -> tuple[int, int]:
    """Tokens read and written so far, by vLLM's own metrics."""
    _, metrics = part.get("/metrics")
    values = [
        re.search(rf"^vllm:{name}_tokens_total{{.*}} ([0-9.e+]+)$", metrics.decode(), re.MULTILINE)
        for name in ("prompt", "generation")
    ]
    read, written = (int(float(found.group(1))) if found else 0 for found in values)
    return read, written


def in_flight(part: Part) -> int:
    _, metrics = part.get("/metrics")
    found = re.search(r"^vllm:num_requests_running{.*} ([0-9.]+)$", metrics.decode(), re.MULTILINE)
    assert found
    return int(float(found.group(1)))


def test_chat(provider: BaseLLMProvider, model: str) -> None:
    answer = ask(provider, STORY, model=model, max_tokens=8, temperature=0)
    assert answer.content
    assert (answer.provider, answer.model, answer.served_model) == (provider.name, model, model)
    assert answer.finish_reason == "length"
    assert (answer.cost, answer.cost_basis) == (0.0, "self-hosted")
    assert answer.timing is not None
    assert answer.timing.latency_ms > 0


def test_usage_is_what_the_server_counted(provider: BaseLLMProvider, vllm: Part, model: str) -> None:
    turns = [{"role": "system", "content": "Be brief."}, *message("Name a river."), *message("And a lake.")]
    body = {"model": model, "messages": turns}
    _, tokenized = vllm.request("POST", "/tokenize", body, headers={"Authorization": f"Bearer {KEY}"})
    before = counted(vllm)
    (answer,) = together(
        provider, [{"messages": turns, "model": model, "max_tokens": 17, "temperature": 1.0, "seed": 5}]
    )
    after = counted(vllm)
    assert answer.usage is not None
    assert answer.usage.input_tokens == json.loads(tokenized)["count"]
    used = (answer.usage.input_tokens, answer.usage.output_tokens)
    assert used == (after[0] - before[0], after[1] - before[1])


def test_a_prompt_read_before_is_counted_as_cached(provider: BaseLLMProvider, model: str) -> None:
    text = "the quick brown fox " * 40
    first, second = (ask(provider, text, model=model, max_tokens=1).usage for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.input_tokens == second.input_tokens
    assert first.cache_read_tokens < second.cache_read_tokens <= second.input_tokens


def test_stream(provider: BaseLLMProvider, model: str) -> None:
    options: dict[str, Any] = {"model": model, "max_tokens": 30, "temperature": 0}
    whole = ask(provider, STORY, **options)
    pieces, answer = stream(provider, STORY, **options)
    assert len(pieces) > 10
    assert "".join(pieces) == answer.content == whole.content
    assert answer.usage is not None
    assert whole.usage is not None
    assert answer.usage.total_tokens == whole.usage.total_tokens
    assert answer.finish_reason == whole.finish_reason
    assert answer.timing is not None
    assert answer.timing.time_to_first_token_ms is not None
    assert 0 < answer.timing.time_to_first_token_ms < answer.timing.latency_ms


def test_seed(provider: BaseLLMProvider, model: str) -> None:
    def draw(seed: int) -> str:
        return ask(provider, STORY, model=model, max_tokens=12, temperature=1.0, seed=seed).content

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_stop(provider: BaseLLMProvider, model: str) -> None:
    options: dict[str, Any] = {"model": model, "max_tokens": 60, "temperature": 1.0, "seed": 1}
    free = ask(provider, STORY, **options).content
    stopped = ask(provider, STORY, **options, stop=["e"])
    assert stopped.content == free[: free.index("e")]
    assert stopped.finish_reason == "stop"


def test_json_schema(provider: BaseLLMProvider, model: str) -> None:
    options: dict[str, Any] = {"model": model, "max_tokens": 100, "temperature": 1.0}
    verdicts = set()
    for seed in range(4):
        answer = ask(provider, STORY, **options, seed=seed, response_format=response_format())
        assert answer.finish_reason == "stop"
        verdicts.add(tuple(check_schema(answer.content).values()))
    assert len(verdicts) > 1
    _, streamed = stream(provider, STORY, **options, seed=0, response_format=response_format())
    check_schema(streamed.content)


def test_other_options_arrive(provider: BaseLLMProvider, model: str) -> None:
    options: dict[str, Any] = {"model": model, "max_tokens": 12}
    likeliest = ask(provider, STORY, temperature=0, **options).content
    nearly_greedy = ask(provider, STORY, temperature=2.0, top_p=1e-6, seed=3, **options).content
    assert nearly_greedy == likeliest
    for penalty in ("presence_penalty", "frequency_penalty"):
        # Scores of noise differ by less than 2: what was said once is said again, for ever.
        repeated = ask(provider, STORY, temperature=0, **{penalty: -2.0}, **options).content
        assert repeated != likeliest
        assert len(set(repeated)) <= len(set(likeliest)) / 2


def test_unknown_model(provider: BaseLLMProvider) -> None:
    with pytest.raises(ModelUnavailableError, match="no-such-model") as caught:
        ask(provider, STORY, model="no-such-model")
    assert caught.value.status_code == 404
    with pytest.raises(ModelUnavailableError):
        stream(provider, STORY, model="no-such-model")


def test_model_that_the_server_calls_otherwise(vllm: Part, model: str) -> None:
    known = "llama-3.1-8b" if model == "tiny-llama" else "mixtral-8x7b"
    provider = open_provider(vllm, model, model_ids={known: model})
    answer = ask(provider, STORY, model=known, max_tokens=4)
    assert (answer.model, answer.served_model) == (known, model)


def test_bad_temperature(provider: BaseLLMProvider, vllm: Part, model: str) -> None:
    before = counted(vllm)
    with pytest.raises(UsageError, match="temperature"):
        ask(provider, STORY, model=model, temperature=-5)
    assert counted(vllm) == before  # refused before anything was sent


def test_number_that_the_server_refuses(provider: BaseLLMProvider, model: str) -> None:
    with pytest.raises(InvalidRequestError, match="top_p must be in") as caught:
        ask(provider, STORY, model=model, top_p=5.0)
    assert caught.value.status_code == 400
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize(("words", "max_tokens"), [(2 * CONTEXT, 4), (1, CONTEXT + 1)])
def test_context_overflow(provider: BaseLLMProvider, model: str, words: int, max_tokens: int) -> None:
    for call in (ask, stream):
        with pytest.raises(ContextWindowError, match=str(CONTEXT)):
            call(provider, "word " * words, model=model, max_tokens=max_tokens)  # type: ignore[operator]


def test_unknown_option_is_refused(provider: BaseLLMProvider, model: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"{provider.name} on vllm .*'best_of'"):
        ask(provider, STORY, model=model, best_of=2)


def test_wrong_key(vllm: Part, model: str) -> None:
    for config in ({"api_key": "another-key"}, {"api_key": None}):
        with pytest.raises(AuthenticationError) as caught:
            ask(open_provider(vllm, model, **config), STORY, model=model)
        assert caught.value.status_code == 401
        assert "another-key" not in str(caught.value)


def test_sixteen_at_a_time(provider: BaseLLMProvider, vllm: Part, model: str) -> None:
    before = counted(vllm)
    answers = together(
        provider,
        [
            {
                "messages": message(f"Number {n}."),
                "model": model,
                "max_tokens": 10 + n,
                "temperature": 1.0,
                "seed": n,
            }
            for n in range(16)
        ],
    )
    after = counted(vllm)
    usages = [answer.usage for answer in answers if answer.usage]
    assert len(usages) == 16
    assert sum(usage.input_tokens for usage in usages) == after[0] - before[0]
    assert sum(usage.output_tokens for usage in usages) == after[1] - before[1]
    # A model of noise ends an answer early now and then; no answer is longer than asked for.
    assert all(usage.output_tokens <= 10 + n for n, usage in enumerate(usages))
    assert len({answer.content for answer in answers}) == 16


def test_load(vllm: Part, model: str) -> None:
    # A model of noise may end its answer at any token.
    body = {"ignore_eos": True}
    url = f"{vllm.url}/v1"
    provider = CustomProvider({"base_url": url, "api_key": KEY, "usd_per_hour": 0.1, "body": body})
    plan = LoadPlan(
        rates=(2.0, 4.0), seconds=4, input_tokens=60, output_tokens=16, objective=Objective(10_000, 2_000)
    )
    read, written = counted(vllm)
    found = load_test(provider, model, plan)
    assert found.knee.kept is not None
    done = sum(each.completed for each in found.results)
    assert done == sum(each.sent for each in found.results)
    assert sum(each.output_tokens or 0 for each in found.results) == 16 * done
    assert counted(vllm)[1] - written == 16 * (done + 2)  # two to warm up
    assert counted(vllm)[0] - read > sum(each.input_tokens or 0 for each in found.results) > 40 * done
    for each in found.results:
        assert each.ttft.p50 is not None
        assert each.tpot.p50 is not None
        assert each.latency.p50 is not None
        assert 0 < each.tpot.p50 < each.latency.p50
        assert 0 < each.ttft.p50 < each.latency.p50


def test_cancelled_call_leaves_the_server_idle(provider: BaseLLMProvider, vllm: Part, model: str) -> None:
    _, written = counted(vllm)
    start_cancel(
        provider, lambda: counted(vllm)[1] > written, messages=message(STORY), model=model, **ENDLESS
    )
    check_gave_up(vllm, written)


@pytest.mark.parametrize("streamed", [False, True])
def test_deadline_leaves_the_server_idle(
    provider: BaseLLMProvider, vllm: Part, model: str, streamed: bool
) -> None:
    call: Any = stream if streamed else ask
    _, written = counted(vllm)
    with pytest.raises(ProviderTimeoutError, match=r"within 0\.5 s"):
        call(provider, STORY, model=model, **ENDLESS, deadline_s=0.5)
    check_gave_up(vllm, written)


def check_gave_up(part: Part, written_before: int) -> None:
    wait_until(lambda: in_flight(part) == 0, "vLLM still works for nobody", within_s=15)
    _, written = counted(part)
    assert written - written_before < ENDLESS["max_tokens"]
