"""Providers: one small module per vendor or backend, under one base.

Each class is imported at first use, so that a missing extra is noticed only by who needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.providers.anthropic import AnthropicProvider
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.custom import CustomProvider
    from llmbench.providers.fake import FakeClock, FakeProvider
    from llmbench.providers.gemini import GeminiProvider
    from llmbench.providers.llama import LlamaProvider
    from llmbench.providers.local import LocalProvider
    from llmbench.providers.mixtral import MixtralProvider
    from llmbench.providers.openai import OpenAIProvider
    from llmbench.providers.registry import open_endpoint, split_model_id
    from llmbench.providers.stream import Stream
    from llmbench.providers.together import TogetherProvider

_MODULE_OF = {
    "AnthropicProvider": "anthropic",
    "BaseLLMProvider": "base",
    "CustomProvider": "custom",
    "FakeClock": "fake",
    "FakeProvider": "fake",
    "GeminiProvider": "gemini",
    "LlamaProvider": "llama",
    "LocalProvider": "local",
    "MixtralProvider": "mixtral",
    "OpenAIProvider": "openai",
    "Stream": "stream",
    "TogetherProvider": "together",
    "open_endpoint": "registry",
    "split_model_id": "registry",
}

__all__ = [
    "AnthropicProvider",
    "BaseLLMProvider",
    "CustomProvider",
    "FakeClock",
    "FakeProvider",
    "GeminiProvider",
    "LlamaProvider",
    "LocalProvider",
    "MixtralProvider",
    "OpenAIProvider",
    "Stream",
    "TogetherProvider",
    "open_endpoint",
    "split_model_id",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{module}" for name, module in _MODULE_OF.items()})
