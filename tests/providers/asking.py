"""One question to a provider, from opening it to closing it."""

from __future__ import annotations

import asyncio
from typing import Any

from llmbench.providers import BaseLLMProvider
from llmbench.types import LLMResponse, Message

__all__ = ["HELLO", "ask_once"]

HELLO: list[Message] = [{"role": "user", "content": "hello"}]


def ask_once(
    provider: BaseLLMProvider, model: str = "m", *, stream: bool = False, **options: Any
) -> LLMResponse:
    """The answer to `HELLO`, whole or as a stream; the provider is closed then."""

    async def once() -> LLMResponse:
        try:
            if not stream:
                return await provider.chat_completion(HELLO, model, **options)
            answer = provider.stream_chat_completion(HELLO, model, **options)
            async for _ in answer:
                pass
            return answer.response
        finally:
            await provider.aclose()

    return asyncio.run(once())
