"""Replicate's predictions, as its HTTP API reference describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import ANSWER, PIECES, Failure, VendorStub

_NAMES = {"max_new_tokens": "max_tokens"}


def _failure(status: int, detail: str, **headers: str) -> Failure:
    body = {"title": "problem", "detail": detail, "status": status}
    return Failure(status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body))


class ReplicateDialect:
    """Creates answer "starting"; looked at again, a prediction is "processing" and then has ended."""

    failures: Mapping[str, Failure] = {
        "unauthorized": _failure(401, "You did not pass a valid authentication token: ECHO"),
        "forbidden": _failure(403, "no access"),
        "rate": _failure(429, "Request was throttled. Expected available in 1 second.", Retry_After="1"),
        "quota": _failure(402, "You have insufficient credit to run this model."),
        "missing": _failure(404, "The requested resource could not be found."),
        "invalid": _failure(422, "- input.temperature: Must be less than or equal to 5"),
        "server": _failure(500, "Internal server error"),
        "busy": _failure(503, "Service unavailable"),
    }
    lacks = frozenset({"filtered-answer"})
    finish_reason: str | None = None
    usage = Usage(11, 3)

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.served: str | None = f"{prefix}m"

    def base_url(self, root: str) -> str:
        return root

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("Authorization", "").removeprefix("Bearer ") or None

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        looks: dict[str, int] = {}

        async def create(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            model = f"{request.match_info['owner']}/{request.match_info['name']}"
            scenario = model.removeprefix(self._prefix)
            stub.note(request, scenario, body, {"model": model, **_meant(body)})
            misbehaved = await stub.misbehave(request, scenario, self)
            if misbehaved is not None:
                return misbehaved
            return web.json_response(_prediction(request, model, scenario, "starting"), status=201)

        async def look(request: web.Request) -> web.StreamResponse:
            scenario = request.match_info["id"]
            looks[scenario] = looks.get(scenario, 0) + 1
            status = "processing" if looks[scenario] == 1 else "succeeded"
            if scenario in {"fails", "too-long", "nsfw"} and status == "succeeded":
                status = "failed"
            return web.json_response(_prediction(request, self._prefix + scenario, scenario, status))

        async def stream(request: web.Request) -> web.StreamResponse:
            scenario = request.match_info["id"]
            # The creation did not say yet that a stream was wanted.
            stub.asked[-1].meant["stream"] = True
            return await stub.send_cut_anywhere(
                request, _events(scenario), abort=scenario == "cut", content_type="text/event-stream"
            )

        async def cancel(request: web.Request) -> web.StreamResponse:
            stub.cut.set()
            scenario = request.match_info["id"]
            return web.json_response(_prediction(request, self._prefix + scenario, scenario, "canceled"))

        app.router.add_post("/v1/models/{owner}/{name}/predictions", create)
        app.router.add_get("/v1/predictions/{id}", look)
        app.router.add_post("/v1/predictions/{id}/cancel", cancel)
        app.router.add_get("/stream/{id}", stream)


def _meant(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(body["input"])
    assert fields.pop("prompt_template") == "{prompt}"
    prompt = fields.pop("prompt")
    decoded = _llama_3(prompt) if prompt.startswith("<|begin_of_text|>") else _mixtral(prompt)
    return {"messages": decoded, **{_NAMES.get(key, key): value for key, value in fields.items()}}


def _llama_3(prompt: str) -> list[dict[str, str]]:
    turns = re.findall(
        r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>", prompt, flags=re.DOTALL
    )
    assert prompt.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    return [{"role": role, "content": content} for role, content in turns]


def _mixtral(prompt: str) -> list[dict[str, str]]:
    found = []
    for user, assistant in re.findall(
        r"\[INST\] (.*?) \[/INST\](?: (.*?)</s>)?", prompt.removeprefix("<s>"), flags=re.DOTALL
    ):
        system, blank, rest = user.partition("\n\n")
        found += [{"role": "system", "content": system}] if blank else []
        found.append({"role": "user", "content": rest if blank else user})
        found += [{"role": "assistant", "content": assistant}] if assistant else []
    return found


def _prediction(request: web.Request, model: str, scenario: str, status: str) -> dict[str, Any]:
    ended = status == "succeeded"
    root = f"http://{request.host}"
    errors = {
        "fails": "CUDA out of memory", "too-long": "prompt is too long for the context window",
        "nsfw": "content policy: the prompt was flagged",
    }  # fmt: skip
    return {
        "id": scenario,
        "model": model,
        "version": "hidden",
        "status": status,
        "input": {},
        "output": ([] if scenario == "silent" else list(PIECES)) if ended else None,
        "logs": "",
        "error": errors.get(scenario) if status == "failed" else None,
        "metrics": {
            "input_token_count": 11,
            "output_token_count": 5 if scenario == "long" else 3,
            "predict_time": 0.05,
            "time_to_first_token": 0.02,
        }
        if ended
        else {},
        "created_at": "2026-01-01T00:00:00.000Z",
        "started_at": "2026-01-01T00:00:12.500Z" if status != "starting" else None,
        "completed_at": "2026-01-01T00:00:12.550Z" if ended else None,
        "urls": {
            "get": f"{root}/v1/predictions/{scenario}",
            "cancel": f"{root}/v1/predictions/{scenario}/cancel",
            "stream": f"{root}/stream/{scenario}",
        },
    }


def _events(scenario: str) -> list[bytes]:
    events = [f"event: output\nid: {n}\ndata: {piece}\n\n".encode() for n, piece in enumerate(PIECES)]
    if scenario == "stream-error":
        events.append(b'event: error\ndata: {"detail": "An unexpected error occurred"}\n\n')
    elif scenario != "cut":
        events.append(b"event: done\ndata: {}\n\n")
    return events


assert "".join(PIECES) == ANSWER
