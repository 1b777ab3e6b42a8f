"""Any model that Together AI serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from llmbench.catalog.info import model_info
from llmbench.catalog.models import all_models
from llmbench.providers.open_weights import OpenWeightsProvider
from llmbench.types import ModelInfo

__all__ = ["TogetherProvider"]


class TogetherProvider(OpenWeightsProvider):
    """Together AI without a family: gpt-oss, DeepSeek, Qwen and whatever else it lists."""

    name: ClassVar[str] = "together"
    backends: ClassVar[tuple[str, ...]] = ("together",)

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__({"backend": "together", **(config or {})})

    def list_models(self) -> list[ModelInfo]:
        """The catalog's models at Together, of whatever family; never the network."""
        return [
            model_info(facts.name, provider=self.name, backend=self.backend, book=self.price_book)
            for facts in all_models().values()
            if "together" in facts.backends
        ]
