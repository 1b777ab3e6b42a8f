"""Number formats in which weights are kept: bytes, arithmetic, cache."""

from __future__ import annotations

from typing import NamedTuple

from llmbench.catalog.gpus import GpuFacts
from llmbench.catalog.spellings import find_spelling, plain_spelling
from llmbench.shown import shown

__all__ = ["DTYPES", "USUAL_DTYPES", "DType", "dtype_facts", "why_not_on"]


@shown
class DType(NamedTuple):
    """One number format."""

    name: str
    weight_bytes: float
    """Of one parameter, scales included."""
    compute: str
    """The precision in which it is multiplied, where the GPU has it; fp16 otherwise."""
    kv_bytes: float = 2.0
    """Of one element of the cache, as checkpoints of this format are usually served."""
    keeps_embeddings: bool = False
    """Whether the embeddings stay at 16 bits."""
    unpacked: bool = False
    """Whether a batch makes the engine write the weights out at 16 bits before it multiplies."""
    aliases: tuple[str, ...] = ()


# Bytes: 4-bit groups of 128 carry a scale and a zero, 0.53 together (AutoAWQ); NVFP4 carries one 8-bit scale
# for 16 values, 0.5625 (NVIDIA); Q4_K_M is 4.85 bits on average (llama.cpp).
DTYPES = {
    dtype.name: dtype
    for dtype in (
        DType("fp16", 2.0, "fp16", aliases=("float16", "half", "f16", "16-bit", "16")),
        DType("bf16", 2.0, "bf16", aliases=("bfloat16", "bf16-bf16")),
        DType(
            "fp8",
            1.0,
            "fp8",
            kv_bytes=1.0,
            aliases=(
                "fp8_e4m3",
                "fp8_e5m2",
                "e4m3",
                "float8",
                "fp8-dynamic",
                "w8a8-fp8",
                "fp8-w8a8",
                "fp8-block",
            ),
        ),
        DType("fp4", 0.5625, "fp4", kv_bytes=1.0, keeps_embeddings=True, aliases=("nvfp4", "mxfp4")),
        DType("w8a8", 1.0, "int8", aliases=("int8", "int8-w8a8", "w8a8-int8", "smoothquant")),
        DType("w8a16", 1.0, "fp16", aliases=("int8-w8a16", "w8a16-int8", "gptq-int8", "int8-weight-only")),
        DType(
            "w4a16",
            0.53,
            "fp16",
            keeps_embeddings=True,
            unpacked=True,
            aliases=(
                "int4",
                "int4-w4a16",
                "w4a16-int4",
                "gptq-int4",
                "int4-gptq",
                "gptq",
                "gptq-4bit",
                "4bit",
            ),
        ),
        DType(
            "awq-int4",
            0.53,
            "fp16",
            keeps_embeddings=True,
            unpacked=True,
            aliases=("awq", "int4-awq", "awq-4bit", "awq-marlin"),
        ),
        DType("q4_k_m", 0.606, "fp16", aliases=("gguf-q4_k_m", "q4", "q4_k", "gguf")),
    )
}
USUAL_DTYPES = ("fp16", "fp8", "awq-int4")
"""Looked at where none is named: the format of most checkpoints, half and about a quarter of its bytes."""
_NAMES = {
    plain_spelling(spelling): name for name, dtype in DTYPES.items() for spelling in (name, *dtype.aliases)
}
_NEEDS = {"bf16": 8.0, "fp8": 8.0, "fp4": 8.0, "w8a16": 8.0, "w8a8": 7.5, "awq-int4": 7.5}
"""The least compute capability at which engines serve a format; below 8.9 fp8 only halves the weights."""


def dtype_facts(dtype: str) -> DType:
    """The format under any spelling. Raises UsageError with the nearest names.

    >>> dtype_facts("int4").name
    'w4a16'
    """
    return DTYPES[find_spelling("dtype", dtype, _NAMES)]


def why_not_on(dtype: DType, gpu: GpuFacts) -> str:
    """Why `gpu` cannot serve `dtype`, as a sentence; empty where it can.

    Compute capabilities from vLLM's documentation of quantisation, looked up 2026-11-22, and vllm issue 1157.
    """
    needs = _NEEDS.get(dtype.name, 0.0)
    if gpu.capability is None or gpu.capability >= needs:
        return ""
    works = ", ".join(name for name in DTYPES if gpu.capability >= _NEEDS.get(name, 0.0))
    return (
        f"A {gpu.name} has no {dtype.name} (compute capability {gpu.capability:g}, {needs:g} is needed); "
        f"it serves {works}."
    )
