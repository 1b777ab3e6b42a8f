from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from llmbench.errors import ConfigError, UsageError
from llmbench.providers import OpenAIProvider
from llmbench.types import LLMResponse, Usage
from tests.providers.cases import AZURE, KEY
from tests.providers.dialects.openai import OpenAIDialect
from tests.providers.vendor_stub import VendorStub, serving

HELLO = [{"role": "user", "content": "hello"}]
CLASSIC = OpenAIDialect(
    path="/openai/deployments/{deployment}/chat/completions", prefix="", key_header="api-key"
)


@pytest.fixture
def azure() -> Iterator[VendorStub]:
    with serving(AZURE) as server:
        yield server


def ask(stub: VendorStub, model: str, **settings: Any) -> LLMResponse:
    provider = OpenAIProvider({"backend": "azure", "base_url": stub.url, "api_key": KEY, **settings})

    async def once() -> LLMResponse:
        try:
            return await provider.chat_completion(HELLO, model)
        finally:
            await provider.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize("asked", ["writer", "gpt-4o-mini"])
def test_a_deployment_is_asked_and_its_model_priced(azure: VendorStub, asked: str) -> None:
    answer = ask(azure, asked, deployments={"writer": "gpt-4o-mini"})
    assert azure.asked[0].body["model"] == "writer"
    assert answer.model == asked
    assert (
        OpenAIProvider(
            {
                "backend": "azure",
                "base_url": azure.url,
                "api_key": KEY,
                "deployments": {"writer": "gpt-4o-mini"},
            }
        )
        .get_model_info(asked)
        .name
        == "gpt-4o-mini"
    )


def test_a_resource_with_an_api_version_has_a_path_for_each_deployment() -> None:
    with serving(CLASSIC) as stub:
        ask(stub, "gpt-4o-mini", deployments={"m": "gpt-4o-mini"}, api_version="2024-10-21")
        assert stub.asked[0].scenario == "m"


def test_another_deployment_is_another_request(azure: VendorStub) -> None:
    def identity(deployment: str) -> str:
        provider = OpenAIProvider(
            {
                "backend": "azure",
                "base_url": azure.url,
                "api_key": KEY,
                "deployments": {deployment: "gpt-4o-mini"},
            }
        )
        return provider.request_hash(provider.request(HELLO, "gpt-4o-mini"))

    assert identity("one") != identity("two")
    assert identity("one") == identity("one")


def test_azure_needs_its_address() -> None:
    with pytest.raises(ConfigError, match=r"NAME\.openai\.azure\.com"):
        OpenAIProvider({"backend": "azure", "api_key": KEY})


@pytest.mark.parametrize("setting", [{"deployments": {"a": "gpt-4o"}}, {"api_version": "2024-10-21"}])
def test_only_azure_has_deployments(setting: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="azure"):
        OpenAIProvider({"api_key": KEY, **setting})


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="azure"):
        OpenAIProvider({"api_key": KEY, "backend": "bedrock"})


def test_the_prices_are_openais_under_any_address() -> None:
    provider = OpenAIProvider({"api_key": KEY, "base_url": "https://gateway.example/v1"})
    price = provider.price("gpt-4o-mini", Usage(1_000_000, 0))
    assert price.usd == pytest.approx(0.15)
    assert price.as_of is not None
