"""Our requests, as prism judges them by the vendors' own OpenAPI files.

prism keeps no state and makes its answers up, so that only requests are judged here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from llmbench import LlamaProvider, MixtralProvider, OpenAIProvider
from llmbench.errors import ProviderError
from llmbench.finetune.ordering import make_order
from llmbench.finetune.vendor import VendorTuning
from llmbench.providers import BaseLLMProvider
from tests.real.judge import close, keep_paths, make_nullable, prism, read_spec
from tests.real.parts import SCHEMA, Part, message, response_format
from tests.real.witness import Exchange, Witness, serving

KEY = "key-of-the-tests"


class Vendor(NamedTuple):
    name: str
    file: str
    chat_path: str
    """Where the vendor takes a chat, in the words of its file."""
    bad_body: dict[str, Any]
    """Breaks the schema at that path."""
    paths: tuple[str, ...]
    """Beginnings of the paths that we call."""
    beyond: dict[str, Any] | None = None
    """Fields of a chat that the vendor takes and its file does not name."""


OPENAI = Vendor(
    "openai",
    "openai.json",
    "/chat/completions",
    {"model": "m", "messages": [], "temperature": "warm"},
    ("/chat/completions", "/files", "/fine_tuning/jobs"),
)
TOGETHER = Vendor(
    "together",
    "together-v1.json",
    "/v1/chat/completions",
    {"model": "m", "messages": [], "top_p": "all"},
    ("/v1/chat", "/v1/files", "/v1/fine-tunes"),
    # Neither file nor SDK names it; without it a stream may end with no usage.
    beyond={"stream_options": {"type": "object"}},
)
REPLICATE = Vendor(
    "replicate",
    "replicate-v1.json",
    "/v1/predictions",
    {"version": 5, "input": {}},
    ("/v1/predictions", "/v1/models", "/v1/deployments", "/v1/trainings", "/v1/files"),
)


@pytest.fixture(scope="module", params=[OPENAI, TOGETHER, REPLICATE], ids=lambda vendor: vendor.name)
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Vendor, Part, Witness, str]]:
    """A vendor, its prism, the witness before it, and the witness's address."""
    vendor: Vendor = request.param
    source = read_spec(vendor.file)
    keep_paths(source, vendor.paths)
    if vendor is not REPLICATE:  # there a model's own input is free
        close(source, vendor.chat_path, beyond=vendor.beyond)
    if vendor is TOGETHER:
        # Where the file contradicts itself. A learning-rate schedule fits two of its "exactly one".
        source = json.loads(json.dumps(source).replace('"oneOf"', '"anyOf"'))
        # `boolean`, and beside it `boolean or "auto"`, which the SDK sends.
        del source["components"]["schemas"]["TrainingMethodSFT"]["properties"]["train_on_inputs"]["type"]
    make_nullable(source)
    spec = tmp_path_factory.mktemp("specs") / vendor.file
    spec.write_text(json.dumps(source), encoding="utf-8")
    with prism(vendor.name, spec) as part:
        witness = Witness(part.url)
        if vendor is TOGETHER:
            witness.answer_itself = play_together
        if vendor is REPLICATE:
            witness.answer_itself = play_replicate
        with serving(witness.app()) as url:
            yield vendor, part, witness, url


_BATCHES = {"max_batch_size": 128, "max_batch_size_dpo": 64, "min_batch_size": 8}
LIMITS = {
    "model_name": "m",
    "full_training": None,
    "lora_training": {**_BATCHES, "max_rank": 64, "default_rank": 8, "target_modules": ["q_proj"]},
    "default_gradient_accumulation_steps": 1,
    "max_learning_rate": 1.0,
    "min_learning_rate": 0.0,
    "max_num_checkpoints": 10,
    "max_num_epochs": 20,
    "max_num_evals": 100,
    "max_seq_length_sft": 8192,
    "max_seq_length_dpo": 4096,
    "min_max_seq_length": 16,
    "merge_output_lora": True,
    "supports_full_training": False,
    "supports_reasoning": False,
    "supports_tools": False,
    "supports_vision": False,
}


def play_together(request: web.Request) -> web.Response | None:
    """What Together's SDK needs on its way to a job. Its upload is in no file: asked for an address,
    Together redirects to one elsewhere, takes the bytes there, and is told of it. The limits of a
    model are in the file, but with numbers made up the SDK goes no further.
    """
    if request.path == "/v1/fine-tunes/models/limits":
        return web.json_response(LIMITS)
    if (request.method, request.path) == ("POST", "/v1/files"):
        there = {"Location": str(request.url.with_path("/upload")), "X-Together-File-Id": "file-1"}
        return web.Response(status=302, headers=there)
    if (request.method, request.path) == ("PUT", "/upload"):
        return web.Response()
    if (request.method, request.path) == ("POST", "/v1/files/file-1/preprocess"):
        counts = {"bytes": 1, "created_at": 1, "LineCount": 12, "Processed": True}
        words = {"id": "file-1", "filename": "train.jsonl", "FileType": "jsonl", "purpose": "fine-tune"}
        return web.json_response({**counts, **words, "object": "file"})
    return None


def play_replicate(request: web.Request) -> web.Response | None:
    """Replicate's upload, of which the file says nothing."""
    if (request.method, request.path) != ("POST", "/v1/files"):
        return None
    words = {"id": "file-1", "name": "train.jsonl", "content_type": "application/jsonl", "etag": "e"}
    more = {"size": 1, "checksums": {}, "metadata": {}, "created_at": "2026-01-01T00:00:00Z"}
    urls = {"get": "https://api.replicate.com/v1/files/file-1"}
    return web.json_response({**words, **more, "expires_at": None, "urls": urls}, status=201)


def open_provider(vendor: Vendor, url: str) -> BaseLLMProvider:
    config = {"base_url": url, "api_key": KEY, "max_attempts": 1, "deadline_s": 4}
    if vendor is OPENAI:
        return OpenAIProvider({**config, "model": "gpt-4o-mini"})
    if vendor is TOGETHER:
        return MixtralProvider({**config, "backend": "together", "model": "mixtral-8x7b"})
    # A prediction of prism's never ends, so each call lasts until its deadline.
    return LlamaProvider({**config, "backend": "replicate", "model": "llama-3-70b", "deadline_s": 1.5})


@pytest.fixture
def sent(judged: tuple[Vendor, Part, Witness, str]) -> Any:
    """A function that makes a call, and gives the exchanges that it caused."""
    vendor, _, witness, url = judged

    def send(call: Any) -> list[Exchange]:
        witness.exchanges.clear()

        async def go() -> None:
            provider = open_provider(vendor, url)
            try:
                await call(provider)
            except ProviderError:
                pass  # prism's made-up answer, or one that never comes to an end
            finally:
                await provider.aclose()

        asyncio.run(go())
        assert witness.exchanges, "nothing was sent"
        return list(witness.exchanges)

    return send


def chat(text: str = "hi", **options: Any) -> Any:
    return lambda provider: provider.chat_completion(message(text), **options)


def chat_stream(**options: Any) -> Any:
    async def read(provider: BaseLLMProvider) -> None:
        answer = provider.stream_chat_completion(message("hi"), **options)
        try:
            async for _ in answer:
                pass
        finally:
            await answer.aclose()

    return read


def test_the_judge_judges(judged: tuple[Vendor, Part, Witness, str]) -> None:
    vendor, _, witness, url = judged
    good = {"model": "m", "messages": message("hi")}
    bad = [(vendor.chat_path, vendor.bad_body), ("/v1/no/such/path", {})]
    if vendor is not REPLICATE:
        bad.append((vendor.chat_path, {**good, "no_such_field": 1}))

    async def post(path: str, body: dict[str, Any]) -> Exchange:
        witness.exchanges.clear()
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
            session.post(url + path, json=body),
        ):
            (exchange,) = witness.exchanges
        assert exchange.body == body
        return exchange

    for path, body in bad:
        exchange = asyncio.run(post(path, body))
        assert not exchange.is_valid
        assert exchange.violations
    if vendor is not REPLICATE:
        assert asyncio.run(post(vendor.chat_path, good)).is_valid


def test_plain_chat(sent: Any) -> None:
    check(sent(chat()))


def test_stream(sent: Any) -> None:
    check(sent(chat_stream()))


def test_turns(sent: Any) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And now?"},
    ]
    check(sent(lambda provider: provider.chat_completion(turns)))


OPTIONS: dict[str, Any] = {
    "temperature": 0.3,
    "max_tokens": 20,
    "top_p": 0.9,
    "stop": ["\n", "END"],
    "seed": 7,
    "response_format": response_format(SCHEMA),
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "reasoning_effort": "low",
    "service_tier": "flex",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option(judged: tuple[Vendor, Part, Witness, str], sent: Any, option: str) -> None:
    """Each option that the provider takes, by itself; what it refuses is in the conformance suite."""
    vendor, _, _, url = judged
    provider = open_provider(vendor, url)
    if option not in provider.options:
        pytest.skip(f"{vendor.name} does not take {option}")
    thinkers = {"openai": "o4-mini", "together": "openai/gpt-oss-120b"}
    model = {"model": thinkers[vendor.name]} if option == "reasoning_effort" else {}
    check(sent(chat(**{option: OPTIONS[option]}, **model)))


def test_all_options_at_once(judged: tuple[Vendor, Part, Witness, str], sent: Any) -> None:
    vendor, _, _, url = judged
    options = {
        key: value
        for key, value in OPTIONS.items()
        if key in open_provider(vendor, url).options and key != "reasoning_effort"
    }
    check(sent(chat(**options)))


BASES = {"openai": "gpt-4o-mini-2024-07-18", "together": "Qwen/Qwen3-8B", "replicate": "meta/meta-llama-3-8b"}
JOBS = {
    "openai": "/fine_tuning/jobs",
    "together": "/v1/fine-tunes",
    "replicate": f"/v1/models/meta/meta-llama-3-8b/versions/{'a' * 64}/trainings",
}


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to train, in a project of its own."""
    (tmp_path / "llmbench.toml").touch()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.jsonl"
    row = {"messages": [*message("Is 2 even?"), {"role": "assistant", "content": "Yes."}]}
    path.write_text((json.dumps(row) + "\n") * 12, encoding="utf-8")
    return path


def test_fine_tuning(judged: tuple[Vendor, Part, Witness, str], sent: Any, training: Path) -> None:
    vendor, _, _, _ = judged
    options = {"destination": "me/mine", "version": "a" * 64} if vendor is REPLICATE else {"suffix": "even"}

    async def tune(provider: BaseLLMProvider) -> None:
        await provider.fine_tune(str(training), BASES[vendor.name], **options)

    exchanges = sent(tune)
    check(exchanges)
    assert exchanges[-1].path == JOBS[vendor.name]


def test_an_order_of_a_job(judged: tuple[Vendor, Part, Witness, str], sent: Any, training: Path) -> None:
    """All that a job is started with, the vendor's own estimate of the price included."""
    vendor, _, _, _ = judged
    more: dict[str, Any] = {"seed": 7, "validation_file": training}
    if vendor is REPLICATE:
        more |= {"destination": "me/mine", "version": "a" * 64, "lora_rank": 8}
    elif vendor is TOGETHER:
        more |= {"suffix": "even", "n_evals": 2, "lora_r": 8, "learning_rate": 1e-5}
    else:
        more |= {"suffix": "even", "batch_size": 4, "learning_rate_multiplier": 0.5}

    async def tune(provider: BaseLLMProvider) -> None:
        backend = VendorTuning(provider)
        order = make_order(
            backend,
            training,
            BASES[vendor.name],
            epochs=2,
            method="lora",
            suffix=more.pop("suffix", None),
            validation_file=more.pop("validation_file"),
            seed=more.pop("seed"),
            options=more,
        )
        await backend.submit(order, _Approving())

    exchanges = sent(tune)
    check(exchanges)
    paths = [exchange.path for exchange in exchanges]
    assert paths[-1] == JOBS[vendor.name]
    assert ("/v1/fine-tunes/estimate-price" in paths) == (vendor is TOGETHER)


class _Approving:
    async def sent(self, file_id: str) -> None:
        assert file_id

    async def starting(self, estimated_usd: float | None = None) -> None:
        pass


@pytest.mark.parametrize("what", ["look", "cancel", "events", "metrics"])
def test_a_question_about_a_job(judged: tuple[Vendor, Part, Witness, str], sent: Any, what: str) -> None:
    vendor, _, _, _ = judged
    if vendor is REPLICATE and what == "metrics":
        pytest.skip("Replicate has none, and is not asked")

    async def ask(provider: BaseLLMProvider) -> None:
        await getattr(VendorTuning(provider), what)("job-1")

    check(sent(ask))


def test_the_list_of_jobs(sent: Any) -> None:
    async def find(provider: BaseLLMProvider) -> None:
        await VendorTuning(provider).find(["file-1"])

    check(sent(find))


def test_fine_tuning_status(sent: Any) -> None:
    async def look(provider: BaseLLMProvider) -> None:
        await provider.get_fine_tuning_status("job-1")

    check(sent(look))


def check(exchanges: list[Exchange]) -> None:
    for exchange in exchanges:
        assert exchange.is_valid, exchange
