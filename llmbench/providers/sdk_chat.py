"""Chat completions through a vendor's SDK of the family that OpenAI's and Together's belong to.

The SDK builds the request and owns the connection; its retries, its timeout and its parsing are
off: the reply is read as bytes by the same code as every other chat completion.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from types import ModuleType
from typing import Any

from llmbench.errors import BadResponseError, ProviderError
from llmbench.providers.clients import PerLoop
from llmbench.providers.reply_errors import no_answer, no_connection, no_reply_in_time
from llmbench.providers.reply_limit import RefusedReplyError
from llmbench.providers.stream_body import StreamFormat, pieces
from llmbench.providers.wire import chat_body, read_answer
from llmbench.providers.wire_errors import error_from_status
from llmbench.providers.wire_stream import StreamReader
from llmbench.secret import Secret
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["SdkChat"]


class SdkChat:
    """An `Adapter` over an SDK. A vendor with another format overrides what stands below `stream`.

    Args:
        sdk: the imported package, for its error classes.
        open_client: makes a client; called once per event loop.
        endpoint: how messages name the place.
        base_url: the address the client calls.
        key: masked in every message.
        max_tokens_field: the vendor's spelling.
        unknown_fields: fields of a body that the SDK's `create` has no parameter for.
        post_path: where the SDK posts a completion, for one whose own `post` is part of its interface: the
            body is then sent as it is, without the walk through its types that `create` takes before.
    """

    def __init__(
        self,
        sdk: ModuleType,
        open_client: Callable[[], Any],
        *,
        endpoint: str,
        base_url: str,
        key: Secret,
        max_tokens_field: str = "max_tokens",
        unknown_fields: frozenset[str] = frozenset(),
        post_path: str | None = None,
    ) -> None:
        self._sdk = sdk
        self._endpoint = endpoint
        self.base_url = base_url
        self._key = key
        self._max_tokens_field = max_tokens_field
        self._unknown_fields = unknown_fields
        self._post_path = post_path
        self._clients: PerLoop[Any] = PerLoop(open_client, _close)
        self.foreign = _foreign_errors(sdk)
        """What the SDK and the transport under it raise, for `failure`."""

    async def client(self) -> Any:
        """The SDK's client of this event loop, for what is no chat completion."""
        return await self._clients.get()

    async def complete(self, request: ChatRequest, *, model: str | None = None) -> RawAnswer:
        """One try."""
        client = await self._clients.get()
        arguments = self.arguments(request, model, stream=False)
        try:
            reply = await self._reply(client, arguments)
            return self.read(reply.content, reply.headers, request.model)
        except self.foreign as error:
            failure = self.failure(error, request.model)
        # Raised outside of the handler: the SDK's message may carry a key that the server echoed.
        raise failure

    async def stream(
        self, request: ChatRequest, *, model: str | None = None
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come, the RawAnswer last."""
        client = await self._clients.get()
        arguments = self.arguments(request, model, stream=True)
        failure: ProviderError | None = None
        try:
            async with self._resource(client).with_streaming_response.create(**arguments) as reply:
                reader = self._reader(reply.headers, request.model)
                async with aclosing(pieces(reply.iter_bytes(), reader)) as texts:
                    async for text in texts:
                        yield text
        except self.foreign as error:
            failure = self.failure(error, request.model)
        if failure:
            raise failure
        yield reader.finish()

    async def _reply(self, client: Any, arguments: dict[str, Any]) -> Any:
        """The SDK's response of status 200, its body read."""
        if self._post_path is None:
            raw = await self._resource(client).with_raw_response.create(**arguments)
            return raw.http_response
        return await client.post(self._post_path, body=arguments, cast_to=_http(self._sdk).Response)

    def _resource(self, client: Any) -> Any:
        """The part of the SDK's client whose `create` is called."""
        return client.chat.completions

    def arguments(self, request: ChatRequest, model: str | None = None, *, stream: bool) -> dict[str, Any]:
        """What `create` is called with. Raises InvalidRequestError for what cannot be sent."""
        body = chat_body(
            request,
            model=model,
            stream=stream,
            max_tokens_field=self._max_tokens_field,
            provider=self._endpoint,
        )
        unknown = {key: body.pop(key) for key in list(body) if key in self._unknown_fields}
        return {**body, "extra_body": unknown} if unknown else body

    def read(self, body: bytes, headers: Mapping[str, str], model: str) -> RawAnswer:  # noqa: ARG002
        """The answer in a reply of status 200."""
        return read_answer(body, provider=self._endpoint, model=model, secrets=self.secrets())

    def _reader(self, headers: Mapping[str, str], model: str) -> StreamFormat:  # noqa: ARG002
        """What reads a stream of status 200."""
        return StreamReader(provider=self._endpoint, model=model, secrets=self.secrets())

    def failure(self, error: Exception, model: str) -> ProviderError:
        """The error of ours for one of the SDK's or of the transport under it; it is returned."""
        who = self._endpoint
        # Of a body that it reads itself, the SDK says that there is no connection.
        refused = next((one for one in (error, error.__cause__) if isinstance(one, RefusedReplyError)), None)
        if refused is not None:
            return no_answer(who, self.base_url, model, refused)
        if isinstance(error, self._sdk.APIStatusError):
            return error_from_status(
                error.status_code,
                error.response.content,
                error.response.headers,
                who,
                model,
                secrets=self.secrets(),
            )
        if isinstance(error, self._sdk.APITimeoutError) and not _connecting(error):
            return no_reply_in_time(who, model)
        if isinstance(error, self._sdk.APIError) and not isinstance(error, self._sdk.APIConnectionError):
            return BadResponseError(
                f"{who} answered a request to {model!r} with something else than a completion "
                f"({type(error).__name__}); check base_url.",
                provider=who,
                model=model,
            )
        return no_connection(who, self.base_url, model, billed=not _refused(error))

    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self._key.reveal(),)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()


def _http(sdk: ModuleType) -> Any:
    """The HTTP library under the SDK."""
    return importlib.import_module("httpx" if sdk.__name__ == "together" else "httpx2")


def _foreign_errors(sdk: ModuleType) -> tuple[type[Exception], ...]:
    """The SDK's own errors, and what its transport lets through while a body is read."""
    import aiohttp

    http = _http(sdk)
    # A RequestError is also a body whose compression is broken.
    return (sdk.APIError, http.RequestError, aiohttp.ClientError, RefusedReplyError)


def _connecting(error: Exception) -> bool:
    """Whether the SDK says that no connection came about.

    On aiohttp it says so of every failure of a connection, one cut after the request included.
    """
    return type(error.__cause__).__name__ in {"ConnectTimeout", "ConnectError"}


def _refused(error: Exception) -> bool:
    """Whether no connection came about, so that nothing can have been done or charged."""
    import aiohttp

    cause = error.__cause__.__cause__ if error.__cause__ else None
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return _connecting(error)


async def _close(client: Any) -> None:
    await client.close()
