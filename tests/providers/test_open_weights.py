from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmbench.errors import InvalidRequestError, UsageError
from llmbench.providers import LlamaProvider, MixtralProvider, TogetherProvider
from llmbench.providers.backends import BACKENDS
from llmbench.types import Usage
from tests.providers.cases import KEY, TOGETHER
from tests.providers.vendor_stub import VendorStub, serving

HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("family", [LlamaProvider, MixtralProvider])
@pytest.mark.parametrize("backend", [None, "vlm", "openai"])
def test_a_backend_is_needed_and_the_names_are_told(family: Any, backend: str | None) -> None:
    with pytest.raises(UsageError, match=", ".join(BACKENDS)):
        family({"backend": backend})


@pytest.mark.parametrize(
    ("backend", "address"),
    [("vllm", "http://localhost:8000/v1"), ("ollama", "http://localhost:11434")],
)
def test_default_addresses_are_the_documents(backend: str, address: str) -> None:
    assert LlamaProvider({"backend": backend}).base_url == address


def test_ones_own_server_costs_nothing_a_call() -> None:
    price = LlamaProvider({"backend": "vllm", "usd_per_hour": 0.526}).price("llama-3.1-8b", Usage(9, 9))
    assert (price.usd, price.basis) == (0.0, "self-hosted")


def test_hours_of_a_hosted_backend_are_refused() -> None:
    with pytest.raises(UsageError, match="usd_per_hour"):
        LlamaProvider({"backend": "together", "api_key": KEY, "usd_per_hour": 1.0})


def test_a_setting_of_another_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="keep_alive"):
        LlamaProvider({"backend": "vllm", "keep_alive": "5m"})


def sent(provider: Any, model: str, stub: VendorStub, **options: Any) -> dict[str, Any]:
    async def once() -> None:
        await provider.chat_completion(HELLO, model, **options)
        await provider.aclose()

    asyncio.run(once())
    return stub.asked[-1].body


def test_the_catalogs_name_is_sent_as_the_backends_id(stub: VendorStub) -> None:
    provider = LlamaProvider({"backend": "vllm", "base_url": stub.url})
    assert sent(provider, "llama-3.1-8b", stub)["model"] == "meta-llama/Llama-3.1-8B-Instruct"


def test_a_name_of_the_servers_own_is_sent_as_it_is(stub: VendorStub) -> None:
    provider = LlamaProvider({"backend": "vllm", "base_url": stub.url})
    assert sent(provider, "tiny-llama", stub)["model"] == "tiny-llama"


def test_model_ids_say_what_a_server_calls_its_models(stub: VendorStub) -> None:
    settings = {"backend": "vllm", "base_url": stub.url}
    mapped = LlamaProvider({**settings, "model_ids": {"llama-3.1-8b": "prod-llama"}})
    assert sent(mapped, "llama-3.1-8b", stub)["model"] == "prod-llama"
    plain = LlamaProvider(settings)
    hashes = {p.request_hash(p.request(HELLO, "llama-3.1-8b")) for p in (mapped, plain)}
    assert len(hashes) == 2, "another id may be another model"


def test_what_the_model_cannot_honour_is_refused_with_both_names(stub: VendorStub) -> None:
    provider = MixtralProvider({"backend": "vllm", "base_url": stub.url})
    with pytest.raises(InvalidRequestError, match=r"mixtral on vllm .*reasoning_effort.*mixtral-8x7b"):
        sent(provider, "mixtral-8x7b", stub, reasoning_effort="low")


def test_together_takes_its_address_with_or_without_v1() -> None:
    with serving(TOGETHER) as stub:
        for address in (stub.url, f"{stub.url}/v1"):
            provider = TogetherProvider({"base_url": address, "api_key": KEY})
            body = sent(provider, "openai/gpt-oss-120b", stub)
            assert body["model"] == "openai/gpt-oss-120b"


def test_together_lists_what_it_serves_of_every_family() -> None:
    found = {info.name for info in TogetherProvider({"api_key": KEY}).list_models()}
    assert {"llama-3.1-8b", "mixtral-8x7b"} <= found
