"""JSON over HTTP by aiohttp: the adapter under every endpoint that is not called through an SDK.

A tenth of an SDK's processor time per call (0.12 against 1.2 to 2 ms measured), because a body is
written once, a reply is handed on as bytes, and nothing is validated twice.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from llmbench.errors import (
    BadResponseError,
    ConfigError,
    ConnectionFailedError,
    InvalidRequestError,
    ProviderTimeoutError,
)
from llmbench.providers.clients import PerLoop
from llmbench.providers.reply_limit import LARGEST_REPLY, RefusedReplyError, too_large
from llmbench.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

__all__ = ["HttpReply", "HttpTransport", "StreamedReply", "checked_url"]

_CONNECT_SECONDS = 10.0
_CONNECTIONS = 1000
"""As many as OpenAI's SDK opens. Fewer would make calls wait for each other unseen, within their latency:
who makes the calls decides how many are in flight."""
# vLLM (uvicorn) and llama.cpp close an idle connection after 5 s; ours must be given up before,
# or a POST goes into a connection that is just being closed and costs an attempt.
_KEEP_ALIVE_SECONDS = 4.0
_SHORTEST_SECRET = 8  # a header like "1" would mask every 1 in a message


class HttpReply(NamedTuple):
    """A whole reply. Header names compare without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamedReply:
    """A reply whose body is still coming: iterate over its chunks, or `read` it whole."""

    def __init__(
        self, reply: aiohttp.ClientResponse, errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self._reply = reply
        self._errors = errors
        self._size = 0

    def __aiter__(self) -> StreamedReply:
        return self

    async def __anext__(self) -> bytes:
        with self._errors():
            chunk = await self._reply.content.readany()
            self._size += len(chunk)
            if self._size > LARGEST_REPLY:
                raise too_large(LARGEST_REPLY)
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def read(self) -> bytes:
        """The rest of the body."""
        with self._errors():
            return await _body(self._reply)


class HttpTransport:
    """Posts JSON to paths under `base_url`, over connections kept per event loop.

    A request that is cancelled closes its connection, which ends the generation at the server.
    TLS certificates are always checked, redirects are never followed (they would carry the key
    elsewhere), and proxies of the environment are used only with `trust_env`.

    Args:
        base_url: http or https; http only to this machine, or with `allow_http`.
        api_key: sent as a bearer token, and masked in every message.
        headers: sent with every request, e.g. an organisation's id.
        limit: connections at a time; further requests wait for one.
        name: how messages call this endpoint.
        socket_factory: makes the sockets, as `aiohttp.TCPConnector` takes it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | Secret | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = _CONNECTIONS,
        allow_http: bool = False,
        trust_env: bool = False,
        name: str = "The endpoint",
        socket_factory: Callable[[Any], socket.socket] | None = None,
    ) -> None:
        self.base_url = checked_url(base_url, allow_http=allow_http)
        self._key = Secret(api_key) if isinstance(api_key, str) else api_key
        self._headers = _checked_headers(headers or {})
        self._limit = limit
        self._trust_env = trust_env
        self._name = name
        self._socket_factory = socket_factory
        self._sessions: PerLoop[aiohttp.ClientSession] = PerLoop(self._open, _close)

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        headers |= self._headers
        if self._key:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        connector = aiohttp.TCPConnector(
            limit=self._limit,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            socket_factory=self._socket_factory,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._trust_env,
            # The caller's deadline bounds the whole; a generation may be silent for long.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        )

    async def get(self, path: str, *, timeout_s: float | None = None) -> HttpReply:
        """GET `path`; errors as in `post_json`."""
        return await self._whole("GET", path, None, timeout_s)

    async def post_json(
        self, path: str, body: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> HttpReply:
        """POST `body` and give the reply, whatever its status.

        Raises ConnectionFailedError, ProviderTimeoutError (after `timeout_s`, or where no
        connection came about), BadResponseError (what came is not HTTP, or has more than 128 MB),
        and InvalidRequestError for a body that is not JSON.
        """
        return await self._whole("POST", path, _as_json(body), timeout_s)

    async def _whole(self, method: str, path: str, data: bytes | None, timeout_s: float | None) -> HttpReply:
        session = await self._sessions.get()
        with self._errors():
            # A timeout that never comes has its price too.
            async with (
                nullcontext() if timeout_s is None else asyncio.timeout(timeout_s),
                session.request(method, self._url(path), data=data, allow_redirects=False) as reply,
            ):
                return HttpReply(reply.status, reply.headers, await _body(reply))

    @asynccontextmanager
    async def stream_json(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[StreamedReply]:
        """POST `body` and give the reply while it comes; leaving the block closes the connection.

        Errors as in `post_json`, also from reading the body.
        """
        session = await self._sessions.get()
        data = _as_json(body)
        with self._errors():
            reply = await session.post(self._url(path), data=data, allow_redirects=False)
        # llama.cpp closes the connection after each streamed reply and does not say so: the next request
        # over it would be lost (seen in 3 of 12).
        protocol = None if reply.connection is None else reply.connection.protocol
        if protocol is not None and reply.headers.get("Server") == "llama.cpp":
            protocol.force_close()
        try:
            yield StreamedReply(reply, self._errors)
        finally:
            # A body read to its end has given its connection back; any other closes it here.
            reply.close()

    async def aclose(self) -> None:
        """Close the connections of every loop; the next request opens new ones."""
        await self._sessions.aclose()

    def secrets(self) -> tuple[str, ...]:
        """The key and the values of the headers, which may hold one, for masking."""
        key = (self._key.reveal(),) if self._key else ()
        return (*key, *(value for value in self._headers.values() if len(value) >= _SHORTEST_SECRET))

    def _url(self, path: str) -> str:
        return f"{self.base_url}/{path.lstrip('/')}"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn aiohttp's exceptions into ours; cancellation passes."""
        try:
            yield
        except (TimeoutError, OSError, ValueError) as error:
            failure = self._as_provider_error(error)
        except Exception as error:
            import aiohttp

            if not isinstance(error, aiohttp.ClientError):
                raise
            failure = self._as_provider_error(error)
        else:
            return
        # The repr of aiohttp's own error shows the request's headers, so it is kept neither as the cause nor
        # as the context, which it becomes here: a `with` is left while its error is being handled.
        try:
            raise failure
        except Exception:
            failure.__context__ = None
            raise

    def _as_provider_error(self, error: Exception) -> Exception:
        import aiohttp

        where = f"{self._name} at {self.base_url}"
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return ConnectionFailedError(
                f"{where} accepted no connection within {_CONNECT_SECONDS:g} s; check the address, and that "
                "the server is up.",
                billed=False,
            )
        if isinstance(error, RefusedReplyError):
            return BadResponseError(f"{where} answered with {error}; check base_url.")
        if isinstance(error, TimeoutError):
            return ProviderTimeoutError(
                f"{where} gave no answer in the time allowed; try again, or allow more."
            )
        if isinstance(error, aiohttp.InvalidURL | aiohttp.InvalidUrlClientError):
            return ConfigError(f"{where} is not an address that can be called; correct base_url.")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return ConnectionFailedError(
                f"{where} has a TLS certificate that this machine does not trust; install its authority "
                "(SSL_CERT_FILE names a file of them). Certificates are always checked.",
                billed=False,
            )
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return ConnectionFailedError(
                f"{where} was not found by name; check base_url and the network connection.",
                billed=False,
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            return ConnectionFailedError(
                f"Nothing answers for {where}; start the server, or correct base_url.",
                billed=False,
            )
        if isinstance(error, aiohttp.ClientResponseError | ValueError):
            return BadResponseError(f"{where} answered with something that is not HTTP; check base_url.")
        return ConnectionFailedError(f"{where} cut the connection before the answer was complete; ask again.")


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """The whole body. Raises RefusedReplyError."""
    parts, size = [], 0
    async for chunk in reply.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > LARGEST_REPLY:
            raise too_large(LARGEST_REPLY)
    return b"".join(parts)


async def _close(session: aiohttp.ClientSession) -> None:
    await session.close()


# ASCII escapes carry a lone surrogate, which UTF-8 cannot; NaN is not JSON. Kept, because
# json.dumps with any argument makes an encoder for each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _as_json(body: Mapping[str, Any]) -> bytes:
    try:
        return _ENCODER.encode(body).encode("ascii")
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(
            f"The request cannot be written as JSON: {error}; correct the option."
        ) from error


def checked_url(base_url: str, *, allow_http: bool) -> str:
    """`base_url` without a trailing slash. Raises ConfigError for one that must not be used."""
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # Neither the address nor what is wrong with it is repeated: either may hold a key.
        raise ConfigError(
            "base_url is not an address that can be read; write it as https://host:8000/v1."
        ) from None
    if "@" in parts.netloc:
        raise ConfigError("base_url holds a user name or password; remove it and use api_key_env.")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ConfigError(
            f"base_url at host {host!r} is not an address such as https://host:8000/v1, without query or "
            "fragment; correct it."
        )
    if parts.scheme == "http" and not allow_http and not _is_this_machine(host):
        raise ConfigError(
            f"base_url at host {host!r} would send prompts and key in clear text to another machine; "
            "use https, or set allow_http = true."
        )
    return base_url.rstrip("/")


def _checked_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """`headers`, or a ConfigError, without the value, for one that cannot be sent."""
    for name, value in headers.items():
        if not isinstance(value, str) or any(character in value for character in "\r\n\0"):
            raise ConfigError(f"The header {name!r} must be a text of one line; correct it in headers.")
    return dict(headers)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
