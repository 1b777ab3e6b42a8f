"""From the name of an endpoint to a provider: llmbench.toml first, then what needs no configuration."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmbench.catalog.models import ModelFacts, all_models, canonical_name
from llmbench.config import EndpointConfig, ProjectConfig, load_config
from llmbench.errors import ConfigError, UsageError
from llmbench.providers.backends import BACKENDS
from llmbench.secret import Secret, from_environment

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.types import Recorder

__all__ = [
    "PROVIDERS",
    "ProviderRow",
    "endpoints_at_hand",
    "endpoints_serving",
    "every_key_variable",
    "key_variables",
    "open_endpoint",
    "split_model_id",
]


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """Where a provider's class lives, and what it needs."""

    module: str
    class_name: str
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the vendor's key; where a provider has several backends
    they stand in the backend's row: see `key_variables`."""
    extra: str | None = None
    """What `pip install llmbench[...]` must name; None where the core is enough."""
    hosted_backends: tuple[str, ...] = ()
    """Backends that are tried in this order where no configuration names one."""


_HOME = "llmbench.providers."
PROVIDERS: Mapping[str, ProviderRow] = {
    "local": ProviderRow(f"{_HOME}local", "LocalProvider", extra="local"),
    "openai": ProviderRow(f"{_HOME}openai", "OpenAIProvider", ("OPENAI_API_KEY",), extra="openai"),
    "anthropic": ProviderRow(
        f"{_HOME}anthropic", "AnthropicProvider", ("ANTHROPIC_API_KEY",), extra="anthropic"
    ),
    "gemini": ProviderRow(
        f"{_HOME}gemini", "GeminiProvider", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), extra="gemini"
    ),
    "together": ProviderRow(f"{_HOME}together", "TogetherProvider", ("TOGETHER_API_KEY",), extra="together"),
    "llama": ProviderRow(f"{_HOME}llama", "LlamaProvider", hosted_backends=("together", "replicate")),
    "mixtral": ProviderRow(f"{_HOME}mixtral", "MixtralProvider", hosted_backends=("together", "replicate")),
    "custom": ProviderRow(f"{_HOME}custom", "CustomProvider"),
}
_NOT_OPTIONS = frozenset(
    {"api_key", "endpoint", "ledger", "clock", "provider", "api_key_env", "personal_data"}
    | {"backend", "base_url", "model", "model_path", "usd_per_hour", "deadline_s", "max_attempts"}
    | {"allow_http", "prices"}
)
_WITHOUT_CONFIGURATION = tuple(name for name in PROVIDERS if name != "custom")


def key_variables(provider: str, backend: str | None) -> tuple[str, ...]:
    """The environment variables that may hold the key of a provider at a backend.

    >>> key_variables("llama", "replicate")
    ('REPLICATE_API_TOKEN', 'REPLICATE_API_KEY')
    >>> key_variables("llama", "vllm")
    ()
    """
    if provider == "openai" and backend == "azure":
        return ("AZURE_OPENAI_API_KEY",)
    row = PROVIDERS.get(provider)
    if row is None or row.key_variables:
        return row.key_variables if row else ()
    found = BACKENDS.get(backend or "")
    return found.key_variables if found else ()


def every_key_variable() -> frozenset[str]:
    """All environment variables in which some vendor's key may stand."""
    pairs = [(name, backend) for name in PROVIDERS for backend in (None, "azure", *BACKENDS)]
    return frozenset(variable for pair in pairs for variable in key_variables(*pair))


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
    free = [name for name in _WITHOUT_CONFIGURATION if _without_configuration(name) is not None]
    return [*config.endpoints, *(name for name in free if name not in config.endpoints)]


def endpoints_serving(model: str, config: ProjectConfig | None = None) -> list[str]:
    """The endpoints at hand whose backend the catalog lists for `model`; no connection is made."""
    config = config or load_config()
    facts = all_models().get(canonical_name(model) or "")
    found = []
    for name in endpoints_at_hand(config) if facts else ():
        endpoint = config.endpoints.get(name) or _without_configuration(name)
        if facts and endpoint and _serves(endpoint, facts):
            found.append(name)
    return found


def _serves(endpoint: EndpointConfig, facts: ModelFacts) -> bool:
    family = endpoint.provider in {"llama", "mixtral"}
    place = endpoint.backend or endpoint.provider
    return place in facts.backends and (not family or facts.provider == endpoint.provider)


def _without_configuration(name: str) -> EndpointConfig | None:
    """The endpoint that a key in the environment, or no need of one, makes exist under `name`."""
    row = PROVIDERS[name]
    for backend in row.hosted_backends or (None,):
        variables = key_variables(name, backend)
        if not variables or from_environment(*variables):
            return EndpointConfig(name=name, provider=name, backend=backend)
    return None


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
        endpoint = _without_configuration(name)
    if endpoint is None:
        backends = PROVIDERS[name].hosted_backends or (None,)
        variables = [variable for backend in backends for variable in key_variables(name, backend)]
        raise ConfigError(
            f"Endpoint {name!r} needs a key: set {' or '.join(variables)} in the environment or the keyring, "
            f"or configure it by [endpoints.{name}] in llmbench.toml."
        )
    row = PROVIDERS.get(endpoint.provider)
    if row is None:
        raise ConfigError(
            f"[endpoints.{name}] names the provider {endpoint.provider!r}; "
            f"llmbench has {', '.join(sorted(PROVIDERS))}."
        )
    settings = _settings(endpoint, config)
    if recorder is not None:
        settings["ledger"] = recorder
    provider_class = getattr(importlib.import_module(row.module), row.class_name)
    try:
        provider: BaseLLMProvider = provider_class(settings)
    except UsageError as error:
        raise ConfigError(f"[endpoints.{name}]: {error}") from error
    return provider


def _settings(endpoint: EndpointConfig, config: ProjectConfig) -> dict[str, Any]:
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
    for permission in ("allow_http", "personal_data"):
        if getattr(endpoint, permission):
            settings[permission] = True
    if endpoint.prices:
        settings["prices"] = endpoint.prices
    if endpoint.model_path:
        settings["model_path"] = str(config.resolve(endpoint.model_path))
    if endpoint.api_key_env:
        settings["api_key"] = _named_key(endpoint.name, endpoint.api_key_env)
    return settings


def _named_key(endpoint: str, variable: str) -> Secret:
    key = from_environment(variable)
    if key is None:
        raise ConfigError(
            f"Endpoint {endpoint!r} takes its key from {variable}, which is not set; "
            "set it in the environment or the keyring."
        )
    return key
