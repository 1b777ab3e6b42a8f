"""Any OpenAI-compatible server: vLLM, llama.cpp, a gateway, a colleague's proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from llmbench.catalog.info import unlisted_model_info
from llmbench.catalog.prices import SELF_HOSTED, Price, TokenPrice, price_from, token_price
from llmbench.errors import ConfigError, UsageError
from llmbench.providers.adapter_provider import AdapterProvider
from llmbench.providers.chat_http import ChatAddress
from llmbench.providers.transport import HttpTransport
from llmbench.types import TIERED_OPTIONS, ModelInfo, Usage

__all__ = ["CustomProvider"]


class CustomProvider(AdapterProvider):
    """An OpenAI-compatible endpoint over our own small HTTP adapter, at the user's own prices.

    Beyond the common settings: `base_url` (needed, up to and with /v1), `prices`
    ({model: {"input": USD per 1M, "output": USD per 1M, "cached_input": ..., "as_of": date}}),
    `usd_per_hour` (the endpoint is one's own: calls cost 0.0, its hours are a line of their own),
    `headers` (sent with every request), `max_tokens_field` (default "max_tokens"), and `body`
    (fields that go into every request). A model with neither price nor hours has no cost.
    """

    name: ClassVar[str] = "custom"
    options = TIERED_OPTIONS
    settings: ClassVar[frozenset[str]] = frozenset(
        {"prices", "usd_per_hour", "headers", "max_tokens_field", "body"}
    )

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        config = config or {}
        if not self.base_url:
            raise ConfigError(
                f"Endpoint {self.endpoint!r} has no base_url; give the address up to and with /v1, "
                "such as http://127.0.0.1:8000/v1."
            )
        self.usd_per_hour = config.get("usd_per_hour")
        self.self_hosted = self.usd_per_hour is not None
        self._prices = _own_prices(config.get("prices") or {})
        if self._prices and self.self_hosted:
            raise UsageError(
                f"Endpoint {self.endpoint!r} has both prices and usd_per_hour; a call is charged one way, "
                "so keep one of them."
            )
        self._body = dict(config.get("body") or {})
        transport = HttpTransport(
            self.base_url,
            api_key=self._key,
            headers=config.get("headers"),
            allow_http=bool(config.get("allow_http")),
            name=self.endpoint,
        )
        self.base_url = transport.base_url
        self._adapter = ChatAddress(
            transport,
            self.endpoint,
            max_tokens_field=config.get("max_tokens_field", "max_tokens"),
            options=self._body,
        )

    def price(self, model: str, usage: Usage | None) -> Price:
        """By the user's own prices; 0.0 where the endpoint is one's own; else unknown."""
        if self.self_hosted:
            return SELF_HOSTED
        return price_from(self._prices.get(model), usage, book="llmbench.toml")

    def get_model_info(self, model: str) -> ModelInfo:
        """What the configuration says of `model`; the server is not asked."""
        return unlisted_model_info(
            model, provider=self.name, price=self._prices.get(model), own=self.self_hosted
        )

    def list_models(self) -> list[ModelInfo]:
        """The models that the configuration names."""
        names = dict.fromkeys([*self._prices, *([self.default_model] if self.default_model else [])])
        return [self.get_model_info(name) for name in names]

    def _fixed_fields(self) -> Mapping[str, Any]:
        return self._body

    def _quirks(self, model: str) -> None:  # noqa: ARG002 - a server's names are its own
        return None


def _own_prices(prices: Mapping[str, Mapping[str, Any]]) -> dict[str, TokenPrice]:
    found = {}
    for model, row in prices.items():
        if "as_of" not in row:
            raise UsageError(f"The price of {model!r} has no as_of; add the date it was agreed or listed on.")
        found[model] = token_price(row, str(row["as_of"]))
    return found
