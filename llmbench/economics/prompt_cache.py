"""What of a shared beginning a vendor reads from its cache."""

from __future__ import annotations

import math
from typing import NamedTuple

from llmbench.economics.checks import check_amount
from llmbench.economics.workload import Workload

__all__ = ["CacheRule", "cached_share_at", "cached_tokens"]


class CacheRule(NamedTuple):
    """From how many tokens on a beginning is cached, and in what steps."""

    least: int
    step: int = 1


RULES = {
    # OpenAI's guide to prompt caching: from 1,024 tokens on, in steps of 128. Azure's says the same.
    "openai": CacheRule(1024, 128),
    "azure": CacheRule(1024, 128),
    # The greatest minimum of the models that the vendor's guide names, so that no discount is
    # counted on that a model might not give.
    "anthropic": CacheRule(4096),
    "gemini": CacheRule(4096),
}
"""By backend; where none is known, nothing is taken from a cache."""


def cached_tokens(backend: str | None, prefix_tokens: float) -> float:
    """How many of `prefix_tokens`, which all messages begin with, `backend` reads from its cache.

    Raises UsageError for a number below 0.

    >>> [cached_tokens("openai", prefix) for prefix in (500, 1023, 1024, 1200, 2000)]
    [0.0, 0.0, 1024.0, 1152.0, 1920.0]
    """
    check_amount("prefix_tokens", prefix_tokens)
    rule = RULES.get(backend or "")
    if rule is None or prefix_tokens < rule.least:
        return 0.0
    return rule.least + math.floor((prefix_tokens - rule.least) / rule.step) * float(rule.step)


def cached_share_at(load: Workload, backend: str | None) -> float:
    """The share of the input read from `backend`'s cache: as measured, else by the backend's rule.

    The first message after a pause fills the cache and is charged in full; a product's many messages
    make that one negligible, and it is left out.
    """
    if not load.prefix_tokens:
        return load.cached_share
    return cached_tokens(backend, load.prefix_tokens) / load.input_tokens
