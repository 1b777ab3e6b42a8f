"""What our layer costs per call, beside bare aiohttp, the openai SDK and litellm.

One loopback server answers at once. Every client is a process of its own (litellm in a venv of its
own, because it forces openai below 3), warmed up, and measured in each of the interleaved rounds;
CPU is the client's process alone. Ours have the ledger and the prices on.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

ROUNDS = 5
CALLS = {1: 500, 16: 1000, 64: 1500, 256: 1500}
HERE = Path(__file__).parent
PEERS = HERE.parent / ".bench"
LITELLM = "litellm==1.106.2"
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
    """The Python that has the client; litellm's venv is made at first use."""
    if not client.startswith("litellm"):
        return sys.executable
    folder = PEERS / "litellm"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", LITELLM], check=True)
    return str(python)


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


Seen = dict[tuple[str, int], list[dict[str, float]]]
"""By client and calls in flight, what each round gave."""


def measure(clients: Sequence[str], calls: Mapping[int, int]) -> Seen:
    """All rounds of all clients, against one server. `calls`: of one round, by calls in flight."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    workers = {client: Worker(client, url) for client in clients}
    seen: Seen = {}
    for _ in range(ROUNDS):
        for concurrency, count in calls.items():
            for client, worker in workers.items():
                seen.setdefault((client, concurrency), []).append(worker.measure(concurrency, count))
    for worker in workers.values():
        worker.stop()
    server.terminate()
    return seen


def show(seen: Seen, baseline: str) -> None:
    def column(client: str, concurrency: int, what: str) -> list[float]:
        return [r[what] for r in seen[client, concurrency]]

    # The ratio is the median of those of each round, in which both ran seconds apart.
    print(f"| client | in flight | CPU ms a call, median (min to max) | calls a second | CPU / {baseline} |")
    print("|---|---|---|---|---|")
    for client, concurrency in seen:
        base = column(baseline, concurrency, "cpu_ms")
        cpu = column(client, concurrency, "cpu_ms")
        rate = statistics.median(column(client, concurrency, "calls_per_s"))
        ratio = statistics.median(ours / theirs for ours, theirs in zip(cpu, base, strict=True))
        spread = f"{statistics.median(cpu):.2f} ({min(cpu):.2f} to {max(cpu):.2f})"
        print(f"| {client} | {concurrency} | {spread} | {rate:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    show(measure(CLIENTS, CALLS), BASELINE)
