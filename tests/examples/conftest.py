from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbench import BaseLLMProvider, Ledger, LlamaProvider, MixtralProvider, OpenAIProvider
from tests.examples.chat_server import ChatServer, serving_chat


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving_chat() as serving:
        yield serving


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


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
