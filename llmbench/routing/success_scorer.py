"""The chance of each model to answer a prompt rightly, by numbers that were learned before.

Pure Python without numpy: it runs inside a product's router, for each request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import mul

from llmbench.routing.text_features import pairs_of, simple_features, words_of

__all__ = ["FEATURE_LIMIT", "SuccessScorer"]

FEATURE_LIMIT = 4.0
"""Standard deviations at which a simple feature is cut off: a prompt far outside of what was learned
from must not be decided by one count."""


@dataclass(frozen=True, slots=True)
class SuccessScorer:
    """One calibrated logistic model of success per language model, on TF-IDF of words and pairs and on the
    simple features of `llmbench.routing.text_features`.

    x of a term is (1 + ln count) · idf over the norm of all terms of the prompt that are known; of a simple
    feature, (value - mean) / scale, cut off at 4, times `feature_weight`. The chance of success is the
    logistic function of intercept + weights · x.
    """

    models: tuple[str, ...]
    terms: tuple[str, ...]
    idf: tuple[float, ...]
    """One per term."""
    term_weights: tuple[tuple[float, ...], ...]
    """One row per model, one number per term."""
    means: tuple[float, ...]
    """One per simple feature, as `scales`."""
    scales: tuple[float, ...]
    feature_weight: float
    feature_weights: tuple[tuple[float, ...], ...]
    """One row per model, one number per simple feature."""
    intercepts: tuple[float, ...]
    """One per model."""
    _known: Mapping[str, tuple[float, ...]] = field(init=False, repr=False, compare=False)
    """Of each term its idf, then its weight for each model: one look for a term, not one for each number."""

    def __post_init__(self) -> None:
        rows = zip(self.idf, *self.term_weights, strict=True)
        object.__setattr__(self, "_known", dict(zip(self.terms, rows, strict=True)))

    def success(self, prompt: str) -> tuple[float, ...]:
        """The chance of each of `models`, in their order."""
        return tuple(map(_logistic, self.log_odds(prompt)))

    def log_odds(self, prompt: str) -> tuple[float, ...]:
        """ln(p / (1 - p)) of each of `models`, in their order."""
        words = words_of(prompt)
        counts = Counter(words)
        features = simple_features(prompt, words, counts)
        counts.update(pairs_of(words))
        simple = [
            min(max((value - mean) / scale, -FEATURE_LIMIT), FEATURE_LIMIT) * self.feature_weight
            for value, mean, scale in zip(features, self.means, self.scales, strict=True)
        ]
        of_terms = self._of_terms(counts)
        return tuple(
            intercept + total + sum(map(mul, simple, weights))
            for intercept, total, weights in zip(self.intercepts, of_terms, self.feature_weights, strict=True)
        )

    def _of_terms(self, counts: Mapping[str, int]) -> Sequence[float]:
        """One number per model: weights · x. What is not known counts as 0.0, which no sum notices."""
        nothing = (0.0,) * (1 + len(self.models))
        if not counts:
            return nothing[1:]
        idf, *weights = zip(*map(self._known.get, counts, repeat(nothing)), strict=True)
        damped = {count: 1.0 + math.log(count) for count in set(counts.values())}
        values = list(map(mul, idf, map(damped.__getitem__, counts.values())))
        norm = math.sqrt(sum(map(mul, values, values))) or 1.0
        return [sum(map(mul, values, of_model)) / norm for of_model in weights]


def _logistic(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    odds = math.exp(value) if value > -700.0 else 0.0
    return odds / (1.0 + odds)
