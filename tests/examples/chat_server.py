"""A server of chat completions on loopback that says which model it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.providers.vendor_stub import running

__all__ = ["TOKENS", "ChatServer", "serving_chat"]

TOKENS = (500, 200)
"""Of every answer, in and out: the document's average message."""


class ChatServer:
    """What was asked, in the order of asking."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.seconds = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        await asyncio.sleep(self.seconds)
        message = {"role": "assistant", "content": f"{body['model']} says hello"}
        return web.json_response(
            {
                "id": f"chat-{len(self.bodies)}",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": TOKENS[0],
                    "completion_tokens": TOKENS[1],
                    "total_tokens": sum(TOKENS),
                },
            }
        )

    @property
    def models(self) -> list[str]:
        return [str(body["model"]) for body in self.bodies]


@contextmanager
def serving_chat() -> Iterator[ChatServer]:
    server = ChatServer()
    with running(lambda app: app.router.add_post("/v1/chat/completions", server.answer)) as root:
        server.url = f"{root}/v1"
        yield server
