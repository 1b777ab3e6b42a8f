"""Ollama: its own interface over our own transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmbench.errors import ProviderError, UsageError
from llmbench.providers.adapter import Place
from llmbench.providers.chat_http import HttpChat
from llmbench.providers.ollama_wire import LineReader, chat_body, chat_error, read_reply
from llmbench.providers.transport import HttpTransport
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["OllamaChat", "open_adapter"]


class OllamaChat(HttpChat):
    """An `Adapter` of /api/chat; `base_url` is the server's address, without a path."""

    def __init__(self, transport: HttpTransport, place: Place) -> None:
        super().__init__(transport, "api/chat", place.endpoint)
        self._context: int | None = place.options.get("context")
        self._keep_alive: str | float | None = place.options.get("keep_alive")

    def _body(
        self, request: ChatRequest, model: str | None, extra: Mapping[str, Any] | None, *, stream: bool
    ) -> dict[str, Any]:
        body = chat_body(
            request,
            model=model or request.model,
            stream=stream,
            provider=self._endpoint,
            context=self._context,
            keep_alive=self._keep_alive,
        )
        return {**body, **(extra or {})}

    def _read(self, body: bytes, model: str) -> RawAnswer:
        return read_reply(body, provider=self._endpoint, model=model, secrets=self.secrets())

    def _reader(self, model: str) -> LineReader:
        return LineReader(provider=self._endpoint, model=model, secrets=self.secrets())

    def _error(
        self, status: int, body: bytes, headers: Mapping[str, str], model: str, sent: str | None
    ) -> ProviderError:
        return chat_error(
            status,
            body,
            headers,
            provider=self._endpoint,
            model=model,
            sent=sent,
            secrets=self.secrets(),
        )


def open_adapter(place: Place) -> OllamaChat:
    """The adapter of an Ollama server; a base_url may end in /v1 or /api.

    Settings: `context` (tokens the model reads and writes; num_ctx there), `keep_alive` (how long it
    stays loaded: seconds, or a text such as "10m").
    """
    context, keep_alive = place.options.get("context"), place.options.get("keep_alive")
    if context is not None and (type(context) is not int or context < 1):
        raise UsageError(f"context must be a whole number of tokens of at least 1; it is {context!r}.")
    if isinstance(keep_alive, bool) or not isinstance(keep_alive, str | int | float | None):
        raise UsageError(f'keep_alive must be seconds or a text such as "10m"; it is {keep_alive!r}.')
    address = place.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api")
    transport = HttpTransport(address, api_key=place.key, allow_http=place.allow_http, name=place.endpoint)
    return OllamaChat(transport, place)
