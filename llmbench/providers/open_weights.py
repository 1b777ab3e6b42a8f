"""Providers of open-weight models, which several places serve: the family here, the place a row."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from llmbench.catalog.models import all_models, canonical_name
from llmbench.errors import UsageError
from llmbench.providers.adapter import Place
from llmbench.providers.adapter_provider import AdapterProvider
from llmbench.providers.backends import BACKENDS, Backend, backend_named, open_adapter
from llmbench.providers.batches import Batcher
from llmbench.providers.fine_tuning import Tuner
from llmbench.secret import Secret

__all__ = ["OpenWeightsProvider"]


class OpenWeightsProvider(AdapterProvider):
    """A family of open-weight models at one of its `backends`.

    Config beyond the common keys: `backend` (needed), `usd_per_hour` (what one's own server costs,
    for the economics; calls to it cost 0.0), `model_ids` ({name asked for: id at the endpoint},
    where a server names its models otherwise than the catalog), and what the backend's row names.
    A model that the catalog does not know is asked for under the name given.
    """

    settings: ClassVar[frozenset[str]] = frozenset({"usd_per_hour", "model_ids"}).union(
        *(row.settings for row in BACKENDS.values())
    )
    backends: ClassVar[tuple[str, ...]] = tuple(BACKENDS)

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        row = backend_named(self.backend, self.backends, who=type(self).__name__)
        self.options = row.family_options.get(self.name, row.options)
        self.self_hosted = row.self_hosted
        self.usd_per_hour = config.get("usd_per_hour")
        foreign = sorted(set(config) & (self.settings - row.settings - {"model_ids", "usd_per_hour"}))
        if foreign or (config.get("usd_per_hour") is not None and not row.self_hosted):
            raise UsageError(
                f"The backend {row.name!r} of endpoint {self.endpoint!r} has no setting "
                f"{(foreign or ['usd_per_hour'])[0]!r}; remove it."
            )
        self._model_ids: dict[str, str] = dict(config.get("model_ids") or {})
        self._key = self._key or self._key_of(row)
        self._adapter = open_adapter(
            row,
            Place(
                endpoint=self.endpoint,
                base_url=self.base_url or row.base_url,
                key=self._key,
                allow_http=bool(config.get("allow_http")),
                family=self.name,
                options={key: config[key] for key in row.settings if config.get(key) is not None},
            ),
        )
        self.base_url = self._adapter.base_url

    def _key_of(self, row: Backend) -> Secret | None:
        if not row.key_variables:
            return None
        at_home = self.base_url in {None, row.base_url}
        return self._key_from_environment(*row.key_variables, at_home=at_home)

    def _sent_id(self, model: str) -> str:
        """The id under which the endpoint knows `model`."""
        if model in self._model_ids:
            return self._model_ids[model]
        facts = all_models().get(canonical_name(model) or "")
        return facts.backends.get(self.backend or "", model) if facts else model

    def _target(self, model: str) -> str | None:
        # An id of the user's own may stand for another model than the name asked for.
        return f"{self.base_url}#{self._model_ids[model]}" if model in self._model_ids else self.base_url

    def _tuner(self) -> Tuner | None:
        if not BACKENDS[str(self.backend)].trains:
            return None
        module = import_module(f"llmbench.providers.{self.backend}_tuning")
        found: Tuner = module.tuner(self, self._adapter)
        return found

    def _batcher(self) -> Batcher | None:
        if not BACKENDS[str(self.backend)].batches:
            return None
        module = import_module(f"llmbench.providers.{self.backend}_batch")
        found: Batcher = module.batcher(self, self._adapter, self._sent_id)
        return found

    def _trainable_id(self, model: str) -> str:
        return self._sent_id(model)
