"""Anthropic's models through Anthropic's own SDK, on its aiohttp transport as OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.catalog.models import all_models, canonical_name
from llmbench.providers.adapter_provider import AdapterProvider
from llmbench.providers.anthropic_batch import AnthropicBatches
from llmbench.providers.anthropic_stream import MessageStreamReader
from llmbench.providers.anthropic_wire import message_arguments, read_message
from llmbench.providers.batches import Batcher
from llmbench.providers.reply_limit import client_options
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.transport import checked_url
from llmbench.secret import Secret
from llmbench.types import ChatRequest, RawAnswer

if TYPE_CHECKING:
    import anthropic

__all__ = ["AnthropicProvider"]

# Named here because the SDK would else take an address from the environment and send the key there.
_ADDRESS = "https://api.anthropic.com"


class AnthropicProvider(AdapterProvider):
    """Anthropic's Claude models. `api_key`, or ANTHROPIC_API_KEY in the environment or the keyring.

    Without `max_tokens`, which the API demands, a call asks for as much as the catalog says the
    model can write. `temperature` (0 to 1) and `top_p` are sent under the older of the API's two
    versions, because the newer has neither; a model that takes none of them says so.
    Under another `base_url` the prices stay Anthropic's, and the key must be given explicitly.
    """

    name: ClassVar[str] = "anthropic"
    _adapter: _MessagesChat
    options = frozenset({"temperature", "max_tokens", "top_p", "stop", "response_format", "reasoning_effort"})

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        sdk = self._sdk("anthropic", extra="anthropic")
        self._refuse_other_backends()
        # The SDK adds /v1 itself.
        given = checked_url(self.base_url or _ADDRESS, allow_http=bool(config.get("allow_http")))
        self.base_url = address = given.removesuffix("/v1")
        self._key = key = self._key or self._key_from_environment(
            "ANTHROPIC_API_KEY", at_home=address == _ADDRESS
        )
        self._adapter = _MessagesChat(
            sdk,
            lambda: _open(sdk, address, key),
            endpoint=self.endpoint,
            base_url=address,
            key=key,
        )

    def _refuse_unsayable(self, request: ChatRequest) -> None:
        self._adapter.arguments(request, stream=False)

    def _batcher(self) -> Batcher:
        return AnthropicBatches(self, self._adapter)


class _MessagesChat(SdkChat):
    """Messages in place of chat completions."""

    def _resource(self, client: Any) -> Any:
        return client.messages

    def arguments(self, request: ChatRequest, model: str | None = None, *, stream: bool) -> dict[str, Any]:  # noqa: ARG002
        """What the SDK is called with."""
        facts = all_models().get(canonical_name(request.model) or "")
        arguments = message_arguments(
            request, max_output=facts.max_output if facts else None, provider=self._endpoint
        )
        return arguments | {"stream": True} if stream else arguments

    def read(self, body: bytes, headers: Mapping[str, str], model: str) -> RawAnswer:
        return read_message(
            body,
            provider=self._endpoint,
            model=model,
            secrets=self.secrets(),
            request_id=headers.get("request-id"),
        )

    def _reader(self, headers: Mapping[str, str], model: str) -> MessageStreamReader:
        return MessageStreamReader(
            provider=self._endpoint,
            model=model,
            secrets=self.secrets(),
            request_id=headers.get("request-id"),
        )


def _open(sdk: ModuleType, address: str, key: Secret) -> anthropic.AsyncAnthropic:
    client: anthropic.AsyncAnthropic = sdk.AsyncAnthropic(
        api_key=key.reveal(),
        base_url=address,
        max_retries=0,  # the base class retries; two layers would hide each other
        timeout=None,  # the base class has the deadline
        open_telemetry=False,  # the SDK would else follow the environment, and could record contents
        http_client=sdk.DefaultAioHttpClient(**client_options(), trust_env=False),
    )
    # The SDK adds the headers of ANTHROPIC_CUSTOM_HEADERS, which may hold a gateway's key or replace ours.
    client._custom_headers = {}  # noqa: SLF001
    return client
