"""A vendor on loopback that keeps books of what it served, for whole answers and for streams."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from llmbench.ledger import Ledger
from tests.providers.vendor_stub import running

__all__ = ["PRICE", "Vendor", "agree", "serving", "write_project"]

PRICE = {"input": 1.0, "output": 4.0, "as_of": "2026-11-01"}
"""USD per 1M tokens of the model "m"."""


def usage_of(prompt: str) -> tuple[int, int]:
    """Different for neighbours, so that a swapped or repeated charge shows in the sum."""
    draw = random.Random(prompt)
    return draw.randint(5, 500), draw.randint(1, 200)


def usd_of(prompt: str) -> float:
    read, written = usage_of(prompt)
    return (read * PRICE["input"] + written * PRICE["output"]) / 1e6  # type: ignore[operator]


class Vendor:
    """What was asked and what was answered, by prompt."""

    def __init__(self) -> None:
        self.url = ""
        self.seconds = 0.03
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        """Answers that were written to their end: what a vendor charges for."""
        self.text: str | None = None
        """The answer to everything; None is `answer to PROMPT`."""
        self.status = 200
        self.refusal: dict[str, Any] = {}
        self.arrived = threading.Event()

    @property
    def usd(self) -> float:
        return sum(usd_of(prompt) * times for prompt, times in self.answered.items())

    def answer_of(self, prompt: str) -> str:
        return f"answer to {prompt}" if self.text is None else self.text

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt = str(body["messages"][-1]["content"])
        self.asked[prompt] += 1
        self.arrived.set()
        await asyncio.sleep(self.seconds)
        if self.status != 200:
            return web.json_response(self.refusal, status=self.status)
        if body.get("stream"):
            return await self._stream(request, prompt, body["model"])
        message = {"role": "assistant", "content": self.answer_of(prompt)}
        reply = {
            "id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage(prompt),
        }  # fmt: skip
        response = web.Response(body=json.dumps(reply).encode(), content_type="application/json")
        await response.prepare(request)
        await response.write_eof()
        self.answered[prompt] += 1
        return response

    async def _stream(self, request: web.Request, prompt: str, model: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
        for word in self.answer_of(prompt).split(" ")[:5]:
            choice = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
            await response.write(_event({**head, "choices": [choice]}))
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        await response.write(_event({**head, "choices": [end], "usage": _usage(prompt)}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        self.answered[prompt] += 1
        return response


def _usage(prompt: str) -> dict[str, int]:
    read, written = usage_of(prompt)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


@contextmanager
def serving() -> Iterator[Vendor]:
    vendor = Vendor()
    with running(lambda app: app.router.add_post("/v1/chat/completions", vendor.answer) and None) as root:
        vendor.url = f"{root}/v1"
        yield vendor


def write_project(folder: Path, vendor: Vendor, items: int = 40) -> None:
    """A project whose endpoint `mock` is the vendor, with a data set of `items` questions."""
    (folder / "data").mkdir(parents=True)
    prices = ", ".join(f"{name} = {json.dumps(value)}" for name, value in PRICE.items())
    (folder / "llmbench.toml").write_text(
        f'[endpoints.mock]\nprovider = "custom"\nbase_url = "{vendor.url}"\nmodel = "m"\n'
        f"[endpoints.mock.prices]\nm = {{ {prices} }}\n",
        encoding="utf-8",
    )
    rows = [{"id": k, "prompt": f"item {k}", "expected": f"answer to item {k}"} for k in range(items)]
    (folder / "data" / "items.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )


def agree(ledger_path: Path, vendor: Vendor, in_flight: int) -> Counter[str]:
    """Assert that the ledger is sound and tells nothing that the vendor does not know, and that at most
    `in_flight` answers, of processes that were killed, are the vendor's alone; the answers by prompt.
    """
    if not ledger_path.exists():
        assert vendor.answered.total() <= in_flight
        return Counter()
    with Ledger(ledger_path) as ledger:
        checked = ledger.verify()
        assert checked.sound, checked.problems
        rows = list(ledger.calls())
        spent = ledger.spend().usd or 0.0
    assert len({(row.call_id, row.attempt) for row in rows}) == len(rows)
    kept = Counter(str(row.messages[-1]["content"]) for row in rows if row.status == "ok")
    assert not kept - vendor.answered, "counted what was never served"
    assert (vendor.answered - kept).total() <= in_flight, "lost what was served"
    assert spent <= vendor.usd * (1 + 1e-9)
    unkept = sum(usd_of(prompt) * times for prompt, times in (vendor.answered - kept).items())
    assert abs(spent + unkept - vendor.usd) < 1e-9
    return kept
