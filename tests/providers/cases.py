"""Every provider that speaks to a server, each with the dialect of the stub it is tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbench.providers import (
    AnthropicProvider,
    BaseLLMProvider,
    CustomProvider,
    GeminiProvider,
    LlamaProvider,
    MixtralProvider,
    OpenAIProvider,
    TogetherProvider,
)
from tests.providers.dialects.anthropic import AnthropicDialect
from tests.providers.dialects.gemini import GeminiDialect
from tests.providers.dialects.ollama import OllamaDialect
from tests.providers.dialects.openai import OpenAIDialect
from tests.providers.dialects.replicate import ReplicateDialect
from tests.providers.vendor_stub import Dialect

KEY = "sk-conformance-0123456789"


@dataclass(frozen=True)
class Case:
    """One provider at one backend."""

    provider: Callable[[Mapping[str, Any]], BaseLLMProvider]
    dialect: Dialect
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    """Before the scenario in the name of a model, where a backend's names have a form."""

    def build(self, url: str, **settings: Any) -> BaseLLMProvider:
        return self.provider({"base_url": url, "api_key": KEY, **self.settings, **settings})

    def model(self, scenario: str) -> str:
        return self.prefix + scenario


OPENAI = OpenAIDialect(max_tokens_field="max_completion_tokens")
COMPATIBLE = OpenAIDialect()
AZURE = OpenAIDialect(
    path="/openai/v1/chat/completions",
    prefix="",
    key_header="api-key",
    max_tokens_field="max_completion_tokens",
)
TOGETHER = OpenAIDialect(prefix="")
OLLAMA = OllamaDialect()

CASES: dict[str, Case] = {
    "anthropic": Case(AnthropicProvider, AnthropicDialect()),
    "gemini": Case(GeminiProvider, GeminiDialect()),
    "openai": Case(OpenAIProvider, OPENAI),
    "openai on azure": Case(OpenAIProvider, AZURE, {"backend": "azure"}),
    "custom": Case(CustomProvider, COMPATIBLE),
    "llama on vllm": Case(LlamaProvider, COMPATIBLE, {"backend": "vllm"}),
    "llama on ollama": Case(LlamaProvider, OLLAMA, {"backend": "ollama"}),
    "llama on replicate": Case(
        LlamaProvider, ReplicateDialect("stub/"), {"backend": "replicate", "poll_s": 0.01}, prefix="stub/"
    ),
    "llama on together": Case(LlamaProvider, TOGETHER, {"backend": "together"}),
    "mixtral on vllm": Case(MixtralProvider, COMPATIBLE, {"backend": "vllm"}),
    "mixtral on ollama": Case(MixtralProvider, OLLAMA, {"backend": "ollama"}),
    "mixtral on replicate": Case(
        MixtralProvider,
        ReplicateDialect("stub/mixtral-"),
        {"backend": "replicate", "poll_s": 0.01},
        prefix="stub/mixtral-",
    ),
    "mixtral on together": Case(MixtralProvider, TOGETHER, {"backend": "together"}),
    "together": Case(TogetherProvider, TOGETHER),
}
