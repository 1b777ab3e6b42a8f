"""Chat completions at an OpenAI-compatible address: the wire format over the transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbench.errors import ProviderError
from llmbench.providers.transport import HttpTransport
from llmbench.providers.wire import chat_body, read_answer
from llmbench.providers.wire_errors import error_from_status
from llmbench.providers.wire_stream import StreamReader
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["ChatAddress"]

_OK = 200


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """One address that answers chat completions, and how messages name who stands behind it."""

    transport: HttpTransport
    provider: str
    path: str = "chat/completions"
    max_tokens_field: str = "max_tokens"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields that go into every body."""

    @property
    def base_url(self) -> str:
        """The address called."""
        return self.transport.base_url

    def secrets(self) -> tuple[str, ...]:
        """The key, and the values of the headers, which may hold one."""
        return self.transport.secrets()

    async def aclose(self) -> None:
        """Close the connections."""
        await self.transport.aclose()

    async def complete(
        self, request: ChatRequest, *, model: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> RawAnswer:
        """One try. `model` is the id to send where it differs, `extra` further fields of the body."""
        body = self._body(request, model, extra, stream=False)
        try:
            reply = await self.transport.post_json(self.path, body)
        except ProviderError as error:
            self._name(error, request)
            raise
        if reply.status != _OK:
            raise self._error(reply.status, reply.body, reply.headers, request)
        return read_answer(
            reply.body, provider=self.provider, model=request.model, secrets=self.transport.secrets()
        )

    async def stream(
        self, request: ChatRequest, *, model: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come, the RawAnswer last."""
        body = self._body(request, model, extra, stream=True)
        reader = StreamReader(provider=self.provider, model=request.model, secrets=self.transport.secrets())
        try:
            async with self.transport.stream_json(self.path, body) as reply:
                if reply.status != _OK:
                    raise self._error(reply.status, await reply.read(), reply.headers, request)
                async for chunk in reply:
                    for text in reader.feed(chunk):
                        yield text
                for text in reader.feed(b"", last=True):
                    yield text
        except ProviderError as error:
            self._name(error, request)
            raise
        yield reader.finish()

    def _body(
        self, request: ChatRequest, model: str | None, extra: Mapping[str, Any] | None, *, stream: bool
    ) -> dict[str, Any]:
        return chat_body(
            request,
            model=model,
            stream=stream,
            max_tokens_field=self.max_tokens_field,
            extra={**self.options, **(extra or {})},
            provider=self.provider,
        )

    def _error(
        self, status: int, body: bytes, headers: Mapping[str, str], request: ChatRequest
    ) -> ProviderError:
        return error_from_status(
            status, body, headers, self.provider, request.model, secrets=self.transport.secrets()
        )

    def _name(self, error: ProviderError, request: ChatRequest) -> None:
        """Tell the error its provider and model, which the transport does not know."""
        error.provider = error.provider or self.provider
        error.model = error.model or request.model
