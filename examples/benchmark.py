"""Every model on the same message, the cheapest first."""

import asyncio
from typing import Any

from llmbench import ModelRouter

MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("llama", "llama-3.1-70b"),
    ("mixtral", "mixtral-8x7b"),
]
MESSAGES = [{"role": "user", "content": "Write a cold email to a VP of Sales in SaaS"}]


async def benchmark(router: ModelRouter) -> list[dict[str, Any]]:
    results = []
    for provider, model in MODELS:
        response = await router.route(messages=MESSAGES, provider=provider, model=model, max_tokens=300)
        results.append(
            {
                "model": f"{provider}/{model}",
                "content": response.content,
                "cost": response.cost,
                "latency_ms": response.latency_ms,
                "tokens": response.tokens_used,
            }
        )
    # A price that is not known is not zero: such a model comes last.
    return sorted(results, key=lambda result: (result["cost"] is None, result["cost"] or 0.0))


if __name__ == "__main__":
    for row in asyncio.run(benchmark(ModelRouter(["openai", "llama", "mixtral"]))):
        cost = "unknown" if row["cost"] is None else f"${row['cost']:.4f}"
        print(f"{row['model']}: {cost}, {row['latency_ms']} ms")
