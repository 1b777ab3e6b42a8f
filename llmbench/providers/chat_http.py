"""Chat over our own transport: one try, whole or in pieces, and the OpenAI-compatible format on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from llmbench.errors import ProviderError
from llmbench.providers.stream_body import StreamFormat, pieces
from llmbench.providers.transport import HttpTransport
from llmbench.providers.wire import chat_body, read_answer
from llmbench.providers.wire_errors import error_from_status
from llmbench.providers.wire_stream import StreamReader
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["ChatAddress", "HttpChat"]

_OK = 200


class HttpChat(ABC):
    """An `Adapter` over the transport, but for the format: a subclass writes bodies and reads replies.

    Args:
        transport: to the server.
        path: under the transport's address.
        endpoint: how messages name who answers.
    """

    def __init__(self, transport: HttpTransport, path: str, endpoint: str) -> None:
        self._transport = transport
        self._path = path
        self._endpoint = endpoint

    @property
    def base_url(self) -> str:
        """The address called."""
        return self._transport.base_url

    def secrets(self) -> tuple[str, ...]:
        """The key, and the values of the headers, which may hold one."""
        return self._transport.secrets()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    @abstractmethod
    def _body(
        self, request: ChatRequest, model: str | None, extra: Mapping[str, Any] | None, *, stream: bool
    ) -> dict[str, Any]:
        """What is posted. Raises InvalidRequestError for what cannot be sent."""

    @abstractmethod
    def _read(self, body: bytes, model: str) -> RawAnswer:
        """The answer in a reply of status 200."""

    @abstractmethod
    def _reader(self, model: str) -> StreamFormat:
        """What reads a stream of status 200."""

    def _error(
        self, status: int, body: bytes, headers: Mapping[str, str], model: str, sent: str | None
    ) -> ProviderError:
        """The error of a reply of any other status; `sent` is the id of `model` there, where it differs."""
        del sent
        return error_from_status(status, body, headers, self._endpoint, model, secrets=self.secrets())

    async def complete(
        self, request: ChatRequest, *, model: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> RawAnswer:
        """One try. `model` is the id to send where it differs, `extra` further fields of the body."""
        body = self._body(request, model, extra, stream=False)
        try:
            reply = await self._transport.post_json(self._path, body)
        except ProviderError as error:
            self._name(error, request.model)
            raise
        if reply.status != _OK:
            raise self._error(reply.status, reply.body, reply.headers, request.model, model)
        return self._read(reply.body, request.model)

    async def stream(
        self, request: ChatRequest, *, model: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come, the RawAnswer last."""
        body = self._body(request, model, extra, stream=True)
        reader = self._reader(request.model)
        try:
            async with self._transport.stream_json(self._path, body) as reply:
                if reply.status != _OK:
                    raise self._error(reply.status, await reply.read(), reply.headers, request.model, model)
                async with aclosing(pieces(reply, reader)) as texts:
                    async for text in texts:
                        yield text
        except ProviderError as error:
            self._name(error, request.model)
            raise
        yield reader.finish()

    def _name(self, error: ProviderError, model: str) -> None:
        """Tell the error its provider and model, which the transport does not know."""
        error.provider = error.provider or self._endpoint
        error.model = error.model or model


class ChatAddress(HttpChat):
    """One address that answers chat completions. `options` are fields that go into every body."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoint: str,
        *,
        max_tokens_field: str = "max_tokens",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(transport, "chat/completions", endpoint)
        self._max_tokens_field = max_tokens_field
        self._options = options or {}

    def _body(
        self, request: ChatRequest, model: str | None, extra: Mapping[str, Any] | None, *, stream: bool
    ) -> dict[str, Any]:
        return chat_body(
            request,
            model=model,
            stream=stream,
            max_tokens_field=self._max_tokens_field,
            extra={**self._options, **(extra or {})},
            provider=self._endpoint,
        )

    def _read(self, body: bytes, model: str) -> RawAnswer:
        return read_answer(body, provider=self._endpoint, model=model, secrets=self.secrets())

    def _reader(self, model: str) -> StreamReader:
        return StreamReader(provider=self._endpoint, model=model, secrets=self.secrets())
