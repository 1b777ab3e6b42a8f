"""One client of bench_calls.py or bench_router.py in a process of its own, so that its CPU time is its own.

Run as `python call_worker.py CLIENT URL`; each line `CONCURRENCY CALLS` on stdin gives one line of
JSON on stdout. Imports nothing that its client does not need: peers have venvs of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

MESSAGES: list[Any] = [{"role": "user", "content": "word " * 50}]
Ask = Callable[[], Awaitable[object]]


@asynccontextmanager
async def aiohttp_alone(url: str) -> AsyncIterator[Ask]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as session:

        async def ask() -> Any:
            body = {"model": "m", "messages": MESSAGES}
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                return json.loads(await reply.read())

        yield ask


@asynccontextmanager
async def async_openai(url: str) -> AsyncIterator[Ask]:
    import openai

    async with openai.AsyncOpenAI(api_key="sk-none", base_url=url, max_retries=0) as client:
        yield lambda: client.chat.completions.create(model="m", messages=MESSAGES)


@asynccontextmanager
async def async_openai_on_aiohttp(url: str) -> AsyncIterator[Ask]:
    import openai

    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(api_key="sk-none", base_url=url, max_retries=0, http_client=http) as client:
        yield lambda: client.chat.completions.create(model="m", messages=MESSAGES)


@asynccontextmanager
async def litellm_alone(url: str) -> AsyncIterator[Ask]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network at import
    import litellm

    litellm.telemetry = False
    yield lambda: litellm.acompletion(
        model="openai/m", messages=MESSAGES, api_base=url, api_key="sk-none", num_retries=0
    )


@asynccontextmanager
async def litellm_router(url: str) -> AsyncIterator[Ask]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.telemetry = False
    parameters = {"model": "openai/m", "api_base": url, "api_key": "sk-none"}
    models = [{"model_name": name, "litellm_params": parameters} for name in ("m", "other")]
    router = litellm.Router(models, num_retries=0, fallbacks=[{"m": ["other"]}])
    yield lambda: router.acompletion(model="m", messages=MESSAGES)


@asynccontextmanager
async def our_router(url: str, *, store_texts: bool) -> AsyncIterator[Ask]:
    """SMART by the document's table (no hint: every rule is looked at), over a CustomProvider."""
    import llmbench

    with tempfile.TemporaryDirectory() as folder, llmbench.Ledger(f"{folder}/ledger.db") as ledger:
        prices = {"mixtral-8x7b": {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"}}
        provider = llmbench.CustomProvider({"base_url": url, "prices": prices})
        async with llmbench.ModelRouter(
            {"mixtral": provider}, "smart", ledger=ledger, store_texts=store_texts
        ) as router:
            yield lambda: router.route(MESSAGES)


@asynccontextmanager
async def ours(kind: str, url: str) -> AsyncIterator[Ask]:
    import llmbench

    with tempfile.TemporaryDirectory() as folder, llmbench.Ledger(f"{folder}/ledger.db") as ledger:
        prices = {"m": {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"}}
        provider: llmbench.BaseLLMProvider
        if kind == "custom":
            provider = llmbench.CustomProvider({"base_url": url, "prices": prices, "ledger": ledger})
            model = "m"
        elif kind == "vllm":
            provider = llmbench.LlamaProvider({"backend": "vllm", "base_url": url, "ledger": ledger})
            model = "llama-3.1-8b"
        else:
            provider = llmbench.OpenAIProvider({"base_url": url, "api_key": "sk-nonenone", "ledger": ledger})
            model = "gpt-4o-mini"  # one that the catalog prices
        yield lambda: provider.chat_completion(MESSAGES, model)
        await provider.aclose()


CLIENTS: dict[str, Callable[[str], Any]] = {
    "aiohttp": aiohttp_alone,
    "AsyncOpenAI": async_openai,
    "AsyncOpenAI on aiohttp": async_openai_on_aiohttp,
    "litellm": litellm_alone,
    "litellm.Router": litellm_router,
    "ModelRouter": lambda url: our_router(url, store_texts=False),
    "ModelRouter, texts kept": lambda url: our_router(url, store_texts=True),
    "CustomProvider": lambda url: ours("custom", url),
    "LlamaProvider on vllm": lambda url: ours("vllm", url),
    "OpenAIProvider": lambda url: ours("openai", url),
}


async def timed(ask: Ask, concurrency: int, calls: int) -> dict[str, float]:
    todo = iter(range(calls))

    async def work() -> None:
        for _ in todo:
            await ask()

    await asyncio.gather(*(ask() for _ in range(concurrency)))  # opens the connections
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - start
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return {"CPU ms a call": cpu / calls * 1000, "calls a second": calls / wall}


async def main() -> None:
    name, url = sys.argv[1:]
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a client prints must not be taken for a result
    loop = asyncio.get_running_loop()
    async with CLIENTS[name](url) as ask:
        await ask()
        print("ready", file=results, flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            concurrency, calls = map(int, line.split())
            print(json.dumps(await timed(ask, concurrency, calls)), file=results, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
