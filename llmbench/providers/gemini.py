"""Google's Gemini models through Google's own SDK, by the Gemini API (not Vertex AI)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from llmbench.errors import ConfigError, UsageError
from llmbench.providers.base import BaseLLMProvider
from llmbench.providers.batches import Batcher
from llmbench.providers.gemini_batch import GeminiBatches
from llmbench.providers.gemini_chat import GeminiChat
from llmbench.providers.transport import checked_url
from llmbench.secret import Secret, from_environment
from llmbench.types import TIERED_OPTIONS, ChatRequest, Message, RawAnswer

__all__ = ["GeminiProvider"]

# Named here because the SDK would else take an address from the environment and send the key there.
_ADDRESS = "https://generativelanguage.googleapis.com"


class GeminiProvider(BaseLLMProvider):
    """Google's Gemini models. `api_key`, or GEMINI_API_KEY or GOOGLE_API_KEY in the environment or the
    keyring.

    Under another `base_url` the prices stay Google's, and the key must be given explicitly.
    """

    name: ClassVar[str] = "gemini"
    options = TIERED_OPTIONS

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        try:
            from google import genai
            from google.genai import types  # noqa: F401 - the submodule is used as genai.types
        except ImportError as error:
            raise ConfigError(
                "GeminiProvider needs the extra `gemini`: pip install 'llmbench[gemini]'."
            ) from error
        if self.backend not in {None, "gemini"}:
            raise UsageError(f'GeminiProvider has the backend "gemini"; not {self.backend!r}.')
        self.backend = None
        # The SDK adds the version itself.
        given = checked_url(self.base_url or _ADDRESS, allow_http=bool(config.get("allow_http")))
        self.base_url = address = given.removesuffix("/v1beta")
        self._key = key = self._key or self._key_of_the_vendor(address)
        self._chat = GeminiChat(genai, endpoint=self.endpoint, base_url=address, key=key)

    def _key_of_the_vendor(self, address: str) -> Secret:
        """The key from the environment, which goes to the vendor's own address and nowhere else."""
        at_home = address == _ADDRESS
        key = from_environment("GEMINI_API_KEY", "GOOGLE_API_KEY") if at_home else None
        if key is None:
            raise ConfigError(
                f"Endpoint {self.endpoint!r} has no key; set GEMINI_API_KEY or GOOGLE_API_KEY in the "
                "environment or the keyring"
                + ("." if at_home else ", and name it by api_key_env for this base_url.")
            )
        return key

    def request(
        self,
        messages: Sequence[Message],
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        *,
        repeat: int = 0,
        **options: Any,
    ) -> ChatRequest:
        """Check what is asked, with what generateContent cannot honour."""
        request = super().request(messages, model, temperature, max_tokens, repeat=repeat, **options)
        self._chat.arguments(request)
        return request

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        return await self._chat.complete(request)

    def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        return self._chat.stream(request)

    def _batcher(self) -> Batcher:
        return GeminiBatches(self, self._chat)

    def secrets(self) -> Iterable[str]:
        """The key."""
        return self._chat.secrets()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._chat.aclose()
