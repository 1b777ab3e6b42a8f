"""Together AI through its own SDK."""

from __future__ import annotations

from llmbench.errors import ConfigError
from llmbench.providers.adapter import Place
from llmbench.providers.reply_limit import client_options
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.transport import checked_url

__all__ = ["open_adapter"]

# The SDK adds /v1 itself. It would else take an address from the environment and send the key there.
_HOME = "https://api.together.ai"
# Where the SDK sends chat completions unless another address is given.
_INFERENCE = "https://api-inference.together.ai"


def open_adapter(place: Place) -> SdkChat:
    """The adapter of Together's chat completions; a base_url may end in /v1 or not."""
    import together

    key = place.key
    if key is None:
        raise ConfigError(f"Endpoint {place.endpoint!r} has no key; set TOGETHER_API_KEY.")
    address = checked_url(place.base_url, allow_http=place.allow_http).removesuffix("/v1")

    def open_client() -> together.AsyncTogether:
        return together.AsyncTogether(
            api_key=key.reveal(),
            base_url=_INFERENCE if address == _HOME else address,
            max_retries=0,  # the base class retries; two layers would hide each other
            timeout=None,  # the base class has the deadline
            http_client=together.DefaultAsyncHttpxClient(**client_options()),
        )

    return SdkChat(
        together,
        open_client,
        endpoint=place.endpoint,
        base_url=address,
        key=key,
        unknown_fields=frozenset({"stream_options"}),
    )
