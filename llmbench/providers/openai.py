"""OpenAI through its own SDK, on the SDK's aiohttp transport (0.6 of its default's CPU, measured)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import (
    BadResponseError,
    ConfigError,
    ConnectionFailedError,
    ProviderError,
    ProviderTimeoutError,
)
from llmbench.providers.base import BaseLLMProvider
from llmbench.providers.clients import PerLoop
from llmbench.providers.transport import checked_url
from llmbench.providers.wire import chat_body, read_answer
from llmbench.providers.wire_errors import error_from_status
from llmbench.providers.wire_stream import StreamReader
from llmbench.secret import from_environment
from llmbench.types import ChatRequest, RawAnswer

if TYPE_CHECKING:
    import openai

__all__ = ["OpenAIProvider"]

# Named here because the SDK would else take an address from the environment and send the key there.
_ADDRESS = "https://api.openai.com/v1"


class OpenAIProvider(BaseLLMProvider):
    """OpenAI's models. `api_key`, or OPENAI_API_KEY in the environment or the keyring.

    Beyond the common settings: `organization` and `project`. Under another `base_url` the prices
    stay OpenAI's, and the key must be given explicitly.
    """

    name: ClassVar[str] = "openai"
    settings: ClassVar[frozenset[str]] = frozenset({"organization", "project"})

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        try:
            import openai
        except ImportError as error:
            raise ConfigError(
                "OpenAIProvider needs the extra `openai`: pip install 'llmbench[openai]'."
            ) from error
        if self._key is None and self.base_url in {None, _ADDRESS}:
            self._key = from_environment("OPENAI_API_KEY")
        if self._key is None:
            raise ConfigError(
                f"Endpoint {self.endpoint!r} has no key; set OPENAI_API_KEY in the environment or the keyring"
                + (", and name it by api_key_env for this base_url." if self.base_url else ".")
            )
        self.base_url = checked_url(self.base_url or _ADDRESS, allow_http=bool(config.get("allow_http")))
        self._organization = config.get("organization")
        self._project = config.get("project")
        self._sdk = openai
        self._clients: PerLoop[openai.AsyncOpenAI] = PerLoop(self._open, _close)

    def _open(self) -> openai.AsyncOpenAI:
        assert self._key is not None  # noqa: S101 - the constructor has refused to go on without
        return self._sdk.AsyncOpenAI(
            api_key=self._key.reveal(),
            base_url=self.base_url,
            organization=self._organization,
            project=self._project,
            max_retries=0,  # the base class retries; two layers would hide each other
            timeout=None,  # the base class has the deadline
            http_client=self._sdk.DefaultAioHttpClient(follow_redirects=False),
        )

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        client = await self._clients.get()
        body = self._body(request, stream=False)
        try:
            reply = await client.chat.completions.with_raw_response.create(**body)
            return self._read(reply.http_response.content, request)
        except _foreign_errors() as error:
            failure = self._failure(error, request)
        # Raised outside of the handler: the SDK's message may carry a key that the server echoed.
        raise failure

    async def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        client = await self._clients.get()
        body = self._body(request, stream=True)
        reader = StreamReader(provider=self.endpoint, model=request.model, secrets=self._secrets())
        failure: ProviderError | None = None
        try:
            async with client.chat.completions.with_streaming_response.create(**body) as reply:
                async for chunk in reply.iter_bytes():
                    for text in reader.feed(chunk):
                        yield text
                for text in reader.feed(b"", last=True):
                    yield text
        except _foreign_errors() as error:
            failure = self._failure(error, request)
        if failure:
            raise failure
        yield reader.finish()

    def _read(self, content: bytes, request: ChatRequest) -> RawAnswer:
        return read_answer(content, provider=self.endpoint, model=request.model, secrets=self._secrets())

    def _secrets(self) -> tuple[str, ...]:
        return tuple(self.secrets())

    def _body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        # OpenAI's newer models refuse max_tokens, and all of its chat models take the newer name.
        return chat_body(
            request, stream=stream, max_tokens_field="max_completion_tokens", provider=self.endpoint
        )

    def _failure(self, error: Exception, request: ChatRequest) -> ProviderError:
        """The error of ours for one of the SDK's or of the transport under it."""
        who, model = self.endpoint, request.model
        if isinstance(error, self._sdk.APIStatusError):
            facts = all_models().get(canonical_name(model) or "")
            return error_from_status(
                error.status_code,
                error.response.content,
                error.response.headers,
                who,
                model,
                secrets=self._secrets(),
                shutdown_date=facts.shutdown.get("openai") if facts else None,
            )
        # The SDK's aiohttp transport calls a refused connection a timeout of connecting.
        connecting = type(error.__cause__).__name__ == "ConnectTimeout"
        if isinstance(error, self._sdk.APITimeoutError) and not connecting:
            return ProviderTimeoutError(
                f"{who}/{model} gave no answer in the time allowed; try again.", provider=who, model=model
            )
        if isinstance(error, self._sdk.APIError) and not isinstance(error, self._sdk.APIConnectionError):
            return BadResponseError(
                f"{who} answered a request to {model!r} with something else than a completion "
                f"({type(error).__name__}); check base_url.",
                provider=who,
                model=model,
            )
        return ConnectionFailedError(
            f"{who} at {self.base_url} could not be reached or cut the connection; "
            "check the network and base_url, then ask again.",
            provider=who,
            model=model,
            billed=not connecting,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()


@cache
def _foreign_errors() -> tuple[type[Exception], ...]:
    """The SDK's own errors, and what its transport lets through while a body is read."""
    import aiohttp
    import httpx2
    import openai

    return (openai.APIError, httpx2.TransportError, aiohttp.ClientError)


async def _close(client: openai.AsyncOpenAI) -> None:
    await client.close()
