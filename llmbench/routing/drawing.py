"""Drawing one of several names by weight: the same for the same key, and moved as little as can be."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from llmbench.errors import UsageError

__all__ = ["checked_weights", "draw"]


def checked_weights(weights: Mapping[str, Any], what: str) -> dict[str, float]:
    """`weights` scaled to a sum of 1. Raises UsageError for none, or for one that is no share."""
    if not weights:
        raise UsageError(f"{what} has nothing to choose from; give at least one with a weight.")
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise UsageError(f"{what} gives {name!r} the weight {weight!r}; a weight is a number from 0 on.")
    total = math.fsum(weights.values())
    if total <= 0:
        raise UsageError(f"{what} has weights that sum to 0; give at least one of them more.")
    return {name: weight / total for name, weight in weights.items()}


def draw(weights: Mapping[str, float], key: str, salt: str) -> str:
    """The name drawn for `key`, each with its share of all keys.

    Weighted rendezvous hashing: every name draws its own number from (salt, key, name), and the
    smallest of -ln(u)/weight wins (Efraimidis and Spirakis 2006, Information Processing Letters 97:
    exponential jumps). So another weight moves only the keys that it must, and a name that is added
    or dropped moves no key between the others.

    >>> weights = {"a": 0.9, "b": 0.1}
    >>> sum(draw(weights, f"unit {n}", "salt") == "b" for n in range(10_000))
    967
    """
    best, winner = math.inf, ""
    for name, weight in weights.items():
        if weight <= 0:
            continue
        digest = hashlib.blake2b(
            f"{len(key)}:{key}{name}".encode("utf-8", "surrogatepass"),
            digest_size=8,
            key=hashlib.blake2b(salt.encode("utf-8", "surrogatepass"), digest_size=32).digest(),
        ).digest()
        score = -math.log((int.from_bytes(digest) + 0.5) / 2.0**64) / weight
        if score < best:
            best, winner = score, name
    return winner
