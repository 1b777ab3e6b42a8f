"""Anthropic's models through Anthropic's own SDK, on its aiohttp transport as OpenAI's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import ConfigError, UsageError
from llmbench.providers.anthropic_batch import AnthropicBatches
from llmbench.providers.anthropic_stream import MessageStreamReader
from llmbench.providers.anthropic_wire import message_arguments, read_message
from llmbench.providers.base import BaseLLMProvider
from llmbench.providers.batches import Batcher
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.transport import checked_url
from llmbench.secret import Secret, from_environment
from llmbench.types import ChatRequest, Message, RawAnswer

if TYPE_CHECKING:
    import anthropic

__all__ = ["AnthropicProvider"]

# Named here because the SDK would else take an address from the environment and send the key there.
_ADDRESS = "https://api.anthropic.com"


class AnthropicProvider(BaseLLMProvider):
    """Anthropic's Claude models. `api_key`, or ANTHROPIC_API_KEY in the environment or the keyring.

    Without `max_tokens`, which the API demands, a call asks for as much as the catalog says the
    model can write. `temperature` (0 to 1) and `top_p` are sent under the older of the API's two
    versions, because the newer has neither; a model that takes none of them says so.
    Under another `base_url` the prices stay Anthropic's, and the key must be given explicitly.
    """

    name: ClassVar[str] = "anthropic"
    options = frozenset({"temperature", "max_tokens", "top_p", "stop", "response_format", "reasoning_effort"})

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        try:
            import anthropic
        except ImportError as error:
            raise ConfigError(
                "AnthropicProvider needs the extra `anthropic`: pip install 'llmbench[anthropic]'."
            ) from error
        if self.backend not in {None, "anthropic"}:
            raise UsageError(f'AnthropicProvider has the backend "anthropic"; not {self.backend!r}.')
        self.backend = None
        # The SDK adds /v1 itself.
        given = checked_url(self.base_url or _ADDRESS, allow_http=bool(config.get("allow_http")))
        self.base_url = address = given.removesuffix("/v1")
        self._key = key = self._key or self._key_of_the_vendor(address)
        self._chat = _MessagesChat(
            anthropic,
            lambda: _open(anthropic, address, key),
            endpoint=self.endpoint,
            base_url=address,
            key=key,
        )

    def _key_of_the_vendor(self, address: str) -> Secret:
        """The key from the environment, which goes to the vendor's own address and nowhere else."""
        at_home = address == _ADDRESS
        key = from_environment("ANTHROPIC_API_KEY") if at_home else None
        if key is None:
            raise ConfigError(
                f"Endpoint {self.endpoint!r} has no key; set ANTHROPIC_API_KEY in the environment or the "
                "keyring" + ("." if at_home else ", and name it by api_key_env for this base_url.")
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
        """Check what is asked, with what the Messages API cannot honour."""
        request = super().request(messages, model, temperature, max_tokens, repeat=repeat, **options)
        self._chat.arguments(request, stream=False)
        return request

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        return await self._chat.complete(request)

    def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        return self._chat.stream(request)

    def _batcher(self) -> Batcher:
        return AnthropicBatches(self, self._chat)

    def secrets(self) -> Iterable[str]:
        """The key."""
        return self._chat.secrets()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._chat.aclose()


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
        http_client=sdk.DefaultAioHttpClient(follow_redirects=False, trust_env=False),
    )
    # The SDK adds the headers of ANTHROPIC_CUSTOM_HEADERS, which may hold a gateway's key or replace ours.
    client._custom_headers = {}  # noqa: SLF001
    return client
