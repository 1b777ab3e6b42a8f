"""vLLM: the chat-completions format over our own transport."""

from __future__ import annotations

from llmbench.providers.adapter import Adapter, Place
from llmbench.providers.chat_http import ChatAddress
from llmbench.providers.transport import HttpTransport

__all__ = ["open_adapter"]


def open_adapter(place: Place) -> Adapter:
    """The adapter of a vLLM server, or of any other that speaks its format."""
    transport = HttpTransport(
        place.base_url,
        api_key=place.key,
        headers=place.options.get("headers"),
        allow_http=place.allow_http,
        name=place.endpoint,
    )
    return ChatAddress(transport, place.endpoint)
