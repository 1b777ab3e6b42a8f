"""What is known of GPUs: memory, bandwidth, arithmetic, the link to the next one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.spellings import find_spelling, plain_spelling, spellings_of
from llmbench.shown import shown

__all__ = ["MACHINE_SIZES", "GpuFacts", "all_gpus", "gpu_facts"]

MACHINE_SIZES = (1, 2, 4, 8)
"""GPUs of one machine, as sellers rent them out and engines share a model among them."""
_GIB = 2.0**30
_MEMORY = re.compile(r"(\d+)g(?:i?b)?")
_SILENT = re.compile(r"gpus?|tensor|cores?|hbm\d?e?|gddr\d?x?|graphics|generation|card|data|center")
"""Words of a name that tell no GPU from another."""


@shown
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
    return {
        name: GpuFacts(name=name, aliases=tuple(row.pop("aliases", ())), **row)
        for name, row in read_facts("gpus").items()
    }


@cache
def _names() -> Mapping[str, str]:
    return spellings_of(all_gpus())


def _plain(spelling: str) -> tuple[str, float | None]:
    """A name without its memory and what tells no GPU from another, and the memory in GB where given."""
    text = re.sub(r"(\d)\s+(g(?:i?b)\b)", r"\1\2", spelling.casefold())
    words = [re.sub(r"sxm\d", "sxm", word) for word in re.findall(r"[a-z0-9]+", text)]
    given = [float(found[1]) for word in words if (found := _MEMORY.fullmatch(word))]
    kept = [word for word in words if not _MEMORY.fullmatch(word) and not _SILENT.fullmatch(word)]
    return plain_spelling("".join(kept)), given[0] if given else None


@cache
def _plain_names() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, facts in all_gpus().items():
        for spelling in (name, *facts.aliases):
            found.setdefault(_plain(spelling)[0], set()).add(name)
    return {plain: frozenset(names) for plain, names in found.items()}


def _spoken(gpu: str) -> str | None:
    """The one GPU that is meant where memory, socket and the like are told in other words; None: not one."""
    plain, memory = _plain(gpu)
    known = _plain_names().get(plain, frozenset())
    meant = [name for name in known if memory is None or all_gpus()[name].memory_gb == memory]
    return meant[0] if len(meant) == 1 else None


def gpu_facts(gpu: str) -> GpuFacts:
    """The facts of `gpu` under any spelling. Raises UsageError with the nearest names.

    A memory that this GPU is not made with is refused and not passed over.

    >>> gpu_facts("NVIDIA A100 80GB").name, gpu_facts("A100-SXM4-40GB").name
    ('A100-80GB-SXM', 'A100-40GB-SXM')
    """
    given: object = gpu  # a parameter of a notebook may be anything
    if isinstance(given, str) and plain_spelling(given) not in _names() and (meant := _spoken(given)):
        return all_gpus()[meant]
    return all_gpus()[find_spelling("GPU", gpu, _names())]
