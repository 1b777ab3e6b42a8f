"""What our layer costs per call: bare aiohttp, the openai SDK, and our providers with the ledger on.

One loopback server answers at once; every client runs in each of five interleaved rounds.
CPU seconds are this process's own; the server runs in another.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector, web

ROUNDS = 5
CALLS = 2000
CONCURRENCY = (1, 64)
MESSAGES = [{"role": "user", "content": "word " * 50}]
REPLY = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "word " * 20}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70},
    }
).encode()

Ask = Callable[[], Awaitable[object]]


def serve(pipe: Connection) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=REPLY, content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def timed(ask: Ask, concurrency: int) -> tuple[float, float]:
    todo = iter(range(CALLS))

    async def work() -> None:
        for _ in todo:
            await ask()

    await asyncio.gather(*(ask() for _ in range(concurrency)))  # opens the connections
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - start
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return cpu / CALLS * 1000, CALLS / wall


async def measure(url: str, folder: str) -> dict[tuple[str, int], list[tuple[float, float]]]:
    import openai

    from llmbench import CustomProvider, Ledger, OpenAIProvider

    session = ClientSession(connector=TCPConnector(limit=256))
    sdk = openai.AsyncOpenAI(api_key="sk-none", base_url=url, max_retries=0)
    sdk_aiohttp = openai.AsyncOpenAI(
        api_key="sk-none", base_url=url, max_retries=0, http_client=openai.DefaultAioHttpClient()
    )
    ledger = Ledger(Path(folder) / "ledger.db")
    prices = {"m": {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"}}
    custom = CustomProvider({"base_url": url, "prices": prices, "ledger": ledger})
    ours = OpenAIProvider({"base_url": url, "api_key": "sk-nonenone", "ledger": ledger})

    async def bare() -> Any:
        async with session.post(
            f"{url}/chat/completions", json={"model": "m", "messages": MESSAGES}
        ) as reply:
            return json.loads(await reply.read())

    clients: dict[str, Ask] = {
        "aiohttp": bare,
        "AsyncOpenAI": lambda: sdk.chat.completions.create(model="m", messages=MESSAGES),  # type: ignore[arg-type]
        "AsyncOpenAI on aiohttp": lambda: sdk_aiohttp.chat.completions.create(model="m", messages=MESSAGES),  # type: ignore[arg-type]
        "CustomProvider + ledger": lambda: custom.chat_completion(MESSAGES, "m"),  # type: ignore[arg-type]
        "OpenAIProvider + ledger": lambda: ours.chat_completion(MESSAGES, "m"),  # type: ignore[arg-type]
    }
    seen: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for concurrency in CONCURRENCY:
            for name, ask in clients.items():
                seen.setdefault((name, concurrency), []).append(await timed(ask, concurrency))
    await asyncio.gather(session.close(), sdk.close(), sdk_aiohttp.close(), custom.aclose(), ours.aclose())
    ledger.close()
    return seen


def main() -> None:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(measure(url, folder))
    server.terminate()
    print("| client | concurrency | CPU ms a call, median | min | max | calls a second, median |")
    print("|---|---|---|---|---|---|")
    for (name, concurrency), rounds in sorted(seen.items(), key=lambda row: row[0][1]):
        cpu = [r[0] for r in rounds]
        rate = statistics.median(r[1] for r in rounds)
        spread = f"{statistics.median(cpu):.2f} | {min(cpu):.2f} | {max(cpu):.2f}"
        print(f"| {name} | {concurrency} | {spread} | {rate:.0f} |")


if __name__ == "__main__":
    main()
