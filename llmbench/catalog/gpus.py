"""What is known of GPUs: memory, bandwidth, arithmetic, the link to the next one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from llmbench.catalog.spellings import find_spelling, plain_spelling

__all__ = ["GpuFacts", "all_gpus", "gpu_facts"]

_GIB = 2.0**30


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """One kind of GPU."""

    name: str
    memory_gb: float
    """As the label says."""
    visible_gib: float
    """As the driver reports it: what an engine takes its share of."""
    bandwidth_gb_s: float
    tflops: Mapping[str, float]
    """Dense, by the precision of the multiplication: fp16, bf16, fp8, fp4, int8; one it has not is absent."""
    link: str
    """To the other GPUs of the machine: "nvlink", "xgmi" or "pcie"."""
    link_gb_s: float
    """Of one GPU, in one direction."""
    source: str
    capability: float | None = None
    """NVIDIA's compute capability; None for other makes."""
    aliases: tuple[str, ...] = ()

    @property
    def visible_bytes(self) -> float:
        """Memory that an engine can see."""
        return self.visible_gib * _GIB


@cache
def all_gpus() -> Mapping[str, GpuFacts]:
    """Every GPU of the catalog, by its name."""
    text = files("llmbench.catalog").joinpath("facts/gpus.toml").read_text(encoding="utf-8")
    return {
        name: GpuFacts(name=name, aliases=tuple(row.pop("aliases", ())), **row)
        for name, row in tomllib.loads(text).items()
    }


@cache
def _names() -> Mapping[str, str]:
    return {
        plain_spelling(spelling): name
        for name, facts in all_gpus().items()
        for spelling in (name, *facts.aliases)
    }


def gpu_facts(gpu: str) -> GpuFacts:
    """The facts of `gpu` under any spelling. Raises UsageError with the nearest names.

    >>> gpu_facts("NVIDIA A100 80GB").name
    'A100-80GB-SXM'
    """
    return all_gpus()[find_spelling("GPU", gpu, _names())]
