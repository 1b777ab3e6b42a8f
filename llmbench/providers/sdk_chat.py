"""Chat completions through a vendor's SDK of the family that OpenAI's and Together's belong to.

The SDK builds the request and owns the connection; its retries, its timeout and its parsing are
off: the reply is read as bytes by the same code as every other chat completion.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

from llmbench.errors import BadResponseError, ConnectionFailedError, ProviderError, ProviderTimeoutError
from llmbench.providers.clients import PerLoop
from llmbench.providers.wire import chat_body, read_answer
from llmbench.providers.wire_errors import error_from_status
from llmbench.providers.wire_stream import StreamReader
from llmbench.secret import Secret
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["SdkChat"]


class SdkChat:
    """An `Adapter` over an SDK.

    Args:
        sdk: the imported package, for its error classes.
        open_client: makes a client; called once per event loop.
        endpoint: how messages name the place.
        base_url: the address the client calls.
        key: masked in every message.
        max_tokens_field: the vendor's spelling.
        unknown_fields: fields of a body that the SDK's `create` has no parameter for.
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
    ) -> None:
        self._sdk = sdk
        self._endpoint = endpoint
        self.base_url = base_url
        self._key = key
        self._max_tokens_field = max_tokens_field
        self._unknown_fields = unknown_fields
        self._clients: PerLoop[Any] = PerLoop(open_client, _close)
        self._foreign = _foreign_errors(sdk)

    async def client(self) -> Any:
        """The SDK's client of this event loop, for what is no chat completion."""
        return await self._clients.get()

    async def complete(self, request: ChatRequest, *, model: str | None = None) -> RawAnswer:
        """One try."""
        client = await self._clients.get()
        arguments = self._arguments(request, model, stream=False)
        try:
            reply = await client.chat.completions.with_raw_response.create(**arguments)
            return read_answer(
                reply.http_response.content,
                provider=self._endpoint,
                model=request.model,
                secrets=self.secrets(),
            )
        except self._foreign as error:
            failure = self.failure(error, request.model)
        # Raised outside of the handler: the SDK's message may carry a key that the server echoed.
        raise failure

    async def stream(
        self, request: ChatRequest, *, model: str | None = None
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come, the RawAnswer last."""
        client = await self._clients.get()
        arguments = self._arguments(request, model, stream=True)
        reader = StreamReader(provider=self._endpoint, model=request.model, secrets=self.secrets())
        failure: ProviderError | None = None
        try:
            async with client.chat.completions.with_streaming_response.create(**arguments) as reply:
                async for chunk in reply.iter_bytes():
                    for text in reader.feed(chunk):
                        yield text
                for text in reader.feed(b"", last=True):
                    yield text
        except self._foreign as error:
            failure = self.failure(error, request.model)
        if failure:
            raise failure
        yield reader.finish()

    def _arguments(self, request: ChatRequest, model: str | None, *, stream: bool) -> dict[str, Any]:
        body = chat_body(
            request,
            model=model,
            stream=stream,
            max_tokens_field=self._max_tokens_field,
            provider=self._endpoint,
        )
        unknown = {key: body.pop(key) for key in list(body) if key in self._unknown_fields}
        return {**body, "extra_body": unknown} if unknown else body

    def failure(self, error: Exception, model: str) -> ProviderError:
        """The error of ours for one of the SDK's or of the transport under it; it is returned."""
        who = self._endpoint
        if isinstance(error, self._sdk.APIStatusError):
            return error_from_status(
                error.status_code,
                error.response.content,
                error.response.headers,
                who,
                model,
                secrets=self.secrets(),
            )
        # The SDK's aiohttp transport calls a refused connection a timeout of connecting.
        cause = type(error.__cause__).__name__
        if isinstance(error, self._sdk.APITimeoutError) and cause != "ConnectTimeout":
            return ProviderTimeoutError(
                f"{who}/{model} gave no answer in the time allowed; try again.", provider=who, model=model
            )
        if isinstance(error, self._sdk.APIError) and not isinstance(error, self._sdk.APIConnectionError):
            return BadResponseError(
                f"{who} answered a request to {model!r} with something else than a completion "
                f"({type(error).__name__}); check base_url.",
                provider=who,
                model=model,
            )
        return ConnectionFailedError(
            f"{who} at {self.base_url} could not be reached or cut the connection; "
            "check the network and base_url, then ask again.",
            provider=who,
            model=model,
            billed=cause not in {"ConnectTimeout", "ConnectError"},
        )

    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self._key.reveal(),)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()


def _foreign_errors(sdk: ModuleType) -> tuple[type[Exception], ...]:
    """The SDK's own errors, and what its transport lets through while a body is read."""
    import aiohttp

    http = __import__("httpx2" if sdk.__name__ == "openai" else "httpx")
    return (sdk.APIError, http.TransportError, aiohttp.ClientError)


async def _close(client: Any) -> None:
    await client.close()
