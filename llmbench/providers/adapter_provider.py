"""Providers of which one adapter does the calling: the vendors behind their SDKs, and whoever serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from importlib import import_module
from typing import Any

from llmbench.errors import ConfigError, UsageError
from llmbench.providers.adapter import Adapter
from llmbench.providers.base import BaseLLMProvider
from llmbench.secret import Secret, from_environment
from llmbench.types import ChatRequest, RawAnswer

__all__ = ["AdapterProvider"]


class AdapterProvider(BaseLLMProvider):
    """A subclass makes `_adapter`, and says in `_sent_id` where a model has another id at the endpoint."""

    _adapter: Adapter

    def _sent_id(self, model: str) -> str:
        """The id under which the endpoint knows `model`."""
        return model

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        return await self._adapter.complete(request, model=self._sent_id(request.model))

    def _stream(self, request: ChatRequest) -> AsyncIterator[str | RawAnswer]:
        return self._adapter.stream(request, model=self._sent_id(request.model))

    def secrets(self) -> Iterable[str]:
        """What the adapter sends that must not be shown."""
        return self._adapter.secrets()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._adapter.aclose()

    # What making the adapter needs

    def _sdk(self, module: str, extra: str) -> Any:
        """The vendor's SDK. Raises ConfigError that names the extra it comes with."""
        try:
            return import_module(module)
        except ImportError as error:
            raise ConfigError(
                f"{type(self).__name__} needs the extra `{extra}`: pip install 'llmbench[{extra}]'."
            ) from error

    def _refuse_other_backends(self) -> None:
        """A vendor that serves its models itself is its own backend, named or not."""
        if self.backend not in {None, self.name}:
            raise UsageError(f'{type(self).__name__} has the backend "{self.name}"; not {self.backend!r}.')
        self.backend = None

    def _key_from_environment(self, *variables: str, at_home: bool) -> Secret:
        """The vendor's key, which goes to the vendor's own address (`at_home`) and nowhere else."""
        key = from_environment(*variables) if at_home else None
        if key is None:
            raise ConfigError(
                f"Endpoint {self.endpoint!r} has no key; set {' or '.join(variables)} in the environment or "
                "the keyring" + ("." if at_home else ", and name it by api_key_env for this base_url.")
            )
        return key
