"""Replicate's predictions, as its HTTP API reference describes them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import ANSWER, PIECES, Failure, VendorStub

_NAMES = {"max_new_tokens": "max_tokens", "stop_sequences": "stop"}
# What ends an answer of Llama 3 there, unless a request says otherwise.
_ENDS = ["<|end_of_text|>", "<|eot_id|>"]
# Words of replicate/cog-triton's predict.py, of cog-stable-diffusion's, and of a filter of Replicate's.
_ERRORS = {
    "fails": "CUDA out of memory",
    "too-long": "E1002 PromptTooLong: Prompt length (9000) exceeds maximum input length (8000)",
    "nsfw": "NSFW content detected. Try running it again, or try a different prompt.",
    "flagged": "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
    "bad-template": "E1004 PromptTemplateError: Prompt template must be a valid python format spec: KeyError",
}


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

    def __init__(self, prefix: str, *, streams_at: str | None = None) -> None:
        self._prefix = prefix
        self._streams_at = streams_at
        self.cancelled: list[str] = []
        self.served: str | None = f"{prefix}m"

    def base_url(self, root: str) -> str:
        return root

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("Authorization", "").removeprefix("Bearer ") or None

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        looks: dict[str, int] = {}

        async def create(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            model = "/".join(request.match_info[part] for part in ("owner", "name"))
            scenario = model.removeprefix(self._prefix)
            stub.note(request, scenario, body, {"model": model, **_meant(body)})
            misbehaved = await stub.misbehave(request, scenario, self)
            if misbehaved is not None:
                return misbehaved
            if scenario == "late":
                await asyncio.sleep(0.3)
            return web.json_response(self._prediction(request, model, scenario, "starting"), status=201)

        async def create_version(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            meant = {"model": body["version"], **_meant(body)}
            stub.note(request, "m", body, meant)
            return web.json_response(self._prediction(request, "stub/m", "m", "starting"), status=201)

        async def look(request: web.Request) -> web.StreamResponse:
            scenario = request.match_info["id"]
            looks[scenario] = looks.get(scenario, 0) + 1
            status = "processing" if looks[scenario] == 1 else "succeeded"
            if scenario == "lost":
                return web.Response(status=503, text="upstream connect error")
            if scenario == "odd":
                return web.json_response(["no prediction"])
            if scenario in _ERRORS and status == "succeeded":
                status = "failed"
            if scenario == "aborted":
                status = "aborted"
            return web.json_response(self._prediction(request, self._prefix + scenario, scenario, status))

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
            self.cancelled.append(scenario)
            return web.json_response(self._prediction(request, self._prefix + scenario, scenario, "canceled"))

        app.router.add_post("/v1/models/{owner}/{name}/predictions", create)
        app.router.add_post("/v1/predictions", create_version)
        app.router.add_get("/v1/predictions/{id}", look)
        app.router.add_post("/v1/predictions/{id}/cancel", cancel)
        app.router.add_get("/stream/{id}", stream)

    def _prediction(self, request: web.Request, model: str, scenario: str, status: str) -> dict[str, Any]:
        ended = status == "succeeded"
        root = f"http://{request.host}"
        return {
            "id": scenario,
            "model": model,
            "version": "hidden",
            "status": status,
            "input": {},
            "data_removed": scenario == "removed",
            "output": ([] if scenario == "silent" else list(PIECES)) if ended else None,
            "logs": "",
            "error": _ERRORS.get(scenario) if status == "failed" else None,
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
                "stream": f"{self._streams_at or root}/stream/{scenario}",
            },
        }


def _meant(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(body["input"])
    assert fields.pop("prompt_template") == "{prompt}"
    prompt = fields.pop("prompt")
    decoded = _llama_3(prompt) if prompt.startswith("<|begin_of_text|>") else _mixtral(prompt)
    if "stop_sequences" in fields:
        *stop, end_of_text, end_of_turn = fields["stop_sequences"].split(",")
        assert [end_of_text, end_of_turn] == _ENDS
        fields["stop_sequences"] = stop
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


def _events(scenario: str) -> list[bytes]:
    events = [f"event: output\nid: {n}\ndata: {piece}\n\n".encode() for n, piece in enumerate(PIECES)]
    if scenario == "stream-error":
        events.append(b'event: error\ndata: {"detail": "An unexpected error occurred"}\n\n')
    elif scenario != "cut":
        events.append(b"event: done\ndata: {}\n\n")
    return events


assert "".join(PIECES) == ANSWER
