"""How fast a model is served: a roofline of reading weights and multiplying, with few constants.

One request is read (prefill: arithmetic) and then answered token by token (decode: every step reads all
weights and the cache of all sequences in flight). Pope et al. (2022), arXiv:2211.05102; Williams, Waterman
and Patterson (2009), doi:10.1145/1498765.1498785; batching as Yu et al. (2022), Orca, OSDI.
Everything is an array over operating points, so that a fit evaluates all measured rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.catalog.architectures import architecture
from llmbench.catalog.engines import engine_facts
from llmbench.catalog.gpus import gpu_facts
from llmbench.economics.memory import MOST_FILLED, cache_bytes, format_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["TYPICAL_INPUT", "TYPICAL_OUTPUT", "OperatingPoint", "Points", "Served", "points_of", "serve"]

TYPICAL_INPUT, TYPICAL_OUTPUT = 256.0, 300.0
"""Tokens of a chat where a row does not say: means of ShareGPT, OpenOrca and the like lie near them."""

_BALANCE = 300.0
"""Operations a byte of the GPU whose share of peak arithmetic `compute_efficiency` is (an H100 has 295)."""
_MOST = 0.65
"""Share of peak arithmetic that no engine gets more than on any GPU: llm-analysis has up to 0.7."""
_UNPACKING = 32.0
"""Sequences from which on engines write 4-bit weights out at 16 bits before they multiply."""


class OperatingPoint(NamedTuple):
    """What is served, on what, under which load. None: not stated."""

    model: str
    gpu: str
    n_gpu: int
    dtype: str | None
    engine: str
    input_tokens: float | None
    output_tokens: float | None
    concurrency: float | None
    """Requests in flight; None: as many as the engine takes."""


class Points(NamedTuple):
    """Operating points as arrays of one length, in bytes, operations and seconds."""

    active: Array
    """Parameters that take part in a token."""
    parameters: Array
    weights: Array
    """Bytes of all weights."""
    expert_weights: Array
    """Of them, those of experts."""
    expert_share: Array
    """Of the experts of a layer, taken by one token; 1 without experts."""
    layers: Array
    hidden: Array
    cache_per_token: Array
    cache: Array
    """Bytes for the cache."""
    bandwidth: Array
    """Of one GPU."""
    arithmetic: Array
    """Operations a second of one GPU, in the precision that is multiplied in."""
    link: Array
    """Bytes a second to the other GPUs, one direction."""
    n_gpu: Array
    input_tokens: Array
    output_tokens: Array
    concurrency: Array
    """NaN: saturated."""
    tensorrt: Array
    """1 where the constants of TensorRT-LLM hold, 0 where those of vLLM do."""
    over_pcie: Array
    early: Array
    """1 on NVIDIA's GPUs before compute capability 8, for which engines have no fast attention."""
    experts: Array
    """1 where a token takes some of many experts."""
    unpacked: Array
    """1 where batches make the engine write 4-bit weights out."""
    weight_only: Array
    """1 where weights are kept smaller than they are multiplied."""


class Served(NamedTuple):
    """What comes of it; arrays of the points' length, in seconds and tokens a second over all GPUs."""

    output_tokens_per_s: Array
    ttft_s: Array
    tpot_s: Array
    running: Array
    """Sequences that are answered at the same time; the other requests in flight wait."""
    room: Array
    """Sequences that the memory holds."""
    read_s: Array
    """Of one step: reading weights and cache."""
    multiply_s: Array
    """Of one step: arithmetic."""
    link_s: Array
    """Of one step: exchange between the GPUs."""


def points_of(rows: Sequence[OperatingPoint]) -> Points:
    """The facts of the catalog for each row. Raises UsageError for unknown names."""
    columns = np.array([_facts(row) for row in rows], dtype=np.float64).reshape(len(rows), -1)
    return Points(*columns.T)


def _facts(row: OperatingPoint) -> tuple[float, ...]:
    shape, gpu, engine = architecture(row.model), gpu_facts(row.gpu), engine_facts(row.engine)
    dtype = format_of(row.dtype, shape, gpu)
    arithmetic = gpu.tflops.get(dtype.compute)
    narrow = dtype.weight_bytes < 2
    half = gpu.tflops["fp16"]
    left = cache_bytes(shape, gpu, row.n_gpu, dtype, engine)[1]
    # A row that was measured ran: where the overheads leave nothing, the last 2% of the memory hold a cache.
    least = (1 - MOST_FILLED) * row.n_gpu * gpu.visible_bytes
    return (
        shape.active_parameters,
        shape.parameters,
        shape.weight_bytes(dtype),
        shape.experts * shape.expert_parameters * dtype.weight_bytes,
        shape.experts_per_token / shape.experts if shape.experts else 1.0,
        shape.layers,
        shape.hidden,
        shape.kv_bytes_per_token(dtype),
        max(left, least),
        gpu.bandwidth_gb_s * 1e9,
        (half if arithmetic is None else arithmetic) * 1e12,
        gpu.link_gb_s * 1e9,
        row.n_gpu,
        TYPICAL_INPUT if row.input_tokens is None else row.input_tokens,
        TYPICAL_OUTPUT if row.output_tokens is None else row.output_tokens,
        np.nan if row.concurrency is None else row.concurrency,
        engine.family == "tensorrt-llm",
        gpu.link == "pcie",
        gpu.capability is not None and gpu.capability < 8,
        shape.experts > 0,
        dtype.unpacked,
        narrow and (arithmetic is None or dtype.compute == "fp16"),
    )


def serve(points: Points, constants: Mapping[str, float]) -> Served:
    """Steady state of each point under `constants` (see facts/throughput-fit.toml for their meaning)."""
    p, c = points, constants
    tensorrt = p.tensorrt > 0
    several = p.n_gpu > 1
    bandwidth = p.bandwidth * c["bandwidth_efficiency"] * p.n_gpu
    efficiency = c["compute_efficiency"] * (p.arithmetic / p.bandwidth / _BALANCE) ** -c["compute_balance"]
    efficiency = np.minimum(efficiency, _MOST)
    efficiency = efficiency * np.where(tensorrt, c["compute_tensorrt"], 1.0)
    efficiency = efficiency * np.where(p.weight_only > 0, c["compute_weight_only"], 1.0)
    efficiency = efficiency * np.where(p.experts > 0, c["compute_experts"], 1.0)
    efficiency = efficiency * np.where(p.early > 0, c["compute_early"], 1.0)
    arithmetic = p.arithmetic * efficiency * p.n_gpu
    # Two all-reduces a layer; a ring moves 2 (n-1)/n of the activations of 2 bytes over every link.
    exchanged = 2 * p.layers * p.hidden * 2 * 2 * (p.n_gpu - 1) / p.n_gpu / (p.link * c["link_efficiency"])
    latency = np.where(p.over_pcie > 0, c["link_latency_pcie"], c["link_latency_nvlink"])
    latency = np.where(several, 2 * p.layers * latency * np.log2(np.maximum(p.n_gpu, 2)), 0.0)
    prefill = (2 * p.active * p.input_tokens + 2 * p.layers * p.hidden * p.input_tokens**2) / arithmetic
    prefill = prefill + exchanged * p.input_tokens

    held = np.where(tensorrt, c["output_held_tensorrt"], c["output_held_vllm"])
    room = np.maximum(p.cache / p.cache_per_token / (p.input_tokens + held * p.output_tokens), 1.0)
    # vLLM's published runs without a limit submit at most a hundred or so requests, and drain: a soft limit.
    sharp = c["saturation_sharpness"]
    soft = (room**-sharp + c["saturated_vllm"] ** -sharp) ** (-1 / sharp)
    saturated = np.where(tensorrt, np.minimum(room, c["saturated_tensorrt"]), soft)
    flight = np.where(np.isnan(p.concurrency), saturated, p.concurrency)
    running = np.maximum(np.minimum(flight, room), 1.0)

    unread = p.expert_weights * (1 - p.expert_share) ** running
    batched = running**2 / (running**2 + _UNPACKING**2)
    unpacking = 2 * c["unpacking_traffic"] * 2 * p.parameters * batched
    cached = running * (p.input_tokens + p.output_tokens / 2) * p.cache_per_token
    read = (p.weights - unread + p.unpacked * unpacking + cached) / bandwidth
    multiply = 2 * p.active * running / arithmetic
    overhead = np.where(tensorrt, c["step_overhead_tensorrt"], c["step_overhead_vllm"])
    overhead = overhead + p.layers * c["layer_overhead"]
    link = latency + exchanged * running
    # A server writes each token of each answer to a connection; a run without a limit does not.
    streamed = np.where(np.isnan(p.concurrency) | tensorrt, 0.0, c["stream_overhead"])
    step = np.hypot(read, multiply) + overhead + link + running * (c["sequence_overhead"] + streamed)

    interleaved = c["prefill_share"] * prefill
    rate = running / (p.output_tokens * step + running * interleaved)
    tpot = step + (running - 1) * interleaved / p.output_tokens
    steps = np.where(tensorrt, c["first_steps_tensorrt"], c["first_steps_vllm"])
    share = np.where(tensorrt, c["first_prefill_tensorrt"], c["first_prefill_vllm"])
    # Reading alone: arithmetic, the weights once, or launches that no graph records, whichever is longest.
    reading = prefill * np.where(p.experts > 0, c["first_experts"], 1.0)
    alone = np.sqrt(reading**2 + (p.weights / bandwidth) ** 2 + (c["first_launch"] * p.layers) ** 2)
    crowded = 1 + c["first_crowding"] * (running - 1)
    waiting = np.maximum(flight - running, 0.0) / rate
    ttft = c["first_overhead"] + steps * step + share * alone * crowded + waiting
    return Served(rate * p.output_tokens, ttft, tpot, running, room, read, multiply, link)
