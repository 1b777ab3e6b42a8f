from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmbench import BaseLLMProvider, LlamaProvider, MixtralProvider, OpenAIProvider
from tests.examples.chat_server import ChatServer, serving_chat


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving_chat() as serving:
        yield serving


@pytest.fixture
def providers(server: ChatServer) -> Callable[..., dict[str, BaseLLMProvider]]:
    """The document's providers, at its own prices, whose vendors are the server."""

    def make(**common: Any) -> dict[str, BaseLLMProvider]:
        settings = {
            "api_key": "key-of-the-tests",
            "base_url": server.url,
            "price_book": "2025-01-23",
        } | common
        return {
            "openai": OpenAIProvider(settings),
            "llama": LlamaProvider({"backend": "together", **settings}),
            "mixtral": MixtralProvider({"backend": "together", **settings}),
        }

    return make
