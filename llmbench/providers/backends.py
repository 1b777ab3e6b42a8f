"""The places that serve open-weight models, as rows: adding one is a row and, at most, one module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from llmbench.errors import ConfigError, UsageError
from llmbench.providers.adapter import Adapter, Place
from llmbench.types import CHAT_OPTIONS, REASONING_OPTIONS

__all__ = ["BACKENDS", "Backend", "backend_named", "open_adapter"]


@dataclass(frozen=True, slots=True)
class Backend:
    """One place that serves open-weight models."""

    name: str
    module: str
    """Of llmbench.providers; its `open_adapter(place)` makes the adapter."""
    base_url: str
    """Called where the configuration names no other."""
    package: str | None = None
    """The SDK that must be importable; its extra has the same name."""
    key_variables: tuple[str, ...] = ()
    """Where a key may stand; it goes only to `base_url`. None: the place needs no key."""
    self_hosted: bool = False
    trains: bool = False
    """Whether it fine-tunes; then llmbench.providers.NAME_tuning says how."""
    batches: bool = False
    """Whether it takes many requests as one; then llmbench.providers.NAME_batch says how."""
    options: frozenset[str] = CHAT_OPTIONS
    """Parameters of `chat_completion` that the place honours."""
    family_options: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Those it honours for one provider's models, where they differ from `options`."""
    settings: frozenset[str] = frozenset()
    """Keys of a provider's `config` that only this place understands."""


_EVERY_PREDICTION = frozenset({"temperature", "max_tokens", "top_p", "presence_penalty"})

BACKENDS: Mapping[str, Backend] = {
    row.name: row
    for row in (
        Backend(
            "replicate",
            module="replicate",
            base_url="https://api.replicate.com",
            package="replicate",
            key_variables=("REPLICATE_API_TOKEN", "REPLICATE_API_KEY"),
            # replicate_input says which model takes what, and whence that is known.
            options=_EVERY_PREDICTION,
            family_options={
                "llama": _EVERY_PREDICTION | {"stop"},
                "mixtral": _EVERY_PREDICTION | {"frequency_penalty"},
            },
            settings=frozenset({"poll_s"}),
            trains=True,
        ),
        Backend(
            "together",
            module="together",
            base_url="https://api.together.ai",
            package="together",
            key_variables=("TOGETHER_API_KEY",),
            options=REASONING_OPTIONS,
            trains=True,
            batches=True,
        ),
        Backend(
            "vllm",
            module="vllm",
            base_url="http://localhost:8000/v1",
            self_hosted=True,
            settings=frozenset({"headers"}),
        ),
        Backend(
            "ollama",
            module="ollama",
            base_url="http://localhost:11434",
            self_hosted=True,
            settings=frozenset({"context", "keep_alive"}),
        ),
    )
}


def open_adapter(backend: Backend, place: Place) -> Adapter:
    """The adapter of `backend` at `place`. Raises ConfigError naming a missing extra."""
    if backend.package:
        try:
            import_module(backend.package)
        except ImportError as error:
            raise ConfigError(
                f"The backend {backend.name!r} of endpoint {place.endpoint!r} needs the extra "
                f"`{backend.package}`: pip install 'llmbench[{backend.package}]'."
            ) from error
    module = import_module(f"llmbench.providers.{backend.module}_backend")
    adapter: Adapter = module.open_adapter(place)
    return adapter


def backend_named(name: str | None, allowed: tuple[str, ...], *, who: str) -> Backend:
    """The row `name`. Raises UsageError with the names there are."""
    if name not in allowed:
        raise UsageError(f"{who} needs a backend, one of {', '.join(allowed)}; it is {name!r}.")
    return BACKENDS[name]
