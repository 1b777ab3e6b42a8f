"""One run of bench_matrix.py in a process of its own: ours, or a bare loop that keeps its answers in a file.

Run as `python matrix_worker.py TOOL URL FOLDER CONNECTIONS`; FOLDER holds items.jsonl, and what a
run leaves, so that the same command again resumes. Prints one line of JSON: the seconds of the run
without the imports, and what became of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

MODELS = ("stub-a", "stub-b")
OPENAI_MODELS = ("gpt-4o-mini", "gpt-4o")
"""Ones that the catalog prices."""
PRICES = {name: {"input": 1.0, "output": 2.0, "as_of": "2026-11-01"} for name in MODELS}
KEY = "sk-nonenone"
Ask = Callable[[str, list[Any]], Awaitable[str]]


def items(folder: Path) -> list[dict[str, str]]:
    with (folder / "items.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


async def keep_all(ask: Ask, folder: Path, connections: int) -> dict[str, Any]:
    """The loop that one writes oneself: a few workers, and a line of JSON for each answer."""
    rows = items(folder)
    todo: Iterator[tuple[str, dict[str, str]]] = ((model, row) for model in MODELS for row in rows)
    right = failed = 0
    with (folder / "answers.jsonl").open("a") as out:

        async def work() -> None:
            nonlocal right, failed
            for model, row in todo:
                try:
                    answer = await ask(model, [{"role": "user", "content": row["prompt"]}])
                except Exception as error:  # noqa: BLE001
                    failed += 1
                    print(type(error).__name__, file=sys.stderr)
                    continue
                right += answer == row["expected"]
                print(json.dumps([model, row["id"], answer]), file=out, flush=True)

        await asyncio.gather(*(work() for _ in range(connections)))
    return {"score": right / len(rows) / len(MODELS), "failed": failed}


async def bare_aiohttp(url: str, folder: Path, connections: int) -> dict[str, Any]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(model: str, messages: list[Any]) -> str:
            body = {"model": model, "messages": messages, "temperature": 0}
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                reply.raise_for_status()
                return str((await reply.json())["choices"][0]["message"]["content"])

        return await keep_all(ask, folder, connections)


async def bare_openai(url: str, folder: Path, connections: int, *, on_aiohttp: bool) -> dict[str, Any]:
    import openai

    http = openai.DefaultAioHttpClient() if on_aiohttp else None
    async with openai.AsyncOpenAI(api_key=KEY, base_url=url, http_client=http) as client:

        async def ask(model: str, messages: list[Any]) -> str:
            reply = await client.chat.completions.create(model=model, messages=messages, temperature=0)
            return reply.choices[0].message.content or ""

        return await keep_all(ask, folder, connections)


def ours(url: str, folder: Path, connections: int, *, sdk: bool) -> dict[str, Any]:
    import llmbench

    with llmbench.Ledger(folder / "ledger.db") as ledger:
        provider: llmbench.BaseLLMProvider
        if sdk:
            provider = llmbench.OpenAIProvider(
                {"base_url": url, "api_key": KEY, "ledger": ledger, "endpoint": "stub"}
            )
        else:
            provider = llmbench.CustomProvider(
                {"base_url": url, "prices": PRICES, "ledger": ledger, "endpoint": "stub"}
            )
        names = OPENAI_MODELS if sdk else MODELS
        matrix = llmbench.Matrix(
            folder / "items.jsonl",
            [f"stub/{name}" for name in names],
            grader="exact",
            ledger=ledger,
            providers={"stub": provider},
        )
        results = matrix.run(concurrency=connections)
        answers = results.answers
        return {
            "score": float(answers["score"].mean()),
            "failed": int(answers["missing"].sum()),
            "made": results.calls.made,
            "replayed": results.calls.replayed,
        }


def main() -> None:
    tool, url, folder, connections = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    if tool.startswith("ours"):
        # As a notebook has done before it runs a matrix, and as the bare loops have their client.
        import aiohttp
        import pandas as pd  # noqa: F401

        from llmbench.matrix.matrix import Matrix  # noqa: F401

        if tool == "ours-openai":
            import openai

        begin = time.perf_counter()
        found = ours(url, folder, connections, sdk=tool == "ours-openai")
    else:
        import aiohttp  # noqa: F401

        if "openai" in tool:
            import openai  # noqa: F401
        begin = time.perf_counter()
        run = (
            bare_aiohttp(url, folder, connections)
            if tool == "aiohttp"
            else bare_openai(url, folder, connections, on_aiohttp=tool == "openai-aiohttp")
        )
        found = asyncio.run(run)
    print(json.dumps({"seconds": time.perf_counter() - begin, **found}))


if __name__ == "__main__":
    main()
