"""The HTTP adapter against a server that sends exactly the bytes it is told, well-formed or not."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from llmbench import background
from llmbench.errors import (
    BadResponseError,
    ConfigError,
    ConnectionFailedError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
)
from llmbench.providers.transport import HttpTransport, checked_url

Handler = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request, and the connection it came on."""

    def __init__(
        self, head: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.head = head
        self.body = body
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        await self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)


class RawServer:
    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.tls = tls
        self.url = ""
        self.requests: list[Exchange] = []
        self.connections = 0
        self.hung_up = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}/v1"
        self._open: list[asyncio.StreamWriter] = []
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.append(writer)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lengths = [
                    line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")
                ]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                exchange = Exchange(head, body, reader, writer)
                self.requests.append(exchange)
                await self.handler(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        finally:
            writer.close()


@asynccontextmanager
async def served(handler: Handler, **options: Any) -> AsyncIterator[tuple[RawServer, HttpTransport]]:
    async with RawServer(handler) as server:
        transport = HttpTransport(server.url, name="gpu1", **options)
        try:
            yield server, transport
        finally:
            await transport.aclose()


async def ok(exchange: Exchange) -> None:
    await exchange.answer(b'{"fine": true}')


def run(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 15))


def post(handler: Handler, body: dict[str, Any] | None = None, **options: Any) -> Any:
    async def main() -> Any:
        async with served(handler) as (_, transport):
            return await transport.post_json("chat/completions", body or {"a": 1}, **options)

    return run(main())


def test_post_sends_json_and_key() -> None:
    async def main() -> None:
        async with served(ok, api_key="sk-1", headers={"X-Team": "sales"}) as (server, transport):
            reply = await transport.post_json("/chat/completions", {"text": "Grüße \ud83d 👋", "n": None})
            assert (reply.status, json.loads(reply.body)) == (200, {"fine": True})
            assert reply.headers["content-LENGTH"] == "14"
            sent = server.requests[0]
            assert sent.head.startswith("POST /v1/chat/completions HTTP/1.1\r\n")
            lines = sent.head.lower().split("\r\n")
            assert "authorization: bearer sk-1" in lines
            assert "x-team: sales" in lines
            assert "content-type: application/json" in lines
            assert json.loads(sent.body) == {"text": "Grüße \ud83d 👋", "n": None}

    run(main())


def test_post_without_key_sends_none() -> None:
    async def main() -> None:
        async with served(ok) as (server, transport):
            await transport.post_json("x", {})
            assert "authorization" not in server.requests[0].head.lower()

    run(main())


def test_get() -> None:
    async def main() -> None:
        async with served(ok) as (server, transport):
            assert (await transport.get("models")).body == b'{"fine": true}'
            assert server.requests[0].head.startswith("GET /v1/models ")

    run(main())


def test_connection_is_kept_and_limited() -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        await ok(exchange)

    async def main() -> None:
        async with served(slow, limit=3) as (server, transport):
            await asyncio.gather(*[transport.post_json("x", {}) for _ in range(12)])
            assert len(server.requests) == 12
            assert server.connections == 3

    run(main())


def test_connections_are_as_many_as_there_are_calls() -> None:
    """Whoever makes the calls decides how many; a call that waited here would seem a slow answer."""
    calls, all_there = 150, asyncio.Event()

    async def together(exchange: Exchange) -> None:
        if len(server.requests) == calls:
            all_there.set()
        await all_there.wait()
        await ok(exchange)

    server: RawServer

    async def main() -> None:
        nonlocal server
        async with served(together) as (server, transport):
            async with asyncio.timeout(20):
                await asyncio.gather(*[transport.post_json("x", {}) for _ in range(calls)])

    run(main())


def test_status_is_the_callers_business() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(b"slow down", "429 Too Many Requests", "Retry-After: 3\r\n")

    reply = post(handler)
    assert (reply.status, reply.headers["retry-after"], reply.body) == (429, "3", b"slow down")


def test_redirect_is_not_followed() -> None:
    async def main() -> None:
        async def handler(exchange: Exchange) -> None:
            await exchange.answer(b"", "307 Temporary Redirect", f"Location: {server.url}/elsewhere\r\n")

        async with served(handler, api_key="sk-1") as (server, transport):
            assert (await transport.post_json("x", {})).status == 307
            assert len(server.requests) == 1

    run(main())


def test_cookie_is_not_kept() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(b"{}", headers="Set-Cookie: session=1\r\n")

    async def main() -> None:
        async with served(handler) as (server, transport):
            await transport.post_json("x", {})
            await transport.post_json("x", {})
            assert "cookie" not in server.requests[1].head.lower()

    run(main())


async def cut_at_once(exchange: Exchange) -> None:
    exchange.writer.transport.abort()


async def cut_in_body(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    exchange.writer.close()


async def cut_in_chunks(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    exchange.writer.close()


@pytest.mark.parametrize("handler", [cut_at_once, cut_in_body, cut_in_chunks])
def test_cut_connection(handler: Handler) -> None:
    with pytest.raises(ConnectionFailedError, match=r"gpu1 at http://.* cut the connection .*\.$"):
        post(handler)


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"]
)
def test_not_http(data: bytes) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.writer.close()

    with pytest.raises(BadResponseError, match="not HTTP"):
        post(handler)


def test_nothing_listens() -> None:
    async def main() -> None:
        async with RawServer(ok) as server:
            url = server.url
        transport = HttpTransport(url, name="gpu1")
        try:
            with pytest.raises(ConnectionFailedError, match="Nothing answers for gpu1"):
                await transport.post_json("x", {})
        finally:
            await transport.aclose()

    run(main())


async def hang(exchange: Exchange) -> None:
    await exchange.reader.read(1)
    raise asyncio.IncompleteReadError(b"", 1)


def test_timeout_is_ours() -> None:
    start = time.perf_counter()
    with pytest.raises(ProviderTimeoutError, match="gave no answer in the time allowed"):
        post(hang, timeout_s=0.1)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("streamed", [False, True])
def test_cancellation_hangs_up(streamed: bool) -> None:
    async def begin(exchange: Exchange) -> None:
        if streamed:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await hang(exchange)

    async def main() -> None:
        async with served(begin) as (server, transport):

            async def call() -> None:
                if not streamed:
                    await transport.post_json("x", {})
                async with transport.stream_json("x", {}) as reply:
                    async for _ in reply:
                        pass

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await call()
            await asyncio.wait_for(server.hung_up.wait(), 5)

    run(main())


def test_stream_gives_chunks_as_they_come() -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            await go_on.wait()  # which only the reader of the first chunk sets
            await exchange.send(b"3\r\ntwo\r\n0\r\n\r\n")

        async with served(handler) as (server, transport):
            for _ in range(2):
                chunks = []
                async with transport.stream_json("x", {"stream": True}) as reply:
                    assert reply.status == 200
                    async for chunk in reply:
                        chunks.append(chunk)
                        go_on.set()
                assert b"".join(chunks) == b"onetwo"
            assert server.connections == 1

    run(main())


def test_stream_left_early_hangs_up() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await hang(exchange)

    async def main() -> None:
        async with served(handler) as (server, transport):
            async with transport.stream_json("x", {}) as reply:
                assert await anext(reply) == b"one"
            await asyncio.wait_for(server.hung_up.wait(), 5)

    run(main())


def test_stream_cut() -> None:
    async def main() -> None:
        async with served(cut_in_chunks) as (_, transport), transport.stream_json("x", {}) as reply:
            assert await anext(reply) == b"hello"
            with pytest.raises(ConnectionFailedError):
                await anext(reply)

    run(main())


def test_stream_leaves_the_readers_own_errors_alone() -> None:
    async def main() -> None:
        async with served(ok) as (_, transport):
            for kind in (OSError, ValueError, TimeoutError):
                with pytest.raises(kind, match="mine"):
                    async with transport.stream_json("x", {}):
                        raise kind("mine")

    run(main())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_body_that_is_no_json(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        post(ok, {"seed": value})


def test_two_loops_at_the_same_time() -> None:
    async def main() -> None:
        async with served(ok) as (server, transport):
            await transport.post_json("x", {})
            other = await asyncio.to_thread(background.run, transport.post_json("x", {}))
            assert other.status == 200
            assert (await transport.post_json("x", {})).status == 200
            assert server.connections == 2

    run(main())


def test_loops_one_after_the_other() -> None:
    async def main() -> int:
        async with RawServer(ok) as server:
            transports.append(transports[0] if transports else HttpTransport(server.url))
            transports[0].base_url = server.url
            return int((await transports[0].post_json("x", {})).status)

    transports: list[HttpTransport] = []
    assert [run(main()), run(main())] == [200, 200]


def test_environment_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(ok).status == 200


def test_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))

    async def main() -> None:
        async with RawServer(ok, tls=context) as server:
            transport = HttpTransport(server.url, name="gpu1", api_key="sk-1")
            try:
                with pytest.raises(ConnectionFailedError, match="does not trust"):
                    await transport.post_json("x", {})
                assert server.requests == []
            finally:
                await transport.aclose()

    run(main())


def _self_signed(folder: Path) -> Path:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://127.0.0.1:8000/v1",
        "http://127.9.9.9/",
        "http://localhost:8000",
        "http://[::1]:8000/v1",
    ],
)
def test_url_allowed(url: str) -> None:
    assert checked_url(url + "/", allow_http=False) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://gpu1:8000/v1", "clear text.*allow_http"),
        ("http://10.0.0.1/v1", "clear text"),
        ("http://localhost.example.com/", "clear text"),
        ("http://127.0.0.1.example.com/", "clear text"),
        ("https://user:pass@api.example.com/v1", "user name or password"),
        ("api.example.com/v1", "not an address"),
        ("ftp://api.example.com", "not an address"),
        ("https://", "not an address"),
        ("https://host:port/v1", "not an address"),
        ("https://[::1/v1", "not an address"),
        ("https://host/v1?key=1", "not an address"),
        ("", "not an address"),
    ],
)
def test_url_refused(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        checked_url(url, allow_http=False)
    assert "pass@" not in str(caught.value)


def test_url_http_where_allowed() -> None:
    assert checked_url("http://gpu1:8000/v1", allow_http=True) == "http://gpu1:8000/v1"


def test_key_is_not_shown() -> None:
    transport = HttpTransport("https://api.example.com", api_key="sk-secret")
    assert "sk-secret" not in repr(vars(transport))
    assert transport.secrets() == ("sk-secret",)


@pytest.mark.parametrize("head", ["Content-Length: -5", "Content-Encoding: gzip\r\nContent-Length: 4"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_failure_keeps_no_error_of_aiohttps(head: str, streamed: bool) -> None:
    """Its repr shows the headers of the request, and a traceback's reader may show its context."""

    async def handler(exchange: Exchange) -> None:
        await exchange.send(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\nabcd".encode())

    async def ask(transport: HttpTransport) -> None:
        if not streamed:
            await transport.post_json("x", {})
        async with transport.stream_json("x", {}) as reply:
            async for _ in reply:
                pass

    async def main() -> None:
        async with served(handler, api_key="sk-secret-123") as (_, transport):
            with pytest.raises(ProviderError) as caught:
                await ask(transport)
            assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    run(main())


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\0b", 5, None])
def test_a_header_that_is_no_line_of_text(value: Any) -> None:
    with pytest.raises(ConfigError, match="'X-Team' must be a text of one line"):
        HttpTransport("https://api.example.com", headers={"X-Team": value})


@pytest.mark.parametrize(
    "address", ["https://host/v1?api_key=sk-secret-123", "https://host:sk-secret-123/v1"]
)
def test_a_refused_address_does_not_show_a_key_in_it(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpTransport(address)
    assert "sk-secret-123" not in f"{caught.value} {caught.value.__cause__!r}"
