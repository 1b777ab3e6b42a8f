"""Shapes of open-weight models, and what follows from them: parameters, weights, cache per token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from llmbench.catalog.dtypes import DType
from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.models import canonical_name
from llmbench.catalog.spellings import find_spelling, plain_spelling, spellings_of
from llmbench.shown import shown

__all__ = ["Architecture", "all_architectures", "architecture"]


_SILENT = re.compile(
    r"instruct|chat|it|hf|base|meta|coder|math|thinking|preview|quantized|dynamic|gguf|bnb|kv|text|model"
    r"|fp(4|8|16)|nvfp4|mxfp4|bf16|int[48]|w[48]a(8|16)|[48]bit|awq|gptq|g128|marlin|q[2-8]|[kms]|\d+k"
    r"|v0\.\d|2[3-6](0[1-9]|1[0-2])|0324|0528|1226"
)
"""Words of a published name that do not change the shape: what it was tuned for, its format, its date."""


@shown
@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder of the Llama or Mixtral kind: grouped-query attention and a gated feed-forward part.

    What other kinds have beside it is told in the last fields. The cache of layers that look back a window
    only is counted as if they saw all: it is never taken for smaller than it is.
    """

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
    layer_extra: int = 0
    """Parameters of a layer that are counted nowhere else: biases, norms beyond two."""
    shared_intermediate: int = 0
    """Width of the expert that every token takes, beside those it is sent to."""
    dense_layers: int = 0
    """Layers without experts in a model that has them."""
    dense_intermediate: int = 0
    """Width of the feed-forward part of those."""
    attention_parameters: int = 0
    """Of one layer; 0: as grouped-query attention has. Latent attention says it here."""
    cache_elements: int = 0
    """Kept of one token in one layer; 0: keys and values by the key-value heads."""
    aliases: tuple[str, ...] = ()

    @property
    def embedding_parameters(self) -> int:
        """Of the tables at both ends, which stay at 16 bits in 4-bit formats."""
        return (1 if self.tied_embeddings else 2) * self.vocabulary * self.hidden

    @property
    def expert_parameters(self) -> int:
        """Of one expert, over all layers; 0 without experts."""
        sparse = self.layers - self.dense_layers
        return sparse * 3 * self.hidden * self.intermediate if self.experts else 0

    @property
    def parameters(self) -> int:
        """All of them: what must lie in memory.

        >>> architecture("mixtral-8x7b").parameters
        46702792704
        """
        attention = self.attention_parameters or 2 * self.hidden * self.head_dim * (
            self.heads + self.kv_heads
        )
        width = self.intermediate * (self.experts or 1) + self.shared_intermediate
        router = self.hidden * self.experts
        always = self.layers * (attention + 2 * self.hidden + self.layer_extra)
        feed_forward = (self.layers - self.dense_layers) * (3 * self.hidden * width + router)
        dense = self.dense_layers * 3 * self.hidden * self.dense_intermediate
        return self.embedding_parameters + always + feed_forward + dense + self.hidden

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
        kept = self.cache_elements or 2 * self.kv_heads * self.head_dim
        return float(self.layers * kept * dtype.kv_bytes)


@cache
def all_architectures() -> Mapping[str, Architecture]:
    """Every shape of the catalog, by the model's name."""
    rows: dict[str, dict[str, Any]] = read_facts("architectures")
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
    return spellings_of(all_architectures())


def _shape_words(spelling: str) -> str:
    """A name without its publisher and the words that do not change the shape.

    >>> _shape_words("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8")
    'llama318b'
    """
    words = re.split(r"[\s_:()/-]+|\.(?=[a-z])", spelling.casefold().rpartition("/")[2])
    return plain_spelling("".join(word for word in words if word and not _SILENT.fullmatch(word)))


@cache
def _shape_names() -> Mapping[str, str]:
    return {
        _shape_words(spelling): name
        for name, shape in all_architectures().items()
        for spelling in (name, *shape.aliases)
    }


def architecture(model: str) -> Architecture:
    """The shape of `model` under any spelling of the catalog. Raises UsageError with the nearest names.

    >>> architecture("meta-llama/Llama-3.1-8B-Instruct").kv_heads
    8
    """
    given: object = model  # a parameter of a notebook may be anything
    known = canonical_name(given) if isinstance(given, str) else None
    if known is None or known not in all_architectures():
        spoken = isinstance(given, str) and plain_spelling(given) not in _names()
        words = _shape_words(model) if spoken else ""
        known = _shape_names().get(words) or find_spelling("open-weight model", given, _names())
    return all_architectures()[known]
