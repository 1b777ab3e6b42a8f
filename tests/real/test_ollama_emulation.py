"""The ollama backend against an emulation of Ollama (no package ships its server), the emulation
against Ollama's own OpenAPI file, and our requests against the same file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import aiohttp
import jsonschema
import pytest

from llmbench import LlamaProvider, MixtralProvider
from llmbench.errors import (
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
)
from llmbench.providers import BaseLLMProvider
from tests.real.judge import close, keep_paths, make_nullable, prism, read_spec
from tests.real.ollama_emulation import OllamaEmulation
from tests.real.parts import SCHEMA, Part, ask, check_schema, message, response_format, stream
from tests.real.witness import Witness, serving

TAG = "smollm2:135m"
LOAD_NS = 350_000_000
CAPITAL = "What is the capital of France?"
STORY = "Tell a long story about a river."


class Emulated(NamedTuple):
    emulation: OllamaEmulation
    url: str


@pytest.fixture
def ollama_emulation(llama_cpp: Part) -> Iterator[Emulated]:
    emulation = OllamaEmulation(llama_cpp.url, {TAG: "smollm2-135m"}, LOAD_NS)
    with serving(emulation.app()) as url:
        yield Emulated(emulation, url)


@pytest.fixture
def provider(ollama_emulation: Emulated) -> BaseLLMProvider:
    return open_provider(ollama_emulation.url)


def open_provider(url: str, **config: Any) -> BaseLLMProvider:
    return LlamaProvider({"backend": "ollama", "base_url": url, "max_attempts": 1, "model": TAG, **config})


# The emulation itself


def read(url: str, path: str, body: Any = None) -> tuple[int, list[Any]]:
    """Status, and the JSON of each line."""

    async def call() -> tuple[int, list[Any]]:
        method = "GET" if body is None else "POST"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url + path, json=body) as reply,
        ):
            return reply.status, [json.loads(line) for line in (await reply.read()).splitlines()]

    return asyncio.run(call())


def check_is(name: str, value: Any) -> None:
    """`value` obeys that schema of Ollama's file, and holds nothing that it does not name."""
    spec = read_spec("ollama.yaml")
    schema = {"$ref": f"#/components/schemas/{name}", "components": spec["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)
    assert set(value) <= set(spec["components"]["schemas"][name]["properties"])


def test_emulation_answers_as_the_file_says(ollama_emulation: Emulated) -> None:
    url = ollama_emulation.url
    body = {"model": TAG, "messages": message(CAPITAL), "options": {"num_predict": 6, "temperature": 0}}
    status, (whole,) = read(url, "/api/chat", {**body, "stream": False})
    assert status == 200
    check_is("ChatResponse", whole)
    assert whole["eval_count"] == 6
    assert whole["load_duration"] == LOAD_NS
    status, events = read(url, "/api/chat", body)  # a stream, unless asked otherwise
    assert status == 200
    assert len(events) > 2
    for event in events[:-1]:
        check_is("ChatStreamEvent", event)
    check_is("ChatResponse", events[-1])  # the file does not say that the last event has its counts
    assert [event["done"] for event in events] == [False] * (len(events) - 1) + [True]
    assert "".join(event["message"]["content"] for event in events) == whole["message"]["content"]


def test_emulation_of_the_rest(ollama_emulation: Emulated) -> None:
    status, (tags,) = read(ollama_emulation.url, "/api/tags")
    assert status == 200
    check_is("ListResponse", tags)
    check_is("ModelSummary", tags["models"][0])
    status, (version,) = read(ollama_emulation.url, "/api/version")
    assert status == 200
    check_is("VersionResponse", version)
    assert "emulation" in version["version"]
    status, (error,) = read(ollama_emulation.url, "/api/chat", {"model": "no", "messages": message("hi")})
    assert status == 404
    check_is("ErrorResponse", error)


# Our provider against the emulation


def test_chat(provider: BaseLLMProvider) -> None:
    answer = ask(provider, CAPITAL, temperature=0, max_tokens=8)
    assert answer.content
    assert (answer.provider, answer.model, answer.served_model) == ("llama", TAG, TAG)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (37, 8)
    assert answer.finish_reason == "length"
    assert (answer.cost, answer.cost_basis) == (0.0, "self-hosted")


def test_durations(provider: BaseLLMProvider) -> None:
    cold = ask(provider, CAPITAL, temperature=0, max_tokens=8).timing
    warm = ask(provider, CAPITAL, temperature=0, max_tokens=8).timing
    assert cold is not None
    assert warm is not None
    assert cold.load_ms == pytest.approx(LOAD_NS / 1e6)
    assert not warm.load_ms
    for timing in (cold, warm):
        assert timing.prefill_ms is not None
        assert timing.decode_ms is not None
        assert timing.prefill_ms > 0
        assert timing.decode_ms > 0
        assert timing.prefill_ms + timing.decode_ms <= timing.latency_ms


def test_stream(provider: BaseLLMProvider) -> None:
    whole = ask(provider, CAPITAL, temperature=0, max_tokens=24)
    pieces, answer = stream(provider, CAPITAL, temperature=0, max_tokens=24)
    assert len(pieces) > 3
    assert "".join(pieces) == answer.content == whole.content
    assert answer.usage is not None
    assert whole.usage is not None
    assert answer.usage.total_tokens == whole.usage.total_tokens
    assert answer.timing is not None
    assert answer.timing.time_to_first_token_ms is not None
    assert 0 < answer.timing.time_to_first_token_ms < answer.timing.latency_ms
    assert answer.timing.decode_ms is not None


def test_json_schema(provider: BaseLLMProvider, ollama_emulation: Emulated) -> None:
    answer = ask(
        provider,
        "Was this film good? 'I loved every minute.' Answer in JSON.",
        temperature=0,
        max_tokens=100,
        response_format=response_format(),
    )
    check_schema(answer.content)
    assert ollama_emulation.emulation.requests[-1]["format"] == SCHEMA  # the bare schema is Ollama's way


def test_stop_and_seed(provider: BaseLLMProvider) -> None:
    free = ask(provider, STORY, temperature=0, max_tokens=40)
    word = free.content.split()[5]
    stopped = ask(provider, STORY, temperature=0, max_tokens=40, stop=[word])
    assert stopped.content == free.content[: free.content.index(word)]
    assert stopped.finish_reason == "stop"
    first, again, other = (
        ask(provider, STORY, temperature=1.5, max_tokens=24, seed=seed).content for seed in (7, 7, 8)
    )
    assert first == again != other


def test_model_that_is_not_there(provider: BaseLLMProvider) -> None:
    for call in (ask, stream):
        with pytest.raises(ModelUnavailableError, match="'no:model' not found") as caught:
            call(provider, CAPITAL, model="no:model")  # type: ignore[operator]
        assert caught.value.status_code == 404


def test_context_overflow(provider: BaseLLMProvider) -> None:
    """Ollama itself may cut the prompt silently; the error is llama.cpp's, in Ollama's form."""
    with pytest.raises(ContextWindowError):
        ask(provider, "word " * 3000, max_tokens=4)


def test_unknown_option_is_refused(provider: BaseLLMProvider) -> None:
    with pytest.raises(InvalidRequestError, match=r"llama on ollama .*'mirostat'"):
        ask(provider, CAPITAL, mirostat=2)


def test_deadline(provider: BaseLLMProvider) -> None:
    for call in (ask, stream):
        with pytest.raises(ProviderTimeoutError, match="within 1 s"):
            call(provider, STORY, temperature=0, max_tokens=1500, deadline_s=1)  # type: ignore[operator]


# Our requests against Ollama's file


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Witness, str]]:
    source = read_spec("ollama.yaml")
    keep_paths(source, ("/api/chat",))
    # In Ollama's api/types.go, and not in its file.
    close(source, "/api/chat", beyond={name: {"type": "boolean"} for name in ("truncate", "shift")})
    options = source["components"]["schemas"]["ModelOptions"]
    options["additionalProperties"] = False
    for name in ("presence_penalty", "frequency_penalty"):  # in Ollama's api.md, not in its file
        options["properties"][name] = {"type": "number"}
    make_nullable(source)
    spec = tmp_path_factory.mktemp("specs") / "ollama.json"
    spec.write_text(json.dumps(source, default=str), encoding="utf-8")
    with prism("ollama", spec) as part:
        witness = Witness(part.url)
        with serving(witness.app()) as url:
            yield witness, url


def send(judged: tuple[Witness, str], provider: BaseLLMProvider, **options: Any) -> Any:
    """The body that a call sent, once prism has found it valid."""
    witness, _ = judged
    witness.exchanges.clear()
    with contextlib.suppress(ProviderError):  # prism's answers are made up
        ask(provider, "hi", **options)
    (exchange,) = witness.exchanges
    assert exchange.is_valid, exchange
    return exchange.body


def test_the_judge_judges(judged: tuple[Witness, str]) -> None:
    witness, url = judged
    good = {"model": TAG, "messages": message("hi"), "stream": False}
    for body in (
        {**good, "options": {"temperature": "warm"}},
        {**good, "options": {"max_tokens": 4}},
        {**good, "temperature": 0.5},
        {"model": TAG},
    ):
        status, _ = read(url, "/api/chat", body)
        assert status == 422
        assert witness.exchanges[-1].violations
    status, _ = read(url, "/api/chat", good)
    assert status == 200


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.3},
        {"max_tokens": 20},
        {"top_p": 0.9},
        {"stop": ["\n"]},
        {"stop": "END"},
        {"seed": 7},
        {"presence_penalty": 0.1},
        {"frequency_penalty": 0.2},
        {"response_format": response_format()},
        {"response_format": {"type": "json_object"}},
    ],
    ids=str,
)
def test_requests(judged: tuple[Witness, str], options: dict[str, Any]) -> None:
    body = send(judged, open_provider(judged[1]), **options)
    assert len(body.get("options") or {}) + ("format" in body) == len(options)  # and nothing unasked


def test_names_of_the_catalog(judged: tuple[Witness, str]) -> None:
    _, url = judged
    assert send(judged, open_provider(url), model="llama-3.1-8b")["model"] == "llama3.1:8b"
    mixtral = MixtralProvider({"backend": "ollama", "base_url": url, "max_attempts": 1})
    assert send(judged, mixtral, model="mixtral-8x7b")["model"] == "mixtral:8x7b"
