"""From the name of an endpoint to a provider: llmbench.toml first, then what needs no configuration."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmbench.config import EndpointConfig, ProjectConfig, load_config
from llmbench.errors import ConfigError, UsageError
from llmbench.secret import Secret, from_environment

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.types import Recorder

__all__ = ["PROVIDERS", "ProviderRow", "endpoints_at_hand", "open_endpoint", "split_model_id"]


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """Where a provider's class lives, and which environment variables may hold its key."""

    module: str
    class_name: str
    key_variables: tuple[str, ...] = ()
    key_needed: bool = False


PROVIDERS: Mapping[str, ProviderRow] = {
    "openai": ProviderRow(
        "llmbench.providers.openai", "OpenAIProvider", ("OPENAI_API_KEY",), key_needed=True
    ),
    "custom": ProviderRow("llmbench.providers.custom", "CustomProvider"),
    "local": ProviderRow("llmbench.providers.local", "LocalProvider"),
}
_NOT_OPTIONS = frozenset(
    {"api_key", "endpoint", "ledger", "clock", "provider", "api_key_env", "personal_data"}
    | {"backend", "base_url", "model", "model_path", "usd_per_hour", "deadline_s", "max_attempts"}
    | {"allow_http", "prices"}
)
_WITHOUT_CONFIGURATION = ("local", "openai")


def split_model_id(model_id: str) -> tuple[str, str]:
    """`endpoint/model` -> (endpoint, model); the model may contain further slashes.

    >>> split_model_id("gpu1/meta-llama/Llama-3.1-8B")
    ('gpu1', 'meta-llama/Llama-3.1-8B')
    """
    endpoint, slash, model = model_id.partition("/")
    if not (endpoint and slash and model):
        raise UsageError(
            f"A model is written endpoint/model, as in local/smollm2-135m or openai/gpt-4o-mini; "
            f"got {model_id!r}."
        )
    return endpoint, model


def endpoints_at_hand(config: ProjectConfig | None = None) -> list[str]:
    """Names of the endpoints that exist here: those of llmbench.toml, `local`, and vendors with a key."""
    config = config or load_config()
    free = [
        name
        for name in _WITHOUT_CONFIGURATION
        if not PROVIDERS[name].key_needed or from_environment(*PROVIDERS[name].key_variables)
    ]
    return [*config.endpoints, *(name for name in free if name not in config.endpoints)]


def open_endpoint(
    name: str, *, config: ProjectConfig | None = None, recorder: Recorder | None = None
) -> BaseLLMProvider:
    """Build the provider behind the endpoint `name`, recording to `recorder`.

    Raises ConfigError that names the missing table, key or extra.
    """
    config = config or load_config()
    endpoint = config.endpoints.get(name)
    if endpoint is None:
        if name not in _WITHOUT_CONFIGURATION:
            raise ConfigError(
                f"There is no endpoint {name!r}; there are {', '.join(endpoints_at_hand(config))}. "
                f"Add [endpoints.{name}] to llmbench.toml."
            )
        endpoint = EndpointConfig(name=name, provider=name)
    row = PROVIDERS.get(endpoint.provider)
    if row is None:
        raise ConfigError(
            f"[endpoints.{name}] names the provider {endpoint.provider!r}; "
            f"llmbench has {', '.join(sorted(PROVIDERS))}."
        )
    settings = _settings(endpoint, row, config)
    if recorder is not None:
        settings["ledger"] = recorder
    provider_class = getattr(importlib.import_module(row.module), row.class_name)
    try:
        provider: BaseLLMProvider = provider_class(settings)
    except UsageError as error:
        raise ConfigError(f"[endpoints.{name}]: {error}") from error
    return provider


def _settings(endpoint: EndpointConfig, row: ProviderRow, config: ProjectConfig) -> dict[str, Any]:
    refused = sorted(set(endpoint.options) & _NOT_OPTIONS)
    if refused:
        raise ConfigError(
            f"[endpoints.{endpoint.name}.options] holds {refused[0]!r}, which does not belong there; "
            "a key goes into the environment (api_key_env names it), the rest into the table itself."
        )
    settings: dict[str, Any] = {"endpoint": endpoint.name, **endpoint.options}
    for setting in ("backend", "base_url", "model", "usd_per_hour", "deadline_s", "max_attempts"):
        value = getattr(endpoint, setting)
        if value is not None:
            settings[setting] = value
    if endpoint.allow_http:
        settings["allow_http"] = True
    if endpoint.prices:
        settings["prices"] = endpoint.prices
    if endpoint.model_path:
        settings["model_path"] = str(config.resolve(endpoint.model_path))
    key = _key(endpoint, row)
    if key is not None:
        settings["api_key"] = key
    return settings


def _key(endpoint: EndpointConfig, row: ProviderRow) -> Secret | None:
    if endpoint.api_key_env:
        key = from_environment(endpoint.api_key_env)
        if key is None:
            raise ConfigError(
                f"Endpoint {endpoint.name!r} takes its key from {endpoint.api_key_env}, which is not set; "
                f"set it in the environment or the keyring."
            )
        return key
    # A vendor's own key goes only to the vendor's own address.
    variables = row.key_variables if endpoint.base_url is None else ()
    key = from_environment(*variables) if variables else None
    if key is None and row.key_needed:
        raise ConfigError(
            f"Endpoint {endpoint.name!r} needs a key: set {' or '.join(row.key_variables)} in the "
            f"environment or the keyring, or name another by api_key_env in [endpoints.{endpoint.name}]."
        )
    return key
