"""Shapes of open-weight models, and what follows from them: parameters, weights, cache per token."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from llmbench.catalog.dtypes import DType
from llmbench.catalog.models import canonical_name
from llmbench.catalog.spellings import find_spelling, plain_spelling

__all__ = ["Architecture", "all_architectures", "architecture"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder of the Llama or Mixtral kind: grouped-query attention and a gated feed-forward part."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    context: int
    """Input and output tokens that it reads together."""
    dtype: str
    """In which the weights are published."""
    source: str
    experts: int = 0
    """Feed-forward parts of a layer; 0: one, without a router."""
    experts_per_token: int = 0
    tied_embeddings: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def embedding_parameters(self) -> int:
        """Of the tables at both ends, which stay at 16 bits in 4-bit formats."""
        return (1 if self.tied_embeddings else 2) * self.vocabulary * self.hidden

    @property
    def expert_parameters(self) -> int:
        """Of one expert, over all layers; 0 without experts."""
        return self.layers * 3 * self.hidden * self.intermediate if self.experts else 0

    @property
    def parameters(self) -> int:
        """All of them: what must lie in memory.

        >>> architecture("mixtral-8x7b").parameters
        46702792704
        """
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        feed_forward = 3 * self.hidden * self.intermediate * (self.experts or 1)
        router = self.hidden * self.experts
        layer = attention + feed_forward + router + 2 * self.hidden
        return self.embedding_parameters + self.layers * layer + self.hidden

    @property
    def active_parameters(self) -> int:
        """Those that take part in one token: what is computed, never what must lie in memory."""
        return self.parameters - (self.experts - self.experts_per_token) * self.expert_parameters

    def weight_bytes(self, dtype: DType) -> float:
        """Of all weights. Formats of 4 bits keep the embeddings at 16, but for llama.cpp's."""
        kept = self.embedding_parameters if dtype.keeps_embeddings else 0
        return (self.parameters - kept) * dtype.weight_bytes + 2.0 * kept

    def kv_bytes_per_token(self, dtype: DType) -> float:
        """Of the keys and values of one token, by the key-value heads and not by the heads.

        Kwon et al. (2023), arXiv:2309.06180, section 3: two tensors a layer.
        """
        return 2.0 * self.layers * self.kv_heads * self.head_dim * dtype.kv_bytes


@cache
def all_architectures() -> Mapping[str, Architecture]:
    """Every shape of the catalog, by the model's name."""
    text = files("llmbench.catalog").joinpath("facts/architectures.toml").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = tomllib.loads(text)
    found = {}
    for name, row in rows.items():
        base = (
            {key: value for key, value in rows[row["like"]].items() if key != "aliases"}
            if "like" in row
            else {}
        )
        fields = {**base, **{key: value for key, value in row.items() if key != "like"}}
        fields["aliases"] = tuple(fields.get("aliases", ()))
        found[name] = Architecture(name=name, **fields)
    return found


@cache
def _names() -> Mapping[str, str]:
    return {
        plain_spelling(spelling): name
        for name, shape in all_architectures().items()
        for spelling in (name, *shape.aliases)
    }


def architecture(model: str) -> Architecture:
    """The shape of `model` under any spelling of the catalog. Raises UsageError with the nearest names.

    >>> architecture("meta-llama/Llama-3.1-8B-Instruct").kv_heads
    8
    """
    known = canonical_name(model)
    if known is None or known not in all_architectures():
        known = find_spelling("open-weight model", model, _names())
    return all_architectures()[known]
