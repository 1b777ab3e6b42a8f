"""Google's Gemini models through Google's own SDK, by the Gemini API (not Vertex AI)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from llmbench.providers.adapter_provider import AdapterProvider
from llmbench.providers.batches import Batcher
from llmbench.providers.gemini_batch import GeminiBatches
from llmbench.providers.gemini_chat import GeminiChat
from llmbench.providers.transport import checked_url
from llmbench.types import TIERED_OPTIONS, ChatRequest

__all__ = ["GeminiProvider"]

# Named here because the SDK would else take an address from the environment and send the key there.
_ADDRESS = "https://generativelanguage.googleapis.com"


class GeminiProvider(AdapterProvider):
    """Google's Gemini models. `api_key`, or GEMINI_API_KEY or GOOGLE_API_KEY in the environment or the
    keyring.

    Under another `base_url` the prices stay Google's, and the key must be given explicitly.
    """

    name: ClassVar[str] = "gemini"
    _adapter: GeminiChat
    options = TIERED_OPTIONS

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        sdk = self._sdk("google.genai", extra="gemini")
        self._refuse_other_backends()
        # The SDK adds the version itself.
        given = checked_url(self.base_url or _ADDRESS, allow_http=bool(config.get("allow_http")))
        self.base_url = address = given.removesuffix("/v1beta")
        self._key = key = self._key or self._key_from_environment(
            "GEMINI_API_KEY", "GOOGLE_API_KEY", at_home=address == _ADDRESS
        )
        self._adapter = GeminiChat(sdk, endpoint=self.endpoint, base_url=address, key=key)

    def _refuse_unsayable(self, request: ChatRequest) -> None:
        self._adapter.arguments(request)

    def _batcher(self) -> Batcher:
        return GeminiBatches(self, self._adapter)
