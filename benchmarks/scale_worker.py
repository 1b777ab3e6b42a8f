"""One job of bench_scale.py in a process of its own; prints JSON.

Run as `python scale_worker.py JOB COUNT LEDGER [URL] [NAME]`: `own` and `openai` make COUNT calls through a
provider, `matrix` COUNT cells with grading, `write` records COUNT calls without making them, `batch` sends
COUNT requests by the vendor's batches. LEDGER is a file or a database's URL.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ledger_worker
import matrix_worker

IN_FLIGHT = 64


def _text(name: str, number: int) -> str:
    return f"Item {number}: {name} {'word ' * 50}"


def calls(kind: str, count: int, ledger_url: str, url: str, name: str) -> None:
    import llmbench

    async def main(provider: Any, model: str) -> None:
        todo = iter(range(count))

        async def work() -> None:
            for number in todo:
                await provider.chat_completion([{"role": "user", "content": _text(name, number)}], model)

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        await provider.aclose()

    with llmbench.Ledger(ledger_url) as ledger:
        if kind == "own":
            given = {"base_url": url, "prices": matrix_worker.PRICES, "ledger": ledger, "endpoint": "stub"}
            asyncio.run(main(llmbench.CustomProvider(given), matrix_worker.MODELS[0]))
        else:
            given = {"base_url": url, "api_key": matrix_worker.KEY, "ledger": ledger}
            asyncio.run(main(llmbench.OpenAIProvider(given), "gpt-4o-mini"))


def cells(count: int, ledger_url: str, url: str, *, batch: bool) -> None:
    import llmbench

    with tempfile.TemporaryDirectory() as folder, llmbench.Ledger(ledger_url) as ledger:
        models = ("gpt-4o-mini",) if batch else matrix_worker.MODELS
        items = Path(folder) / "items.jsonl"
        with items.open("w") as out:
            for number in range(count // len(models)):
                row = {"id": str(number), "prompt": _text("", number), "expected": f"This is item {number}."}
                print(json.dumps(row), file=out)
        provider: Any
        if batch:
            from llmbench.providers import FakeClock

            given = {"base_url": url, "api_key": matrix_worker.KEY, "ledger": ledger, "endpoint": "stub"}
            provider = llmbench.OpenAIProvider({**given, "clock": FakeClock(datetime.now(UTC))})
        else:
            given = {"base_url": url, "prices": matrix_worker.PRICES, "ledger": ledger, "endpoint": "stub"}
            provider = llmbench.CustomProvider(given)
        names = [f"stub/{model}" for model in models]
        matrix = llmbench.Matrix(
            items, names, grader="exact", ledger=ledger, providers={"stub": provider},
            params={"temperature": 0, "max_tokens": 100},
        )  # fmt: skip
        made = matrix.run(batch=True) if batch else matrix.run(concurrency=IN_FLIGHT)
        assert made.calls.failed == 0


def write(count: int, ledger_url: str, name: str) -> None:
    import dataclasses

    import llmbench

    def named() -> Iterator[Any]:
        for record in ledger_worker.records(count):
            yield dataclasses.replace(
                record, call_id=f"{name}{record.call_id}", request_hash=f"{name}{record.request_hash}",
                messages=[{"role": "user", "content": f"{name} {record.messages[0]['content']}"}],
            )  # fmt: skip

    async def main(ledger: Any) -> None:
        todo = named()

        async def work() -> None:
            for record in todo:
                await ledger.record(record)

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))

    with llmbench.Ledger(ledger_url) as ledger:
        asyncio.run(main(ledger))


def main() -> None:
    job, count, ledger_url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    url, name = [*sys.argv[4:], "", ""][:2]
    import aiohttp  # noqa: F401
    import pandas as pd  # noqa: F401

    import llmbench.ledger
    import llmbench.matrix.matrix
    import llmbench.providers  # noqa: F401

    begin, cpu = time.perf_counter(), time.process_time()
    if job == "write":
        write(count, ledger_url, name)
    elif job in {"own", "openai"}:
        calls(job, count, ledger_url, url, name)
    else:
        cells(count, ledger_url, url, batch=job == "batch")
    spent, wall = time.process_time() - cpu, time.perf_counter() - begin
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": spent, "wall": wall, "rss_mb": rss}))


if __name__ == "__main__":
    main()
