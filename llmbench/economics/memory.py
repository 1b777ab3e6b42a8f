"""Whether a model fits into GPUs, and how much room is left to serve with."""

from __future__ import annotations

import html
import math
from typing import Literal, NamedTuple

from llmbench.catalog.architectures import Architecture, architecture
from llmbench.catalog.dtypes import DType, dtype_facts, why_not_on
from llmbench.catalog.engines import EngineFacts, engine_facts
from llmbench.catalog.gpus import GpuFacts, gpu_facts
from llmbench.economics.checks import check_amount, check_whole
from llmbench.errors import UsageError
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

__all__ = [
    "MOST_FILLED",
    "STARVED_BELOW",
    "FitState",
    "MemoryFit",
    "cache_bytes",
    "check_gpu_count",
    "format_of",
    "memory_fit",
]

FitState = Literal["does not fit", "starved", "fits"]

MOST_FILLED = 0.98
"""Share of the visible memory that weights and one sequence may fill at most: with more no engine starts."""
STARVED_BELOW = 16
"""Sequences in memory below which every step reads all weights for too few tokens."""

_OVERHEAD = 1.5e9
"""Bytes that an engine needs beside weights and cache on one GPU, for a model 4,096 wide: context,
activations, CUDA graphs. AIConfigurator reserves 3.5e9 for the widest."""
_WIDTH = 4096
_MOST_GPUS = 1024
_LINKED = 0.4e9
"""And for the buffers of the collective operations, once there are several (NCCL: 342 to 392 MB)."""


@shown
class MemoryFit(NamedTuple):
    """What of a model, its number format and GPUs. Bytes are decimal GB."""

    model: str
    gpu: str
    n_gpu: int
    dtype: str
    state: FitState
    """"starved": the weights fit, but fewer than 16 sequences beside them."""
    reason: str
    """One sentence."""
    weights_gb: float
    visible_gb: float
    """Of all GPUs, as the driver reports it: less than the label."""
    usable_gb: float
    """What of that the engine gives to weights and cache."""
    kv_gb: float
    """Left for the cache; negative where the weights alone do not fit."""
    kv_bytes_per_token: float
    kv_tokens: float
    """Tokens that the cache holds, of all sequences together; 0 where nothing is left."""
    tokens_per_sequence: float
    """Of one sequence on average over its life: the input and three quarters of the output."""
    max_sequences: float
    """So many sequences fit at the same time."""

    @property
    def fits(self) -> bool:
        """Whether it can be served well; a starved one cannot."""
        return self.state == "fits"

    def table(self) -> PlainTable:
        """As it is shown."""
        return PlainTable(
            ("model", "GPU", "dtype", "state", "weights GB", "usable GB", "cache GB", "sequences"),
            [
                (
                    self.model,
                    self.gpu if self.n_gpu == 1 else f"{self.n_gpu} x {self.gpu}",
                    self.dtype,
                    self.state,
                    f"{self.weights_gb:.1f}",
                    f"{self.usable_gb:.1f}",
                    f"{self.kv_gb:.1f}",
                    f"{math.floor(self.max_sequences)}",
                )
            ],
            texts=4,
        )

    def _repr_html_(self) -> str:
        return f"{self.table().html()}<p>{html.escape(self.reason)}</p>"


def check_gpu_count(n_gpu: object) -> int:
    """`n_gpu` as a whole number from 1 to 1,024. Raises UsageError."""
    count = check_whole("n_gpu", n_gpu, 1)
    if count > _MOST_GPUS:
        raise UsageError(f"n_gpu must be at most {_MOST_GPUS:,}: nobody joins more; it is {n_gpu!r}.")
    return count


def format_of(dtype: str | None, shape: Architecture, gpu: GpuFacts) -> DType:
    """The number format; None and "auto" are the published one, as fp16 where that is bf16 and the GPU has
    none.
    """
    if dtype is not None and dtype != "auto":
        return dtype_facts(dtype)
    published = dtype_facts(shape.dtype)
    return dtype_facts("fp16") if published.name == "bf16" and why_not_on(published, gpu) else published


def cache_bytes(
    shape: Architecture, gpu: GpuFacts, n_gpu: int, dtype: DType, engine: EngineFacts
) -> tuple[float, float]:
    """Bytes that `engine` gives to weights and cache, and those left for the cache, which may be negative.

    vLLM takes a share of the whole GPU, less what it needs for itself; TensorRT-LLM a share of what the
    weights leave free.
    """
    overhead = _OVERHEAD * shape.hidden / _WIDTH + (_LINKED if n_gpu > 1 else 0.0)
    weights = shape.weight_bytes(dtype)
    if engine.memory == "free":
        left = engine.share * (n_gpu * (gpu.visible_bytes - overhead) - weights)
        return weights + left, left
    usable = n_gpu * (engine.share * gpu.visible_bytes - overhead)
    return usable, usable - weights


def memory_fit(
    model: str,
    gpu: str,
    n_gpu: int = 1,
    dtype: str | None = "fp16",
    *,
    input_tokens: float = 1000.0,
    output_tokens: float = 500.0,
    engine: str = "vllm",
) -> MemoryFit:
    """Whether `model` fits into `n_gpu` GPUs, with room for sequences of these lengths.

    Weights of all parameters, those of unused experts too; keys and values by the key-value heads; the
    memory that the driver reports, of which the engine takes its default share, less what it needs for
    itself. `dtype` None is the one in which the weights are published. State "starved": fewer than 16
    sequences fit. Pope et al. (2022), arXiv:2211.05102, section 2.

    Raises UsageError for an unknown model, GPU, engine or format, and for counts that cannot be meant.

    >>> memory_fit("llama-3.1-8b", "T4").state, memory_fit("llama-3.1-8b", "T4", dtype="int4").state
    ('does not fit', 'fits')
    """
    count = check_gpu_count(n_gpu)
    for name, value in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        check_amount(name, value)
    shape, card, server = architecture(model), gpu_facts(gpu), engine_facts(engine)
    number = format_of(dtype, shape, card)
    usable, left = cache_bytes(shape, card, count, number, server)
    per_token = shape.kv_bytes_per_token(number)
    length = max(1.0, input_tokens + 0.75 * output_tokens)
    tokens = max(0.0, left / per_token)
    sequences = tokens / length
    weights = shape.weight_bytes(number)
    unserved = why_not_on(number, card)
    state: FitState = "fits"
    if unserved or sequences < 1:
        state = "does not fit"
    elif sequences < STARVED_BELOW:
        state = "starved"
    where = card.name if count == 1 else f"{count} x {card.name}"
    reason = unserved or (
        f"{shape.name} in {number.name} has {weights / 1e9:.1f} GB of weights; of {where} "
        f"{max(0.0, usable) / 1e9:.1f} GB are usable, which leaves {max(0.0, left) / 1e9:.1f} GB for "
        f"{math.floor(sequences)} sequences of {length:,.0f} tokens."
    )
    return MemoryFit(
        model=shape.name,
        gpu=card.name,
        n_gpu=count,
        dtype=number.name,
        state=state,
        reason=reason,
        weights_gb=weights / 1e9,
        visible_gb=count * card.visible_bytes / 1e9,
        usable_gb=usable / 1e9,
        kv_gb=left / 1e9,
        kv_bytes_per_token=per_token,
        kv_tokens=tokens,
        tokens_per_sequence=length,
        max_sequences=sequences,
    )
