"""What our layer costs per call, beside bare aiohttp, the openai SDK and litellm.

One loopback server answers at once. Every client is a process of its own (litellm in a venv of its
own, because it forces openai below 3), warmed up, and measured in each of the interleaved rounds;
CPU is the client's process alone. Ours have the ledger and the prices on.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import findings
import peers
from aiohttp import web

CALLS = {1: 500, 16: 1000, 64: 1500, 256: 1500}
HERE = Path(__file__).parent
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
BASELINE = "AsyncOpenAI"
CLIENTS = (
    "aiohttp",
    "AsyncOpenAI",
    "AsyncOpenAI on aiohttp",
    "litellm",
    "CustomProvider",
    "LlamaProvider on vllm",
    "OpenAIProvider",
)


def serve(pipe: Connection) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=REPLY, content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


def interpreter(client: str) -> str:
    """The Python that has the client."""
    return peers.python("litellm") if client.startswith("litellm") else sys.executable


class Worker:
    """One client's process."""

    def __init__(self, client: str, url: str) -> None:
        command = [interpreter(client), str(HERE / "call_worker.py"), client, url]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise SystemExit(f"{client} did not answer its first call; run: {' '.join(command)}")

    def measure(self, concurrency: int, calls: int) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(concurrency, calls, file=self._process.stdin, flush=True)
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def compare(
    clients: Sequence[str], calls: Mapping[int, int], baseline: str, rounds: int
) -> list[findings.Series]:
    """All rounds of all clients, against one server. `calls`: of one round, by calls in flight."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    workers = {client: Worker(client, url) for client in clients}
    seen: dict[tuple[int, str], dict[str, list[float]]] = {}
    for _ in range(rounds):
        for concurrency, count in calls.items():
            for client, worker in workers.items():
                for unit, value in worker.measure(concurrency, count).items():
                    seen.setdefault((concurrency, unit), {}).setdefault(client, []).append(value)
    for worker in workers.values():
        worker.stop()
    server.terminate()
    return [
        series
        for (concurrency, unit), by_client in seen.items()
        for series in findings.series(f"{concurrency} in flight", unit, by_client, baseline)
    ]


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("aiohttp", "openai")}


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    there, skipped = peers.ready("litellm")
    clients = [client for client in CLIENTS if client != "litellm" or "litellm" in there]
    return findings.Part(
        "A call",
        "One loopback server answers at once; 50 words in, 20 out. Ours have the ledger and the prices on.",
        tuple(compare(clients, CALLS, BASELINE, rounds)), {**versions(), **there}, skipped, machine,
    )  # fmt: skip
