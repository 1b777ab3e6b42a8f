"""Ollama: its own interface over our own transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from llmbench.errors import ProviderError, UsageError
from llmbench.providers.adapter import Place
from llmbench.providers.ollama_wire import LineReader, chat_body, chat_error, read_reply
from llmbench.providers.transport import HttpTransport
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["OllamaChat", "open_adapter"]

_PATH = "api/chat"
_OK = 200


class OllamaChat:
    """An `Adapter` of /api/chat."""

    def __init__(self, transport: HttpTransport, place: Place) -> None:
        self._transport = transport
        self._endpoint = place.endpoint
        self._context: int | None = place.options.get("context")
        self._keep_alive: str | float | None = place.options.get("keep_alive")

    @property
    def base_url(self) -> str:
        """The server's address, without a path."""
        return self._transport.base_url

    async def complete(self, request: ChatRequest, *, model: str | None = None) -> RawAnswer:
        """One try."""
        try:
            reply = await self._transport.post_json(_PATH, self._body(request, model, stream=False))
        except ProviderError as error:
            self._name(error, request)
            raise
        if reply.status != _OK:
            raise self._error(reply.status, reply.body, reply.headers, request, model)
        return read_reply(reply.body, provider=self._endpoint, model=request.model, secrets=self.secrets())

    async def stream(
        self, request: ChatRequest, *, model: str | None = None
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come, the RawAnswer last."""
        reader = LineReader(provider=self._endpoint, model=request.model, secrets=self.secrets())
        body = self._body(request, model, stream=True)
        try:
            async with self._transport.stream_json(_PATH, body) as reply:
                if reply.status != _OK:
                    raise self._error(reply.status, await reply.read(), reply.headers, request, model)
                async for chunk in reply:
                    for text in reader.feed(chunk):
                        yield text
                for text in reader.feed(b"", last=True):
                    yield text
        except ProviderError as error:
            self._name(error, request)
            raise
        yield reader.finish()

    def _body(self, request: ChatRequest, model: str | None, *, stream: bool) -> dict[str, Any]:
        return chat_body(
            request,
            model=model or request.model,
            stream=stream,
            provider=self._endpoint,
            context=self._context,
            keep_alive=self._keep_alive,
        )

    def _error(
        self, status: int, body: bytes, headers: Mapping[str, str], request: ChatRequest, model: str | None
    ) -> ProviderError:
        return chat_error(
            status,
            body,
            headers,
            provider=self._endpoint,
            model=request.model,
            sent=model,
            secrets=self.secrets(),
        )

    def _name(self, error: ProviderError, request: ChatRequest) -> None:
        """Tell the error its provider and model, which the transport does not know."""
        error.provider = error.provider or self._endpoint
        error.model = error.model or request.model

    def secrets(self) -> tuple[str, ...]:
        """The key, where one stands before the server."""
        return self._transport.secrets()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


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
