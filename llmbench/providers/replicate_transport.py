"""The transport under Replicate's SDK: replies are bounded; a refusal is raised at once, with its headers.

The SDK's errors drop the headers, and with them Retry-After; and its own transport would repeat a
GET up to ten times behind our back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmbench.providers.reply_limit import LARGEST_REPLY, bound

if TYPE_CHECKING:
    import httpx

__all__ = ["Refused", "refusing_transport"]

_FIRST_REFUSAL = 300  # a redirect is one too: following it would carry the key elsewhere


class Refused(Exception):  # noqa: N818 - it becomes one of our errors before anybody sees it
    """A reply whose status is not 2xx."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


def refusing_transport() -> httpx.AsyncBaseTransport:
    """A transport for one client."""
    import httpx

    class Refusing(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            reply = await super().handle_async_request(request)
            bound(reply, LARGEST_REPLY)
            if reply.status_code >= _FIRST_REFUSAL:
                try:
                    body = await reply.aread()
                finally:
                    await reply.aclose()
                raise Refused(reply.status_code, reply.headers, body)
            return reply

    return Refusing()
