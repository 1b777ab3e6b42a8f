"""OpenAI, and OpenAI's models on Azure, through OpenAI's own SDK on its aiohttp transport (0.6 of
its default's CPU, measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from llmbench.errors import ConfigError, UsageError
from llmbench.providers import openai_tuning
from llmbench.providers.adapter_provider import AdapterProvider
from llmbench.providers.batches import Batcher
from llmbench.providers.fine_tuning import Tuner
from llmbench.providers.openai_batch import OpenAIBatches
from llmbench.providers.reply_limit import client_options
from llmbench.providers.sdk_chat import SdkChat
from llmbench.providers.transport import checked_url
from llmbench.secret import Secret
from llmbench.types import TIERED_OPTIONS

if TYPE_CHECKING:
    import openai

__all__ = ["OpenAIProvider"]

# Named here because the SDK would else take an address from the environment and send the key there.
_ADDRESS = "https://api.openai.com/v1"
_AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


class OpenAIProvider(AdapterProvider):
    """OpenAI's models. `api_key`, or OPENAI_API_KEY in the environment or the keyring.

    Beyond the common settings: `organization` and `project`. Under another `base_url` the prices
    stay OpenAI's, and the key must be given explicitly.

    With `backend` "azure": `base_url` is the resource's address (https://NAME.openai.azure.com),
    the key AZURE_OPENAI_API_KEY, and `deployments` says which model stands behind each deployment
    ({"my-deployment": "gpt-4o-mini"}); a call names either. `api_version` is needed only by
    resources without Azure's v1 interface.
    """

    name: ClassVar[str] = "openai"
    settings: ClassVar[frozenset[str]] = frozenset({"organization", "project", "deployments", "api_version"})
    _adapter: SdkChat
    options = TIERED_OPTIONS

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        sdk = self._sdk("openai", extra="openai")
        if self.backend not in {None, "openai", "azure"}:
            raise UsageError(f'OpenAIProvider has the backends "openai" and "azure"; not {self.backend!r}.')
        self._azure = self.backend == "azure"
        self.backend = "azure" if self._azure else None
        self._deployments = self._checked_deployments(config)
        self._api_version: str | None = config.get("api_version")
        self._key = key = self._key or self._key_of_the_vendor()
        self.base_url = self._checked_address(allow_http=bool(config.get("allow_http")))
        self._organization = config.get("organization")
        self._project = config.get("project")
        self._adapter = SdkChat(
            sdk,
            lambda: self._open(sdk, key),
            endpoint=self.endpoint,
            base_url=self.base_url,
            key=key,
            # OpenAI's newer models refuse max_tokens, and all of its chat models take the newer name.
            max_tokens_field="max_completion_tokens",
            post_path="/chat/completions",
        )

    def _checked_deployments(self, config: Mapping[str, Any]) -> dict[str, str]:
        if not self._azure and (config.get("deployments") or config.get("api_version")):
            raise UsageError(
                f"Endpoint {self.endpoint!r} has deployments or api_version, which only Azure has; "
                'add backend = "azure", or remove them.'
            )
        if self._azure and not self.base_url:
            raise ConfigError(
                f"Endpoint {self.endpoint!r} is on Azure and has no base_url; "
                "give the resource's address, such as https://NAME.openai.azure.com."
            )
        return dict(config.get("deployments") or {})

    def _key_of_the_vendor(self) -> Secret:
        host = urlsplit(self.base_url or _ADDRESS).hostname or ""
        variable = "AZURE_OPENAI_API_KEY" if self._azure else "OPENAI_API_KEY"
        at_home = host.endswith(_AZURE_HOSTS) if self._azure else self.base_url in {None, _ADDRESS}
        return self._key_from_environment(variable, at_home=at_home)

    def _checked_address(self, *, allow_http: bool) -> str:
        address = checked_url(self.base_url or _ADDRESS, allow_http=allow_http)
        if self._azure and not self._api_version and "/openai/" not in address:
            address = f"{address}/openai/v1"
        return address

    def _open(self, sdk: Any, key: Secret) -> openai.AsyncOpenAI:
        common: dict[str, Any] = {
            "api_key": key.reveal(),
            "organization": self._organization,
            "max_retries": 0,  # the base class retries; two layers would hide each other
            "timeout": None,  # the base class has the deadline
            "http_client": sdk.DefaultAioHttpClient(**client_options()),
        }
        if self._api_version:
            on_azure: openai.AsyncAzureOpenAI = sdk.AsyncAzureOpenAI(
                azure_endpoint=str(self.base_url), api_version=self._api_version, **common
            )
            return on_azure
        # Azure's v1 interface takes a key in this header, and OpenAI's own as a bearer token.
        headers = {"api-key": key.reveal()} if self._azure else None
        client: openai.AsyncOpenAI = sdk.AsyncOpenAI(
            base_url=self.base_url, project=self._project, default_headers=headers, **common
        )
        return client

    def _sent_id(self, model: str) -> str:
        """The deployment that serves `model`, where one is named for it."""
        if model in self._deployments:
            return model
        return next((name for name, served in self._deployments.items() if served == model), model)

    def _catalog_name(self, model: str) -> str:
        return self._deployments.get(model, model)

    def _target(self, model: str) -> str | None:
        sent = self._sent_id(model)
        # Another deployment under the same name asked for is another model.
        return self.base_url if sent == model else f"{self.base_url}#{sent}"

    def _tuner(self) -> Tuner:
        return openai_tuning.OpenAITuner(self, self._adapter)

    def _batcher(self) -> Batcher | None:
        # On Azure a batch needs a deployment of a kind of its own, which cannot be called otherwise.
        return None if self._azure else OpenAIBatches(self, self._adapter)

    def _trainable_id(self, model: str) -> str:
        return openai_tuning.trainable_id(self._catalog_name(model))
