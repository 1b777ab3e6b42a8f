"""Phase 4: a vLLM server of one's own first, the cloud when it is full, slow or away."""

import asyncio

from llmbench import BaseLLMProvider, LLMResponse, ModelRouter
from llmbench.routing import Limit

ROUTES = {
    "rules": [
        {"name": "complex", "when": {"task_type": "complex"}, "prefer": ["openai/gpt-4o"]},
        {"name": "volume", "prefer": ["llama_local/llama-3.1-8b", "llama_cloud/llama-3.1-8b"]},
    ]
}
LIMITS = {"llama_local": Limit(concurrency=2, answer_within_s=20)}


def open_router(providers: dict[str, BaseLLMProvider] | list[str]) -> ModelRouter:
    return ModelRouter(providers, routes=ROUTES, limits=LIMITS)


async def burst(router: ModelRouter, messages: list[str]) -> list[LLMResponse]:
    """All at once: what the machine cannot take goes to the cloud."""
    calls = (router.route([{"role": "user", "content": text}]) for text in messages)
    return await asyncio.gather(*calls)


if __name__ == "__main__":
    router = open_router(["openai", "llama_local", "llama_cloud"])  # of llmbench.toml
    for response in asyncio.run(burst(router, [f"Write a line about {n}." for n in range(8)])):
        print(response.endpoint, response.cost)
