"""Engines that serve models, and how they share out a GPU's memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.spellings import find_spelling, plain_spelling, spellings_of
from llmbench.shown import shown

__all__ = ["EngineFacts", "all_engines", "engine_facts"]

_VERSION = re.compile(r"[\s=@_:(vb-]+\d[\w.+-]*\)?$")


@shown
@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One engine."""

    name: str
    family: str
    """Whose calibrated constants hold for it."""
    memory: str
    """Of what it takes `share` for weights and cache: "total", or "free" once the weights are loaded."""
    share: float
    sequences: int
    """At most so many are answered at the same time, unless it is set otherwise."""
    aliases: tuple[str, ...] = ()


@cache
def all_engines() -> Mapping[str, EngineFacts]:
    """Every engine of the catalog, by its name."""
    return {
        name: EngineFacts(name=name, aliases=tuple(row.pop("aliases", ())), **row)
        for name, row in read_facts("engines").items()
    }


@cache
def _names() -> Mapping[str, str]:
    return spellings_of(all_engines())


def engine_facts(engine: str) -> EngineFacts:
    """The engine under any spelling, with or without a version behind. Raises UsageError.

    >>> [engine_facts(name).name for name in ("vLLM", "trtllm", "TensorRT-LLM", "vllm (v0.7.3)")]
    ['vllm', 'tensorrt-llm', 'tensorrt-llm', 'vllm']
    """
    given: object = engine  # a parameter of a notebook may be anything
    known = not isinstance(given, str) or plain_spelling(given) in _names()
    return all_engines()[find_spelling("engine", engine if known else _VERSION.sub("", engine), _names())]
