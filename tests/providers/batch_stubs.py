"""The four vendors' batches on loopback, as their references describe them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from llmbench.providers import (
    AnthropicProvider,
    BaseLLMProvider,
    GeminiProvider,
    OpenAIProvider,
    TogetherProvider,
)
from tests.providers.cases import KEY
from tests.providers.vendor_stub import running

Lines = list[tuple[str, str]]
"""What becomes of each request, in the order of the results: its id, and "ok", "error", "busy",
"expired", "cancelled", "garbage", "unknown" or "absent"."""


@dataclass
class Batches:
    """One vendor's batches, and what it is to do with them."""

    words: list[str] = field(default_factory=lambda: ["done"])
    """The states that one look after another finds: "working", "done", "failed", "expired", "cancelled"."""
    fate: Callable[[str, str, int], str] = lambda _id, _text, _batch: "ok"
    """What becomes of a request: its id, its text and the number of its batch, from 1."""
    url: str = ""
    storage: str = ""
    cut_creation: bool = False
    """The batch is started, and its reply is lost."""
    lose_creation: bool = False
    """Nothing is started, and the connection is cut."""
    gone: bool = False
    order: int = -1
    begun_at: datetime | None = None
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    batches: list[dict[str, Any]] = field(default_factory=list)
    """As they were asked for: `requests` as (id, body, text), and the rest of the order."""
    looks: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)

    def create(self, requests: list[tuple[str, dict[str, Any], str]], **order: Any) -> dict[str, Any]:
        self.batches.append({"id": f"batch_{len(self.batches) + 1}", "requests": requests, **order})
        return self.batches[-1]

    def cut(self, request: web.Request) -> web.Response | None:
        if self.cut_creation or self.lose_creation:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return None

    def word(self, *, look: bool = True) -> str:
        self.looks += look
        return self.words.pop(0) if look and len(self.words) > 1 else self.words[0]

    def find(self, id_: str) -> dict[str, Any] | None:
        return None if self.gone else next((b for b in self.batches if b["id"] == id_), None)

    def fates(self, batch: dict[str, Any]) -> list[tuple[str, str, str]]:
        number = self.batches.index(batch) + 1
        found = [(name, text, self.fate(name, text, number)) for name, _, text in batch["requests"]]
        return [(name, text, what) for name, text, what in found[:: self.order] if what != "absent"]

    @property
    def begun(self) -> datetime:
        return self.begun_at or datetime.now(UTC)

    @property
    def sent(self) -> list[list[str]]:
        """The texts of each batch."""
        return [[text for _, _, text in batch["requests"]] for batch in self.batches]


NOT_FOUND = {"error": {"message": "no such batch", "type": "invalid_request_error", "code": None}}


def _chat(text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "served",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": f"re: {text}", "refusal": None}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }  # fmt: skip


def _file_lines(batches: Batches, batch: dict[str, Any]) -> tuple[bytes, bytes]:
    """The files of answers and of errors."""
    good: list[str] = []
    bad: list[str] = []
    for name, text, what in batches.fates(batch):
        line: dict[str, Any] = {"id": "batch_req_1", "custom_id": name, "response": None, "error": None}
        if what in {"ok", "unknown", "twice"}:
            line["response"] = {"status_code": 200, "request_id": "r", "body": _chat(text)}
            line["custom_id"] = "of-somebody-else" if what == "unknown" else name
            good += [json.dumps(line)] * (2 if what == "twice" else 1)
        elif what == "garbage":
            good.append(json.dumps(line)[:-9])
        elif what in {"error", "busy"}:
            status, code = (400, "invalid_value") if what == "error" else (500, "server_error")
            error = {"error": {"message": f"{what} it is", "type": code, "code": code}}
            bad.append(
                json.dumps({**line, "response": {"status_code": status, "request_id": "r", "body": error}})
            )
        else:
            bad.append(json.dumps({**line, "error": {"code": f"batch_{what}", "message": f"It {what}."}}))
    return "\n".join(good).encode(), "\n".join(bad).encode()


def openai_routes(app: web.Application, batches: Batches) -> None:
    states = {"working": "in_progress", "done": "completed"}

    async def upload(request: web.Request) -> web.Response:
        fields = await request.post()
        file: Any = fields["file"]
        assert fields["purpose"] == "batch"
        id_ = f"file-{len(batches.files) + 1}"
        batches.files[id_] = (file.filename, file.file.read())
        return web.json_response({"id": id_, "object": "file", "purpose": "batch", "filename": file.filename})

    def shown(batch: dict[str, Any], word: str) -> dict[str, Any]:
        ended = word != "working"
        errors = {
            "object": "list",
            "data": [{"code": "model_not_found", "message": "no such model", "line": 1}],
        }
        return {
            "id": batch["id"], "object": "batch", "endpoint": "/v1/chat/completions",
            "completion_window": "24h", "input_file_id": batch["input_file_id"],
            "metadata": batch["metadata"],
            "status": states.get(word, word), "created_at": int(batch["begun"].timestamp()),
            "completed_at": int(batch["begun"].timestamp()) + 60 if word == "done" else None,
            "expired_at": int(batch["begun"].timestamp()) + 60 if word == "expired" else None,
            "errors": errors if word == "failed" else None,
            "output_file_id": f"out-{batch['id']}" if ended and word != "failed" else None,
            "error_file_id": f"err-{batch['id']}" if ended and word != "failed" else None,
        }  # fmt: skip

    async def create(request: web.Request) -> web.Response:
        order = await request.json()
        if not batches.lose_creation:
            lines = [json.loads(line) for line in batches.files[order["input_file_id"]][1].splitlines()]
            assert all(set(line) == {"custom_id", "method", "url", "body"} for line in lines)
            requests = [(ln["custom_id"], ln["body"], ln["body"]["messages"][-1]["content"]) for ln in lines]
            batch = batches.create(requests, **order, begun=batches.begun)
        return batches.cut(request) or web.json_response(shown(batch, "working"))

    async def look(request: web.Request) -> web.Response:
        batch = batches.find(request.match_info["id"])
        if batch is None:
            return web.json_response(NOT_FOUND, status=404)
        return web.json_response(shown(batch, batches.word()))

    async def listed(request: web.Request) -> web.Response:
        newest = [shown(batch, batches.word(look=False)) for batch in batches.batches[::-1]]
        return web.json_response({"object": "list", "data": newest, "has_more": False})

    async def content(request: web.Request) -> web.Response:
        kind, _, id_ = request.match_info["id"].partition("-")
        batch = batches.find(id_)
        assert batch is not None
        return web.Response(body=_file_lines(batches, batch)[kind == "err"])

    app.router.add_post("/v1/files", upload)
    app.router.add_get("/v1/files/{id}/content", content)
    app.router.add_post("/v1/batches", create)
    app.router.add_get("/v1/batches", listed)
    app.router.add_get("/v1/batches/{id}", look)


def together_routes(app: web.Application, batches: Batches) -> None:
    states = {"working": "IN_PROGRESS", "done": "COMPLETED"}

    async def announce(request: web.Request) -> web.Response:
        form = request.query or await request.post()
        assert form["purpose"] == "batch-api"
        id_ = f"file-{len(batches.files) + 1}"
        batches.files[id_] = (str(form["file_name"]), b"")
        headers = {"Location": f"{batches.storage}/bucket/{id_}", "X-Together-File-Id": id_}
        return web.Response(status=302, headers=headers)

    def file(id_: str) -> dict[str, Any]:
        return {"id": id_, "object": "file", "created_at": 1, "filename": batches.files[id_][0], "bytes": 1,
                "purpose": "batch-api", "FileType": "jsonl", "Processed": True}  # fmt: skip

    async def stored(request: web.Request) -> web.Response:
        return web.json_response(file(request.match_info["id"]))

    def shown(batch: dict[str, Any], word: str) -> dict[str, Any]:
        ended = word not in {"working", "failed"}
        return {
            "id": batch["id"], "input_file_id": batch["input_file_id"], "endpoint": "/v1/chat/completions",
            "status": states.get(word, word.upper()), "created_at": batch["begun"].isoformat(),
            "completed_at": batch["begun"].isoformat() if ended else None, "progress": 100.0,
            "output_file_id": f"out-{batch['id']}" if ended else None,
            "error_file_id": f"err-{batch['id']}" if ended else None,
            "error": "no such model" if word == "failed" else None,
        }  # fmt: skip

    async def create(request: web.Request) -> web.Response:
        order = await request.json()
        if not batches.lose_creation:
            lines = [json.loads(line) for line in batches.files[order["input_file_id"]][1].splitlines()]
            assert all(set(line) == {"custom_id", "body"} for line in lines)
            requests = [(ln["custom_id"], ln["body"], ln["body"]["messages"][-1]["content"]) for ln in lines]
            batch = batches.create(requests, **order, begun=batches.begun)
        return batches.cut(request) or web.json_response({"job": shown(batch, "working")}, status=201)

    async def look(request: web.Request) -> web.Response:
        batch = batches.find(request.match_info["id"])
        if batch is None:
            return web.json_response({"error": "no such batch"}, status=404)
        return web.json_response(shown(batch, batches.word()))

    async def listed(_: web.Request) -> web.Response:
        return web.json_response([shown(batch, batches.word(look=False)) for batch in batches.batches])

    async def files(_: web.Request) -> web.Response:
        return web.json_response({"data": [file(id_) for id_ in batches.files]})

    async def content(request: web.Request) -> web.Response:
        kind, _, id_ = request.match_info["id"].partition("-")
        batch = batches.find(id_)
        assert batch is not None
        return web.Response(body=_file_lines(batches, batch)[kind == "err"])

    app.router.add_post("/v1/files", announce)
    app.router.add_get("/v1/files", files)
    app.router.add_post("/v1/files/{id}/preprocess", stored)
    app.router.add_get("/v1/files/{id}/content", content)
    app.router.add_post("/v1/batches", create)
    app.router.add_get("/v1/batches", listed)
    app.router.add_get("/v1/batches/{id}", look)


def anthropic_routes(app: web.Application, batches: Batches) -> None:
    def shown(batch: dict[str, Any], word: str) -> dict[str, Any]:
        ended = word != "working"
        count = len(batch["requests"])
        return {
            "id": batch["id"], "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": {"processing": 0 if ended else count, "succeeded": count if ended else 0,
                               "errored": 0, "canceled": 0, "expired": 0},
            "created_at": batch["begun"].isoformat(), "expires_at": batch["begun"].isoformat(),
            "ended_at": batch["begun"].isoformat() if ended else None, "archived_at": None,
            "cancel_initiated_at": batch["begun"].isoformat() if word == "cancelled" else None,
            "results_url": "http://elsewhere.invalid/results" if ended else None,
        }  # fmt: skip

    async def create(request: web.Request) -> web.Response:
        order = await request.json()
        batches.headers.append(dict(request.headers))
        assert all(set(one) == {"custom_id", "params"} for one in order["requests"])
        if not batches.lose_creation:
            requests = [
                (one["custom_id"], one["params"], one["params"]["messages"][-1]["content"])
                for one in order["requests"]
            ]
            batch = batches.create(requests, begun=batches.begun)
        return batches.cut(request) or web.json_response(shown(batch, "working"))

    async def look(request: web.Request) -> web.Response:
        batch = batches.find(request.match_info["id"])
        if batch is None:
            error = {"type": "error", "error": {"type": "not_found_error", "message": "no"}}
            return web.json_response(error, status=404)
        return web.json_response(shown(batch, batches.word()))

    async def listed(_: web.Request) -> web.Response:
        newest = [shown(batch, batches.word(look=True)) for batch in batches.batches[::-1]]
        return web.json_response({"data": newest, "has_more": False, "first_id": None, "last_id": None})

    async def results(request: web.Request) -> web.Response:
        batch = batches.find(request.match_info["id"])
        assert batch is not None
        lines = []
        for name, text, what in batches.fates(batch):
            message = {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "served",
                "content": [{"type": "text", "text": f"re: {text}"}], "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"},
            }  # fmt: skip
            result: dict[str, Any] = {"type": "succeeded", "message": message}
            if what in {"error", "busy"}:
                kind = "invalid_request_error" if what == "error" else "api_error"
                inner = {"type": kind, "message": f"{what} it is"}
                result = {"type": "errored", "error": {"type": "error", "error": inner, "request_id": "r"}}
            elif what in {"expired", "cancelled"}:
                result = {"type": what.replace("ll", "l")}
            line = json.dumps(
                {"custom_id": "of-somebody-else" if what == "unknown" else name, "result": result}
            )
            lines += [line[:-9]] if what == "garbage" else [line] * (2 if what == "twice" else 1)
        return web.Response(text="\n".join(lines), content_type="application/x-jsonl")

    app.router.add_post("/v1/messages/batches", create)
    app.router.add_get("/v1/messages/batches", listed)
    app.router.add_get("/v1/messages/batches/{id}", look)
    app.router.add_get("/v1/messages/batches/{id}/results", results)


def gemini_routes(app: web.Application, batches: Batches) -> None:
    states = {"working": "RUNNING", "done": "SUCCEEDED"}

    def shown(batch: dict[str, Any], word: str) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "name": f"batches/{batch['id']}",
            "metadata": {
                "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
                "name": f"batches/{batch['id']}", "displayName": batch["displayName"],
                "createTime": batch["begun"].isoformat().replace("+00:00", "Z"),
                "state": f"BATCH_STATE_{states.get(word, word.upper())}",
            },
        }  # fmt: skip
        if word == "working":
            return operation
        operation["metadata"]["endTime"] = operation["metadata"]["createTime"]
        operation["done"] = True
        if word == "failed":
            return {**operation, "error": {"code": 5, "message": "no such model", "status": "NOT_FOUND"}}
        answers: list[Any] = []
        for name, text, what in batches.fates(batch):
            answer: dict[str, Any] = {"metadata": {"key": "of-somebody-else" if what == "unknown" else name}}
            if what in {"ok", "unknown", "twice"}:
                answer["response"] = {
                    "candidates": [{"content": {"role": "model", "parts": [{"text": f"re: {text}"}]},
                                    "finishReason": "STOP", "index": 0}],
                    "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 100,
                                      "totalTokenCount": 1100},
                    "modelVersion": "served", "responseId": "r",
                }  # fmt: skip
            else:
                code = {"error": 3, "busy": 13, "expired": 4, "cancelled": 1}.get(what, 13)
                answer["error"] = {"code": code, "message": f"{what} it is"}
            answers += ["garbage"] if what == "garbage" else [answer] * (2 if what == "twice" else 1)
        kind = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatchOutput"
        return {**operation, "response": {"@type": kind, "inlinedResponses": {"inlinedResponses": answers}}}

    async def create(request: web.Request) -> web.Response:
        order = (await request.json())["batch"]
        assert request.match_info["model"].endswith(":batchGenerateContent")
        if not batches.lose_creation:
            requests = [
                (one["metadata"]["key"], one["request"], one["request"]["contents"][-1]["parts"][0]["text"])
                for one in order["inputConfig"]["requests"]["requests"]
            ]
            batch = batches.create(requests, displayName=order["displayName"], begun=batches.begun)
        return batches.cut(request) or web.json_response(shown(batch, "working"))

    async def look(request: web.Request) -> web.Response:
        batch = batches.find(request.match_info["id"])
        if batch is None:
            error = {"error": {"code": 404, "message": "no", "status": "NOT_FOUND"}}
            return web.json_response(error, status=404)
        return web.json_response(shown(batch, batches.word()))

    async def listed(_: web.Request) -> web.Response:
        found = [shown(batch, batches.word(look=False)) for batch in batches.batches]
        return web.json_response({"operations": found} if found else {})

    app.router.add_post("/v1beta/models/{model}", create)
    app.router.add_get("/v1beta/batches", listed)
    app.router.add_get("/v1beta/batches/{id}", look)


@dataclass(frozen=True)
class Vendor:
    """One vendor: its stub, its provider, and a model that has a batch price there, or none."""

    routes: Callable[[web.Application, Batches], None]
    build: Callable[..., BaseLLMProvider]
    model: str
    usd: float | None
    """Of 1,000 tokens read and 100 written, in a batch, by the book in `tests`."""


VENDORS = {
    "openai": Vendor(
        openai_routes,
        lambda url, **more: OpenAIProvider({"base_url": f"{url}/v1", "api_key": KEY, **more}),
        "gpt-4o-mini",
        0.000105,
    ),
    "together": Vendor(
        together_routes,
        lambda url, **more: TogetherProvider({"base_url": url, "api_key": KEY, **more}),
        "llama-3.1-8b",
        None,
    ),
    "anthropic": Vendor(
        anthropic_routes,
        lambda url, **more: AnthropicProvider({"base_url": url, "api_key": KEY, **more}),
        "claude-haiku-4-5",
        0.00075,
    ),
    "gemini": Vendor(
        gemini_routes,
        lambda url, **more: GeminiProvider({"base_url": url, "api_key": KEY, **more}),
        "gemini-2.5-flash",
        0.000275,
    ),
}


@contextmanager
def batch_vendor(vendor: Vendor, batches: Batches) -> Iterator[Batches]:
    """The vendor, and the storage that one of them has elsewhere."""

    async def put(request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        batches.files[id_] = (batches.files[id_][0], await request.read())
        return web.Response()

    def storage_routes(app: web.Application) -> None:
        app.router.add_put("/bucket/{id}", put)

    with running(storage_routes) as storage, running(lambda app: vendor.routes(app, batches)) as root:
        batches.url, batches.storage = root, storage.replace("127.0.0.1", "localhost")
        yield batches
