"""How fast each model has been, for answers of about the same length."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from llmbench.routing.targets import Target

__all__ = ["Speed", "Speeds", "nearest_rank"]

_KEPT = 512
_ALIKE = 2.0
"""Answers from half to twice as long are of like length."""


def nearest_rank(ascending: Sequence[float], q: float) -> float:
    """The smallest value that at least the share `q` of all does not exceed.

    >>> nearest_rank([10.0, 20.0, 30.0, 40.0], 0.5)
    20.0
    """
    return ascending[max(0, math.ceil(q * len(ascending)) - 1)]


class Speed(NamedTuple):
    """Milliseconds of a model's answers of like length."""

    n: int
    p50_ms: float
    p95_ms: float


class Speeds:
    """The newest answers of each model: memory that does not grow."""

    def __init__(self) -> None:
        self._seen: dict[Target, deque[tuple[int | None, float]]] = {}

    def add(self, target: Target, output_tokens: int | None, latency_ms: float) -> None:
        """Take in one answer."""
        kept = self._seen.get(target)
        if kept is None:
            kept = self._seen[target] = deque(maxlen=_KEPT)
        kept.append((output_tokens, latency_ms))

    def add_older(self, target: Target, answers: Iterable[tuple[int | None, float]]) -> None:
        """Take in answers from before the first one, the oldest first."""
        self._seen[target] = deque((*answers, *self._seen.get(target, ())), maxlen=_KEPT)

    def of(self, target: Target, output_tokens: int | None) -> Speed | None:
        """The speed of `target` at answers of about `output_tokens` (None: of any length)."""
        times = sorted(
            latency
            for length, latency in self._seen.get(target, ())
            if output_tokens is None
            or (length is not None and output_tokens / _ALIKE <= length <= output_tokens * _ALIKE)
        )
        if not times:
            return None
        return Speed(len(times), nearest_rank(times, 0.5), nearest_rank(times, 0.95))

    def usual_length(self, targets: Sequence[Target]) -> int | None:
        """The median length of all answers, in tokens."""
        lengths = sorted(n for each in targets for n, _ in self._seen.get(each, ()) if n is not None)
        return lengths[len(lengths) // 2] if lengths else None
