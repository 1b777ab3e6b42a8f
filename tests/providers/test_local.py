"""The local provider on the real embedded model, and on none."""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmbench import background
from llmbench.errors import (
    ConfigError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    UsageError,
)
from llmbench.providers.local import LocalProvider
from llmbench.providers.local_server import LocalServer
from llmbench.providers.model_files import KNOWN_FILES, find
from llmbench.providers.prompt_reuse import was_exact
from llmbench.providers.wire import read_usage
from llmbench.types import CallRecord, ChatRequest, LLMResponse, Usage

MODEL = "smollm2-135m"
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
STORY = [{"role": "user", "content": "Tell a long story about a river."}]


class Rows:
    """A recorder in memory."""

    def __init__(self) -> None:
        self.rows: list[CallRecord] = []

    async def record(self, call: CallRecord) -> None:
        self.rows.append(call)


@pytest.fixture(scope="module")
def provider() -> Iterator[LocalProvider]:
    """One model in memory for all tests; each test brings its own event loop."""
    provider = LocalProvider({"max_attempts": 1})
    yield provider
    asyncio.run(provider.aclose())
    LocalServer.close_all()


def ask(provider: LocalProvider, messages: Any = CAPITAL, **options: Any) -> LLMResponse:
    options = {"model": MODEL, "temperature": 0, "max_tokens": 8} | options
    return asyncio.run(provider.chat_completion(messages, **options))


@pytest.mark.model
def test_chat(provider: LocalProvider) -> None:
    answer = ask(provider)
    assert answer.content
    assert (answer.model, answer.provider, answer.endpoint) == (MODEL, "local", "local")
    assert answer.usage is not None
    assert answer.usage.input_tokens == 37
    assert answer.usage.output_tokens == 8
    assert answer.finish_reason == "length"
    assert (answer.cost, answer.cost_basis) == (0.0, "self-hosted")
    assert answer.served_model == KNOWN_FILES[MODEL].file_name
    assert answer.fingerprint is not None
    assert answer.fingerprint.startswith(f"sha256:{KNOWN_FILES[MODEL].sha256[:16]} xllamacpp ")
    timing = answer.timing
    assert timing is not None
    assert timing.prefill_ms is not None
    assert timing.decode_ms is not None
    assert timing.queue_ms is not None
    parts = timing.prefill_ms + timing.decode_ms + timing.queue_ms + (timing.load_ms or 0)
    assert 0 < parts <= timing.latency_ms
    assert parts > timing.latency_ms / 2


@pytest.mark.model
def test_chat_shows_no_path_of_this_machine(provider: LocalProvider) -> None:
    assert str(Path.home()) not in repr(ask(provider, max_tokens=1))


@pytest.mark.model
def test_chat_stops_at_stop(provider: LocalProvider) -> None:
    answer = ask(provider, stop=["É"], max_tokens=30)
    assert answer.finish_reason == "stop"
    assert "É" not in answer.content


@pytest.mark.model
def test_same_request_same_answer(provider: LocalProvider) -> None:
    first = ask(provider, max_tokens=24)
    ask(provider, STORY, max_tokens=4)  # what was asked before must not matter
    second = ask(provider, max_tokens=24)
    assert second.content == first.content
    assert second.usage is not None
    assert first.usage is not None
    assert replace(second.usage, cache_read_tokens=0) == replace(first.usage, cache_read_tokens=0)


@pytest.mark.model
@pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="exact on x86-64 only")
def test_a_beginning_that_is_kept_changes_no_bit(provider: LocalProvider) -> None:
    question = "Is the customer for or against it? Answer with one word: for, against or undecided.\nText: "
    texts = ["We take ten.", "Not for us, thank you, and please do not call again.", "We take ten of them."]
    server = LocalServer.get(find(MODEL).path, owner=provider)
    assert server.reuses_exactly

    def read(text: str, *, reuse: bool) -> tuple[Usage, list[list[tuple[int, float]]]]:
        body = {
            "messages": [{"role": "user", "content": question + text}], "temperature": 0, "max_tokens": 6,
            "logprobs": True, "top_logprobs": 5, "cache_prompt": reuse,
        }  # fmt: skip
        reply = json.loads(asyncio.run(server.transport.post_json("chat/completions", body)).body)
        tokens = reply["choices"][0]["logprobs"]["content"]
        top = [[(entry["id"], entry["logprob"]) for entry in token["top_logprobs"]] for token in tokens]
        usage = read_usage(reply["usage"])
        assert usage is not None
        return usage, top

    whole = [read(text, reuse=False) for text in texts]
    for place in (0, 1, 2, 0):  # the last of the first round left the same beginning
        usage, top = read(texts[place], reuse=True)
        assert was_exact(usage)
        assert usage.input_tokens == whole[place][0].input_tokens < 2 * usage.cache_read_tokens
        assert top == whole[place][1]
    assert not was_exact(read(texts[0], reuse=True)[0])  # one token is read, and may round differently


@pytest.mark.model
@pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="exact on x86-64 only")
def test_only_what_is_new_of_a_prompt_is_read(provider: LocalProvider) -> None:
    def kept(text: str, **options: Any) -> int:
        messages = [{"role": "user", "content": f"Answer yes or no. Is this a city, and a big one? {text}"}]
        messages = options.pop("before", []) + messages
        usage = ask(provider, messages, max_tokens=1, **options).usage
        assert usage is not None
        return usage.cache_read_tokens

    kept("Rome")
    assert kept("Oslo") > 20
    assert kept("Oslo") == 0  # one token would be read, so it is read as a whole
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert kept("Bonn", before=turns) == kept("Kiel", before=turns) == 0


@pytest.mark.model
def test_no_exactness_is_claimed_for_another_file(tmp_path: Path) -> None:
    path = tmp_path / KNOWN_FILES[MODEL].file_name
    path.write_bytes(find(MODEL).path.read_bytes()[:-1] + b"\0")
    owner = LocalProvider()
    server = LocalServer.get(path, owner=owner)
    assert not server.reuses_exactly
    asyncio.run(server.release(owner))


@pytest.mark.model
def test_seed_is_pinned_where_asked_for(provider: LocalProvider) -> None:
    pinned = LocalProvider({"reproducible": True})
    hot = {"temperature": 1.5, "max_tokens": 12}
    first, again, other = (ask(pinned, STORY, repeat=repeat, **hot) for repeat in (0, 0, 1))
    assert first.content == again.content
    assert other.content != first.content
    assert (first.metadata["seed"], other.metadata["seed"]) == (20250123, 20250124)
    asyncio.run(pinned.aclose())
    # Otherwise each answer is a new draw, and can still be drawn again by its seed.
    drawn = ask(provider, STORY, **hot)
    assert drawn.metadata["seed"] != ask(provider, STORY, **hot).metadata["seed"]
    reproducible = {"seed": drawn.metadata["seed"], "temperature": 1.5, "max_tokens": 12}
    assert "seed" not in ask(provider, STORY, **reproducible).metadata


@pytest.mark.model
def test_stream(provider: LocalProvider) -> None:
    async def main() -> tuple[list[str], LLMResponse]:
        stream = provider.stream_chat_completion(CAPITAL, MODEL, temperature=0, max_tokens=8)
        return [text async for text in stream], stream.response

    texts, answer = asyncio.run(main())
    assert len(texts) > 3
    assert "".join(texts) == answer.content == ask(provider).content
    assert answer.usage is not None
    assert answer.usage.output_tokens == 8
    assert answer.timing is not None
    assert answer.timing.time_to_first_token_ms is not None
    assert 0 < answer.timing.time_to_first_token_ms < answer.timing.latency_ms
    assert answer.timing.decode_ms is not None


@pytest.mark.model
@pytest.mark.parametrize("streamed", [False, True])
def test_cancellation_stops_the_generation(provider: LocalProvider, streamed: bool) -> None:
    async def main() -> float:
        await provider.chat_completion(CAPITAL, MODEL, max_tokens=1)

        async def long() -> None:
            options: dict[str, Any] = {"temperature": 0, "max_tokens": 8000}
            if not streamed:
                await provider.chat_completion(STORY, MODEL, **options)
            async with provider.stream_chat_completion(STORY, MODEL, **options) as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(long())
        await asyncio.sleep(0.5)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        start = time.perf_counter()
        await provider.chat_completion(CAPITAL, MODEL, max_tokens=1)
        return time.perf_counter() - start

    # The one slot is free again; 8,000 tokens would take minutes.
    assert asyncio.run(main()) < 5


@pytest.mark.model
def test_wait_for_the_slot_is_told_from_the_work(provider: LocalProvider) -> None:
    async def main() -> list[LLMResponse]:
        calls = [provider.chat_completion(CAPITAL, MODEL, temperature=0, max_tokens=8) for _ in range(3)]
        return await asyncio.gather(*calls)

    assert provider.concurrency == 1
    answers = asyncio.run(main())
    waits = sorted(answer.timing.queue_ms or 0.0 for answer in answers if answer.timing)
    assert len({answer.content for answer in answers}) == 1
    assert waits[0] < waits[1] < waits[2]
    assert waits[2] > 50


@pytest.mark.model
def test_two_loops_in_one_process(provider: LocalProvider) -> None:
    async def main() -> tuple[str, str]:
        here = await provider.chat_completion(CAPITAL, MODEL, temperature=0, max_tokens=4)
        there = await asyncio.to_thread(
            background.run, provider.chat_completion(CAPITAL, MODEL, temperature=0, max_tokens=4)
        )
        return here.content, there.content

    here, there = asyncio.run(main())
    assert here == there


@pytest.mark.model
def test_context_overflow(provider: LocalProvider) -> None:
    with pytest.raises(ContextWindowError, match=r"9\d\d\d tokens.*8192"):
        ask(provider, [{"role": "user", "content": "hello " * 9000}])


@pytest.mark.model
def test_used_again_after_closing(provider: LocalProvider) -> None:
    first = ask(provider, max_tokens=2)
    asyncio.run(provider.aclose())
    again = ask(provider, max_tokens=2)
    assert again.content == first.content
    assert again.timing is not None
    assert again.timing.load_ms is not None
    assert again.timing.load_ms > 10


@pytest.mark.model
def test_any_other_file_is_one_parameter_away(provider: LocalProvider, tmp_path: Path) -> None:
    path = tmp_path / "my model.gguf"
    path.symlink_to(find(MODEL).path)
    by_path = ask(provider, model=str(path), max_tokens=4)
    assert by_path.content == ask(provider, max_tokens=4).content
    assert by_path.served_model == "my model.gguf"
    own = LocalProvider({"model_path": str(path), "model": "mine", "endpoint": "box"})
    answer = ask(own, model=None, max_tokens=4)
    assert (answer.model, answer.endpoint, answer.content) == ("mine", "box", by_path.content)
    assert [info.name for info in own.list_models()] == ["mine"]
    assert own.get_model_info("mine").context_window == 8192
    with pytest.raises(ModelUnavailableError, match=r"runs my model\.gguf only"):
        ask(own, model="other")
    asyncio.run(own.aclose())


@pytest.mark.model
def test_recorded_before_it_is_handed_out() -> None:
    rows = Rows()
    provider = LocalProvider({"ledger": rows})
    answer = ask(provider, max_tokens=2)
    asyncio.run(provider.aclose())
    (row,) = rows.rows
    assert (row.status, row.content, row.cost) == ("ok", answer.content, 0.0)
    assert row.prefill_ms is not None


# Without a model


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMBENCH_CACHE", str(tmp_path))
    return tmp_path / "models"


def test_model_not_pulled_yet(empty_cache: Path) -> None:
    provider = LocalProvider()
    request = ChatRequest(MODEL, [{"role": "user", "content": "hi"}])
    # The identity is known all the same, so recorded answers are found.
    assert len(provider.request_hash(request)) == 64
    with pytest.raises(ConfigError, match="run: llmbench models pull smollm2-135m"):
        ask(provider)


def test_identity_is_the_file(empty_cache: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.gguf", tmp_path / "two.gguf"
    one.write_bytes(b"GGUF 1")
    two.write_bytes(b"GGUF 1")
    provider = LocalProvider({"model_path": str(one), "model": "m"})
    moved = LocalProvider({"model_path": str(two), "model": "m"})
    request = ChatRequest("m", [{"role": "user", "content": "hi"}])
    assert provider.request_hash(request) == moved.request_hash(request)
    two.write_bytes(b"GGUF other weights")
    assert provider.request_hash(request) != moved.request_hash(request)


def test_file_that_is_no_gguf(tmp_path: Path) -> None:
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigError, match=r"weights\.gguf is not a \.gguf file"):
        ask(LocalProvider(), model=str(path))


@pytest.mark.parametrize(
    ("model", "error", "reason"),
    [
        ("gpt-4", ModelUnavailableError, "it has smollm2-135m, and any other by the path"),
        ("none.gguf", ConfigError, "There is no model file 'none.gguf'"),
    ],
)
def test_unknown_model(model: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        ask(LocalProvider(), model=model)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"base_url": "http://127.0.0.1:1"}, "has no base_url"),
        ({"reproducible": True, "slots": 2}, "need one slot"),
        ({"reproducible": "yes"}, "must be true or false"),
        ({"thread": 1}, "does not know the setting 'thread'"),
    ],
)
def test_settings_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        LocalProvider(config)


def test_options_refused() -> None:
    with pytest.raises(InvalidRequestError, match="'n'"):
        ask(LocalProvider(), n=2)
    with pytest.raises(UsageError, match="max_tokens"):
        ask(LocalProvider(), max_tokens=0)


def test_list_models(empty_cache: Path) -> None:
    provider = LocalProvider()
    assert [info.name for info in provider.list_models()] == [MODEL]
    empty_cache.mkdir()
    (empty_cache / "other.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(16))
    (empty_cache / "broken.gguf").write_bytes(b"half a download")
    (empty_cache / KNOWN_FILES[MODEL].file_name).write_bytes(b"GGUF")
    infos = provider.list_models()
    assert [info.name for info in infos] == [MODEL, "other.gguf"]
    assert [info.cost_per_1k_output_tokens for info in infos] == [0.0, 0.0]
