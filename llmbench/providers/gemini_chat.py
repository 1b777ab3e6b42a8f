"""generateContent through Google's SDK: it writes and sends the request, our code reads the reply.

The SDK has no way to a stream's bytes, and validates every piece: a finish reason that is newer than
the SDK becomes a warning, a wrong type its own kind of error. So it is given a client that keeps the
reply aside and shows the SDK an empty one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import InvalidRequestError, ProviderError
from llmbench.providers.clients import PerLoop
from llmbench.providers.gemini_stream import ContentStreamReader
from llmbench.providers.gemini_wire import content_arguments, read_content
from llmbench.providers.reply_errors import no_answer, no_connection, no_reply_in_time
from llmbench.providers.reply_limit import RefusedReplyError, client_options
from llmbench.providers.stream_body import pieces
from llmbench.providers.wire_errors import error_from_status
from llmbench.secret import Secret
from llmbench.types import ChatRequest, RawAnswer

if TYPE_CHECKING:
    import httpx2

__all__ = ["GeminiChat"]

_CONNECT_SECONDS = 10.0
_TIER_HEADER = "x-gemini-service-tier"
_kept: ContextVar[list[Any]] = ContextVar("_kept")


class _Clients(NamedTuple):
    sdk: Any
    http: httpx2.AsyncClient


class GeminiChat:
    """An `Adapter` over google-genai; `base_url` is without the API's version."""

    def __init__(self, sdk: ModuleType, *, endpoint: str, base_url: str, key: Secret) -> None:
        import httpx2

        self._sdk = sdk
        self._http = httpx2
        self._unread = (httpx2.RequestError, RefusedReplyError)
        self._endpoint = endpoint
        self.base_url = base_url
        self._key = key
        self._clients: PerLoop[_Clients] = PerLoop(lambda: _open(sdk, base_url, key), _close)

    def arguments(self, request: ChatRequest) -> dict[str, Any]:
        """What the SDK is called with. Raises InvalidRequestError for what cannot be sent."""
        arguments = content_arguments(request, provider=self._endpoint)
        try:
            arguments["config"] = self._sdk.types.GenerateContentConfig(**arguments["config"])
        except ValueError as error:  # the SDK's types are pydantic's, whose message quotes the value
            raise InvalidRequestError(
                f"{self._endpoint} cannot send the options to {request.model!r} as they are "
                f"({' '.join(str(error).split())[:200]}); correct them.",
                provider=self._endpoint,
                model=request.model,
            ) from error
        return arguments

    async def complete(self, request: ChatRequest, *, model: str | None = None) -> RawAnswer:  # noqa: ARG002
        """One try."""
        failure: ProviderError
        try:
            reply = await self._ask(request, stream=False)
            try:
                body = await reply.aread()
            finally:
                await reply.aclose()
        except self._unread as error:
            failure = self._failure(error, request.model)
        else:
            if reply.status_code == 200:
                return read_content(
                    body,
                    provider=self._endpoint,
                    model=request.model,
                    secrets=self.secrets(),
                    tier=reply.headers.get(_TIER_HEADER),
                )
            failure = self._refusal(reply, body, request.model)
        raise failure

    async def stream(
        self,
        request: ChatRequest,
        *,
        model: str | None = None,  # noqa: ARG002
    ) -> AsyncIterator[str | RawAnswer]:
        """One try: pieces of text as they come, the RawAnswer last."""
        failure: ProviderError | None = None
        reply = None
        try:
            reply = await self._ask(request, stream=True)
            reader = ContentStreamReader(
                provider=self._endpoint,
                model=request.model,
                secrets=self.secrets(),
                tier=reply.headers.get(_TIER_HEADER),
            )
            if reply.status_code == 200:
                async with aclosing(pieces(reply.aiter_bytes(), reader)) as texts:
                    async for text in texts:
                        yield text
            else:
                failure = self._refusal(reply, await reply.aread(), request.model)
        except self._unread as error:
            failure = self._failure(error, request.model)
        finally:
            if reply is not None:
                await reply.aclose()
        if failure:
            raise failure
        yield reader.finish()

    async def send(self, ask: Callable[[Any], Awaitable[Any]], about: str) -> bytes:
        """The body of the reply to what `ask` has the SDK send, for what is no generateContent."""
        kept: list[httpx2.Response] = []
        token = _kept.set(kept)
        failure: ProviderError
        try:
            try:
                await ask((await self._clients.get()).sdk.aio)
            except Exception:
                # What the SDK thinks of the empty reply that it is shown is of no interest.
                if not kept:
                    raise
            try:
                body = await kept[0].aread()
            finally:
                await kept[0].aclose()
        except self._unread as error:
            failure = self._failure(error, about)
        else:
            if kept[0].status_code == 200:
                return body
            failure = self._refusal(kept[0], body, about)
        finally:
            _kept.reset(token)
        raise failure

    @property
    def foreign(self) -> tuple[type[Exception], ...]:
        """Nothing: `send` raises errors of ours."""
        return ()

    def failure(self, error: Exception, model: str) -> ProviderError:
        """Never asked for."""
        raise NotImplementedError

    async def _ask(self, request: ChatRequest, *, stream: bool) -> httpx2.Response:
        """The reply with its body still to come; the caller closes it."""
        arguments = self.arguments(request)
        models = (await self._clients.get()).sdk.aio.models
        kept: list[httpx2.Response] = []
        token = _kept.set(kept)
        try:
            if stream:
                async for _ in await models.generate_content_stream(**arguments):
                    pass
            else:
                arguments["config"].should_return_http_response = True
                await models.generate_content(**arguments)
        except ValueError as error:
            if kept or isinstance(error, RefusedReplyError):
                raise
            raise InvalidRequestError(
                f"{self._endpoint} cannot send the request to {request.model!r} ({error}); correct it.",
                provider=self._endpoint,
                model=request.model,
            ) from error
        finally:
            _kept.reset(token)
        return kept[0]

    def _refusal(self, reply: httpx2.Response, body: bytes, model: str) -> ProviderError:
        return error_from_status(
            reply.status_code, body, reply.headers, self._endpoint, model, secrets=self.secrets()
        )

    def _failure(self, error: Exception, model: str) -> ProviderError:
        who, http = self._endpoint, self._http
        if isinstance(error, RefusedReplyError):
            return no_answer(who, self.base_url, model, error)
        unconnected = isinstance(error, http.ConnectError | http.ConnectTimeout)
        if isinstance(error, http.TimeoutException) and not unconnected:
            return no_reply_in_time(who, model)
        return no_connection(who, self.base_url, model, billed=not unconnected)

    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self._key.reveal(),)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()


def _open(sdk: ModuleType, base_url: str, key: Secret) -> _Clients:
    import httpx2

    class KeepingClient(httpx2.AsyncClient):
        """Hands the reply to who asked, and an empty one to the SDK."""

        async def send(self, request: httpx2.Request, **_options: Any) -> httpx2.Response:
            request.extensions["timeout"] = {"connect": _CONNECT_SECONDS}
            _kept.get().append(await super().send(request, stream=True, follow_redirects=False))
            return httpx2.Response(200, request=request, content=b"")

    # No proxy, address or file of the environment's is followed.
    http = KeepingClient(timeout=None, trust_env=False, **client_options())
    # The SDK would else make a client for plain calls too, with a TLS context that takes 20 ms to load.
    unused = httpx2.Client(transport=httpx2.BaseTransport())
    options = sdk.types.HttpOptions(
        base_url=base_url,
        api_version="v1beta",
        httpx_client=unused,
        httpx_async_client=http,
        timeout=None,  # the base class has the deadline
        retry_options=None,  # the base class retries; without options the SDK tries once
    )
    return _Clients(sdk.Client(vertexai=False, api_key=key.reveal(), http_options=options), http)


async def _close(clients: _Clients) -> None:
    clients.sdk.close()
    await clients.sdk.aio.aclose()
    await clients.http.aclose()
